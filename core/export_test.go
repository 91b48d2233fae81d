package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/prolly"
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

// LoseRecords removes one in n of the database's records of objects.
func (r *Repo) LoseRecords(ctx context.Context, n int) error {
	var keys [][]byte
	err := r.db.View(ctx, func(kr kv.Reader) error {
		i := 0
		return kr.Scan(nil, nil, func(key, _ []byte) (bool, error) {
			if len(key) == 33 && (key[0] == 'o' || key[0] == 'c') {
				if i++; i%n == 0 {
					keys = append(keys, bytes.Clone(key))
				}
			}
			return true, nil
		})
	})
	if err != nil {
		return err
	}
	return r.db.Update(ctx, func(w kv.Writer) error {
		for _, key := range keys {
			if err := w.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// Answers returns what Get and Missing say of every object that the packs have.
func (r *Repo) Answers(ctx context.Context) (map[objects.ID]string, error) {
	all := make(map[objects.ID]string)
	err := r.db.View(ctx, func(kr kv.Reader) error {
		return kr.Scan(nil, nil, func(key, _ []byte) (bool, error) {
			if len(key) == 33 && (key[0] == 'o' || key[0] == 'c') {
				all[objects.ID(key[1:])] = ""
			}
			return true, nil
		})
	})
	for id := range all {
		o, err := r.store.GetRecorded(ctx, id)
		if err != nil {
			return nil, err
		}
		missing, err := r.store.Missing(ctx, []objects.ID{id})
		if err != nil {
			return nil, err
		}
		all[id] = fmt.Sprint(o.Kind, len(missing), string(o.Data))
	}
	return all, err
}

// CheckNested checks a tree with some entries, and more that were added.
func (r *Repo) CheckNested(ctx context.Context, some, more map[string]objects.Entry) error {
	tree := prolly.Map{}
	var roots []objects.ID
	for _, entries := range []map[string]objects.Entry{some, more} {
		var err error
		tree, err = prolly.Apply(ctx, r.store, tree, func(yield func(prolly.Edit, error) bool) {
			for _, path := range slices.Sorted(maps.Keys(entries)) {
				if !yield(prolly.Edit{Key: []byte(path), Value: entries[path].Append(nil)}, nil) {
					return
				}
			}
		})
		if err != nil {
			return err
		}
		roots = append(roots, tree.Root())
	}
	return r.checkNested(ctx, roots[0], roots[1])
}
