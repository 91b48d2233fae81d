package pack_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
)

// recovered checks that exactly what was not lost is in the index that Recover
// makes, each record where it lies and with its bases.
func (s *shelf) recovered(t *testing.T, x *pack.Index, b []byte, lost map[objects.ID]bool) *pack.Index {
	t.Helper()
	got, err := pack.Recover(t.Context(), bytes.NewReader(b), int64(len(b)), x.ID, s.open)
	if err != nil {
		t.Fatal(err)
	}
	at := make(map[int64]pack.Record)
	for rec := range got.Records() {
		at[rec.Offset] = rec
	}
	for rec := range x.Records() {
		found, ok := at[rec.Offset]
		if ok != !lost[rec.ID] || ok && (found.ID != rec.ID || found.Place(x.ID) != rec.Place(x.ID) || len(found.Bases) != len(rec.Bases)) {
			t.Fatalf("record at %d: recovered %v: %+v", rec.Offset, ok, found)
		}
		for i, base := range found.Bases {
			if base != rec.Bases[i] {
				t.Fatalf("record at %d: base %+v", rec.Offset, base)
			}
		}
	}
	return got
}

// restored checks that Restore makes the whole pack of b, or nothing.
func (s *shelf) restored(t *testing.T, x *pack.Index, b, whole []byte, want bool) {
	t.Helper()
	name := filepath.Join(s.dir, "restored")
	_, err := pack.Restore(t.Context(), volatile{vfs.OS}, name, bytes.NewReader(b), int64(len(b)), x.ID, s.open)
	if !want {
		if _, there := os.Lstat(name); !errors.Is(err, objects.ErrCorrupt) || there == nil {
			t.Fatalf("restored what cannot be: %v, %v", err, there)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, whole) {
		t.Fatalf("restored to %d bytes, %v", len(got), err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// end returns where the last record ends.
func end(x *pack.Index) int64 {
	n := int64(0)
	for rec := range x.Records() {
		n = rec.Offset + int64(rec.Length)
	}
	return n
}

// A lost header costs nothing; without a footer every whole record is found;
// and where no record was hit the pack can be made anew.
func TestRecover(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	_, x := small(s)
	whole := s.bytes(x.ID)
	records := end(x)
	for at := 0; at < len(whole); at++ {
		if at > 40 && at%97 > 0 && at < len(whole)-90 {
			continue
		}
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		inRecords := int64(at) >= 16 && int64(at) < records
		if !inRecords {
			if x := s.recovered(t, x, b, nil); x.Damage == nil {
				t.Fatalf("byte %d: no damage", at)
			}
		}
		s.restored(t, x, b, whole, !inRecords)
	}
	for _, n := range []int64{0, 10, 16, 100, records / 2, records - 1, records, records + 10, int64(len(whole)) - 1} {
		lost := make(map[objects.ID]bool)
		for rec := range x.Records() {
			lost[rec.ID] = rec.Offset+int64(rec.Length) > n
		}
		s.recovered(t, x, whole[:n], lost)
		s.restored(t, x, whole[:n], whole, n >= records)
	}
	s.restored(t, x, append(bytes.Clone(whole), "junk"...), whole, true)
	s.restored(t, x, whole, whole, true)
}

// A base record that is lost costs the deltas on that pack, not those on the
// packs that come after it.
func TestRecoverBehindLostBase(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	var first []pack.Place
	for i := range 3 {
		w := s.writer(pack.TypeData)
		rec := s.append(w, chunk(text(uint64(i), 9000)))
		first = append(first, rec.Place(s.seal(w).ID))
	}
	w := s.writer(pack.TypeData)
	var recs []pack.Record
	for i, at := range first {
		o := chunk(append(text(uint64(i), 9000), "more"...))
		if recs = append(recs, s.append(w, o, at)); recs[i].Encoding != pack.EncDelta {
			t.Fatal("no delta")
		}
	}
	x := s.seal(w)
	b := s.bytes(x.ID)
	b[len(b)-1] ^= 1         // the footer
	b[recs[0].Offset-1] ^= 1 // the last byte of the first base record
	got := s.recovered(t, x, b, map[objects.ID]bool{recs[0].ID: true})
	if len(got.Bases) != 2 || got.Bases[0] != first[1].Pack || got.Bases[1] != first[2].Pack {
		t.Fatalf("bases %v", got.Bases)
	}
	r := s.reopened(b, x.ID)
	defer r.Close()
	for i, rec := range recs {
		if _, err := r.ReadRecord(t.Context(), rec.Place(x.ID), rec.ID, s.open); (err == nil) != (i > 0) {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}
