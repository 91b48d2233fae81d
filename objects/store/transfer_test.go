package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv/memkv"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// transferPacks writes the packs of a store with deltas and metadata to files,
// those that others are built on first.
func transferPacks(t *testing.T, rounds int) (*versions, []objects.ID) {
	t.Helper()
	v := newVersions(t, memkv.New(), 7, rounds)
	s := v.open(t)
	ids, err := s.Packs()
	if err != nil {
		t.Fatal(err)
	}
	var order []objects.ID
	done := make(map[objects.ID]bool)
	var visit func(id objects.ID)
	visit = func(id objects.ID) {
		if done[id] {
			return
		}
		done[id] = true
		r, release, err := s.OpenPack(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		x, err := r.Index(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, base := range x.Bases {
			visit(base)
		}
		order = append(order, id)
	}
	for _, id := range ids {
		visit(id)
	}
	return v, order
}

func transferFile(t *testing.T, v *versions, id objects.ID, to string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(v.dir, "packs", store.PackPath(id)))
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// A pack is taken up whole or not at all, whatever fails, and the next try
// takes it up.
func TestTakePackFaults(t *testing.T) {
	v, order := transferPacks(t, 2)
	for tried, temporary := range map[int]bool{3: true, 1: false} {
		for at, more := 1, true; more; at++ {
			p := newPlace(t, memkv.New())
			faults := faultfs.New(vfs.OS, faultfs.Plan{At: at})
			s := store.Open(store.Options{FS: faults, DB: p.db, Packs: filepath.Join(p.dir, "packs"), Temp: filepath.Join(p.dir, "tmp")})
			for _, id := range order[:tried] {
				name := transferFile(t, v, id, filepath.Join(p.dir, "tmp", "incoming"))
				if s.TakePack(t.Context(), id, name, temporary) != nil {
					break
				}
			}
			more = faults.Failed() != ""
			s.Close()
			s = p.open(t)
			if _, err := s.Adopt(t.Context(), func(id objects.ID, err error) { t.Errorf("fault %d: pack %s: %v", at, id, err) }); err != nil {
				t.Fatal(err)
			}
			for _, id := range order {
				name := transferFile(t, v, id, filepath.Join(p.dir, "tmp", "incoming"))
				if err := s.TakePack(t.Context(), id, name, temporary); err != nil {
					t.Fatalf("fault %d: %v", at, err)
				}
			}
			for i, id := range v.ids {
				o, err := s.GetRecorded(t.Context(), id)
				if err != nil || !bytes.Equal(o.Data, v.list[i].Data) {
					t.Fatalf("fault %d: object %d: %v", at, i, err)
				}
			}
			places, err := s.Locate(t.Context(), v.ids)
			if err != nil {
				t.Fatal(err)
			}
			for i, at := range places {
				if at.Length == 0 || at.Pack.IsZero() != v.list[i].Kind.IsMeta() {
					t.Errorf("place of %v: %+v", v.list[i].Kind, at)
				}
			}
		}
	}
}

func TestTakePackRefuses(t *testing.T) {
	v, order := transferPacks(t, 4)
	p := newPlace(t, memkv.New())
	s := p.open(t)
	last := order[len(order)-1]
	for _, id := range order {
		r, release, err := v.open(t).OpenPack(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		x, err := r.Index(t.Context())
		release()
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Bases) > 0 {
			last = id
		}
	}
	name := transferFile(t, v, last, filepath.Join(p.dir, "tmp", "incoming"))
	var lacking *store.LackingBaseError
	if err := s.TakePack(t.Context(), last, name, true); !errors.As(err, &lacking) || lacking.Pack != last {
		t.Errorf("a pack without what it is built on: %v", err)
	}
	name = transferFile(t, v, order[0], filepath.Join(p.dir, "tmp", "damaged"))
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := 20; at < len(data); at += 2999 {
		damaged := bytes.Clone(data)
		damaged[at] ^= 4
		if err := os.WriteFile(name, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.TakePack(t.Context(), order[0], name, false); !errors.Is(err, objects.ErrCorrupt) {
			t.Fatalf("damaged at %d: %v", at, err)
		}
	}
	if ids, _ := s.Packs(); len(ids) > 0 {
		t.Errorf("taken up: %v", ids)
	}
}
