package remote

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
)

// segmentModel is some packs and their objects.
type segmentModel struct {
	packs   []listedPack
	records []record
}

// segmentDraw draws packs, whose IDs begin with number. Object IDs come from a
// small range, crowded at one end or even, so that packs share objects.
func segmentDraw(t *rapid.T, number int) segmentModel {
	var m segmentModel
	crowded := rapid.Bool().Draw(t, "crowded")
	for i := range rapid.IntRange(1, 4).Draw(t, "packs") {
		p := listedPack{PackInfo: PackInfo{ID: objects.ID{byte(number), byte(10 - i)}, Type: pack.TypeData, Size: 1 << 20}, role: roleData}
		p.Count = rapid.IntRange(1, 300).Draw(t, "count")
		for range rapid.IntRange(0, 2).Draw(t, "bases") {
			p.Bases = append(p.Bases, objects.ID{byte(number), 99})
		}
		ids := rapid.SliceOfNDistinct(rapid.Uint16Range(1, 2000), p.Count, p.Count, rapid.ID[uint16]).Draw(t, "ids")
		for n, v := range ids {
			r := record{id: segmentID(v, crowded), pack: uint32(i), offset: uint32(16 + n), length: uint32(v) + 1, kind: objects.KindChunk}
			m.records = append(m.records, r)
		}
		m.packs = append(m.packs, p)
	}
	return m
}

func segmentID(v uint16, crowded bool) objects.ID {
	if crowded {
		return objects.ID{31: byte(v), 30: byte(v >> 8)}
	}
	return objects.Sum(objects.KindChunk, []byte{byte(v), byte(v >> 8)})
}

// place is where a record says its object lies.
func (m segmentModel) places() map[objects.ID][]pack.Place {
	places := make(map[objects.ID][]pack.Place)
	for _, r := range m.records {
		places[r.id] = append(places[r.id], pack.Place{Pack: m.packs[r.pack].ID, Offset: int64(r.offset), Length: int(r.length)})
	}
	return places
}

