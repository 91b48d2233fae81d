package core

import (
	"context"
	"fmt"
	"iter"

	"github.com/mlvc/mlvc/core/internal/ordered"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects/content"
)

// verify compares what was made with what the tool says, before any name moves:
//
//  1. Every distinct content is read back from the store and hashed as the
//     tool hashes it.
//  2. Of every commit made, the difference of its tree from that of its first
//     git parent is compared with the difference of the listings: no path more,
//     none less, each with the content that its hash has here. As each parent
//     was compared before, that is every file of every revision.
func (im *importing) verify(ctx context.Context) error {
	if err := im.verifyContents(ctx); err != nil {
		return err
	}
	for i, m := range im.made {
		c, err := im.history.Commit(m.revision)
		if err != nil {
			return err
		}
		d, err := im.outsOf(ctx, c)
		if err != nil {
			return err
		}
		if err := im.verifyCommit(ctx, m, d); err != nil {
			return err
		}
		im.env.Events.Progress(Progress{Phase: PhaseVerify, Files: int64(i + 1), TotalFiles: int64(len(im.made))})
	}
	return nil
}

func (im *importing) verifyContents(ctx context.Context) error {
	check := func(ctx context.Context, f resolvedFile) (int64, error) {
		c := im.project.Check(f.Hash)
		if err := content.Read(ctx, im.store, f.entry, c, 1); err != nil {
			return 0, fmt.Errorf("read %s back: %w", f.Hash, err)
		}
		if !c.Matches() {
			return 0, &ImportDifferError{Path: f.Hash, What: "what was stored is not that content"}
		}
		return f.entry.Size, nil
	}
	weight := func(f resolvedFile) int64 { return f.entry.Size }
	for size, err := range ordered.Map(ctx, im.contents.each(ctx), im.env.workers(), weight, check) {
		if err != nil {
			return err
		}
		im.res.Contents++
		im.res.Read++
		im.res.Bytes += size
	}
	return nil
}

// verifyCommit compares one commit; what it makes of its parent is asked of
// the trees, and what should be of the listings.
func (im *importing) verifyCommit(ctx context.Context, m madeCommit, d outsChange) error {
	differ := func(path, what string) error {
		return &ImportDifferError{Revision: m.revision, Path: path, What: what}
	}
	want := im.expected(ctx, d)
	key := func(c worktree.Change) string { return c.Path }
	for p, err := range joined(want, im.treeDiff(ctx, m.base, m.tree), key) {
		switch {
		case err != nil:
			return err
		case p.a == nil:
			return differ(p.key, "it changed, and its pointer did not")
		}
		if p.a.New != nil {
			im.res.Verified++
		}
		if p.b != nil && !sameEntry(p.a.New, p.b.New) {
			return differ(p.key, "it has another content or mode")
		}
		if p.b != nil {
			continue
		}
		// The tree is the same there: so must be what is wanted.
		e, ok, err := im.lookUp(ctx, m.tree, p.key)
		if err != nil {
			return err
		}
		if ok != (p.a.New != nil) || ok && e != *p.a.New {
			return differ(p.key, "it did not change, and its pointer did")
		}
	}
	return nil
}

// expected yields what should become of each path that the pointers changed.
func (im *importing) expected(ctx context.Context, d outsChange) iter.Seq2[worktree.Change, error] {
	return func(yield func(worktree.Change, error) bool) {
		for ch, err := range im.contents.resolve(ctx, im.changes(ctx, d), false) {
			c := worktree.Change{Path: ch.path}
			if ch.new != nil && ch.new.Wrong == "" {
				c.New = &ch.new.entry
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}
