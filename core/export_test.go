package core

import (
	"context"
	"errors"
	"os"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
)

// StoreUnnamed stores a file as an interrupted commit does: nothing names it.
func (r *Repo) StoreUnnamed(ctx context.Context, name string) (err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	f, err := r.env.FS.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if _, _, err := content.Write(ctx, r.store, content.Sized(f, st.Size), objects.Entry{}, 2); err != nil {
		return err
	}
	return r.store.Sync(ctx)
}
