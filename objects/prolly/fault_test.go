package prolly

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/objecttest"
)

// A node that is damaged or missing is an error that names it, wherever it is
// met, and never a shorter map.
func TestDamagedAndMissingNodes(t *testing.T) {
	for what, want := range map[string]error{"damaged": objects.ErrCorrupt, "missing": objects.ErrNotFound} {
		s := objecttest.NewStore()
		content := bulk(3, 2000)
		m := mustApply(t, s, Map{}, content.edits(), standard)
		for id := range nodes(t, s, m) {
			o, err := s.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if what == "damaged" {
				s.Damage(id)
			} else {
				s.Delete(id)
			}
			_, err = last(m.All(t.Context(), s))
			requireNamed(t, what+" All", err, want, id)
			_, err = last(Diff(t.Context(), s, Map{}, m))
			requireNamed(t, what+" Diff", err, want, id)
			_, err = apply(t.Context(), s, m, rewriteAll(content), standard)
			requireNamed(t, what+" Apply", err, want, id)
			requireNamed(t, what+" Walk", m.Walk(t.Context(), s, Visitor{Node: func(_ objects.ID, _ *Node, err error) error { return err }}), want, id)
			if _, err := s.Put(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		requireEqual(t, s, m, content, standard)
	}
}

func last[T any](seq func(func(T, error) bool)) (v T, err error) {
	for v, err = range seq {
	}
	return v, err
}

func rewriteAll(m model) func(func(Edit, error) bool) {
	changed := maps.Clone(m)
	for k := range changed {
		changed[k] += "!"
	}
	return changed.edits()
}

func requireNamed(t *testing.T, what string, err, want error, id objects.ID) {
	t.Helper()
	var named *objects.ObjectError
	if !errors.Is(err, want) || !errors.As(err, &named) || named.ID != id {
		t.Errorf("%s: got %v, want %v of %v", what, err, want, id)
	}
}

// Walk goes on beside a node that cannot be read when the visitor says so, and
// leaves out what the visitor does not want.
func TestWalk(t *testing.T) {
	s := objecttest.NewStore()
	m := build(t, s, bulk(4, 20000))
	all := nodes(t, s, m)
	var inner []objects.ID
	level := -1
	err := m.Walk(t.Context(), s, Visitor{Node: func(id objects.ID, n *Node, err error) error {
		if n.Level() == 1 {
			inner = append(inner, id)
		}
		level = max(level, n.Level())
		return err
	}})
	if err != nil || len(inner) < 1 || level < 1 {
		t.Fatalf("%v: %d inner nodes, highest level %d", err, len(inner), level)
	}
	o, err := s.Get(t.Context(), inner[0])
	if err != nil {
		t.Fatal(err)
	}
	n, err := DecodeNode(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Delete(n.Child(0))
	s.Damage(n.Child(2))
	var bad []objects.ID
	seen := 0
	err = m.Walk(t.Context(), s, Visitor{
		Enter: func(id objects.ID) bool { return id != n.Child(1) },
		Node: func(id objects.ID, _ *Node, err error) error {
			seen++
			if err != nil {
				bad = append(bad, id)
			}
			return nil
		},
	})
	if err != nil || seen != len(all)-1 || !slices.Equal(bad, []objects.ID{n.Child(0), n.Child(2)}) {
		t.Fatalf("%v: saw %d of %d nodes, bad: %v", err, seen, len(all), bad)
	}
}

// A well-formed node in the wrong place is damage.
func TestForgedNodes(t *testing.T) {
	s := objecttest.NewStore()
	put := func(level uint8, entries ...string) (objects.ID, int64) {
		b := builder{level: level}
		for i := 0; i < len(entries); i += 2 {
			b.add([]byte(entries[i]), []byte(entries[i+1]), 1)
		}
		id, err := s.Put(t.Context(), b.object())
		if err != nil {
			t.Fatal(err)
		}
		return id, b.count
	}
	ref := func(id objects.ID, count int64) string { return string(appendRef(nil, id, count)) }
	ab, _ := put(0, "a", "1", "b", "2")
	cd, _ := put(0, "c", "3", "d", "4")
	empty, _ := put(0)
	inner, _ := put(1, "b", ref(ab, 2), "d", ref(cd, 2))

	for name, c := range map[string]struct {
		level   uint8
		entries []string
		blame   objects.ID
	}{
		"last key":        {1, []string{"b", ref(ab, 2), "e", ref(cd, 2)}, cd},
		"first key":       {1, []string{"b", ref(ab, 2), "c", ref(ab, 2), "d", ref(cd, 2)}, ab},
		"below the bound": {1, []string{"c", ref(empty, 1), "d", ref(cd, 2)}, empty},
		"count":           {1, []string{"b", ref(ab, 2), "d", ref(cd, 3)}, cd},
		"level":           {2, []string{"b", ref(ab, 2), "d", ref(inner, 4)}, ab},
		"order":           {1, []string{"bb", ref(cd, 2), "d", ref(cd, 2)}, cd},
	} {
		root, _ := put(c.level, c.entries...)
		_, err := last(Open(root).All(t.Context(), s))
		requireNamed(t, name, err, objects.ErrCorrupt, c.blame)
	}
	single, _ := put(1, "b", ref(ab, 2))
	_, err := Open(single).Count(t.Context(), s)
	requireNamed(t, "root with one child", err, objects.ErrCorrupt, single)
	chunk, err := s.Put(t.Context(), objects.Object{Kind: objects.KindChunk, Data: []byte{1, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Open(chunk).Get(t.Context(), s, []byte("a"))
	requireNamed(t, "chunk", err, objects.ErrCorrupt, chunk)
	newer, err := s.Put(t.Context(), objects.Object{Kind: objects.KindNode, Data: []byte{2, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Open(newer).Get(t.Context(), s, []byte("a"))
	requireNamed(t, "newer", err, objects.ErrNewer, newer)
}

// Whatever Put or Get fails, Apply says so, and the old map is as it was.
func TestApplyFailsCleanly(t *testing.T) {
	s := &failing{Store: objecttest.NewStore()}
	content := bulk(5, 3000)
	m := mustApply(t, s.Store, Map{}, content.edits(), standard)
	edits := bulkEdits(6, 3000, 100)
	want := mustApply(t, s.Store, m, maps.Clone(content).apply(edits), standard)
	for i := 0; ; i++ {
		s.left = i
		got, err := apply(t.Context(), s, m, maps.Clone(content).apply(edits), standard)
		if err == nil {
			if got != want || i < 20 {
				t.Fatalf("%v after %d operations", got, i)
			}
			break
		}
		if !errors.Is(err, errFull) {
			t.Fatal(err)
		}
	}
	requireEqual(t, s.Store, m, content, standard)
}

var errFull = errors.New("disk full")

// failing fails after some operations.
type failing struct {
	*objecttest.Store
	left int
}

func (f *failing) spend() error {
	if f.left--; f.left < 0 {
		return errFull
	}
	return nil
}

func (f *failing) Put(ctx context.Context, o objects.Object) (objects.ID, error) {
	if err := f.spend(); err != nil {
		return objects.ID{}, err
	}
	return f.Store.Put(ctx, o)
}

func (f *failing) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	if err := f.spend(); err != nil {
		return objects.Object{}, err
	}
	return f.Store.Get(ctx, id)
}

func TestRefusedEdits(t *testing.T) {
	s := objecttest.NewStore()
	long := make([]byte, MaxValue+1)
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		edits []Edit
		want  error
	}{
		"empty key":  {[]Edit{{}}, ErrSize},
		"long key":   {[]Edit{{Key: long[:MaxKey+1]}}, ErrSize},
		"long value": {[]Edit{{Key: []byte("a"), Value: long}}, ErrSize},
		"same key":   {[]Edit{{Key: []byte("a")}, {Key: []byte("a")}}, ErrOrder},
		"order":      {[]Edit{{Key: []byte("b")}, {Key: []byte("a"), Delete: true}}, ErrOrder},
	} {
		if _, err := Apply(t.Context(), s, Map{}, sequence(c.edits)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	_, err := Build(t.Context(), s, func(yield func(Item, error) bool) { yield(Item{}, boom) })
	if !errors.Is(err, boom) {
		t.Errorf("an error of the input: got %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(gone, s, sequence([]Item{{Key: []byte("a")}})); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

// Keys chosen against the hash, long keys and large values keep the laws and
// the limits of a node.
func TestHostileContent(t *testing.T) {
	for name, content := range map[string]model{
		"never cut":    keysWhere(20000, func(k []byte) bool { return cutHash(0, k)>>58 != 0 }),
		"always cut":   keysWhere(1000, func(k []byte) bool { return cutHash(0, k)>>58 == 0 && cutHash(1, k)>>60 == 0 }),
		"long keys":    longEntries(600, MaxKey, 10),
		"large values": longEntries(300, 20, MaxValue),
		"mixed":        longEntries(1500, 300, 3000),
	} {
		t.Run(name, func(t *testing.T) {
			s := objecttest.NewStore()
			m := mustApply(t, s, Map{}, content.edits(), standard)
			for id := range nodes(t, s, m) {
				o, err := s.Get(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				n, err := DecodeNode(o)
				if err != nil || len(o.Data) > MaxBytes || n.Level() > bits.Len64(uint64(n.count))+1 {
					t.Fatalf("%d bytes, level %d, %d entries: %v", len(o.Data), n.level, n.Len(), err)
				}
			}
			keys, value := content.keys(), "x"
			m = mustApply(t, s, m, content.apply(map[string]*string{
				keys[0]: nil, keys[7]: &value, keys[len(keys)/2] + "0": &value, keys[len(keys)-1]: nil,
			}), standard)
			requireEqual(t, s, m, content, standard)
		})
	}
}

func keysWhere(n int, keep func(k []byte) bool) model {
	m := make(model, n)
	for i := uint64(0); len(m) < n; i++ {
		k := binary.BigEndian.AppendUint64(nil, i*0x9e3779b97f4a7c15)
		if keep(k) {
			m[string(k)] = "v"
		}
	}
	return m
}

// longEntries returns n entries with keys and values up to those sizes.
func longEntries(n, key, value int) model {
	filler := make([]byte, max(key, value))
	for i := range filler {
		filler[i] = byte(i * 7)
	}
	m := make(model, n)
	for i := range n {
		head := fmt.Sprintf("%08d", i*7919%n)
		m[head+string(filler[:key-8-i*31%(key-8)])] = string(filler[:value-i*17%value])
	}
	return m
}
