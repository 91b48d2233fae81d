package prolly

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/objecttest"
)

// tiny makes maps of a few dozen entries several levels high.
var tiny = splitter{min: 2, max: 8, bits: 2}

// model is a map as Go has it.
type model map[string]string

func (m model) keys() []string { return slices.Sorted(maps.Keys(m)) }

// edits returns the edits that make the model from nothing, in one buffer that
// is used again, as callers may do.
func (m model) edits() iter.Seq2[Edit, error] {
	return func(yield func(Edit, error) bool) {
		var key, value []byte
		for _, k := range m.keys() {
			key, value = append(key[:0], k...), append(value[:0], m[k]...)
			if !yield(Edit{Key: key, Value: value}, nil) {
				return
			}
		}
	}
}

// apply makes the edits in the model, and returns them as Apply takes them.
func (m model) apply(edits map[string]*string) iter.Seq2[Edit, error] {
	var list []Edit
	for _, k := range slices.Sorted(maps.Keys(edits)) {
		if v := edits[k]; v == nil {
			delete(m, k)
			list = append(list, Edit{Key: []byte(k), Delete: true})
		} else {
			m[k] = *v
			list = append(list, Edit{Key: []byte(k), Value: []byte(*v)})
		}
	}
	return sequence(list)
}

// diff returns the changes from m to other.
func (m model) diff(other model) []Change {
	all := maps.Clone(m)
	maps.Copy(all, other)
	var changes []Change
	for _, k := range all.keys() {
		c := Change{Key: []byte(k), Old: m.value(k), New: other.value(k)}
		if !same(c.Old, c.New) {
			changes = append(changes, c)
		}
	}
	return changes
}

func (m model) value(key string) []byte {
	if v, ok := m[key]; ok {
		return append([]byte{}, v...)
	}
	return nil
}

func sequence[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func collect[T any](t fataler, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var list []T
	for v, err := range seq {
		if err != nil {
			t.Fatalf("%v", err)
		}
		list = append(list, v)
	}
	return list
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func mustApply(t fataler, s objects.Store, m Map, edits iter.Seq2[Edit, error], split splitter) Map {
	t.Helper()
	m, err := apply(tContext, s, m, edits, split)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return m
}

// requireEqual checks that m holds exactly what the model has, has the root
// that a map built from nothing has, and is well formed.
func requireEqual(t fataler, s *objecttest.Store, m Map, want model, split splitter) {
	t.Helper()
	var got []Item
	for it, err := range m.All(tContext, s) {
		if err != nil {
			t.Fatalf("%v", err)
		}
		got = append(got, it)
	}
	requireSame(t, "content", want.items(), got)
	if built := mustApply(t, s, Map{}, want.edits(), split); built != m {
		t.Fatalf("root %v, built from nothing %v", m.Root(), built.Root())
	}
	if n, err := m.Count(tContext, s); err != nil || n != int64(len(want)) {
		t.Fatalf("count %d, %v; want %d", n, err, len(want))
	}
	requireCut(t, s, m, split)
}

// requireSame compares; cmp alone would take most of the tests' time.
func requireSame[T any](t fataler, what string, want, got []T) {
	t.Helper()
	if reflect.DeepEqual(want, got) {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s:\n%s", what, diff)
	}
}

func (m model) items() []Item {
	var items []Item
	for _, k := range m.keys() {
		items = append(items, Item{[]byte(k), m.value(k)})
	}
	return items
}

// requireCut checks that every node ends where the splitter says, and that
// only the last node of a level ends without it.
func requireCut(t fataler, s objects.Getter, m Map, split splitter) {
	t.Helper()
	open := make(map[int]int)
	err := m.Walk(tContext, s, Visitor{Node: func(id objects.ID, n *Node, err error) error {
		if err != nil {
			return err
		}
		if open[n.Level()] > 0 {
			return fmt.Errorf("node after the open end of level %d", n.Level())
		}
		total := 0
		for i := range n.Len() {
			own := weight(n.Key(i), n.Value(i))
			total += own
			closes := split.closes(n.level, n.Key(i), own, total)
			if last := i == n.Len()-1; closes && !last {
				return fmt.Errorf("node %v goes on after a cut", id)
			} else if last && !closes {
				open[n.Level()]++
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// drawEdits draws edits for a small universe of keys, so that many meet.
func drawEdits(t *rapid.T, label string) map[string]*string {
	key := rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(0, 399).Draw(t, "n")
		return fmt.Sprintf("%x/%d", n%7, n)
	})
	value := rapid.Ptr(rapid.StringN(0, 3, -1), true)
	n := rapid.IntRange(0, 100).Draw(t, label+" at least")
	return rapid.MapOfN(key, value, n, 200).Draw(t, label)
}

// bulk returns n entries like those of a tree, from a seed.
func bulk(seed uint64, n int) model {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := make(model, n)
	for len(m) < n {
		k, v := bulkEntry(rng.IntN(4*n), rng)
		m[k] = v
	}
	return m
}

func bulkEntry(i int, rng *rand.Rand) (key, value string) {
	b := make([]byte, 36)
	for j := range b {
		b[j] = byte(rng.Uint32())
	}
	return fmt.Sprintf("images/train/%03d/%08d.jpg", i/1000, i), string(b)
}

// bulkEdits returns n edits for what bulk(_, size) returns.
func bulkEdits(seed uint64, size, n int) map[string]*string {
	rng := rand.New(rand.NewPCG(seed, 2))
	edits := make(map[string]*string, n)
	for range n {
		k, v := bulkEntry(rng.IntN(4*size), rng)
		edits[k] = &v
		if rng.IntN(3) == 0 {
			edits[k] = nil
		}
	}
	return edits
}

// rangeEdits deletes a run of the model, and the same run's neighbours are
// left alone: whole nodes go.
func (m model) rangeEdits(seed uint64) map[string]*string {
	rng := rand.New(rand.NewPCG(seed, 3))
	keys := m.keys()
	edits := make(map[string]*string)
	if len(keys) > 0 {
		from := rng.IntN(len(keys))
		for _, k := range keys[from : from+rng.IntN(len(keys)-from+1)] {
			edits[k] = nil
		}
	}
	return edits
}

// recorder notes what was read.
type recorder struct {
	objects.Getter
	read map[objects.ID]bool
}

func (r *recorder) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	r.read[id] = true
	return r.Getter.Get(ctx, id)
}

// nodes returns the nodes of m.
func nodes(t fataler, g objects.Getter, m Map) map[objects.ID]bool {
	t.Helper()
	all := make(map[objects.ID]bool)
	err := m.Walk(tContext, g, Visitor{Node: func(id objects.ID, _ *Node, err error) error {
		all[id] = true
		return err
	}})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return all
}

func build(t testing.TB, s objects.Store, m model) Map {
	t.Helper()
	built, err := Build(t.Context(), s, func(yield func(Item, error) bool) {
		for e := range m.edits() {
			if !yield(Item{e.Key, e.Value}, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return built
}
