package store_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/kv/badgerkv"
	"github.com/mlvc/mlvc/objects/kv/memkv"
	"github.com/mlvc/mlvc/objects/objecttest"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/objects/vfs"
)

// place is a folder of packs and a database that a store can be opened over.
type place struct {
	dir string
	db  kv.DB
	fs  vfs.FS
}

func newPlace(t testing.TB, db kv.DB) place {
	p := place{dir: t.TempDir(), db: db, fs: vfs.OS}
	for _, sub := range []string{"packs", "tmp"} {
		if err := os.Mkdir(filepath.Join(p.dir, sub), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { db.Close() })
	return p
}

func (p place) open(t testing.TB) *store.Store {
	s := store.Open(store.Options{
		FS: p.fs, DB: p.db,
		Packs: filepath.Join(p.dir, "packs"), Temp: filepath.Join(p.dir, "tmp"),
	})
	t.Cleanup(func() { s.Close() })
	return s
}

func badger(t testing.TB) kv.DB {
	db, err := badgerkv.Open(filepath.Join(t.TempDir(), "db"), badgerkv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestStore(t *testing.T) {
	t.Run("badger", func(t *testing.T) {
		objecttest.Run(t, func(t *testing.T) objects.Store { return newPlace(t, badger(t)).open(t) })
	})
	t.Run("memory", func(t *testing.T) {
		objecttest.Run(t, func(t *testing.T) objects.Store { return newPlace(t, memkv.New()).open(t) })
	})
}

// mixed makes chunks and metadata objects, compressible and not.
func mixed(n int) []objects.Object {
	rnd := rand.New(rand.NewPCG(1, 2))
	list := make([]objects.Object, n)
	for i := range list {
		data := make([]byte, 10+rnd.IntN(20000))
		for j := range data {
			data[j] = byte(rnd.Uint32())
			if i%2 == 0 {
				data[j] %= 4
			}
		}
		list[i] = objects.Object{Kind: objects.KindChunk, Data: data}
		if i%3 == 0 {
			list[i].Kind = objects.KindNode
		}
	}
	return list
}

func putAll(t testing.TB, s *store.Store, list []objects.Object) []objects.ID {
	t.Helper()
	ids := make([]objects.ID, len(list))
	for i, o := range list {
		id, err := s.Put(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = id
	}
	return ids
}

func checkAll(t testing.TB, s *store.Store, ids []objects.ID, list []objects.Object) {
	t.Helper()
	for i, id := range ids {
		o, err := s.Get(t.Context(), id)
		if err != nil {
			t.Fatalf("object %d: %v", i, err)
		}
		if o.Kind != list[i].Kind || !bytes.Equal(o.Data, list[i].Data) {
			t.Fatalf("object %d has other bytes", i)
		}
	}
}

func TestReopen(t *testing.T) {
	p := newPlace(t, badger(t))
	list := mixed(500)
	s := p.open(t)
	ids := putAll(t, s, list)
	checkAll(t, s, ids, list) // before Sync
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkAll(t, p.open(t), ids, list)
}

// A batch that one Put filled is recorded though that Put's context ends: it
// holds what others put.
func TestContextOfOnePut(t *testing.T) {
	p := newPlace(t, badger(t))
	s := p.open(t)
	var list []objects.Object
	var ids []objects.ID
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 9 { // 9 MiB of metadata: more than one batch
		ctx, cancel := context.WithCancel(t.Context())
		data := make([]byte, 1000<<10)
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		o := objects.Object{Kind: objects.KindNode, Data: data}
		id, err := s.Put(ctx, o)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		list, ids = append(list, o), append(ids, id)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkAll(t, p.open(t), ids, list)
}

// What was synced into packs is found without its database, and adopted into
// a new one.
func TestDatabaseLost(t *testing.T) {
	p := newPlace(t, badger(t))
	list := mixed(200)
	s := p.open(t)
	ids := putAll(t, s, list)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.db = memkv.New()
	checkAll(t, p.open(t), ids, list)

	s = p.open(t)
	n, err := s.Adopt(t.Context(), func(id objects.ID, err error) { t.Errorf("pack %v: %v", id, err) })
	if err != nil || n != 2 {
		t.Fatalf("adopted %d packs, %v", n, err)
	}
	missing, err := s.Missing(t.Context(), ids)
	if err != nil || len(missing) != 0 {
		t.Fatalf("%d missing after adoption, %v", len(missing), err)
	}
	checkAll(t, s, ids, list)
	if n, err := s.Adopt(t.Context(), nil); n != 0 || err != nil {
		t.Fatalf("adopted %d packs again, %v", n, err)
	}
}

func TestDelta(t *testing.T) {
	p := newPlace(t, badger(t))
	s := p.open(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	data := make([]byte, 100<<10)
	for i := range data {
		data[i] = byte(rnd.Uint32())
	}
	var list []objects.Object
	var ids []objects.ID
	for range 12 { // beyond the depth at which a chunk is stored plain again
		data = bytes.Clone(data)
		data[rnd.IntN(len(data))] ^= 1
		o := objects.Object{Kind: objects.KindChunk, Data: data}
		var bases []objects.ID
		if len(ids) > 0 {
			bases = ids[len(ids)-1:]
		}
		id, _, err := s.PutDelta(t.Context(), o, bases)
		if err != nil {
			t.Fatal(err)
		}
		list, ids = append(list, o), append(ids, id)
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Deltas < 10 || st.Stored > 3*100<<10 {
		t.Errorf("12 versions of 100 KiB that differ in a byte: %+v", st)
	}
	checkAll(t, p.open(t), ids, list)
	id, used, err := s.PutDelta(t.Context(), objects.Object{Kind: objects.KindChunk, Data: []byte("x")}, []objects.ID{{9}})
	if err != nil || used || id != objects.Sum(objects.KindChunk, []byte("x")) {
		t.Errorf("a base that is not there: %v", err)
	}
}

// A damaged pack costs the objects that the damage lies in, and they are named.
func TestDamage(t *testing.T) {
	p := newPlace(t, badger(t))
	s := p.open(t)
	list := mixed(50)
	ids := putAll(t, s, list)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(p.dir, "packs", "*.pack"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%d packs, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text[len(text)/2] ^= 1
		if err := os.WriteFile(file, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s = p.open(t)
	bad := 0
	for i, id := range ids {
		o, err := s.Get(context.Background(), id)
		var named *objects.ObjectError
		switch {
		case err == nil && bytes.Equal(o.Data, list[i].Data):
		case errors.Is(err, objects.ErrCorrupt) && errors.As(err, &named) && named.ID == id:
			bad++
		default:
			t.Errorf("object %d: %v", i, err)
		}
	}
	if bad != 1 { // metadata is read from the database
		t.Errorf("%d objects damaged, want 1", bad)
	}
}
