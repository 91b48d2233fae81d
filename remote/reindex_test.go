package remote

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlvc/mlvc/objects"
)

// reindexPacks makes packs that weigh what draw returns, and what an index of those
// that are not left out says.
func reindexPacks(n int, draw func() (count, bases int), leave ...int) ([]listedPack, Index) {
	var packs []listedPack
	x := Index{}
	table := int64(0)
	for i := range n {
		p := listedPack{}
		binary.BigEndian.PutUint32(p.ID[:], uint32(i))
		count, bases := draw()
		p.Count, p.Bases = count, make([]objects.ID, bases)
		packs = append(packs, p)
		if !slices.Contains(leave, i) {
			x.Records += int64(count)
			table += int64(len(appendTable(nil, []listedPack{p})))
		}
	}
	x.Size = minSegment(x.Records) + table
	return packs, x
}

func reindexStrays(packs []listedPack, x Index) (all [][]int) {
	for leave := range strays(packs, x) {
		taken := []int{}
		for _, id := range leave {
			taken = append(taken, slices.IndexFunc(packs, func(p listedPack) bool { return p.ID == id }))
		}
		all = append(all, taken)
	}
	return all
}

// Of all choices of packs to leave out those are tried that come to the right size,
// and each once.
func TestStrays(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	draw := func() (int, int) { return 1 + rnd.IntN(9), rnd.IntN(3) }
	for i := range 25 {
		leave := rnd.Perm(12)[:i%5]
		slices.Sort(leave)
		packs, x := reindexPacks(12, draw, leave...)
		var want [][]int
		for set := range 1 << len(packs) {
			var taken []int
			rest := x
			rest.Records, rest.Size = 0, 0
			for n, p := range packs {
				if set&(1<<n) != 0 {
					taken = append(taken, n)
				} else {
					rest.Records += int64(p.Count)
					rest.Size += int64(len(appendTable(nil, []listedPack{p})))
				}
			}
			if rest.Size += minSegment(rest.Records); len(taken) <= maxStrays && rest.Size == x.Size && rest.Records == x.Records {
				want = append(want, taken)
			}
		}
		got := reindexStrays(packs, x)
		if !slices.IsSortedFunc(got, func(a, b []int) int { return len(a) - len(b) }) {
			t.Errorf("not those of fewest packs first: %v", got)
		}
		slices.SortFunc(got, slices.Compare)
		slices.SortFunc(want, slices.Compare)
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("without %v: %v, want %v", leave, got, want)
		}
	}
}

// However many packs there are, and however alike, few choices are tried; and of
// nothing nothing is made.
func TestStraysAreFew(t *testing.T) {
	packs, x := reindexPacks(1000, func() (int, int) { return 7, 1 }, 1, 2, 3)
	if got := reindexStrays(packs, x); len(got) != maxMerges {
		t.Errorf("%d choices, want %d", len(got), maxMerges)
	}
	x.Size++
	if got := reindexStrays(packs, x); len(got) != 0 {
		t.Errorf("%d choices of another size", len(got))
	}
	if got := reindexStrays(nil, Index{Size: minSegment(0)}); len(got) != 0 {
		t.Errorf("%d choices of nothing", len(got))
	}
}