func (m segmentModel) write(t *rapid.T, dir string, operation objects.ID) *segment {
	s, err := writeSegment(vfs.OS, vfs.TempName(dir), slices.Clone(m.packs), slices.Clone(m.records), operation)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// segmentCompare looks up every object of the model and some that it lacks.
func segmentCompare(t *rapid.T, s *segment, want map[objects.ID][]pack.Place) {
	c := cursor{s: s}
	ids := []objects.ID{{}, {31: 1}, {0: 255, 1: 255}, segmentID(0, true), segmentID(2001, false)}
	for id := range want {
		ids = append(ids, id)
	}
	for _, id := range ids {
		var got []pack.Place
		err := c.find(id, func(r record) bool {
			got = append(got, pack.Place{Pack: s.packs[r.pack].ID, Offset: int64(r.offset), Length: int(r.length)})
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		order := func(a, b pack.Place) int { return compareIDs(a.Pack, b.Pack) }
		slices.SortFunc(want[id], order)
		if !slices.Equal(got, want[id]) {
			t.Fatalf("%s: got %v, want %v", id, got, want[id])
		}
	}
}

func TestSegmentAgainstModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var from []*segment
		want := make(map[objects.ID][]pack.Place)
		left := objects.ID{0, 10}
		for i := range rapid.IntRange(1, 3).Draw(t, "segments") {
			m := segmentDraw(t, i)
			s := m.write(t, dir, objects.ID{1})
			s.ref.ID = segmentSum(t, s)
			if err := verifySegment(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			segmentCompare(t, s, m.places())
			from = append(from, s)
			for id, places := range m.places() {
				for _, p := range places {
					if p.Pack != left {
						want[id] = append(want[id], p)
					}
				}
			}
		}
		from = append(from, from[0]) // a pack that two list is taken once
		merged, err := mergeSegments(t.Context(), vfs.OS, vfs.TempName(dir), from, func(id objects.ID) bool { return id == left }, objects.ID{2})
		if err != nil {
			t.Fatal(err)
		}
		discardSegments(vfs.OS, from)
		if merged == nil {
			if len(want) > 0 {
				t.Fatal("nothing is left")
			}
			return
		}
		defer discardSegments(vfs.OS, []*segment{merged})
		if err := verifySegment(t.Context(), merged); err != nil {
			t.Fatal(err)
		}
		segmentCompare(t, merged, want)
	})
}

func segmentSum(t *rapid.T, s *segment) objects.ID {
	id, err := sumFile(t.Context(), s.file, s.ref.Size)
	if err != nil {
		t.Fatal(err)
	}
	if s.ref.ID != id {
		t.Fatalf("segment has the ID %s, said %s", id, s.ref.ID)
	}
	return id
}

// segmentReads counts what is read of a file.
type segmentReads struct {
	vfs.File
	n int
}

func (f *segmentReads) ReadAt(p []byte, offset int64) (int, error) {
	f.n++
	return f.File.ReadAt(p, offset)
}

func TestSegmentLookUpIsAFewReads(t *testing.T) {
	const n = 300_000
	records := make([]record, n)
	for i := range records {
		id := objects.Sum(objects.KindChunk, fmt.Append(nil, i))
		records[i] = record{id: id, offset: uint32(16 + i), length: 1, kind: objects.KindChunk}
	}
	p := listedPack{PackInfo: PackInfo{ID: objects.ID{1}, Type: pack.TypeData, Size: 1 << 20, Count: n}, role: roleData}
	s, err := writeSegment(vfs.OS, filepath.Join(t.TempDir(), "s"), []listedPack{p}, records, objects.ID{1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	reads := &segmentReads{File: s.file}
	s.file = reads
	for i := range 1000 {
		c := cursor{s: s} // knows nothing
		if at, err := c.seek(objects.Sum(objects.KindChunk, fmt.Append(nil, i*277))); err != nil || at >= n {
			t.Fatal(at, err)
		}
	}
	if reads.n > 3000 {
		t.Fatalf("%d reads for 1000 look-ups", reads.n)
	}
	reads.n = 0
	c := cursor{s: s}
	for _, r := range records { // in order
		if _, err := c.seek(r.id); err != nil {
			t.Fatal(err)
		}
	}
	if pages := n / pageRecords; reads.n > 2*pages {
		t.Fatalf("%d reads for all in order, of %d pages", reads.n, pages)
	}
}

// segmentSeed is the bytes of a small segment.
func segmentSeed(t testing.TB) []byte {
	m := segmentModel{
		packs: []listedPack{
			{PackInfo: PackInfo{ID: objects.ID{2}, Type: pack.TypeData, Size: 500, Count: 2, Bases: []objects.ID{{7}}}, role: roleData},
			{PackInfo: PackInfo{ID: objects.ID{1}, Type: pack.TypeMeta, Size: 400, Count: 1}, role: roleNames},
		},
		records: []record{
			{id: objects.ID{9}, pack: 0, offset: 16, length: 30, kind: objects.KindChunk},
			{id: objects.ID{8}, pack: 0, offset: 46, length: 20, kind: objects.KindChunk},
			{id: objects.ID{8, 1}, pack: 1, offset: 16, length: 60, kind: objects.KindOperation},
		},
	}
	name := filepath.Join(t.TempDir(), "seed")
	s, err := writeSegment(vfs.OS, name, m.packs, m.records, objects.ID{5})
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// segmentMemory is a file in memory that can be read.
type segmentMemory struct {
	vfs.File
	*bytes.Reader
}

func (segmentMemory) Close() error                                 { return nil }
func (f segmentMemory) Read(p []byte) (int, error)                 { return f.Reader.Read(p) }
func (f segmentMemory) ReadAt(p []byte, offset int64) (int, error) { return f.Reader.ReadAt(p, offset) }

func (f segmentMemory) Seek(offset int64, whence int) (int64, error) {
	return f.Reader.Seek(offset, whence)
}
func (f segmentMemory) Stat() (vfs.Stat, error) { return vfs.Stat{Size: f.Size()}, nil }

// segmentDecode opens and verifies a segment of these bytes and records.
func segmentDecode(t testing.TB, data []byte, records int64) (*segment, error) {
	ref := segmentRef{ID: objects.Derive(segmentContext, data), Size: int64(len(data)), Records: records}
	s := &segment{ref: ref, name: "memory", file: segmentMemory{Reader: bytes.NewReader(data)}}
	if err := s.readEnds(); err != nil {
		return nil, err
	}
	return s, verifySegment(t.Context(), s)
}

func TestSegmentNoticesEveryChange(t *testing.T) {
	data := segmentSeed(t)
	if _, err := segmentDecode(t, data, 3); err != nil {
		t.Fatal(err)
	}
	for i := range data {
		for bit := range 8 {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << bit
			if _, err := segmentDecode(t, flipped, 3); !errors.Is(err, objects.ErrCorrupt) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, i, err)
			}
		}
	}
	for i := range data {
		if _, err := segmentDecode(t, data[:i], 3); !errors.Is(err, objects.ErrCorrupt) {
			t.Fatalf("%d bytes: %v", i, err)
		}
	}
	newer := append([]byte(segmentMagic), segmentVersion+1, 0, 0, 0)
	copy(data, appendCRC(newer))
	if _, err := segmentDecode(t, data, 3); !errors.Is(err, objects.ErrNewer) {
		t.Fatalf("got %v, want ErrNewer", err)
	}
}

// FuzzSegment gives a segment's parts any bytes; checksums are made right, for
// they stop no one who means it. What is accepted is written again the same.
func FuzzSegment(f *testing.F) {
	seed := segmentSeed(f)
	dir := f.TempDir()
	f.Add(seed, int64(3))
	f.Fuzz(func(t *testing.T, data []byte, records int64) {
		if records < 1 || records > 1000 || int64(len(data)) < minSegment(records) {
			return
		}
		data = segmentFix(bytes.Clone(data), records)
		s, err := segmentDecode(t, data, records)
		if err != nil {
			return
		}
		var all []record
		for r, err := range s.records(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		name := vfs.TempName(dir)
		again, err := writeSegment(vfs.OS, name, slices.Clone(s.packs), all, s.operation)
		if err != nil {
			t.Fatal(err)
		}
		defer discardSegments(vfs.OS, []*segment{again})
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("accepted bytes are written differently: %v", err)
		}
	})
}

// segmentFix makes the checksums of a segment right.
func segmentFix(data []byte, records int64) []byte {
	end := int64(len(data)) - segmentFooter
	for at, left := int64(segmentHeader), records; left > 0; left -= pageRecords {
		n := min(left, pageRecords) * recordSize
		appendCRC(data[at : at+n : at+n+crcSize])
		at += n + crcSize
	}
	appendCRC(data[segmentHeader+pagesSize(records) : end+48 : end+48+crcSize])
	return data
}

// appendCRC appends the checksum of b to b.
func appendCRC(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}
