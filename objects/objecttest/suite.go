package objecttest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/objects"
)

// Run runs the conformance suite of objects.Store. open returns an empty store
// for one test, and has it closed with t.Cleanup. How damage shows is for the
// implementation's own tests: the interface has no way to cause it.
func Run(t *testing.T, open func(t *testing.T) objects.Store) {
	for name, test := range map[string]func(*testing.T, objects.Store){
		"PutGet":     testPutGet,
		"Idempotent": testIdempotent,
		"NotFound":   testNotFound,
		"Missing":    testMissing,
		"Sync":       testSync,
		"Concurrent": testConcurrent,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var kinds = []objects.Kind{
	objects.KindChunk, objects.KindList, objects.KindNode, objects.KindCommit, objects.KindOperation,
}

func object(kind objects.Kind, i int) objects.Object {
	return objects.Object{Kind: kind, Data: fmt.Appendf(nil, "%v number %d", kind, i)}
}

func put(t *testing.T, s objects.Store, o objects.Object) objects.ID {
	t.Helper()
	id, err := s.Put(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if want := o.ID(); id != want {
		t.Fatalf("Put returned %v, want %v", id, want)
	}
	return id
}

func check(t *testing.T, s objects.Store, want objects.Object) {
	t.Helper()
	got, err := s.Get(t.Context(), want.ID())
	if err != nil {
		t.Fatal(err)
	}
	if got.Kind != want.Kind || !bytes.Equal(got.Data, want.Data) {
		t.Fatalf("got %v %.40q, want %v %.40q", got.Kind, got.Data, want.Kind, want.Data)
	}
}

// testPutGet puts and gets each kind, the same bytes under two kinds, and the
// largest and smallest chunks.
func testPutGet(t *testing.T, s objects.Store) {
	var all []objects.Object
	for _, kind := range kinds {
		all = append(all, object(kind, 1), objects.Object{Kind: kind, Data: []byte("same bytes")})
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), objects.SingleChunk/16)
	all = append(all,
		objects.Object{Kind: objects.KindChunk, Data: large},
		objects.Object{Kind: objects.KindChunk, Data: []byte{}},
	)
	for _, o := range all {
		put(t, s, o)
		check(t, s, o) // at once
	}
	for _, o := range all {
		check(t, s, o)
	}
}

func testIdempotent(t *testing.T, s objects.Store) {
	for range 3 {
		put(t, s, object(objects.KindNode, 7))
		check(t, s, object(objects.KindNode, 7))
	}
}

func testNotFound(t *testing.T, s objects.Store) {
	put(t, s, object(objects.KindNode, 1))
	for _, kind := range kinds {
		id := object(kind, 2).ID()
		_, err := s.Get(t.Context(), id)
		var named *objects.ObjectError
		if !errors.Is(err, objects.ErrNotFound) || !errors.As(err, &named) || named.ID != id {
			t.Errorf("%v: got %v, want an ObjectError of %v that wraps ErrNotFound", kind, err, id)
		}
	}
}

func testMissing(t *testing.T, s objects.Store) {
	var ids, want []objects.ID
	for i := range 40 {
		o := object(kinds[i%len(kinds)], i)
		ids = append(ids, o.ID())
		if i%3 == 0 {
			put(t, s, o)
		} else {
			want = append(want, o.ID())
		}
	}
	got, err := s.Missing(t.Context(), append(ids, ids...))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in the order asked, each once:\n%s", diff)
	}
	if got, err := s.Missing(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

func testSync(t *testing.T, s objects.Store) {
	for i := range 3 {
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		put(t, s, object(objects.KindChunk, i))
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		check(t, s, object(objects.KindChunk, i))
	}
}

// testConcurrent has writers of overlapping objects and readers at work
// together; run it with -race.
func testConcurrent(t *testing.T, s objects.Store) {
	const workers, each = 4, 50
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := range each {
				o := object(kinds[i%len(kinds)], i+w*each/2)
				if _, err := s.Put(t.Context(), o); err != nil {
					t.Error(err)
					return
				}
				got, err := s.Get(t.Context(), o.ID())
				if err != nil || !bytes.Equal(got.Data, o.Data) {
					t.Errorf("get after put: %v", err)
					return
				}
				if missing, err := s.Missing(t.Context(), []objects.ID{o.ID()}); err != nil || len(missing) != 0 {
					t.Errorf("missing after put: %v, %v", missing, err)
					return
				}
				if i%10 == 0 {
					if err := s.Sync(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
}
