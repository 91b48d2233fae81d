package history

import (
	"context"
	"slices"

	"github.com/mlvc/mlvc/objects"
)

// side says which of two commits reach a commit.
type side uint8

const (
	sideA side = 1 << iota
	sideB
	// stale commits are ancestors of a commit that both sides reach, so they
	// are no best common ancestor.
	stale
)

const both = sideA | sideB

// IsAncestor reports whether old is young or an ancestor of it. It stops when
// it has met old, when all that young reaches and old does not was read, or
// when what is left has too low a generation.
func IsAncestor(ctx context.Context, g objects.Getter, old, young objects.ID) (bool, error) {
	p := newPainter(ctx, g)
	found := func() bool { return p.nodes[old].side&both == both }
	err := p.paint(old, young, func() bool {
		return found() || p.queued[sideB] == 0 || p.queue.peek().rank() < p.nodes[old].rank()
	})
	return err == nil && found(), err
}

// MergeBases returns the best common ancestors of two commits: those that are
// an ancestor of no other common ancestor, newest first. There is none if the
// histories are unrelated. It reads what only one of the two reaches, and a
// little beyond.
func MergeBases(ctx context.Context, g objects.Getter, a, b objects.ID) ([]Commit, error) {
	// One being an ancestor of the other is the usual case, and the cheap one.
	for _, pair := range [][2]objects.ID{{a, b}, {b, a}} {
		is, err := IsAncestor(ctx, g, pair[0], pair[1])
		if err != nil {
			return nil, err
		}
		if is {
			c, err := Read(ctx, g, pair[0])
			return []Commit{c}, err
		}
	}
	p := newPainter(ctx, g)
	if err := p.paint(a, b, func() bool { return p.queued[sideA]+p.queued[sideB]+p.queued[both] == 0 }); err != nil {
		return nil, err
	}
	var bases []Commit
	for _, n := range p.nodes {
		if n.side == both {
			bases = append(bases, n.Commit)
		}
	}
	slices.SortFunc(bases, func(x, y Commit) int {
		if newer(x, y) {
			return -1
		}
		return 1
	})
	return independent(ctx, g, bases)
}

// MergeBase returns the best common ancestor of two commits; of several the
// newest, and of those the one with the smallest ID. It reports false if the
// histories are unrelated.
func MergeBase(ctx context.Context, g objects.Getter, a, b objects.ID) (Commit, bool, error) {
	bases, err := MergeBases(ctx, g, a, b)
	if err != nil || len(bases) == 0 {
		return Commit{}, false, err
	}
	return bases[0], true, nil
}

// independent leaves out the commits that are an ancestor of another one.
// Painting finds only independent ones unless generations are missing.
func independent(ctx context.Context, g objects.Getter, commits []Commit) ([]Commit, error) {
	var best []Commit
	for i, c := range commits {
		reached := false
		for j, other := range commits {
			if i == j || reached {
				continue
			}
			var err error
			if reached, err = IsAncestor(ctx, g, c.ID, other.ID); err != nil {
				return nil, err
			}
		}
		if !reached {
			best = append(best, c)
		}
	}
	return best, nil
}

// painter colours commits, highest generation first, by the side that reaches
// them, so that a commit has all its colours before it hands them on. Among
// commits without a generation it may get a further colour later, and is
// queued again. So what a side reaches without passing a common ancestor is
// coloured by it once none of its own is queued.
type painter struct {
	ctx    context.Context
	g      objects.Getter
	nodes  map[objects.ID]*node
	queue  queue
	queued [2 * stale]int // nodes in the queue by their colours
}

func newPainter(ctx context.Context, g objects.Getter) *painter {
	return &painter{ctx: ctx, g: g, nodes: make(map[objects.ID]*node), queue: queue{before: higher}}
}

// paint colours from a and b until done says so, which it must once nothing
// but stale commits is queued.
func (p *painter) paint(a, b objects.ID, done func() bool) error {
	if err := p.add(a, sideA); err != nil {
		return err
	}
	if err := p.add(b, sideB); err != nil {
		return err
	}
	for !done() {
		n := p.queue.pop()
		n.queued = false
		p.queued[n.side]--
		colours := n.side
		if colours&both == both {
			colours |= stale
		}
		for _, id := range n.Parents {
			if err := p.add(id, colours); err != nil {
				return err
			}
		}
	}
	return nil
}

// add gives a commit colours, and queues it if it lacked any of them.
func (p *painter) add(id objects.ID, colours side) error {
	n := p.nodes[id]
	if n == nil {
		c, err := Read(p.ctx, p.g, id)
		if err != nil {
			return err
		}
		n = &node{Commit: c}
		p.nodes[id] = n
	}
	if n.side|colours == n.side {
		return nil
	}
	if n.queued {
		p.queued[n.side]--
	} else {
		n.queued = true
		p.queue.push(n)
	}
	n.side |= colours
	p.queued[n.side]++
	return nil
}
