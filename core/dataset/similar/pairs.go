package similar

import (
	"cmp"
	"context"
	"iter"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Pairs finds the near-duplicates that are in different splits. Each sample
// that has any is named once, with the nearest of them, in the order of the
// items; a pair of which each is the other's nearest comes once. Items of one
// content are no near-duplicates of each other: they are the same. It ends
// with an error if the limits are out of bounds or ctx is done.
func Pairs(ctx context.Context, items []Item, limits Limits) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		if err := limits.Check(); err != nil {
			yield(Pair{}, err)
			return
		}
		for _, kind := range []Kind{KindImage, KindText} {
			found, err := search(ctx, kind, items, limits)
			if err != nil {
				yield(Pair{}, err)
				return
			}
			if !found.yield(yield) {
				return
			}
		}
	}
}

// match is a group that is near to another.
type match struct {
	group int32
	far   float64 // for comparison only
	pair  Pair    // the distances alone
}

// finder finds the groups that are near to group u, itself left out. Each is
// handed to emit, some maybe more than once, until that returns false. Safe for
// concurrent use.
type finder interface {
	find(u int32, emit func(match) bool)
}

// search finds each item's nearest counterpart.
func search(ctx context.Context, kind Kind, items []Item, limits Limits) (*nearest, error) {
	n := &nearest{kind: kind, items: items, of: make([]*choice, len(items))}
	var f finder
	if kind == KindImage {
		var images []*Image
		n.groups, images = groupImages(items)
		f = newImageFinder(n.groups, images, limits)
	} else {
		var texts []*Text
		n.groups, texts = groupTexts(items)
		f = newTextFinder(n.groups, texts, limits)
	}
	if len(n.groups) == 0 {
		return n, ctx.Err()
	}
	work, ctx := errgroup.WithContext(ctx)
	const batch = 64
	work.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < len(n.groups) && ctx.Err() == nil; from += batch {
		work.Go(func() error {
			for u := from; u < min(from+batch, len(n.groups)); u++ {
				n.choose(int32(u), f)
			}
			return ctx.Err()
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	return n, nil
}

// nearest is the nearest counterpart of each item.
type nearest struct {
	kind   Kind
	items  []Item
	groups []group
	of     []*choice // nil: it has none; slots, so that workers need no lock
}

// choice is the nearest counterpart of an item.
type choice struct {
	item  int32
	count int
	pair  Pair
}

// choose finds the counterparts of a group's items: those in the group itself
// are the nearest, then those in the nearest other group that has some.
func (n *nearest) choose(u int32, f finder) {
	g := &n.groups[u]
	matches := n.matches(u, f)
	for _, s := range g.splits {
		var best *choice
		count := 0
		for _, m := range matches {
			item, others := n.groups[m.group].outside(s.split)
			if count += others; best == nil && others > 0 {
				best = &choice{item: item, pair: m.pair}
			}
		}
		n.spread(g, s.split, best, count)
	}
}

// matches returns the groups near to u, the nearest first, each once.
func (n *nearest) matches(u int32, f finder) []match {
	var all []match
	at := make(map[int32]int)
	f.find(u, func(m match) bool {
		if k, again := at[m.group]; again {
			if m.far < all[k].far {
				all[k] = m
			}
			return true
		}
		at[m.group] = len(all)
		all = append(all, m)
		return len(all) < MaxMatches
	})
	slices.SortFunc(all, func(a, b match) int {
		return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.group, b.group))
	})
	return all
}

// spread gives the items of a group in one split their choice.
func (n *nearest) spread(g *group, split string, best *choice, count int) {
	_, outside := g.outside(split)
	for _, run := range g.runs {
		same := 0 // of this content, in other splits
		for _, i := range run {
			if n.items[i].Split != split {
				same++
			}
		}
		if same == len(run) {
			continue
		}
		c := &choice{count: count + outside - same}
		if own := g.counterpart(n.items, run[0], split); own >= 0 {
			c.item, c.pair = own, n.alike()
		} else if best != nil {
			c.item, c.pair = best.item, best.pair
		} else {
			continue
		}
		for _, i := range run {
			if n.items[i].Split == split {
				n.of[i] = c
			}
		}
	}
}

// alike is a pair of equal hashes.
func (n *nearest) alike() Pair {
	if n.kind == KindText {
		return Pair{Similarity: 1}
	}
	return Pair{}
}

// yield hands out the pairs; false: no more are wanted.
func (n *nearest) yield(yield func(Pair, error) bool) bool {
	for i, c := range n.of {
		if c == nil || c.item < int32(i) && n.of[c.item] != nil && n.of[c.item].item == int32(i) {
			continue
		}
		p := c.pair
		p.Kind, p.A, p.B, p.Count = n.kind, n.items[i].Sample, n.items[c.item].Sample, c.count
		if !yield(p, nil) {
			return false
		}
	}
	return true
}
