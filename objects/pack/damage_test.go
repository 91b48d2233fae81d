package pack_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
)

// hit returns the IDs that damage of one byte may cost: the record that has
// it and the deltas on that.
func hit(x *pack.Index, at int64) map[objects.ID]bool {
	lost := make(map[objects.ID]bool)
	offsets := make(map[int64]objects.ID)
	for r := range x.Records() {
		offsets[r.Offset] = r.ID
		if r.Offset <= at && at < r.Offset+int64(r.Length) {
			lost[r.ID] = true
		}
		for _, b := range r.Bases {
			if b.Pack.IsZero() && lost[offsets[b.Offset]] {
				lost[r.ID] = true
			}
		}
	}
	return lost
}

// reopened returns a reader of those bytes.
func (s *shelf) reopened(b []byte, id objects.ID) *pack.Reader {
	name := filepath.Join(s.dir, "damaged")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		s.t.Fatal(err)
	}
	r, err := pack.Open(vfs.OS, name, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func TestEveryFlippedByte(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	_, x := small(s)
	whole := s.bytes(x.ID)
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		if _, err := pack.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), x.ID); !errors.Is(err, objects.ErrCorrupt) {
			t.Fatalf("byte %d: Verify says %v", at, err)
		}
		lost := hit(x, int64(at))
		r := s.reopened(b, x.ID)
		for rec := range x.Records() {
			o, err := r.ReadRecord(t.Context(), rec.Place(x.ID), rec.ID, s.open)
			var named *objects.ObjectError
			switch {
			case err == nil && o.ID() != rec.ID:
				t.Fatalf("byte %d: wrong bytes handed out", at)
			case (err != nil) != lost[rec.ID]:
				t.Fatalf("byte %d: record at %d: %v", at, rec.Offset, err)
			case err != nil && (!errors.As(err, &named) || named.ID != rec.ID || !errors.Is(err, objects.ErrCorrupt)):
				t.Fatalf("byte %d: record at %d: %v", at, rec.Offset, err)
			}
		}
		r.Close()
		salvageAll(t, s, x, b, lost)
	}
}

// salvageAll checks that everything but what was lost is found.
func salvageAll(t *testing.T, s *shelf, x *pack.Index, b []byte, lost map[objects.ID]bool) {
	t.Helper()
	got := make(map[objects.ID]bool)
	damage := 0
	for o, err := range pack.Salvage(t.Context(), bytes.NewReader(b), int64(len(b)), s.open) {
		if err != nil {
			damage++
			continue
		}
		if o.Record.ID != o.Object.ID() {
			t.Fatal("salvaged under a wrong ID")
		}
		got[o.Record.ID] = true
	}
	for r := range x.Records() {
		if !got[r.ID] && !lost[r.ID] {
			t.Fatalf("record at %d was not salvaged", r.Offset)
		}
	}
	if len(lost) > 0 && damage == 0 {
		t.Fatal("damage was not reported")
	}
}

func TestTruncated(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	_, x := small(s)
	whole := s.bytes(x.ID)
	for n := range whole {
		b := whole[:n]
		if _, err := pack.Verify(t.Context(), bytes.NewReader(b), int64(n), x.ID); !errors.Is(err, objects.ErrCorrupt) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		lost := make(map[objects.ID]bool)
		for r := range x.Records() {
			if r.Offset+int64(r.Length) > int64(n) {
				lost[r.ID] = true
			}
		}
		got := 0
		for _, err := range pack.Salvage(t.Context(), bytes.NewReader(b), int64(n), s.open) {
			if err == nil {
				got++
			}
		}
		if got != x.Count-len(lost) {
			t.Fatalf("%d bytes: salvaged %d of %d", n, got, x.Count-len(lost))
		}
	}
}

// Junk in front, behind, and a lost footer beside a damaged record.
func TestJunk(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	_, x := small(s)
	whole := s.bytes(x.ID)
	for _, b := range [][]byte{append([]byte{0}, whole...), append(bytes.Clone(whole), 0), append(bytes.Clone(whole), whole...)} {
		if _, err := pack.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), x.ID); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("junk: %v", err)
		}
	}
	b := bytes.Clone(whole)
	b[len(b)-1] ^= 1
	for r := range x.Records() {
		damaged := bytes.Clone(b)
		damaged[r.Offset+2] ^= 0x40
		salvageAll(t, s, x, damaged, hit(x, r.Offset+2))
	}
}

