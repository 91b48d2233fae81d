package pack

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
)

// Runs yields the places that are wanted, as indices of places, in the order in
// which they lie in their packs, and together those that are one read: with at
// most gap bytes between two, and at most span bytes in all. It sorts wanted.
func Runs(places []Place, wanted []int, gap, span int64) iter.Seq[[]int] {
	slices.SortFunc(wanted, func(i, k int) int {
		a, b := places[i], places[k]
		return cmp.Or(bytes.Compare(a.Pack[:], b.Pack[:]), cmp.Compare(a.Offset, b.Offset))
	})
	return func(yield func([]int) bool) {
		for rest := wanted; len(rest) > 0; {
			n := together(places, rest, gap, span)
			if !yield(rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// together returns how many of the places that order begins with are one read.
func together(places []Place, order []int, gap, span int64) int {
	first := places[order[0]]
	n, end := 1, first.Offset+int64(first.Length)
	for ; n < len(order); n++ {
		p := places[order[n]]
		if p.Pack != first.Pack || p.Offset-end > gap || p.Offset+int64(p.Length)-first.Offset > span {
			break
		}
		end = max(end, p.Offset+int64(p.Length))
	}
	return n
}
