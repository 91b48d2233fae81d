package history_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
)

// graph is a set of commits in memory that counts how many are read.
type graph struct {
	objects map[objects.ID]objects.Object
	reads   int
	// unaware commits have no generation, as those that are made on them.
	unaware bool
}

func newGraph() *graph { return &graph{objects: make(map[objects.ID]objects.Object)} }

func (g *graph) Get(_ context.Context, id objects.ID) (objects.Object, error) {
	g.reads++
	o, ok := g.objects[id]
	if !ok {
		return objects.Object{}, &objects.ObjectError{ID: id, Err: objects.ErrNotFound}
	}
	return o, nil
}

var epoch = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// commit adds a commit made so many seconds after the epoch. It is full
// without a base, incremental otherwise.
func (g *graph) commit(message string, seconds int, base objects.ID, parents ...objects.ID) objects.ID {
	c := objects.Commit{
		Tree: objects.Sum(objects.KindNode, []byte(message)), Parents: parents, Kind: objects.Incremental, Base: base,
		Delta: objects.Delta{AddedBytes: 10, ChangedBytes: 1, Bytes: 1000},
		Time:  epoch.Add(time.Duration(seconds) * time.Second), Message: message,
	}
	if base.IsZero() {
		c.Kind = objects.Full
	}
	if !g.unaware {
		var above []objects.Commit
		for _, id := range parents {
			above = append(above, g.read(id).Commit)
		}
		c.Generation = history.Generation(above...)
	}
	o, err := objects.EncodeCommit(c)
	if err != nil {
		panic(err)
	}
	id := o.ID()
	g.objects[id] = o
	return id
}

func (g *graph) read(id objects.ID) history.Commit {
	c, err := history.Read(context.Background(), g, id)
	if err != nil {
		panic(err)
	}
	return c
}

// ancestors returns id and everything it reaches, by brute force.
func (g *graph) ancestors(ids ...objects.ID) map[objects.ID]bool {
	seen := make(map[objects.ID]bool)
	for len(ids) > 0 {
		id := ids[0]
		ids = ids[1:]
		if !seen[id] {
			seen[id] = true
			ids = append(ids, g.read(id).Parents...)
		}
	}
	return seen
}

// drawGraph makes a random graph and returns its commits, parents first.
// Clocks are off by up to so many seconds.
func drawGraph(t *rapid.T, skew int) (*graph, []objects.ID) {
	g := newGraph()
	var ids []objects.ID
	unaware := rapid.SampledFrom([]string{"none", "some", "all"}).Draw(t, "without generation")
	for i := range rapid.IntRange(1, 24).Draw(t, "commits") {
		var parents []objects.ID
		if i > 0 {
			parents = rapid.SliceOfNDistinct(rapid.SampledFrom(ids[max(0, i-6):]), 0, min(3, i), rapid.ID[objects.ID]).Draw(t, "parents")
		}
		g.unaware = unaware == "all" || unaware == "some" && rapid.Bool().Draw(t, "without generation")
		seconds := i/3 + rapid.IntRange(0, skew).Draw(t, "seconds")
		ids = append(ids, g.commit(fmt.Sprint("c", i), seconds, objects.ID{}, parents...))
	}
	return g, ids
}

func walk(t interface{ Fatal(...any) }, g *graph, tips []objects.ID, opt history.Options) []objects.ID {
	var ids []objects.ID
	for c, err := range history.Walk(context.Background(), g, tips, opt) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.ID)
	}
	return ids
}

// sorted is the order of Walk, written down plainly.
func (g *graph) sorted(visible map[objects.ID]bool) []objects.ID {
	var order []objects.ID
	for len(visible) > 0 {
		var next history.Commit
		for id := range visible {
			waits := false
			for child := range visible {
				waits = waits || slices.Contains(g.read(child).Parents, id)
			}
			c := g.read(id)
			if waits {
				continue
			}
			if next.ID.IsZero() || c.Time.After(next.Time) || c.Time.Equal(next.Time) && slices.Compare(c.ID[:], next.ID[:]) < 0 {
				next = c
			}
		}
		order = append(order, next.ID)
		delete(visible, next.ID)
	}
	return order
}

func TestWalkOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, ids := drawGraph(t, rapid.SampledFrom([]int{1, 50, 1 << 24}).Draw(t, "skew"))
		tips := rapid.SliceOfN(rapid.SampledFrom(ids), 0, 3).Draw(t, "tips")
		hide := rapid.SliceOfN(rapid.SampledFrom(ids), 0, 2).Draw(t, "hide")
		visible := g.ancestors(tips...)
		for id := range g.ancestors(hide...) {
			delete(visible, id)
		}
		want := g.sorted(visible)
		if diff := cmp.Diff(want, walk(t, g, tips, history.Options{Hide: hide})); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestWalkReadsAsItGoes(t *testing.T) {
	g := newGraph()
	var tip objects.ID
	for i := range 1000 {
		var parents []objects.ID
		if i > 0 {
			parents = []objects.ID{tip}
		}
		tip = g.commit(fmt.Sprint(i), 1000-i, objects.ID{}, parents...)
	}
	g.reads = 0
	n := 0
	for _, err := range history.Walk(context.Background(), g, []objects.ID{tip}, history.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; g.reads > n+1 {
			t.Fatalf("commit %d took %d reads", n, g.reads)
		}
	}
}

