package pack_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
)

// shelf is a folder of packs.
type shelf struct {
	t       failer
	dir     string
	readers map[objects.ID]*pack.Reader
	n       int
}

// failer is a test or a check of a property.
type failer interface {
	Helper()
	Fatal(args ...any)
}

func newShelf(t failer) *shelf {
	s := &shelf{t: t, readers: make(map[objects.ID]*pack.Reader)}
	dir, err := os.MkdirTemp("", "pack")
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	return s
}

func (s *shelf) close() {
	for _, r := range s.readers {
		r.Close()
	}
	os.RemoveAll(s.dir)
}

func (s *shelf) writer(typ pack.Type) *pack.Writer {
	s.n++
	w, err := pack.NewWriter(volatile{vfs.OS}, filepath.Join(s.dir, fmt.Sprint("tmp-", s.n)), typ)
	if err != nil {
		s.t.Fatal(err)
	}
	s.readers[objects.ID{}] = w.Reader()
	return w
}

// seal seals, names and opens the pack.
func (s *shelf) seal(w *pack.Writer) *pack.Index {
	s.t.Helper()
	x, err := w.Seal(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	name := filepath.Join(s.dir, x.ID.String())
	if err := os.Rename(filepath.Join(s.dir, fmt.Sprint("tmp-", s.n)), name); err != nil {
		s.t.Fatal(err)
	}
	r, err := pack.Open(vfs.OS, name, x.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	s.readers[x.ID] = r
	return x
}

func (s *shelf) bytes(id objects.ID) []byte {
	b, err := os.ReadFile(filepath.Join(s.dir, id.String()))
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *shelf) open(_ context.Context, id objects.ID) (*pack.Reader, func(), error) {
	r := s.readers[id]
	if r == nil {
		return nil, nil, objects.ErrNotFound
	}
	return r, func() {}, nil
}

// volatile saves the tests the time that it takes to be durable.
type volatile struct{ vfs.FS }

func (v volatile) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := v.FS.OpenFile(name, flag, perm)
	return volatileFile{f}, err
}

type volatileFile struct{ vfs.File }

func (volatileFile) Sync() error { return nil }

// append compresses an object, on bases if there are any, and appends it.
func (s *shelf) append(w *pack.Writer, o objects.Object, bases ...pack.Place) pack.Record {
	s.t.Helper()
	p := pack.Compress(o.ID(), o)
	if len(bases) > 0 {
		d, err := pack.ReadDict(context.Background(), bases, s.open)
		if err != nil {
			s.t.Fatal(err)
		}
		p = pack.Delta(o.ID(), o, d)
	}
	r, err := w.Append(p, bases)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func chunk(b []byte) objects.Object { return objects.Object{Kind: objects.KindChunk, Data: b} }

func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

func text(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var b []byte
	for len(b) < n {
		b = fmt.Appendf(b, "{\"row\": %d, \"value\": %d},\n", len(b), r.IntN(1000))
	}
	return b[:n]
}

// edit changes a few bytes.
func edit(b []byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	b = bytes.Clone(b)
	for range 3 {
		b[r.IntN(len(b))] ^= 1
	}
	return b
}

// small makes two packs: the second holds every encoding, and deltas on both.
func small(s *shelf) (first, second *pack.Index) {
	base, other := noise(1, 600), text(2, 900)
	w := s.writer(pack.TypeData)
	b := s.append(w, chunk(base))
	first = s.seal(w)
	w = s.writer(pack.TypeData)
	s.append(w, chunk(noise(3, 80)))
	o := s.append(w, chunk(other))
	d := s.append(w, chunk(edit(base, 4)), b.Place(first.ID))
	s.append(w, chunk(edit(append(bytes.Clone(base), other...), 5)), d.Place(objects.ID{}), o.Place(objects.ID{}))
	s.append(w, chunk(nil))
	s.append(w, chunk(edit(base, 6)), b.Place(first.ID))
	return first, s.seal(w)
}

func TestEveryEncoding(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	_, x := small(s)
	var got []pack.Encoding
	for r := range x.Records() {
		got = append(got, r.Encoding)
		o, err := s.readers[x.ID].ReadRecord(t.Context(), r.Place(x.ID), r.ID, s.open)
		if err != nil || o.ID() != r.ID || len(o.Data) != r.Size {
			t.Fatalf("%v: %v", r, err)
		}
	}
	want := []pack.Encoding{pack.EncRaw, pack.EncZstd, pack.EncDelta, pack.EncDelta, pack.EncRaw, pack.EncDelta}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if len(x.Bases) != 1 {
		t.Fatalf("%d base packs, want 1", len(x.Bases))
	}
	if _, err := s.readers[x.ID].Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newShelf(t)
		defer s.close()
		typ := rapid.SampledFrom([]pack.Type{pack.TypeData, pack.TypeMeta}).Draw(t, "type")
		var w *pack.Writer
		var placed []pack.Place // in sealed packs
		var own []pack.Record   // of the pack being written
		objs := make(map[objects.ID]objects.Object)
		check := func(r *pack.Reader, rec pack.Record) {
			o, err := r.ReadRecord(context.Background(), rec.Place(r.ID()), rec.ID, s.open)
			if err != nil || !bytes.Equal(o.Data, objs[rec.ID].Data) || o.Kind != rec.Kind {
				t.Fatalf("read %+v: %v", rec, err)
			}
		}
		for range rapid.IntRange(1, 3).Draw(t, "packs") {
			w, own = s.writer(typ), nil
			for range rapid.IntRange(1, 8).Draw(t, "objects") {
				o := drawObject(t, typ, objs)
				objs[o.ID()] = o
				bases := append([]pack.Place(nil), placed...)
				for _, r := range own {
					bases = append(bases, r.Place(objects.ID{}))
				}
				if n := rapid.IntRange(0, min(3, len(bases))).Draw(t, "bases"); n > 0 {
					bases = bases[len(bases)-n:]
				} else {
					bases = nil
				}
				d, err := pack.ReadDict(context.Background(), bases, s.open)
				if errors.Is(err, pack.ErrBounds) {
					d, bases, err = pack.Dict{}, nil, nil
				}
				if err != nil {
					t.Fatal(err)
				}
				rec, err := w.Append(pack.Delta(o.ID(), o, d), bases)
				if err != nil {
					t.Fatal(err)
				}
				own = append(own, rec)
				check(s.readers[objects.ID{}], rec)
			}
			size := w.Size()
			x := s.seal(w)
			if x.Size != size || x.Count != len(own) {
				t.Fatalf("%d bytes, %d objects; want %d, %d", x.Size, x.Count, size, len(own))
			}
			back, err := s.readers[x.ID].Verify(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			i := 0
			for r := range back.Records() {
				if diff := cmp.Diff(own[i], r); diff != "" {
					t.Fatal(diff)
				}
				check(s.readers[x.ID], r)
				placed = append(placed, r.Place(x.ID))
				i++
			}
		}
	})
}

func drawObject(t *rapid.T, typ pack.Type, objs map[objects.ID]objects.Object) objects.Object {
	kind := objects.KindChunk
	if typ == pack.TypeMeta {
		kind = rapid.SampledFrom([]objects.Kind{objects.KindList, objects.KindNode, objects.KindCommit, objects.KindOperation}).Draw(t, "kind")
	}
	seed := rapid.Uint64Range(0, 20).Draw(t, "seed")
	n := rapid.SampledFrom([]int{0, 1, 63, 64, 500, 5000, 140_000}).Draw(t, "size")
	data := text(seed, n)
	switch rapid.IntRange(0, 2).Draw(t, "content") {
	case 0:
		data = noise(seed, n)
	case 1:
		if n > 0 {
			data = edit(noise(1, n), seed)
		}
	}
	return objects.Object{Kind: kind, Data: data}
}

func TestDepth(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	w := s.writer(pack.TypeData)
	data := noise(1, 4000)
	last := s.append(w, chunk(data))
	for depth := 1; depth <= pack.MaxDepth; depth++ {
		data = edit(data, uint64(depth))
		last = s.append(w, chunk(data), last.Place(objects.ID{}))
		if last.Encoding != pack.EncDelta || last.Depth != depth || last.Cost != 4000*(depth+1) {
			t.Fatalf("%+v, want a delta of depth %d", last, depth)
		}
	}
	if _, err := pack.ReadDict(t.Context(), []pack.Place{last.Place(objects.ID{})}, s.open); !errors.Is(err, pack.ErrBounds) {
		t.Fatalf("dictionary at depth %d: %v", pack.MaxDepth, err)
	}
	p := pack.Delta(objects.ID{}, chunk(data), pack.Dict{Bytes: data, Depth: pack.MaxDepth, Cost: 4000})
	if p.Encoding == pack.EncDelta {
		t.Fatal("a delta too deep")
	}
	if p = pack.Delta(objects.ID{}, chunk(data), pack.Dict{Bytes: data, Cost: pack.MaxCost}); p.Encoding == pack.EncDelta {
		t.Fatal("a delta too dear")
	}
	p = pack.Payload{ID: chunk(data).ID(), Kind: objects.KindChunk, Encoding: pack.EncDelta, Size: 4000, Data: data[:100], Depth: 9, Cost: 9000}
	if _, err := w.Append(p, []pack.Place{last.Place(objects.ID{})}); err == nil {
		t.Fatal("depth 9 was appended")
	}
	x := s.seal(w)
	for r := range x.Records() {
		if _, err := s.readers[x.ID].ReadRecord(t.Context(), r.Place(x.ID), r.ID, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// A base that several are built on is counted once.
func TestCostOfSharedBases(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	w := s.writer(pack.TypeData)
	a, b := noise(1, 1000), noise(2, 1000)
	ra, rb := s.append(w, chunk(a)), s.append(w, chunk(b))
	both := []pack.Place{ra.Place(objects.ID{}), rb.Place(objects.ID{})}
	r1 := s.append(w, chunk(edit(a, 1)), both...)
	r2 := s.append(w, chunk(edit(b, 2)), both...)
	r3 := s.append(w, chunk(edit(a, 3)), r1.Place(objects.ID{}), r2.Place(objects.ID{}))
	if r1.Cost != 3000 || r3.Cost != 5000 || len(r1.Bases) != 1 || len(r3.Bases) != 1 {
		t.Fatalf("cost %d and %d, want 3000 and 5000; runs %v, %v", r1.Cost, r3.Cost, r1.Bases, r3.Bases)
	}
	x := s.seal(w)
	if _, err := s.readers[x.ID].ReadRecord(t.Context(), r3.Place(x.ID), r3.ID, s.open); err != nil {
		t.Fatal(err)
	}
}

func TestReadPayloadRepacks(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	_, x := small(s)
	w := s.writer(pack.TypeData)
	moved := make(map[int64]pack.Place)
	for r := range x.Records() {
		p, bases, err := s.readers[x.ID].ReadPayload(t.Context(), r.Place(x.ID), r.ID, s.open)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Bases, zeroOwn(bases, x.ID)); diff != "" {
			t.Fatal(diff)
		}
		rec, err := w.Append(p, bases)
		if err != nil {
			t.Fatal(err)
		}
		moved[r.Offset] = rec.Place(objects.ID{})
		if rec.Stored != r.Stored {
			t.Fatalf("stored %d, was %d", rec.Stored, r.Stored)
		}
	}
	y := s.seal(w)
	for r := range y.Records() {
		if _, err := s.readers[y.ID].ReadRecord(t.Context(), r.Place(y.ID), r.ID, s.open); err != nil {
			t.Fatal(err)
		}
	}
}

func zeroOwn(places []pack.Place, own objects.ID) (out []pack.Place) {
	for _, p := range places {
		if p.Pack == own {
			p.Pack = objects.ID{}
		}
		out = append(out, p)
	}
	return out
}

// Large packs go through both blocks; readers see them at every moment.
func TestReadWhileWriting(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	w := s.writer(pack.TypeData)
	r := w.Reader()
	type written struct {
		at pack.Place
		id objects.ID
	}
	records := make(chan written, 256)
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		var all []written
		for rec := range records {
			all = append(all, rec)
			for _, a := range []written{rec, all[len(all)/2]} {
				if _, err := r.ReadRecord(context.Background(), a.at, a.id, nil); err != nil {
					failed <- err
					return
				}
			}
		}
	}()
	for i := range 100 {
		rec := s.append(w, chunk(noise(uint64(i), 50_000+i*997)))
		records <- written{rec.Place(objects.ID{}), rec.ID}
	}
	close(records)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	x := s.seal(w)
	if _, err := s.readers[x.ID].Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stat, err := os.Stat(filepath.Join(s.dir, x.ID.String())); err != nil || stat.Size() != x.Size {
		t.Fatalf("%v, want %d bytes: %v", stat, x.Size, err)
	}
	if _, err := r.ReadRecord(t.Context(), pack.Place{Offset: 16, Length: 100}, x.ID, nil); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("read after Seal: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	w := s.writer(pack.TypeData)
	node := objects.Object{Kind: objects.KindNode, Data: []byte("node")}
	if _, err := w.Append(pack.Compress(node.ID(), node), nil); err == nil {
		t.Error("a node in a data pack")
	}
	big := chunk(make([]byte, objects.MaxObject+1))
	if _, err := w.Append(pack.Compress(big.ID(), big), nil); err == nil {
		t.Error("an object that is too large")
	}
	if _, err := w.Seal(t.Context()); err == nil {
		t.Error("an empty pack was sealed")
	}
	if names, _ := os.ReadDir(s.dir); len(names) != 0 {
		t.Errorf("left behind: %v", names)
	}
	if _, err := w.Append(pack.Compress(node.ID(), node), nil); err == nil {
		t.Error("append after the end")
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
}

func TestFull(t *testing.T) {
	s := newShelf(t)
	defer s.close()
	w := s.writer(pack.TypeData)
	p := pack.Compress(chunk(noise(1, objects.MaxObject)).ID(), chunk(noise(1, objects.MaxObject)))
	n := 0
	for {
		if _, err := w.Append(p, nil); errors.Is(err, pack.ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 127 || w.Size() > pack.MaxSize {
		t.Fatalf("%d objects of 1 MiB, %d bytes", n, w.Size())
	}
	s.seal(w)
}
