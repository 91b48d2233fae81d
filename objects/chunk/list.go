package chunk

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/mlvc/mlvc/objects"
)

// Ref names one chunk of a content.
type Ref struct {
	ID     objects.ID
	Length int // in bytes
}

// Span is a chunk at its place in a content.
type Span struct {
	Ref
	Start int64 // offset of its first byte
}

// End returns the offset after the chunk's last byte.
func (s Span) End() int64 { return s.Start + int64(s.Length) }

// BuildList stores the list of a content's chunks, in order, and returns the
// ID of its root. Equal sequences have equal roots, whatever was stored
// before. Memory is bounded by the height of the list. It fails with the
// first error of refs or of the store; nodes already put stay, unnamed.
func BuildList(ctx context.Context, s objects.Store, refs iter.Seq2[Ref, error]) (objects.ID, error) {
	b := builder{ctx: ctx, store: s}
	var run Run
	for ref, err := range refs {
		if err != nil {
			return objects.ID{}, err
		}
		if ref.Length < 1 || ref.Length > objects.SingleChunk {
			return objects.ID{}, fmt.Errorf("chunk list: chunk %s of %d bytes", ref.ID, ref.Length)
		}
		if run.Repeat > 0 && run.ID == ref.ID && run.Length == ref.Length {
			run.Repeat++
			continue
		}
		if err := b.addRun(run); err != nil {
			return objects.ID{}, err
		}
		run = Run{ref.ID, ref.Length, 1}
	}
	if run.Repeat == 0 {
		return objects.ID{}, errors.New("chunk list: no chunks")
	}
	if err := b.addRun(run); err != nil {
		return objects.ID{}, err
	}
	return b.root()
}

// builder holds the unfinished node of each level.
type builder struct {
	ctx    context.Context //nolint:containedctx // lives as long as one BuildList
	store  objects.Store
	levels []node
}

func (b *builder) addRun(r Run) error {
	if r.Repeat == 0 {
		return nil
	}
	n := b.level(0)
	n.runs = append(n.runs, r)
	if ends(0, len(n.runs), r.ID) {
		return b.finish(0)
	}
	return nil
}

func (b *builder) level(i int) *node {
	if i == len(b.levels) {
		b.levels = append(b.levels, node{level: i})
	}
	return &b.levels[i]
}

// finish puts the node of a level and adds it to the level above.
func (b *builder) finish(level int) error {
	c, err := b.put(level)
	if err != nil {
		return err
	}
	up := b.level(level + 1)
	up.children = append(up.children, c)
	if ends(level+1, len(up.children), c.id) {
		return b.finish(level + 1)
	}
	return nil
}

func (b *builder) put(level int) (child, error) {
	n := &b.levels[level]
	bytes, count, err := n.total()
	if err != nil {
		return child{}, err
	}
	id, err := b.store.Put(b.ctx, n.object())
	if err != nil {
		return child{}, fmt.Errorf("store chunk list: %w", err)
	}
	n.runs, n.children = n.runs[:0], n.children[:0]
	return child{id, bytes, count}, nil
}

// root finishes what is unfinished, from the bottom up. The root is the only
// node of its level.
func (b *builder) root() (objects.ID, error) {
	for level := 0; ; level++ {
		n := &b.levels[level]
		top := level == len(b.levels)-1
		switch items := len(n.runs) + len(n.children); {
		case top && level > 0 && items == 1:
			return n.children[0].id, nil
		case top:
			c, err := b.put(level)
			return c.id, err
		case items > 0:
			if err := b.finish(level); err != nil {
				return objects.ID{}, err
			}
		}
	}
}
