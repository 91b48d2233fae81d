package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"syscall"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// treeMap opens a tree by its root; the zero ID is the empty tree.
func treeMap(root objects.ID) prolly.Map {
	if root.IsZero() {
		return prolly.Map{}
	}
	return prolly.Open(root)
}

// treeEntries yields the entries of a tree in path order.
func (r *Repo) treeEntries(ctx context.Context, root objects.ID) iter.Seq2[worktree.TreeEntry, error] {
	return func(yield func(worktree.TreeEntry, error) bool) {
		for item, err := range treeMap(root).All(ctx, r.store) {
			if err != nil {
				yield(worktree.TreeEntry{}, err)
				return
			}
			e, err := decodeEntry(item.Key, item.Value)
			if !yield(worktree.TreeEntry{Path: string(item.Key), Entry: e}, err) || err != nil {
				return
			}
		}
	}
}

// decodeEntry reads a value of a tree.
func decodeEntry(path, value []byte) (objects.Entry, error) {
	e, err := objects.DecodeEntry(value)
	if err != nil {
		return objects.Entry{}, fmt.Errorf("%w: %q: %w", objects.ErrCorrupt, path, err)
	}
	return e, nil
}

// lookUp returns the entry of one path of a tree.
func (r *Repo) lookUp(ctx context.Context, root objects.ID, path string) (objects.Entry, bool, error) {
	return lookUpIn(ctx, r.store, root, path)
}

func lookUpIn(ctx context.Context, g objects.Getter, root objects.ID, path string) (objects.Entry, bool, error) {
	value, ok, err := treeMap(root).Get(ctx, g, []byte(path))
	if err != nil || !ok {
		return objects.Entry{}, false, err
	}
	e, err := decodeEntry([]byte(path), value)
	return e, err == nil, err
}

// treeDiff yields what differs between two trees in path order; equal subtrees
// are not read.
func (r *Repo) treeDiff(ctx context.Context, from, to objects.ID) worktree.Changes {
	return treeDiffIn(ctx, r.store, from, to)
}

func treeDiffIn(ctx context.Context, g objects.Getter, from, to objects.ID) worktree.Changes {
	return func(yield func(worktree.Change, error) bool) {
		for d, err := range prolly.Diff(ctx, g, treeMap(from), treeMap(to)) {
			if err != nil {
				yield(worktree.Change{}, err)
				return
			}
			c, err := decodeChange(d)
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

func decodeChange(d prolly.Change) (worktree.Change, error) {
	c := worktree.Change{Path: string(d.Key)}
	for _, side := range []struct {
		value []byte
		to    **objects.Entry
	}{{d.Old, &c.Old}, {d.New, &c.New}} {
		if side.value == nil {
			continue
		}
		e, err := decodeEntry(d.Key, side.value)
		if err != nil {
			return worktree.Change{}, err
		}
		*side.to = &e
	}
	return c, nil
}

// summary sums up what the tree `to` has beyond `from`. Files and Bytes are the
// difference of the totals.
func (r *Repo) summary(ctx context.Context, from, to objects.ID) (objects.Delta, error) {
	var d objects.Delta
	for c, err := range r.treeDiff(ctx, from, to) {
		if err != nil {
			return objects.Delta{}, err
		}
		addChange(&d, c)
	}
	return d, nil
}

// addChange counts one change into d.
func addChange(d *objects.Delta, c worktree.Change) {
	switch {
	case c.Old == nil:
		d.Added++
		d.AddedBytes += c.New.Size
		d.Files++
		d.Bytes += c.New.Size
	case c.New == nil:
		d.Removed++
		d.RemovedBytes += c.Old.Size
		d.Files--
		d.Bytes -= c.Old.Size
	default:
		d.Changed++
		d.ChangedBytes += c.New.Size
		d.Bytes += c.New.Size - c.Old.Size
	}
}

// pathsOf returns a function that says whether a path differs between two
// trees. It must be asked in path order; the differences are streamed.
func (r *Repo) pathsOf(ctx context.Context, from, to objects.ID) (*pathStream, error) {
	next, stop := iter.Pull2(r.treeDiff(ctx, from, to))
	p := &pathStream{next: next, stop: stop}
	p.advance()
	return p, p.err
}

// pathStream answers whether a path is in a sorted stream of changes.
type pathStream struct {
	next func() (worktree.Change, error, bool)
	stop func()
	at   string
	done bool
	err  error
}

func (p *pathStream) advance() {
	c, err, ok := p.next()
	p.at, p.err, p.done = c.Path, err, !ok || err != nil
}

// has reports whether the stream has the path; paths must rise.
func (p *pathStream) has(path string) bool {
	for !p.done && p.at < path {
		p.advance()
	}
	return !p.done && p.at == path
}

// NoPathError is for a path that is neither on the disk nor in the tree.
type NoPathError struct{ Path string }

func (e *NoPathError) Error() string {
	return fmt.Sprintf("%q is neither in the working tree nor in the commit", e.Path)
}

// checkPaths fails for a path that is neither in the working tree nor, itself
// or with something below it, in the tree.
func (r *Repo) checkPaths(ctx context.Context, tree objects.ID, paths []string) error {
	for _, path := range paths {
		if path == "." {
			continue
		}
		_, err := r.env.FS.Lstat(filepath.Join(r.root, filepath.FromSlash(path)))
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return err
		}
		ok, err := r.inTree(ctx, tree, path)
		if err != nil {
			return err
		}
		if !ok {
			return &NoPathError{Path: path}
		}
	}
	return nil
}

// inTree reports whether a tree has the path or something below it.
func (r *Repo) inTree(ctx context.Context, tree objects.ID, path string) (bool, error) {
	if _, ok, err := r.lookUp(ctx, tree, path); ok || err != nil {
		return ok, err
	}
	for _, err := range treeMap(tree).Prefix(ctx, r.store, []byte(path+"/")) {
		return err == nil, err
	}
	return false, nil
}
