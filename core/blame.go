package core

import (
	"context"
	"iter"
	"maps"
	"time"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
)

// BlameEntry is a path, and the commit that last changed it.
type BlameEntry struct {
	Path    string     `json:"path"`
	Mode    string     `json:"mode"`
	Size    int64      `json:"size"`
	Content objects.ID `json:"content,omitzero"`
	Commit  objects.ID `json:"commit"`
	Author  Person     `json:"author"`
	Time    time.Time  `json:"time"`
	Message string     `json:"message"`
}

// Blame yields, for each file at or below a path of a revision (empty: HEAD),
// the commit that made it what it is there: found back from the revision,
// newest commits first, in path order for each. Of a merge the parent that
// has the file the same, the first of several, is followed. Every step costs
// what changed in it below the path, and the walk ends when all are found. It
// holds the paths that are not found yet.
func (r *Repo) Blame(ctx context.Context, rev, path string) iter.Seq2[BlameEntry, error] {
	return func(yield func(BlameEntry, error) bool) {
		b, err := r.newBlame(ctx, rev, path)
		if err == nil {
			err = b.walk(ctx, func(e BlameEntry) bool { return yield(e, nil) })
		}
		if err != nil {
			yield(BlameEntry{}, err)
		}
	}
}

// pathSet is paths whose commit is looked for.
type pathSet map[string]struct{}

// blaming hands paths from commits to their parents until one of them is the
// first to have them as they are.
type blaming struct {
	repo    *Repo
	ranges  ranges
	start   objects.ID
	pending map[objects.ID]pathSet // by the commit that has them as they are
}

func (r *Repo) newBlame(ctx context.Context, rev, path string) (*blaming, error) {
	rs, err := rangesOf([]string{path})
	if err != nil {
		return nil, err
	}
	at, err := r.revTree(ctx, rev)
	if err != nil {
		return nil, err
	}
	paths := make(pathSet)
	for e, err := range r.entriesIn(ctx, at.tree, rs) {
		if err != nil {
			return nil, err
		}
		paths[e.Path] = struct{}{}
	}
	if len(paths) == 0 {
		return nil, &NotInTreeError{Rev: at.Name, Path: path}
	}
	return &blaming{repo: r, ranges: rs, start: at.Commit, pending: map[objects.ID]pathSet{at.Commit: paths}}, nil
}

func (b *blaming) walk(ctx context.Context, yield func(BlameEntry) bool) error {
	for c, err := range history.Walk(ctx, b.repo.store, []objects.ID{b.start}, history.Options{}) {
		if err != nil {
			return err
		}
		paths := b.pending[c.ID]
		delete(b.pending, c.ID)
		if len(paths) > 0 {
			if more, err := b.step(ctx, c, paths, yield); err != nil || !more {
				return err
			}
		}
		if len(b.pending) == 0 {
			return nil
		}
	}
	return nil
}

// step hands on to each parent the paths that it has the same; what no parent
// takes is the commit's own.
func (b *blaming) step(ctx context.Context, c history.Commit, paths pathSet, yield func(BlameEntry) bool) (more bool, err error) {
	last := len(c.Parents) - 1
	for i := 0; i < last && len(paths) > 0; i++ {
		own := make(pathSet)
		tree, err := b.repo.treeOf(ctx, c.Parents[i])
		if err != nil {
			return false, err
		}
		for d, err := range b.repo.diffIn(ctx, tree, c.Tree, b.ranges) {
			if err != nil {
				return false, err
			}
			if _, ok := paths[d.Path]; ok {
				own[d.Path] = struct{}{}
				delete(paths, d.Path)
			}
		}
		b.handOn(c.Parents[i], paths)
		paths = own
	}
	var tree objects.ID // a root differs from nothing
	if last >= 0 {
		if tree, err = b.repo.treeOf(ctx, c.Parents[last]); err != nil {
			return false, err
		}
	}
	for d, err := range b.repo.diffIn(ctx, tree, c.Tree, b.ranges) {
		if err != nil {
			return false, err
		}
		if _, ok := paths[d.Path]; !ok {
			continue
		}
		delete(paths, d.Path)
		e := BlameEntry{
			Path: d.Path, Mode: d.New.Mode.String(), Size: d.New.Size, Content: d.New.Content,
			Commit: c.ID, Author: Person(c.Author), Time: c.Time, Message: c.Message,
		}
		if !yield(e) {
			return false, nil
		}
	}
	if last >= 0 {
		b.handOn(c.Parents[last], paths)
	}
	return true, nil
}

// handOn adds paths to what is looked for from a commit on; it keeps them.
func (b *blaming) handOn(id objects.ID, paths pathSet) {
	if len(paths) == 0 {
		return
	}
	have := b.pending[id]
	if len(have) < len(paths) {
		have, paths = paths, have
	}
	maps.Copy(have, paths)
	b.pending[id] = have
}
