// Package history walks the graph of commits: in order, for ancestors, for
// merge bases, and along the chain that leads to a full commit.
package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/mlvc/mlvc/objects"
)

// Commit is a commit and its ID.
type Commit struct {
	ID objects.ID
	objects.Commit
}

// Read gets and decodes a commit. A damaged one is an *objects.ObjectError
// that wraps objects.ErrCorrupt.
func Read(ctx context.Context, g objects.Getter, id objects.ID) (Commit, error) {
	o, err := g.Get(ctx, id)
	if err != nil {
		return Commit{}, fmt.Errorf("read commit: %w", err)
	}
	c, err := objects.DecodeCommit(o)
	if err != nil {
		return Commit{}, &objects.ObjectError{ID: id, Err: err}
	}
	return Commit{ID: id, Commit: c}, nil
}

// FirstParents yields id, its first parent, that one's first parent and so on
// to the root.
func FirstParents(ctx context.Context, g objects.Getter, id objects.ID) iter.Seq2[Commit, error] {
	return func(yield func(Commit, error) bool) {
		for {
			c, err := Read(ctx, g, id)
			if !yield(c, err) || err != nil || len(c.Parents) == 0 {
				return
			}
			id = c.Parents[0]
		}
	}
}

// ErrNoFull is for a commit that has no full commit to stand on.
var ErrNoFull = errors.New("no full commit among its first parents")

// LastFull returns the nearest full commit by first parents, id itself
// included. It fails with ErrNoFull if there is none.
func LastFull(ctx context.Context, g objects.Getter, id objects.ID) (Commit, error) {
	for c, err := range FirstParents(ctx, g, id) {
		if err != nil {
			return Commit{}, err
		}
		if c.Kind == objects.Full {
			return c, nil
		}
	}
	return Commit{}, fmt.Errorf("commit %s: %w", id.Short(), ErrNoFull)
}

// Chain is what a commit stands on: the deltas from it, by base, to a full
// commit.
type Chain struct {
	Full  Commit
	Len   int   // commits beyond the full; 0 for a full
	Bytes int64 // of contents that those commits hold, as in Commit.Held
	// Of those of the chain, the full included, of which it is known what their
	// changes beyond their first parents came to: the bytes that packs got for
	// that, and the sizes of the files that were new and that were edited.
	Grown, New, Edited int64
}

// count counts one commit of the chain.
func (chain *Chain) count(c Commit) {
	if c.Stored != nil && len(c.Parents) == 1 {
		change := c.Changes()
		chain.Grown += c.Stored.Grown
		chain.New += change.AddedBytes
		chain.Edited += change.ChangedBytes
	}
	if c.Kind == objects.Full {
		chain.Full = c
		return
	}
	chain.Len++
	chain.Bytes += c.Held()
}

// ChainOf follows the bases of a commit to the full one that they end in.
func ChainOf(ctx context.Context, g objects.Getter, id objects.ID) (Chain, error) {
	var chain Chain
	for {
		c, err := Read(ctx, g, id)
		if err != nil {
			return Chain{}, err
		}
		if chain.count(c); c.Kind == objects.Full {
			return chain, nil
		}
		id = c.Base
	}
}

// Generation is what a commit with these parents has as its generation: one
// more than the greatest of theirs, 1 without parents, and 0, for not known,
// if a parent has none. So a commit that has one is above all its ancestors,
// and they all have one.
func Generation(parents ...objects.Commit) int {
	highest := 0
	for _, p := range parents {
		if p.Generation == 0 {
			return 0
		}
		highest = max(highest, p.Generation)
	}
	return highest + 1
}

// rank orders commits so that a child is never below its parent, and above it
// if the parent has a generation. A commit without one is only ever reached
// from others without.
func (c Commit) rank() int {
	if c.Generation == 0 {
		return math.MaxInt
	}
	return c.Generation
}

// higher orders by generation, highest first, then as newer does.
func higher(a, b Commit) bool {
	if a.rank() != b.rank() {
		return a.rank() > b.rank()
	}
	return newer(a, b)
}

// newer orders by time, newest first, then by ID.
func newer(a, b Commit) bool {
	if !a.Time.Equal(b.Time) {
		return a.Time.After(b.Time)
	}
	return bytes.Compare(a.ID[:], b.ID[:]) < 0
}
