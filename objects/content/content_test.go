package content_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
	"github.com/mlvc/mlvc/objects/content"
)

var ctx = context.Background()

// random returns n bytes, the same for the same seed.
func random(seed uint64, n int) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	buf := make([]byte, n)
	rand.NewChaCha8(key).Read(buf) //nolint:errcheck // never fails
	return buf
}

// sparse is a Source that reports whole pages of zeros as holes, and says
// that it has size bytes.
type sparse struct {
	content.Bytes
	size int64
}

const page = 4096

func (s sparse) Size() int64 { return s.size }

func (s sparse) NextData(offset int64) (start, end int64, err error) {
	size := int64(len(s.Bytes))
	zero := func(at int64) bool {
		p := s.Bytes[at:min(at+page, size)]
		return bytes.Equal(p, make([]byte, len(p)))
	}
	for start = min(offset, size); start < size && zero(start); start = min(start/page*page+page, size) {
	}
	for end = start; end < size && !zero(end); end = min(end/page*page+page, size) {
	}
	return start, end, nil
}

func write(t testing.TB, s *store, data []byte, prev objects.Entry) (objects.Entry, content.Stats) {
	t.Helper()
	e, stats, err := content.Write(ctx, s, sparse{data, int64(len(data))}, prev, 2)
	if err != nil {
		t.Fatal(err)
	}
	return e, stats
}

// fataler is what *testing.T and *rapid.T have in common.
type fataler interface{ Fatal(args ...any) }

// naive is what Write must do, with nothing clever.
func naive(t fataler, data []byte) objects.Entry {
	e := objects.Entry{Size: int64(len(data)), Content: objects.Sum(objects.KindChunk, data)}
	if len(data) <= objects.SingleChunk {
		return e
	}
	list, err := chunk.BuildList(ctx, newStore(), func(yield func(chunk.Ref, error) bool) {
		for rest := data; len(rest) > 0; {
			n := chunk.Cut(chunk.Default, rest, true)
			if !yield(chunk.Ref{ID: objects.Sum(objects.KindChunk, rest[:n]), Length: n}, nil) {
				return
			}
			rest = rest[n:]
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	e.List = list
	return e
}

// drawContent makes stretches of noise, zeros, and rows.
func drawContent(t *rapid.T, name string) []byte {
	var data []byte
	for range rapid.IntRange(0, 5).Draw(t, name+" stretches") {
		n := rapid.OneOf(rapid.IntRange(0, 5000), rapid.IntRange(0, 900_000), rapid.SampledFrom([]int{4096, 65536, 262144, 524288, 1 << 20, 3 << 20})).Draw(t, name+" length")
		switch rapid.IntRange(0, 2).Draw(t, name+" kind") {
		case 0:
			data = append(data, random(rapid.Uint64Range(0, 3).Draw(t, name+" seed"), n)...)
		case 1:
			data = append(data, make([]byte, n)...)
		case 2:
			data = append(data, bytes.Repeat([]byte("1,2,cat.png\n"), n/12)...)
		}
	}
	return data
}

// drawEdit changes some places of a content, or makes another.
func drawEdit(t *rapid.T, data []byte) []byte {
	data = bytes.Clone(data)
	for range rapid.IntRange(0, 4).Draw(t, "edits") {
		at := rapid.IntRange(0, len(data)).Draw(t, "at")
		n := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 400_000)).Draw(t, "edited")
		to := min(at+n, len(data))
		switch rapid.IntRange(0, 4).Draw(t, "edit") {
		case 0: // insert
			data = slices.Insert(data, at, random(9, n)...)
		case 1: // delete
			data = slices.Delete(data, at, to)
		case 2: // overwrite
			copy(data[at:to], random(8, to-at))
		case 3: // cut off
			data = data[:at]
		case 4: // duplicate
			data = append(data, data[at:to]...)
		}
	}
	return data
}

// TestWriteLaws: whatever the path held before, and whether holes are read or
// not, the entry is what the bytes alone say, and Read gives them back.
func TestWriteLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		workers := rapid.IntRange(0, 3).Draw(t, "workers")
		old := drawContent(t, "old")
		var data []byte
		if rapid.Bool().Draw(t, "related") {
			data = drawEdit(t, old)
		} else {
			data = drawContent(t, "new")
		}
		prev, _, err := content.Write(ctx, s, content.Bytes(old), objects.Entry{}, workers)
		if err != nil {
			t.Fatal(err)
		}
		var src content.Source = content.Bytes(data)
		if rapid.Bool().Draw(t, "sparse") {
			src = sparse{data, int64(len(data))}
		}
		got, stats, err := content.Write(ctx, s, src, prev, workers)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(naive(t, data), got); diff != "" {
			t.Fatal(diff)
		}
		if bytes.Equal(old, data) && stats.Reused != stats.Chunks {
			t.Fatalf("the same content again: %+v", stats)
		}
		var out bytes.Buffer
		if err := content.Read(ctx, s, got, &out, workers); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), data) {
			t.Fatal("other bytes were read than written")
		}
		from := rapid.IntRange(0, len(data)).Draw(t, "from")
		n := rapid.IntRange(0, len(data)-from).Draw(t, "n")
		out.Reset()
		if err := content.ReadRange(ctx, s, got, int64(from), int64(n), &out); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), data[from:from+n]) {
			t.Fatal("other bytes were read of a range")
		}
	})
}

