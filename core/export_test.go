package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/mlvc/mlvc/core/backupplan"
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

// MakeTree makes a tree of entries and what another has.
func (r *Repo) MakeTree(ctx context.Context, of objects.ID, entries map[string]objects.Entry) (objects.ID, error) {
	tree, err := prolly.Apply(ctx, r.store, treeMap(of), func(yield func(prolly.Edit, error) bool) {
		for _, path := range slices.Sorted(maps.Keys(entries)) {
			if !yield(prolly.Edit{Key: []byte(path), Value: entries[path].Append(nil)}, nil) {
				return
			}
		}
	})
	return tree.Root(), err
}

// CheckNested checks a tree against a sound one.
func (r *Repo) CheckNested(ctx context.Context, sound, tree objects.ID) error {
	return r.checkNested(ctx, sound, tree)
}

// MergeTrees merges two trees.
func (r *Repo) MergeTrees(ctx context.Context, base, ours, theirs objects.ID, opt MergeOptions) (objects.ID, map[string]objects.Entry, error) {
	t := &treeMerge{Repo: r, base: base, ours: ours, theirs: theirs, keepBoth: opt.KeepBoth, forOurs: opt.Ours, forTheirs: opt.Theirs}
	tree, err := t.run(ctx)
	if err != nil {
		return tree, nil, err
	}
	entries := make(map[string]objects.Entry)
	for e, err := range r.treeEntries(ctx, tree) {
		if err != nil {
			return tree, nil, err
		}
		entries[e.Path] = e.Entry
	}
	return tree, entries, nil
}

// WeighLine weighs the history of HEAD in parts.
func (r *Repo) WeighLine(ctx context.Context, parts int) ([]backupplan.Commit, error) {
	line, err := r.firstParentLine(ctx, "HEAD")
	if err != nil {
		return nil, err
	}
	return r.weighLineIn(ctx, line, parts, 0)
}
