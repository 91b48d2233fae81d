package core

import (
	"context"
	"io"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/store"
)

// source hands out the contents of a store to package worktree. The contents
// of a batch that are one chunk are got together, since what is together in a
// tree was mostly written together.
type source struct {
	store *store.Store
	// workers get the chunks of one large content.
	workers int
}

var _ worktree.Source = source{}

// Batch implements worktree.Source.
func (s source) Batch(ctx context.Context, entries []objects.Entry) (worktree.Batch, error) {
	b := &batch{source: s, entries: entries, at: make([]int, len(entries))}
	ids := make([]objects.ID, 0, len(entries))
	for i, e := range entries {
		if e.Size <= objects.SingleChunk {
			b.at[i] = len(ids)
			ids = append(ids, e.Content)
		}
	}
	b.objs, b.errs = s.store.GetMany(ctx, ids)
	return b, ctx.Err()
}

// batch holds contents that are one chunk, checked.
type batch struct {
	source
	entries []objects.Entry
	at      []int // of a single chunk: where it is in objs and errs
	objs    []objects.Object
	errs    []error
}

// WriteContent implements worktree.Batch.
func (b *batch) WriteContent(ctx context.Context, i int, w io.Writer) error {
	e := b.entries[i]
	if e.Size > objects.SingleChunk {
		return content.Read(ctx, b.store, e, w, b.workers)
	}
	return content.Read(ctx, got{b.objs[b.at[i]], b.errs[b.at[i]]}, e, w, 1)
}

// Close implements worktree.Batch.
func (b *batch) Close() error { return nil }

// got is a Getter of the one object that was got already.
type got struct {
	obj objects.Object
	err error
}

func (g got) Get(context.Context, objects.ID) (objects.Object, error) { return g.obj, g.err }
