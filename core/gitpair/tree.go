package gitpair

import (
	"context"
	"errors"
	"path"
	"strings"
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
// whole tree of the revision: FilesAt is for those whose name is known.
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

// FilesAt returns the bytes that the files of these names have at a revision;
// those that it does not have are left out.
func (r *Repo) FilesAt(ctx context.Context, rev string, names ...string) (map[string][]byte, error) {
	hash, err := r.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	c, err := r.commit(ctx, hash)
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, name := range names {
		hash, err := r.find(ctx, c.tree, name)
		if errors.Is(err, errNoFile) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if files[name], err = r.blob(ctx, hash); err != nil {
			return nil, err
		}
	}
	return files, nil
}

var errNoFile = errors.New("no such file in the tree")

// find returns the hash of the file of that name in a tree.
func (r *Repo) find(ctx context.Context, tree, name string) (string, error) {
	first, rest, deeper := strings.Cut(name, "/")
	entries, err := r.tree(ctx, tree)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		switch {
		case e.name != first:
		case deeper && e.tree:
			return r.find(ctx, e.hash, rest)
		case !deeper && e.file:
			return e.hash, nil
		}
	}
	return "", errNoFile
}
