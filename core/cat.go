package core

import (
	"context"
	"fmt"
	"io"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
)

// CatOptions say which bytes of a file are wanted.
type CatOptions struct {
	Offset int64
	// Length is how many bytes; nil: all to the end.
	Length *int64
	// Unseal is why a file is read that the commit seals; empty: it is refused.
	Unseal string
}

// Cat writes the content of a file, REV:PATH, to w, or the part of it that
// opt asks for; of a symbolic link the target. Every chunk was checked before
// its bytes are written, and a whole file as a whole at the end: only after a
// nil was it the content. It fails with a *NotInTreeError, with a *FolderError or
// with a *SealedError.
func (r *Repo) Cat(ctx context.Context, spec string, w io.Writer, opt CatOptions) error {
	e, commit, err := r.entryAt(ctx, spec)
	if err != nil {
		return err
	}
	if err := r.readSealed(ctx, commit.Short(), commit, e.Path, opt.Unseal); err != nil {
		return err
	}
	if err := r.bring(ctx, oneEntry(e.Entry)); err != nil {
		return err
	}
	if opt.Offset == 0 && opt.Length == nil {
		return content.Read(ctx, r.store, e.Entry, w, r.env.workers())
	}
	length := e.Entry.Size - opt.Offset
	if opt.Length != nil {
		length = *opt.Length
	}
	if err := content.ReadRange(ctx, r.store, e.Entry, opt.Offset, length, w); err != nil {
		return fmt.Errorf("%s: %w", spec, err)
	}
	return nil
}

// FolderError is for a folder where a file is needed.
type FolderError struct{ Rev, Path string }

func (e *FolderError) Error() string { return fmt.Sprintf("%q is a folder in %s", e.Path, e.Rev) }

// entryAt finds the file that REV:PATH names, and the commit.
func (r *Repo) entryAt(ctx context.Context, spec string) (worktree.TreeEntry, objects.ID, error) {
	t, err := r.Resolve(ctx, spec)
	if err != nil {
		return worktree.TreeEntry{}, objects.ID{}, err
	}
	if !t.HasPath {
		return worktree.TreeEntry{}, objects.ID{}, &UsageError{
			What: fmt.Sprintf("%q names a commit, not a file", spec),
			Hint: "write REV:PATH, as in HEAD:data/labels.csv",
		}
	}
	tree, err := r.treeOf(ctx, t.ID)
	if err != nil {
		return worktree.TreeEntry{}, objects.ID{}, err
	}
	rev := t.ID.Short()
	path, err := cleanPath(t.Path)
	if err != nil {
		return worktree.TreeEntry{}, objects.ID{}, err
	}
	e, ok, err := r.lookUp(ctx, tree, path)
	if err != nil {
		return worktree.TreeEntry{}, objects.ID{}, err
	}
	if ok && e.Mode != objects.ModeDir {
		return worktree.TreeEntry{Path: path, Entry: e}, t.ID, nil
	}
	folder, err := r.inTree(ctx, tree, path)
	switch {
	case err != nil:
		return worktree.TreeEntry{}, objects.ID{}, err
	case folder || path == ".":
		return worktree.TreeEntry{}, objects.ID{}, &FolderError{Rev: rev, Path: path}
	}
	return worktree.TreeEntry{}, objects.ID{}, &NotInTreeError{Rev: rev, Path: path}
}
