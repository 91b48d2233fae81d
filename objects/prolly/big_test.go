package prolly

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/objecttest"
)

// bigMap builds a map of n entries without holding a model of it.
func bigMap(t testing.TB, s *objecttest.Store, n int) Map {
	t.Helper()
	m, err := Build(t.Context(), s, bigItems(n))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func bigItems(n int) func(yield func(Item, error) bool) {
	return func(yield func(Item, error) bool) {
		rng := rand.New(rand.NewPCG(1, 1))
		key, value := make([]byte, 0, 64), make([]byte, 36)
		for i := range n {
			key = fmt.Appendf(key[:0], "images/train/%03d/%08d.jpg", i/1000, 2*i)
			for j := 0; j < len(value); j += 4 {
				u := rng.Uint32()
				value[j], value[j+1], value[j+2], value[j+3] = byte(u), byte(u>>8), byte(u>>16), byte(u>>24)
			}
			if !yield(Item{key, value}, nil) {
				return
			}
		}
	}
}

func bigKey(i int) string { return fmt.Sprintf("images/train/%03d/%08d.jpg", i/2000, i) }

// One change costs a few nodes, whatever the size of the map.
func TestOneChangeInMany(t *testing.T) {
	s := objecttest.NewStore()
	m := bigMap(t, s, many)
	old := nodes(t, s, m)
	value, rng := "a new value", rand.New(rand.NewPCG(5, 5))
	for name, edit := range map[string]func() (string, *string){
		"change": func() (string, *string) { return bigKey(2 * rng.IntN(many)), &value },
		"insert": func() (string, *string) { return bigKey(2*rng.IntN(many) + 1), &value },
		"delete": func() (string, *string) { return bigKey(2 * rng.IntN(many)), nil },
	} {
		const times = 200
		puts, gets, bytes, most := 0, 0, 0, 0
		for range times {
			k, v := edit()
			s.ResetCounts()
			changed := mustApply(t, s, m, make(model).apply(map[string]*string{k: v}), standard)
			puts, gets, most = puts+s.Puts(), gets+s.Gets(), max(most, s.Puts())
			if s.Puts() > 9 || s.Gets() > 16 {
				t.Errorf("%s %s: %d nodes written, %d read", name, k, s.Puts(), s.Gets())
			}
			bytes += newBytes(t, s, changed, old)
		}
		t.Logf("%s: on average %.2f nodes and %d bytes written, %.2f nodes read; at most %d written", name,
			float64(puts)/times, bytes/times, float64(gets)/times, most)
		if puts > 4*times || gets > 8*times || bytes > 64<<10*times {
			t.Errorf("%s: too much", name)
		}
	}
}

// newBytes returns the bytes of the nodes of m that are not among the old.
func newBytes(t testing.TB, s *objecttest.Store, m Map, old map[objects.ID]bool) int {
	t.Helper()
	total := 0
	err := m.Walk(t.Context(), s, Visitor{
		Enter: func(id objects.ID) bool { return !old[id] },
		Node: func(_ objects.ID, n *Node, err error) error {
			if err == nil {
				total += len(n.data)
			}
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

func TestDiffOfFewInMany(t *testing.T) {
	s := objecttest.NewStore()
	m := bigMap(t, s, many)
	rng, edits := rand.New(rand.NewPCG(6, 6)), make(map[string]*string)
	for len(edits) < 10 {
		v := fmt.Sprint(rng.Uint64())
		edits[bigKey(rng.IntN(2*many))] = &v
	}
	changed := mustApply(t, s, m, make(model).apply(maps.Clone(edits)), standard)
	s.ResetCounts()
	if got := len(collect(t, Diff(t.Context(), s, m, changed))); got != len(edits) {
		t.Errorf("%d changes, want %d", got, len(edits))
	}
	t.Logf("%d nodes read", s.Gets())
	if s.Gets() > 2*3*10+4 {
		t.Errorf("%d nodes read", s.Gets())
	}
}