// TestOtherEnds: a chunk that the end of the old content cut off is none where
// the new content goes on.
func TestOtherEnds(t *testing.T) {
	data := append(random(17, 2<<20), make([]byte, 1<<20)...)
	ends := []int{1000, objects.SingleChunk, objects.SingleChunk + 1, 500_000, 1 << 20, 2<<20 - 1, 2 << 20, 3<<20 - 1, 3 << 20}
	for _, was := range ends {
		s := newStore()
		prev, _ := write(t, s, data[:was], objects.Entry{})
		for _, is := range ends {
			if got, _ := write(t, s, data[:is], prev); got != naive(t, data[:is]) {
				t.Errorf("%d bytes after %d of them: %+v", is, was, got)
			}
		}
	}
}

func spans(t testing.TB, s *store, e objects.Entry) []chunk.Span {
	t.Helper()
	var all []chunk.Span
	for span, err := range chunk.List(ctx, s, e.List, e.Size, 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, span)
	}
	return all
}

func TestOneByteChanged(t *testing.T) {
	s := newStore()
	data := random(1, 8<<20)
	prev, _ := write(t, s, data, objects.Entry{})
	old := spans(t, s, prev)
	k := len(old) / 2
	data[old[k].Start+70_000] ^= 1
	s.puts, s.gets = nil, 0
	e, stats := write(t, s, data, prev)
	fresh := spans(t, s, e)[k].ID
	if stats.Reused != stats.Chunks-1 {
		t.Fatalf("%+v", stats)
	}
	if diff := cmp.Diff([]objects.ID{old[k].ID}, s.deltas[fresh]); diff != "" {
		t.Fatalf("bases: %s", diff)
	}
	if len(s.puts) > 5 || s.gets > 3 {
		t.Fatalf("%d puts, %d gets", len(s.puts), s.gets)
	}
}

func TestRowInsertedAtTheFront(t *testing.T) {
	s := newStore()
	data := random(2, 8<<20)
	prev, _ := write(t, s, data, objects.Entry{})
	_, stats := write(t, s, append([]byte("a new row\n"), data...), prev)
	if stats.Reused < stats.Chunks-3 {
		t.Fatalf("%+v", stats)
	}
}

// TestScatteredEdits changes every chunk: each must be offered the old chunk
// at its place, although no two chunks are the same.
func TestScatteredEdits(t *testing.T) {
	s := newStore()
	data := random(3, 8<<20)
	prev, _ := write(t, s, data, objects.Entry{})
	old := spans(t, s, prev)
	var edited []byte
	for _, span := range old {
		b := data[span.Start:span.End()]
		half := min(len(b)/2, 20_000)
		edited = append(append(append(edited, b[:half]...), "some more bytes in the middle of a row"...), b[half:]...)
	}
	e, stats := write(t, s, edited, prev)
	if stats.Reused > 1 {
		t.Fatalf("every chunk was to change: %+v", stats)
	}
	fresh := spans(t, s, e)
	if len(fresh) != len(old) {
		t.Fatalf("%d chunks became %d", len(old), len(fresh))
	}
	for i, span := range fresh {
		bases := s.deltas[span.ID]
		if !slices.Contains(bases, old[i].ID) || len(bases) > 3 {
			t.Fatalf("chunk %d of %d: %d bases, the old one in place among them: %v", i, len(fresh), len(bases), slices.Contains(bases, old[i].ID))
		}
	}
}

