package store

import (
	"context"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
)

// Rebuild fills an empty database with the records of everything that lies in
// packs. A pack that cannot be read is reported and passed over. Nothing of
// the store's own database is looked at. It returns how many packs there were.
func (s *Store) Rebuild(ctx context.Context, db kv.DB, damaged func(objects.ID, error)) (int, error) {
	opt := s.opt
	opt.DB = db
	fresh := Open(opt)
	defer fresh.Close() //nolint:errcheck // it was only read
	return fresh.Adopt(ctx, damaged)
}
