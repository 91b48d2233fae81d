package chunk

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlvc/mlvc/objects"
)

// beyondRefs are n chunks made from numbers.
func beyondRefs(from, n int) []Ref {
	refs := make([]Ref, n)
	for i := range refs {
		data := fmt.Appendf(nil, "chunk %d", from+i)
		refs[i] = Ref{objects.Sum(objects.KindChunk, data), 1000 + i%5}
	}
	return refs
}

func beyondList(t *testing.T, s *store, refs []Ref) objects.ID {
	t.Helper()
	id, err := BuildList(t.Context(), s, func(yield func(Ref, error) bool) {
		for _, r := range refs {
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestWalkBeyond(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 40, 3000, 200_000} {
		s := newStore()
		old := beyondRefs(0, n)
		oldRoot := beyondList(t, s, old)
		for change := range 5 {
			fresh := slices.Clone(old)
			at := rnd.IntN(n)
			switch change {
			case 0:
				fresh[at] = beyondRefs(10*n+change, 1)[0]
			case 1:
				fresh = slices.Insert(fresh, at, beyondRefs(10*n, 3)...)
			case 2:
				fresh = append(fresh[:at:at], beyondRefs(20*n, 2)...)
			case 3:
				fresh = beyondRefs(30*n, n/2+1)
			case 4:
				fresh = append(beyondRefs(40*n, 7*n%5000), fresh...)
			}
			root := beyondList(t, s, fresh)
			nodes, chunks := make(map[objects.ID]bool), make(map[objects.ID]bool)
			note := func(id objects.ID) (bool, error) { nodes[id] = true; return true, nil }
			run := func(r Run) error { chunks[r.ID] = true; return nil }
			if err := WalkList(t.Context(), s, oldRoot, note, run); err != nil {
				t.Fatal(err)
			}
			s.gets = 0
			if err := WalkBeyond(t.Context(), s, oldRoot, root, note, run); err != nil {
				t.Fatal(err)
			}
			if change < 2 && s.gets > 12 {
				t.Errorf("%d chunks, change %d: %d reads", n, change, s.gets)
			}
			err := WalkList(t.Context(), s, root, func(id objects.ID) (bool, error) {
				if !nodes[id] {
					t.Fatalf("%d chunks, change %d: node %s was not visited", n, change, id)
				}
				return true, nil
			}, func(r Run) error {
				if !chunks[r.ID] {
					t.Fatalf("%d chunks, change %d: chunk %s was not visited", n, change, r.ID)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A wide old list is not read down to the level of a short new one.
func TestWalkBeyondGivesUpAWideList(t *testing.T) {
	s := newStore()
	b := beyond{walker: walker{ctx: t.Context(), getter: s}}
	wide := make([]node, maxBeyond+1)
	for i := range wide {
		wide[i] = node{level: 2, children: make([]child, fanMin)} // none of which the store has
	}
	if old, err := b.lower(wide, 0); err != nil || old != nil || s.gets > 0 {
		t.Errorf("%d nodes, %v, after %d reads; want none", len(old), err, s.gets)
	}
}
