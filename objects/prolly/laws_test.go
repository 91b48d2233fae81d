package prolly

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects/objecttest"
)

// Any history of edits gives the root that the content has.
func TestHistoryIndependence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := objecttest.NewStore()
		var m Map
		want := make(model)
		for range rapid.IntRange(1, 6).Draw(t, "rounds") {
			edits := drawEdits(t, "edits")
			if rapid.IntRange(0, 3).Draw(t, "run") == 0 {
				edits = want.rangeEdits(rapid.Uint64().Draw(t, "seed"))
			}
			m = mustApply(t, s, m, want.apply(edits), tiny)
			requireEqual(t, s, m, want, tiny)
		}
	})
}

func TestHistoryIndependenceOfLargeMaps(t *testing.T) {
	for seed := range uint64(6) {
		s := objecttest.NewStore()
		want := bulk(seed, 5000)
		m := mustApply(t, s, Map{}, want.edits(), standard)
		for round := range uint64(5) {
			edits := bulkEdits(seed<<8|round, 5000, 1<<(2*round))
			if round == 4 {
				edits = want.rangeEdits(seed)
			}
			m = mustApply(t, s, m, want.apply(edits), standard)
			requireEqual(t, s, m, want, standard)
		}
	}
}

// Entries in any order, one at a time, give the root of all at once; taken
// out again, the empty one.
func TestOneAtATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := objecttest.NewStore()
		var m Map
		want := make(model)
		for k, v := range drawEdits(t, "entries") { // Go's own random order
			if v != nil {
				m = mustApply(t, s, m, want.apply(map[string]*string{k: v}), tiny)
			}
		}
		requireEqual(t, s, m, want, tiny)
		for k := range maps.Clone(want) {
			m = mustApply(t, s, m, want.apply(map[string]*string{k: nil}), tiny)
		}
		if m != (Map{}) || m.Root() != emptyRoot {
			t.Fatalf("emptied: %v", m.Root())
		}
	})
}

func TestDiff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := objecttest.NewStore()
		mustApply(t, s, Map{}, model{}.edits(), tiny) // the empty map is a node too
		first, second := make(model), make(model)
		a := mustApply(t, s, Map{}, first.apply(drawEdits(t, "first")), tiny)
		a = mustApply(t, s, a, first.apply(drawEdits(t, "more")), tiny)
		b, edits := a, drawEdits(t, "edits")
		maps.Copy(second, first)
		if rapid.Bool().Draw(t, "run") {
			edits = second.rangeEdits(rapid.Uint64().Draw(t, "seed"))
		}
		b = mustApply(t, s, b, second.apply(edits), tiny)
		requireDiff(t, s, a, b, first, second, tiny)
		requireDiff(t, s, b, a, second, first, tiny)
	})
}

func TestDiffOfLargeMaps(t *testing.T) {
	for seed := range uint64(4) {
		s := objecttest.NewStore()
		build(t, s, nil) // the empty map is a node too
		first := bulk(seed, 20000)
		second := maps.Clone(first)
		a := mustApply(t, s, Map{}, first.edits(), standard)
		edits := bulkEdits(seed, 20000, 20)
		if seed%2 == 0 {
			edits = second.rangeEdits(seed)
		}
		b := mustApply(t, s, a, second.apply(edits), standard)
		requireDiff(t, s, a, b, first, second, standard)
		requireDiff(t, s, b, a, second, first, standard)
		requireDiff(t, s, a, Map{}, first, model{}, standard)
		requireDiff(t, s, Map{}, a, model{}, first, standard)
	}
}

// requireDiff checks that Diff is right, that it is what makes b of a, and
// that it reads no node, roots apart, that both maps have.
func requireDiff(t fataler, s *objecttest.Store, a, b Map, first, second model, split splitter) {
	t.Helper()
	r := &recorder{s, nil}
	r.read = nodes(t, s, a)
	clear(r.read)
	changes := collect(t, Diff(tContext, r, a, b))
	requireSame(t, "changes", first.diff(second), changes)
	shared := nodes(t, s, a)
	inB := nodes(t, s, b)
	delete(shared, a.Root())
	delete(shared, b.Root())
	for id := range shared {
		if inB[id] && r.read[id] {
			t.Fatalf("read %v, which both maps have", id)
		}
	}
	if got := mustApply(t, s, a, Edits(Diff(tContext, s, a, b)), split); got != b {
		t.Fatalf("Apply(a, Diff(a, b)) is not b")
	}
}

func TestGetRangePrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := objecttest.NewStore()
		want := make(model)
		m := mustApply(t, s, Map{}, want.apply(drawEdits(t, "entries")), tiny)
		bound := rapid.StringMatching(`([0-9a-f](/[0-9]{0,3})?)?`)
		from, to := bound.Draw(t, "from"), bound.Draw(t, "to")
		in := func(keep func(k string) bool) []Item {
			kept := maps.Clone(want)
			maps.DeleteFunc(kept, func(k, _ string) bool { return !keep(k) })
			return kept.items()
		}
		requireSame(t, "range", in(func(k string) bool { return k >= from && k < to }),
			collect(t, m.Range(tContext, s, []byte(from), []byte(to))))
		requireSame(t, "range to the end", in(func(k string) bool { return k >= from }),
			collect(t, m.Range(tContext, s, []byte(from), nil)))
		requireSame(t, "prefix", in(func(k string) bool { return strings.HasPrefix(k, from) }),
			collect(t, m.Prefix(tContext, s, []byte(from))))
		for _, k := range append(want.keys(), from, to) {
			got, ok, err := m.Get(tContext, s, []byte(k))
			if v, has := want[k]; err != nil || ok != has || string(got) != v || has != (got != nil) {
				t.Fatalf("get %q: %q, %v, %v; want %q, %v", k, got, ok, err, v, has)
			}
		}
	})
}

func TestAfterPrefix(t *testing.T) {
	for _, c := range []struct{ prefix, want []byte }{
		{nil, nil},
		{[]byte("a"), []byte("b")},
		{[]byte("a\xff\xff"), []byte("b")},
		{[]byte("\xff"), nil},
	} {
		if got := afterPrefix(c.prefix); !same(got, c.want) {
			t.Errorf("%q: %q, want %q", c.prefix, got, c.want)
		}
	}
}

// A range reads the nodes that hold it and those above them, not more.
func TestRangeReadsLittle(t *testing.T) {
	s := objecttest.NewStore()
	m := build(t, s, bulk(1, 50000))
	s.ResetCounts()
	n := len(collect(t, m.Prefix(t.Context(), s, []byte("images/train/100/"))))
	if n < 200 || s.Gets() > 2*n/100+6 {
		t.Errorf("%d entries took %d reads", n, s.Gets())
	}
}

func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := objecttest.NewStore()
		seed := rapid.Uint64Range(0, 99).Draw(t, "seed")
		base := bulk(seed, 1500)
		ours, theirs := maps.Clone(base), maps.Clone(base)
		b := mustApply(t, s, Map{}, base.edits(), standard)
		o := mustApply(t, s, b, ours.apply(bulkEdits(seed+100, 1500, 300)), standard)
		edits := bulkEdits(seed+200, 1500, 300)
		if rapid.Bool().Draw(t, "agree") { // some keys are changed alike
			maps.Copy(edits, bulkEdits(seed+100, 1500, 40))
		}
		th := mustApply(t, s, b, theirs.apply(edits), standard)

		wantConflicts, want := mergeModels(base, ours, theirs)
		got := collect(t, Conflicts(tContext, s, b, o, th))
		requireSame(t, "conflicts", wantConflicts, got)
		merged, err := Merge(tContext, s, b, o, th, func(c Conflict) ([]byte, error) { return c.Theirs, nil })
		if err != nil {
			t.Fatalf("%v", err)
		}
		requireEqual(t, s, merged, want, standard)

		_, err = Merge(tContext, s, b, o, th, nil)
		var conflict *ConflictError
		if len(wantConflicts) > 0 != errors.As(err, &conflict) {
			t.Fatalf("with %d conflicts and nothing to settle them: %v", len(wantConflicts), err)
		}
		if conflict != nil && !bytes.Equal(conflict.Conflict.Key, wantConflicts[0].Key) {
			t.Fatalf("names %q, not the first conflict", conflict.Conflict.Key)
		}
	})
}

// mergeModels merges with theirs winning every conflict.
func mergeModels(base, ours, theirs model) ([]Conflict, model) {
	var conflicts []Conflict
	merged := maps.Clone(ours)
	for _, c := range base.diff(theirs) {
		k := string(c.Key)
		our := ours.value(k)
		if !same(our, c.Old) && !same(our, c.New) {
			conflicts = append(conflicts, Conflict{c.Key, c.Old, our, c.New})
		}
		if c.New == nil {
			delete(merged, k)
		} else {
			merged[k] = string(c.New)
		}
	}
	return conflicts, merged
}

func TestMergeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := objecttest.NewStore()
		base := make(model)
		b := mustApply(t, s, Map{}, base.apply(drawEdits(t, "base")), standard)
		ours, theirs := maps.Clone(base), maps.Clone(base)
		o := mustApply(t, s, b, ours.apply(drawEdits(t, "ours")), standard)
		th := mustApply(t, s, b, theirs.apply(drawEdits(t, "theirs")), standard)
		merge := func(b, o, th Map) (Map, bool) {
			m, err := Merge(tContext, s, b, o, th, nil)
			var conflict *ConflictError
			if err != nil && !errors.As(err, &conflict) {
				t.Fatalf("%v", err)
			}
			return m, err == nil
		}
		for _, law := range []struct{ base, ours, theirs, want Map }{
			{b, o, b, o}, {b, b, o, o}, {o, o, o, o}, {b, o, o, o},
		} {
			if m, ok := merge(law.base, law.ours, law.theirs); !ok || m != law.want {
				t.Fatalf("merge law broken: %+v gave %v", law, m)
			}
		}
		one, ok := merge(b, o, th)
		other, alsoOK := merge(b, th, o)
		if ok != alsoOK || one != other {
			t.Fatalf("merge does not commute: %v %v, %v %v", one, ok, other, alsoOK)
		}
	})
}