func TestWalkFirstParent(t *testing.T) {
	g := newGraph()
	a := g.commit("a", 0, objects.ID{})
	b := g.commit("b", 1, a, a)
	side := g.commit("side", 2, a, a)
	m := g.commit("m", 3, b, b, side)
	got := walk(t, g, []objects.ID{m}, history.Options{FirstParent: true})
	if diff := cmp.Diff([]objects.ID{m, b, a}, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestMissingCommitIsNamed(t *testing.T) {
	g := newGraph()
	a := g.commit("a", 0, objects.ID{})
	b := g.commit("b", 1, a, a)
	delete(g.objects, a)
	var last error
	for _, err := range history.Walk(context.Background(), g, []objects.ID{b}, history.Options{}) {
		last = err
	}
	var about *objects.ObjectError
	if !errors.Is(last, objects.ErrNotFound) || !errors.As(last, &about) || about.ID != a {
		t.Fatalf("got %v", last)
	}
}

func TestDamagedCommitIsNamed(t *testing.T) {
	g := newGraph()
	id := g.commit("a", 0, objects.ID{})
	g.objects[id] = objects.Object{Kind: objects.KindCommit, Data: []byte{0xa0}}
	_, err := history.Read(context.Background(), g, id)
	var about *objects.ObjectError
	if !errors.Is(err, objects.ErrCorrupt) || !errors.As(err, &about) || about.ID != id {
		t.Fatalf("got %v", err)
	}
}

func TestBases(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, ids := drawGraph(t, rapid.SampledFrom([]int{1, 50, 1 << 24}).Draw(t, "skew"))
		a, b := rapid.SampledFrom(ids).Draw(t, "a"), rapid.SampledFrom(ids).Draw(t, "b")
		ofA, ofB := g.ancestors(a), g.ancestors(b)
		ctx := context.Background()
		if got, err := history.IsAncestor(ctx, g, a, b); err != nil || got != ofB[a] {
			t.Fatalf("IsAncestor says %v, %v", got, err)
		}
		want := make(map[objects.ID]bool)
		for id := range ofA {
			want[id] = ofB[id]
		}
		for id, common := range want {
			for above := range g.ancestors(id) {
				if common && above != id {
					want[above] = false
				}
			}
		}
		bases, err := history.MergeBases(ctx, g, a, b)
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[objects.ID]bool)
		for id := range want {
			got[id] = false
		}
		for _, c := range bases {
			got[c.ID] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		one, ok, err := history.MergeBase(ctx, g, b, a)
		if err != nil || ok != (len(bases) > 0) || ok && one.ID != bases[0].ID {
			t.Fatalf("MergeBase says %s, %v, %v", one.ID, ok, err)
		}
	})
}

func TestAncestryReadsNoFurtherThanTheFork(t *testing.T) {
	g := newGraph()
	tip := g.commit("root", 0, objects.ID{})
	for i := range 1000 {
		tip = g.commit(fmt.Sprint(i), i+1, tip, tip)
	}
	a := g.commit("a", 2000, tip, tip)
	b := g.commit("b", 2001, tip, tip)
	g.reads = 0
	if ok, err := history.IsAncestor(context.Background(), g, a, b); ok || err != nil {
		t.Fatal(ok, err)
	}
	if g.reads > 3 {
		t.Fatalf("%d reads", g.reads)
	}
	bases, err := history.MergeBases(context.Background(), g, a, b)
	if err != nil || len(bases) != 1 || bases[0].ID != tip || g.reads > 16 {
		t.Fatalf("%v, %v after %d reads", bases, err, g.reads)
	}
}

func TestChain(t *testing.T) {
	g := newGraph()
	ctx := context.Background()
	full := g.commit("full", 0, objects.ID{})
	i1 := g.commit("i1", 1, full, full)
	i2 := g.commit("i2", 2, i1, i1)
	diff := g.commit("differential", 3, full, i2) // by base, not by parent
	i3 := g.commit("i3", 4, diff, diff)
	for _, c := range []struct {
		id  objects.ID
		len int
	}{{full, 0}, {i1, 1}, {i2, 2}, {diff, 1}, {i3, 2}} {
		chain, err := history.ChainOf(ctx, g, c.id)
		if err != nil || chain.Full.ID != full || chain.Len != c.len || chain.Bytes != int64(11*c.len) {
			t.Errorf("%s: %+v, %v", g.read(c.id).Message, chain, err)
		}
		last, err := history.LastFull(ctx, g, c.id)
		if err != nil || last.ID != full {
			t.Errorf("%s: last full %s, %v", g.read(c.id).Message, last.ID, err)
		}
	}
	orphan := g.commit("orphan", 5, full)
	if _, err := history.LastFull(ctx, g, orphan); !errors.Is(err, history.ErrNoFull) {
		t.Fatalf("got %v", err)
	}
}