// A wrong place, size or ID is an error, never other bytes.
func TestWrongPlace(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	_, x := small(s)
	r := s.readers[x.ID]
	for rec := range x.Records() {
		for _, at := range []pack.Place{
			{Offset: rec.Offset + 1, Length: rec.Length},
			{Offset: rec.Offset, Length: rec.Length + 1},
			{Offset: rec.Offset, Length: rec.Length - 1},
			{Offset: x.Size, Length: rec.Length},
			{Offset: rec.Offset, Length: 1 << 30},
			{Offset: rec.Offset},
		} {
			if _, err := r.ReadRecord(t.Context(), at, rec.ID, s.open); !errors.Is(err, objects.ErrCorrupt) {
				t.Errorf("%v: %v", at, err)
			}
		}
		if _, err := r.ReadRecord(t.Context(), rec.Place(x.ID), x.ID, s.open); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("another ID: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.ReadRecord(ctx, pack.Place{Offset: 16, Length: 90}, x.ID, s.open); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestLostBasePack(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	first, x := small(s)
	delete(s.readers, first.ID)
	failed := 0
	for r := range x.Records() {
		_, err := s.readers[x.ID].ReadRecord(t.Context(), r.Place(x.ID), r.ID, s.open)
		if err != nil && !errors.Is(err, objects.ErrNotFound) {
			t.Fatal(err)
		}
		if err != nil {
			failed++
		}
	}
	if failed != 3 {
		t.Fatalf("%d objects need the lost pack, want 3", failed)
	}
}

// failing makes the i-th operation that changes the disk fail.
type failing struct {
	vfs.FS
	left  int
	short bool
}

var errDisk = errors.New("the disk says no")

func (f *failing) step() error {
	if f.left--; f.left == 0 {
		return errDisk
	}
	return nil
}

func (f *failing) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenFile(name, flag, perm)
	return &failingFile{file, f}, err
}

type failingFile struct {
	vfs.File
	f *failing
}

func (f *failingFile) Write(p []byte) (int, error) {
	if err := f.f.step(); err != nil {
		if !f.f.short {
			return 0, err
		}
		n, _ := f.File.Write(p[:len(p)/8192*4096])
		return n, nil
	}
	return f.File.Write(p)
}

func (f *failingFile) Sync() error {
	return errors.Join(f.f.step(), f.File.Sync())
}

func (f *failingFile) Truncate(size int64) error {
	return errors.Join(f.f.step(), f.File.Truncate(size))
}

func (f *failingFile) Close() error {
	return errors.Join(f.File.Close(), f.f.step())
}

// Whatever fails, Seal or something before it does, and no file is left.
func TestFaults(t *testing.T) {
	for _, short := range []bool{false, true} {
		failed := 0
		for i := 1; ; i++ {
			dir := t.TempDir()
			disk := &failing{FS: vfs.OS, left: i, short: short}
			err := writeSome(t, disk, filepath.Join(dir, "tmp"))
			names, _ := os.ReadDir(dir)
			if disk.left > 0 {
				if err != nil || len(names) != 1 {
					t.Fatalf("no fault: %v, %v", err, names)
				}
				break
			}
			if failed++; err == nil || len(names) != 0 {
				t.Fatalf("fault %d: error %v, left %v", i, err, names)
			}
		}
		if failed < 7 {
			t.Fatalf("only %d faults met", failed)
		}
	}
}

func writeSome(t *testing.T, fs vfs.FS, name string) error {
	w, err := pack.NewWriter(fs, name, pack.TypeData)
	if err != nil {
		return err
	}
	for i := range 56 { // 14 MB: more than three blocks
		o := chunk(noise(uint64(i), 250_000))
		if _, err := w.Append(pack.Compress(o.ID(), o), nil); err != nil {
			return errors.Join(err, w.Abort())
		}
	}
	_, err = w.Seal(t.Context())
	return err
}