// TestHopeIsLost: a file that has nothing in common with the old one must not
// pay for a delta a chunk.
func TestHopeIsLost(t *testing.T) {
	s := newStore()
	prev, _ := write(t, s, random(4, 16<<20), objects.Entry{})
	s.useless = true
	_, stats := write(t, s, random(5, 16<<20), prev)
	if tried := len(s.deltas); int64(tried) > stats.Chunks/4 || tried == 0 {
		t.Fatalf("%d of %d chunks were tried as deltas", tried, stats.Chunks)
	}
}

func TestSmallContent(t *testing.T) {
	s := newStore()
	data := random(6, 10<<10)
	prev, _ := write(t, s, data, objects.Entry{})
	s.puts = nil
	if _, stats := write(t, s, data, prev); stats.Reused != 1 || len(s.puts) != 0 {
		t.Fatalf("the same again: %+v, %d puts", stats, len(s.puts))
	}
	data[5]++
	e, _ := write(t, s, data, prev)
	if diff := cmp.Diff([]objects.ID{prev.Content}, s.deltas[e.Content]); diff != "" {
		t.Fatal(diff)
	}
	far, _ := write(t, s, random(7, 100<<10), prev)
	if s.deltas[far.Content] != nil {
		t.Fatal("a much larger content was offered as a delta")
	}
}

func TestLongHole(t *testing.T) {
	const size = 256 << 20
	s := newStore()
	hole := holes{size: size, data: random(8, 300_000), at: 100_000_000}
	e, stats, err := content.Write(ctx, s, hole, objects.Entry{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.puts) > 16 || stats.Chunks < size/objects.SingleChunk {
		t.Fatalf("%d puts for %d chunks", len(s.puts), stats.Chunks)
	}
	again, stats, err := content.Write(ctx, s, hole, e, 2)
	if err != nil || again != e || stats.Reused != stats.Chunks {
		t.Fatalf("%+v became %+v, %+v: %v", e, again, stats, err)
	}
	var sink skipping
	if err := content.Read(ctx, s, e, &sink, 2); err != nil {
		t.Fatal(err)
	}
	if sink.skipped+sink.written != size || sink.written > 3<<20 {
		t.Fatalf("%d bytes skipped, %d written", sink.skipped, sink.written)
	}
}

// holes is a file of zeros with some data in it.
type holes struct {
	size int64
	data []byte
	at   int64
}

func (h holes) Size() int64 { return h.size }

func (h holes) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), h.size-off))
	clear(p[:n])
	for i := max(0, h.at-off); i < int64(n) && off+i < h.at+int64(len(h.data)); i++ {
		p[i] = h.data[off+i-h.at]
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h holes) NextData(off int64) (start, end int64, err error) {
	if end = h.at + int64(len(h.data)); off < end {
		return max(off, h.at), end, nil
	}
	return h.size, h.size, nil
}

type skipping struct{ written, skipped int64 }

func (s *skipping) Write(p []byte) (int, error) { s.written += int64(len(p)); return len(p), nil }
func (s *skipping) Skip(n int64) error          { s.skipped += n; return nil }

func TestFileThatChanges(t *testing.T) {
	for _, size := range []int64{0, 1, 1000, objects.SingleChunk, objects.SingleChunk + 1, 3 << 20} {
		for _, off := range []int64{-1, 1, 2 << 20, -2 << 20} {
			if size+off < 0 {
				continue
			}
			for name, data := range map[string][]byte{"noise": random(1, int(size+off)), "zeros": make([]byte, size+off)} {
				_, _, err := content.Write(ctx, newStore(), sparse{data, size}, objects.Entry{}, 2)
				if !errors.Is(err, content.ErrChanged) {
					t.Errorf("%s: size %d, %d bytes: %v", name, size, size+off, err)
				}
			}
		}
	}
}

func TestDamage(t *testing.T) {
	s := newStore()
	data := random(9, 3<<20)
	e, _ := write(t, s, data, objects.Entry{})
	small, _ := write(t, s, data[:1000], objects.Entry{})
	for id, o := range s.objects {
		entry := e
		if id == small.Content {
			entry = small
		}
		check := func(want error) {
			err := content.Read(ctx, s, entry, io.Discard, 2)
			var object *objects.ObjectError
			if !errors.Is(err, want) || !errors.As(err, &object) || object.ID != id {
				t.Errorf("%v %s: %v", o.Kind, id.Short(), err)
			}
		}
		bad := bytes.Clone(o.Data)
		bad[len(bad)/2] ^= 1
		s.objects[id] = objects.Object{Kind: o.Kind, Data: bad}
		check(objects.ErrCorrupt)
		delete(s.objects, id)
		check(objects.ErrNotFound)
		s.objects[id] = o
	}
}

