package store_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/kv/kvtest"
	"github.com/mlvc/mlvc/objects/kv/memkv"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// versions is a store of many small packs: chains of deltas over several
// files, and metadata beside them, of which a random part is live.
type versions struct {
	place
	list []objects.Object
	ids  []objects.ID
	live map[int]bool
}

func newVersions(t testing.TB, db kv.DB, seed uint64, rounds int) *versions {
	v := &versions{place: newPlace(t, db), live: make(map[int]bool)}
	s := v.open(t)
	rnd := rand.New(rand.NewPCG(seed, 1))
	last := make(map[int]int) // file → its newest version
	for range rounds {
		for range 1 + rnd.IntN(3) {
			file := rnd.IntN(4)
			data := make([]byte, 6<<10)
			var bases []objects.ID
			if at, ok := last[file]; ok && rnd.IntN(5) > 0 {
				data = bytes.Clone(v.list[at].Data)
				bases = []objects.ID{v.ids[at]}
			} else {
				for i := range data {
					data[i] = byte(rnd.Uint32())
				}
			}
			data[rnd.IntN(len(data))] ^= 1 + byte(rnd.IntN(200))
			o := objects.Object{Kind: objects.KindChunk, Data: data}
			id, _, err := s.PutDelta(t.Context(), o, bases)
			if err != nil {
				t.Fatal(err)
			}
			last[file] = len(v.list)
			v.list, v.ids = append(v.list, o), append(v.ids, id)
		}
		o := objects.Object{Kind: objects.KindNode, Data: []byte{1, byte(rnd.IntN(3)), byte(rnd.Uint32()), byte(rnd.Uint32()), byte(len(v.list))}}
		id, err := s.Put(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		v.list, v.ids = append(v.list, o), append(v.ids, id)
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range v.list {
		v.live[i] = rnd.IntN(3) == 0
	}
	return v
}

func (v *versions) set() *store.Live {
	live := store.NewLive()
	for i, id := range v.ids {
		switch {
		case !v.live[i]:
		case v.list[i].Kind.IsMeta():
			live.Add(id)
		default:
			live.AddChunk(id)
		}
	}
	return live
}

// collect marks, sweeps and rewrites.
func (v *versions) collect(t testing.TB, db kv.DB, fsys vfs.FS) (store.Compacted, error) {
	s := store.Open(store.Options{
		FS: fsys, DB: db,
		Packs: filepath.Join(v.dir, "packs"), Temp: filepath.Join(v.dir, "tmp"),
	})
	defer s.Close()
	if _, err := s.Mark(t.Context(), v.set(), store.Marking{Time: time.Unix(1e9, 0)}); err != nil {
		return store.Compacted{}, err
	}
	if _, err := s.Sweep(t.Context(), v.set()); err != nil {
		return store.Compacted{}, err
	}
	return s.Compact(t.Context(), store.CompactOptions{
		Unused:  func() (bool, error) { return true, nil },
		Damaged: func(err error) { t.Error(err) },
	})
}

// check reads what is live, and all packs.
func (v *versions) check(t testing.TB, after string) *store.Store {
	t.Helper()
	s := v.open(t)
	if _, err := s.Adopt(t.Context(), func(id objects.ID, err error) { t.Errorf("%s: pack %v: %v", after, id, err) }); err != nil {
		t.Fatal(err)
	}
	for i, id := range v.ids {
		o, err := s.GetRecorded(t.Context(), id)
		if v.live[i] && (err != nil || !bytes.Equal(o.Data, v.list[i].Data)) {
			t.Fatalf("%s: live object %d: %v", after, i, err)
		}
		if err != nil && !errors.Is(err, objects.ErrNotFound) {
			t.Fatalf("%s: object %d: %v", after, i, err) // recorded, so it must read
		}
	}
	err := s.CheckPacks(t.Context(), store.CheckOptions{
		Workers: 2, Done: func(int64) {},
		Damaged: func(id objects.ID, err error) { t.Errorf("%s: pack %s: %v", after, id.Short(), err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// gone checks that nothing dead is held any more.
func (v *versions) gone(t testing.TB, s *store.Store) {
	t.Helper()
	missing, err := s.Missing(t.Context(), v.ids)
	if err != nil {
		t.Fatal(err)
	}
	dead := 0
	for i := range v.ids {
		if !v.live[i] {
			dead++
		}
	}
	if len(missing) != dead {
		t.Fatalf("%d of %d are missing, of which %d are dead", len(missing), len(v.ids), dead)
	}
}

func TestCollect(t *testing.T) {
	for seed := range uint64(8) {
		v := newVersions(t, memkv.New(), seed, 40)
		before, err := v.open(t).Packs()
		if err != nil {
			t.Fatal(err)
		}
		c, err := v.collect(t, v.db, v.fs)
		if err != nil {
			t.Fatal(err)
		}
		s := v.check(t, "gc")
		v.gone(t, s)
		after, err := s.Packs()
		if err != nil || c.Freed <= 0 || len(after) >= len(before)-20 {
			t.Fatalf("seed %d: %d packs, %d before, %+v, %v", seed, len(after), len(before), c, err)
		}
		// All over again: what was dead may be put again, as a delta too.
		for i, o := range v.list {
			if _, _, err := s.PutDelta(t.Context(), o, v.ids[max(0, i-1):i]); err != nil {
				t.Fatal(err)
			}
			v.live[i] = true
		}
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		v.check(t, "puts")
		if c, err := v.collect(t, v.db, v.fs); err != nil {
			t.Fatalf("%+v, %v", c, err)
		}
		v.gone(t, v.check(t, "gc again"))
	}
}

// Whatever fails, what is live stays, and the next run ends the work.
func TestCollectInterrupted(t *testing.T) {
	t.Parallel()
	sweep := func(name string, run func(v *versions, at int) int) {
		count := run(nil, 0)
		step := max(1, count/points)
		if os.Getenv("MLVC_SWEEP") != "" {
			step = 1
		}
		for at := 1 + rand.IntN(step); at <= count; at += step {
			t.Run(name, func(t *testing.T) {
				v := newVersions(t, memkv.New(), uint64(at), 36)
				run(v, at)
				v.check(t, name)
				if _, err := v.collect(t, v.db, v.fs); err != nil {
					t.Fatalf("operation %d: the run after: %v", at, err)
				}
				v.gone(t, v.check(t, "the run after"))
			})
		}
	}
	sweep("a failing database", func(v *versions, at int) int {
		if v == nil {
			v = newVersions(t, memkv.New(), 1, 36)
		}
		db := kvtest.Faulty(v.db, at)
		v.collect(t, db, v.fs) //nolint:errcheck // it may fail or not
		return db.Count()
	})
	for _, plan := range []faultfs.Plan{{Kind: faultfs.EIO}, {Kind: faultfs.ShortWrite}, {Kind: faultfs.EIO, Sticky: true}} {
		sweep("a failing disk", func(v *versions, at int) int {
			if v == nil {
				v = newVersions(t, memkv.New(), 1, 36)
			}
			plan.At = at
			fsys := faultfs.New(v.fs, plan)
			v.collect(t, v.db, fsys) //nolint:errcheck // it may fail or not
			return fsys.Count()
		})
	}
}
