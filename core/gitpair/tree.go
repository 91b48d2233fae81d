package gitpair

import (
	"context"
	"path"
)

// PointerFile is a file that is named as pointers are.
type PointerFile struct {
	Name string // from the work tree's root, with slashes
	Text []byte
	// Pointer is what Text says, unless Err says why it is no pointer.
	Pointer Pointer
	Err     error
	// Unmerged: in the index it is in conflict, and Text is our side's (or
	// theirs, if we have none).
	Unmerged bool
}

func newPointerFile(name string, text []byte) PointerFile {
	p, err := ParsePointer(name, text)
	return PointerFile{Name: name, Text: text, Pointer: p, Err: err}
}

// PointersAt returns every pointer of a revision, sorted by name. It reads the
// whole tree of the revision.
func (r *Repo) PointersAt(ctx context.Context, rev string) ([]PointerFile, error) {
	hash, err := r.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	c, err := r.commit(ctx, hash)
	if err != nil {
		return nil, err
	}
	var list []PointerFile
	err = r.eachFile(ctx, c.tree, "", func(name, hash string) error {
		if !isPointerName(name) {
			return nil
		}
		text, err := r.blob(ctx, hash)
		list = append(list, newPointerFile(name, text))
		return err
	})
	return list, err
}

func (r *Repo) eachFile(ctx context.Context, tree, below string, fn func(name, hash string) error) error {
	entries, err := r.tree(ctx, tree)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(below, e.name)
		if e.tree {
			err = r.eachFile(ctx, e.hash, name, fn)
		} else if e.file {
			err = fn(name, e.hash)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