func TestForgedEntries(t *testing.T) {
	s := newStore()
	e, _ := write(t, s, random(10, 3<<20), objects.Entry{})
	other, _ := write(t, s, random(11, 3<<20), objects.Entry{})
	small, _ := write(t, s, random(12, 1000), objects.Entry{})
	for name, entry := range map[string]objects.Entry{
		"another content's list": {Size: e.Size, Content: e.Content, List: other.List},
		"another size":           {Size: e.Size + 1, Content: e.Content, List: e.List},
		"another small size":     {Size: small.Size - 1, Content: small.Content},
		"a list for a chunk":     {Size: 1000, Content: e.List},
		"a chunk for a list":     {Size: e.Size, Content: e.Content, List: small.Content},
	} {
		if err := content.Read(ctx, s, entry, io.Discard, 2); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, r := range [][2]int64{{-1, 1}, {0, -1}, {0, e.Size + 1}, {e.Size, 1}, {e.Size + 1, 0}} {
		if err := content.ReadRange(ctx, s, e, r[0], r[1], io.Discard); err == nil {
			t.Errorf("range %v was read", r)
		}
	}
}

// TestLostPast: an old list that is gone costs time, nothing else.
func TestLostPast(t *testing.T) {
	s := newStore()
	data := random(13, 3<<20)
	prev, _ := write(t, s, data, objects.Entry{})
	delete(s.objects, prev.List)
	if e, stats := write(t, s, data, prev); e != prev || stats.Reused != 0 {
		t.Fatalf("%+v became %+v, %+v", prev, e, stats)
	}
}

var errBoom = errors.New("boom")

type failing struct{ after int }

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errBoom
	}
	return len(p), nil
}

func TestFailuresEndAllStages(t *testing.T) {
	data := random(14, 6<<20)
	s := newStore()
	prev, _ := write(t, s, random(15, 6<<20), objects.Entry{})
	e, _ := write(t, s, data, objects.Entry{})
	for i := range 40 {
		s := &store{objects: s.objects, deltas: s.deltas, failAfter: i + 1}
		_, _, err := content.Write(ctx, s, content.Bytes(data), []objects.Entry{{}, prev}[i%2], 2)
		if !errors.Is(err, errPut) {
			t.Fatalf("put %d failed: %v", i, err)
		}
	}
	for i := range 20 {
		if err := content.Read(ctx, s, e, &failing{i}, 2); !errors.Is(err, errBoom) {
			t.Fatalf("write %d failed: %v", i, err)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := content.Write(cancelled, s, content.Bytes(data), prev, 2); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := content.Read(cancelled, s, e, io.Discard, 2); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestMemoryIsBounded writes and reads a content many times larger than what
// may be in memory.
func TestMemoryIsBounded(t *testing.T) {
	s := &nullStore{store: newStore()}
	src := repeated{random(16, 1<<20), 192 << 20}
	e, _, err := content.Write(ctx, s, src, objects.Entry{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = content.Write(ctx, s, src, e, 2); err != nil {
		t.Fatal(err)
	}
	if s.peak > 64<<20 {
		t.Fatalf("%d MiB in use", s.peak>>20)
	}
}

// repeated is a long content of one block that comes again and again, with
// its number before it.
type repeated struct {
	block []byte
	size  int64
}

func (r repeated) Size() int64                                      { return r.size }
func (r repeated) NextData(off int64) (start, end int64, err error) { return off, r.size, nil }

func (r repeated) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < r.size {
		in := off % int64(len(r.block))
		m := copy(p[n:], r.block[in:min(int64(len(r.block)), in+r.size-off)])
		if in == 0 && m >= 8 {
			binary.LittleEndian.PutUint64(p[n:], uint64(off))
		}
		n, off = n+m, off+int64(m)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// nullStore keeps list nodes only, and looks at the memory in use.
type nullStore struct {
	*store
	peak uint64
}

func (s *nullStore) Put(ctx context.Context, o objects.Object) (objects.ID, error) {
	id, _, err := s.PutDelta(ctx, o, nil)
	return id, err
}

func (s *nullStore) PutDelta(ctx context.Context, o objects.Object, _ []objects.ID) (objects.ID, bool, error) {
	if o.Kind != objects.KindChunk {
		return s.store.PutDelta(ctx, o, nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.peak = max(s.peak, m.HeapAlloc)
	return o.ID(), false, nil
}
