package core

import (
	"context"
	"fmt"
	"path"

	"github.com/mlvc/mlvc/objects"
)

// NestedError is for a tree in which something would lie below a file or an
// empty folder, which no disk can hold. It was not recorded.
type NestedError struct {
	Path  string // the file or the empty folder
	Below string // what lies below it
}

func (e *NestedError) Error() string {
	return fmt.Sprintf("%q would lie below %q, which is a file or an empty folder", e.Below, e.Path)
}

// checkNested fails with a *NestedError if a tree is not sound, where another
// is: something was added below a file or an empty folder, or the other way
// round. Cost follows what was added.
func (r *Repo) checkNested(ctx context.Context, sound, tree objects.ID) error {
	leaves := newFolders(func(ctx context.Context, path string) (bool, error) {
		_, ok, err := r.lookUp(ctx, tree, path)
		return ok, err
	})
	for c, err := range r.treeDiff(ctx, sound, tree) {
		if err != nil {
			return err
		}
		if c.Old != nil || c.New == nil {
			continue // the sound tree has nothing below or above it, either
		}
		lies, err := leaves.above(ctx, path.Dir(c.Path))
		if err != nil {
			return err
		}
		if lies {
			return r.nestedBelow(ctx, tree, c.Path)
		}
		if sound.IsZero() {
			continue // what is below was added, too
		}
		for item, err := range treeMap(tree).Prefix(ctx, r.store, []byte(c.Path+"/")) {
			if err != nil {
				return err
			}
			return &NestedError{Path: c.Path, Below: string(item.Key)}
		}
	}
	return nil
}

// nestedBelow names what a path of a tree lies below.
func (r *Repo) nestedBelow(ctx context.Context, tree objects.ID, below string) error {
	e := &NestedError{Below: below}
	for e.Path = path.Dir(below); ; e.Path = path.Dir(e.Path) {
		if _, ok, err := r.lookUp(ctx, tree, e.Path); ok || err != nil || e.Path == "." {
			return firstError(err, e)
		}
	}
}

// folders answers whether something is so of a folder or of one above it. It
// is for many questions about few folders.
type folders struct {
	is    func(ctx context.Context, path string) (bool, error)
	known map[string]bool
}

// maxFolders bounds the folders that are remembered.
const maxFolders = 10_000

func newFolders(is func(ctx context.Context, path string) (bool, error)) *folders {
	return &folders{is: is, known: make(map[string]bool)}
}

// above answers for a folder; never so is the root.
func (f *folders) above(ctx context.Context, dir string) (bool, error) {
	if dir == "." {
		return false, nil
	}
	if is, known := f.known[dir]; known {
		return is, nil
	}
	is, err := f.is(ctx, dir)
	if err == nil && !is {
		is, err = f.above(ctx, path.Dir(dir))
	}
	if len(f.known) >= maxFolders {
		clear(f.known) // to have forgotten costs only time
	}
	f.known[dir] = is
	return is, err
}
