package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
)

// StoredSizes returns, for each of ids, the bytes that the object takes in its
// pack, by what the database says, or what was put and is not there yet: of a
// chunk its record, of a metadata object its payload. It is 0 for an object that
// is not known.
func (s *Store) StoredSizes(ctx context.Context, ids []objects.ID) ([]int64, error) {
	sizes := make([]int64, len(ids))
	err := s.opt.DB.View(ctx, func(r kv.Reader) error {
		for i, id := range ids {
			if obj, ok := s.pendingObject(id); ok {
				if sizes[i] = int64(len(obj.meta)); obj.meta == nil {
					sizes[i] = int64(obj.record.Length)
				}
				continue
			}
			value, err := r.Get(idKey(chunkPrefix, id))
			if err == nil {
				loc, err := decodeLocation(id, value)
				if err != nil {
					return err
				}
				sizes[i] = int64(loc.Length)
				continue
			}
			if errors.Is(err, kv.ErrNotFound) {
				value, err = r.Get(idKey(objectPrefix, id))
			}
			if err != nil && !errors.Is(err, kv.ErrNotFound) {
				return err
			}
			sizes[i] = int64(len(value))
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("look up sizes: %w", err)
	}
	return sizes, nil
}
