package chunk

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
)

var update = flag.Bool("update", false, "write the vectors anew")

// checkVectors compares got with a file of testdata/vectors.
func checkVectors[T any](t *testing.T, file string, got T) {
	t.Helper()
	name := filepath.Join("..", "..", "testdata", "vectors", file)
	if *update {
		data, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var want T
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

// store keeps list nodes, and counts.
type store struct {
	objects    map[objects.ID]objects.Object
	puts, gets int
}

func newStore() *store { return &store{objects: make(map[objects.ID]objects.Object)} }

func (s *store) Get(_ context.Context, id objects.ID) (objects.Object, error) {
	s.gets++
	o, ok := s.objects[id]
	if !ok {
		return objects.Object{}, &objects.ObjectError{ID: id, Err: objects.ErrNotFound}
	}
	return o, nil
}

func (s *store) Put(_ context.Context, o objects.Object) (objects.ID, error) {
	id := o.ID()
	if _, ok := s.objects[id]; !ok {
		s.puts++
		s.objects[id] = o
	}
	return id, nil
}

func (s *store) Missing(context.Context, []objects.ID) ([]objects.ID, error) { return nil, nil }
func (s *store) Sync(context.Context) error                                  { return nil }

func each(refs []Ref) iter.Seq2[Ref, error] {
	return func(yield func(Ref, error) bool) {
		for _, r := range refs {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// numbered returns the i-th of a row of refs that all differ.
func numbered(i int) Ref {
	return Ref{objects.Sum(objects.KindChunk, fmt.Append(nil, i)), 65537 + i*7919%190000}
}

func build(t testing.TB, s *store, refs []Ref) (objects.ID, int64) {
	t.Helper()
	root, err := BuildList(context.Background(), s, each(refs))
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, r := range refs {
		size += int64(r.Length)
	}
	return root, size
}

func collect(s *store, root objects.ID, size, offset int64) ([]Span, error) {
	var spans []Span
	for span, err := range List(context.Background(), s, root, size, offset) {
		if err != nil {
			return spans, err
		}
		spans = append(spans, span)
	}
	return spans, nil
}

func drawRefs(t *rapid.T) []Ref {
	var refs []Ref
	for range rapid.IntRange(1, 40).Draw(t, "stretches") {
		first := rapid.IntRange(0, 3000).Draw(t, "first")
		count := rapid.IntRange(1, 150).Draw(t, "count")
		step := rapid.IntRange(0, 1).Draw(t, "step") // 0: all the same
		for i := range count {
			refs = append(refs, numbered(first+i*step))
		}
	}
	return refs
}

func TestListRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		refs := drawRefs(t)
		s := newStore()
		root, err := BuildList(context.Background(), s, each(refs))
		if err != nil {
			t.Fatal(err)
		}
		var want []Span
		var size int64
		for _, r := range refs {
			want = append(want, Span{r, size})
			size += int64(r.Length)
		}
		offset := rapid.Int64Range(0, size-1).Draw(t, "offset")
		for want[0].End() <= offset {
			want = want[1:]
		}
		got, err := collect(s, root, size, offset)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		for id, o := range s.objects {
			n, err := decode(o)
			if err != nil {
				t.Fatalf("node %s: %v", id, err)
			}
			if n.object().ID() != id {
				t.Fatalf("node %s is encoded otherwise again", id)
			}
		}
	})
}

func TestListOneChange(t *testing.T) {
	var refs []Ref
	for i := range 16000 {
		refs = append(refs, numbered(i))
	}
	s := newStore()
	root, size := build(t, s, refs)
	all := len(s.objects)
	for _, at := range []int{0, 1, 777, 8000, 12345, 15999} {
		s.puts = 0
		changed := append([]Ref(nil), refs...)
		changed[at].ID = objects.Sum(objects.KindChunk, []byte("changed"))
		if again, _ := build(t, s, changed); again == root || s.puts > 6 {
			t.Fatalf("change at %d: root %s, %d of %d nodes new", at, again, s.puts, all)
		}
		s.puts = 0
		if build(t, s, append(changed[:at:at], refs[at+1:]...)); s.puts > 8 {
			t.Fatalf("removal at %d: %d of %d nodes new", at, s.puts, all)
		}
	}
	s.gets = 0
	for span, err := range List(context.Background(), s, root, size, size/2) {
		if err != nil || span.Start > size/2 || span.End() <= size/2 {
			t.Fatalf("the span at %d is %+v: %v", size/2, span, err)
		}
		break
	}
	if s.gets > 4 {
		t.Fatalf("%d nodes read to find an offset", s.gets)
	}
}

func TestListOfManyEqualChunks(t *testing.T) {
	s := newStore()
	zero := Ref{objects.Sum(objects.KindChunk, make([]byte, Default.Max)), Default.Max}
	refs := []Ref{numbered(1)}
	for range 400_000 {
		refs = append(refs, zero)
	}
	root, size := build(t, s, append(refs, numbered(2)))
	if o := s.objects[root]; len(s.objects) != 1 || len(o.Data) > 128 {
		t.Fatalf("%d nodes, the root of %d bytes", len(s.objects), len(o.Data))
	}
	got, err := collect(s, root, size, size-1)
	if err != nil || len(got) != 1 || got[0].ID != numbered(2).ID {
		t.Fatalf("the last byte lies in %+v: %v", got, err)
	}
	runs := 0
	enter := func(objects.ID) (bool, error) { return true, nil }
	err = WalkList(context.Background(), s, root, enter, func(Run) error { runs++; return nil })
	if err != nil || runs != 3 {
		t.Fatalf("%d runs: %v", runs, err)
	}
}

func TestWalkListVisitsAllAndSkips(t *testing.T) {
	var refs []Ref
	for i := range 5000 {
		refs = append(refs, numbered(i))
	}
	s := newStore()
	root, _ := build(t, s, refs)
	nodes, chunks := make(map[objects.ID]bool), 0
	enter := func(id objects.ID) (bool, error) {
		again := nodes[id]
		nodes[id] = true
		return !again, nil
	}
	run := func(Run) error { chunks++; return nil }
	for range 2 {
		if err := WalkList(context.Background(), s, root, enter, run); err != nil {
			t.Fatal(err)
		}
	}
	if len(nodes) != len(s.objects) || chunks != 5000 {
		t.Fatalf("%d of %d nodes and %d of 5000 chunks", len(nodes), len(s.objects), chunks)
	}
}

func TestBuildListRefuses(t *testing.T) {
	boom := errors.New("boom")
	for name, refs := range map[string]iter.Seq2[Ref, error]{
		"nothing":  each(nil),
		"length 0": each([]Ref{{ID: numbered(1).ID}}),
		"too long": each([]Ref{{numbered(1).ID, objects.SingleChunk + 1}}),
		"an error": func(yield func(Ref, error) bool) { yield(Ref{}, boom) },
	} {
		if _, err := BuildList(context.Background(), newStore(), refs); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// TestForgedLists puts well-formed nodes together in ways that no builder does.
func TestForgedLists(t *testing.T) {
	s := newStore()
	put := func(n node) child {
		bytes, count, err := n.total()
		if err != nil {
			t.Fatal(err)
		}
		id, err := s.Put(context.Background(), n.object())
		if err != nil {
			t.Fatal(err)
		}
		return child{id, bytes, count}
	}
	run := func(i int) Run { return Run{numbered(i).ID, numbered(i).Length, 1} }
	leaf := put(node{runs: []Run{run(1), run(2)}})
	other := put(node{runs: []Run{run(3)}})
	lied := leaf
	lied.count++
	longer := other
	longer.bytes++
	forged := map[string]child{
		"a root above its root":       put(node{level: 1, children: []child{leaf}}),
		"a node that ends too early":  put(node{level: 1, children: []child{leaf, other}}),
		"a wrong count":               put(node{level: 1, children: []child{lied, other}}),
		"a wrong size":                put(node{level: 1, children: []child{leaf, longer}}),
		"a leaf where an inner is":    put(node{level: 2, children: []child{leaf, other}}),
		"a child that is not there":   put(node{level: 1, children: []child{{numbered(9).ID, 1, 1}, other}}),
		"a size other than the entry": {leaf.id, leaf.bytes + 1, 2},
	}
	for name, c := range forged {
		_, err := collect(s, c.id, c.bytes, 0)
		var object *objects.ObjectError
		if !errors.As(err, &object) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListOfCancelledContext(t *testing.T) {
	s := newStore()
	root, size := build(t, s, []Ref{numbered(1)})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range List(ctx, s, root, size, 0) {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	}
}

type listVector struct {
	Refs string `json:"refs"`
	Size int64  `json:"size"`
	Root string `json:"root"`
	Node string `json:"root_node,omitempty"` // in hexadecimal, where it is short
}

func TestListVectors(t *testing.T) {
	type vectors struct {
		Refs  string       `json:"refs_are"`
		Lists []listVector `json:"lists"`
	}
	got := vectors{Refs: "ref(i) is (BLAKE3 of i in decimal, 65537 + i*7919 mod 190000)"}
	add := func(name string, refs []Ref) {
		s := newStore()
		root, size := build(t, s, refs)
		v := listVector{Refs: name, Size: size, Root: root.String()}
		if o := s.objects[root]; len(o.Data) < 200 {
			v.Node = hex.EncodeToString(o.Data)
		}
		got.Lists = append(got.Lists, v)
	}
	add("ref(0)", []Ref{numbered(0)})
	add("ref(0), ref(1) three times, ref(0)", []Ref{numbered(0), numbered(1), numbered(1), numbered(1), numbered(0)})
	var refs []Ref
	for i := range 12345 {
		refs = append(refs, numbered(i))
	}
	add("ref(0) to ref(12344)", refs)
	var pairs []Ref
	for i := range 6000 {
		pairs = append(pairs, numbered(i%2))
	}
	add("ref(0), ref(1), 3000 times", pairs)
	checkVectors(t, "chunklist.json", got)
}

func FuzzDecodeNode(f *testing.F) {
	s := newStore()
	var refs []Ref
	for i := range 300 {
		refs = append(refs, numbered(i/2))
	}
	build(f, s, refs)
	for _, o := range s.objects {
		f.Add(o.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := decode(objects.Object{Kind: objects.KindList, Data: data})
		if err != nil {
			if !errors.Is(err, objects.ErrCorrupt) {
				t.Fatalf("refused, but not as damaged: %v", err)
			}
			return
		}
		if again := n.object(); string(again.Data) != string(data) {
			t.Fatalf("accepted bytes %x re-encode to %x", data, again.Data)
		}
	})
}
