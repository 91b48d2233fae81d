package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
)

// Find returns the metadata objects of a kind whose ID begins with those
// lower-case hexadecimal digits, in order, at most limit of them. It reads
// the database alone, and only what begins so.
func (s *Store) Find(ctx context.Context, digits string, kind objects.Kind, limit int) ([]objects.ID, error) {
	whole, err := hex.DecodeString(digits[:len(digits)/2*2])
	if err != nil || !kind.IsMeta() {
		return nil, fmt.Errorf("find %v %q: not the beginning of an ID", kind, digits)
	}
	prefix := append(append(make([]byte, 0, 1+len(whole)), objectPrefix...), whole...)
	var ids []objects.ID
	err = s.opt.DB.View(ctx, func(r kv.Reader) error {
		ids = nil
		return r.Scan(prefix, nil, func(key, value []byte) (bool, error) {
			var id objects.ID
			if len(key) != 1+objects.IDSize || len(value) == 0 || objects.Kind(value[0]) != kind {
				return true, ctx.Err()
			}
			copy(id[:], key[1:])
			if strings.HasPrefix(id.String(), digits) {
				ids = append(ids, id)
			}
			return len(ids) < limit, ctx.Err()
		})
	})
	if err != nil {
		return nil, fmt.Errorf("find %v %s: %w", kind, digits, err)
	}
	return ids, nil
}
