package worktree

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

func encodeIndex(t testing.TB, base objects.ID, records []Record) []byte {
	t.Helper()
	var out bytes.Buffer
	e, err := newIndexEncoder(&out, base)
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if err := e.add(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decodeIndex(data []byte) (objects.ID, []Record, error) {
	d, err := newIndexDecoder(bytes.NewReader(data))
	if err != nil {
		return objects.ID{}, nil, err
	}
	var records []Record
	for {
		r, err := d.record()
		if err != nil || r == nil {
			return d.base, records, err
		}
		records = append(records, *r)
	}
}

// someRecord draws a record of any shape that a working tree can have.
func someRecord(path string) *rapid.Generator[Record] {
	return rapid.Custom(func(t *rapid.T) Record {
		r := Record{Path: path, InTree: rapid.Bool().Draw(t, "in tree")}
		r.Entry.Mode = rapid.SampledFrom([]objects.Mode{
			objects.ModeFile, objects.ModeExec, objects.ModeSymlink, objects.ModeDir,
		}).Draw(t, "mode")
		if r.Entry.Mode == objects.ModeDir {
			return r
		}
		limit := int64(1) << 40
		if r.Entry.Mode == objects.ModeSymlink {
			limit = 4096
		}
		r.Entry.Size = rapid.Int64Range(0, limit).Draw(t, "size")
		r.Entry.Content = objects.Sum(objects.KindChunk, []byte(path))
		if r.Entry.Size > objects.SingleChunk {
			r.Entry.List = objects.Sum(objects.KindList, []byte(path))
		}
		if rapid.Bool().Draw(t, "stamped") {
			r.Stamp = Stamp{
				Size: rapid.Int64().Draw(t, "stat size"), Mtime: rapid.Int64().Draw(t, "mtime"),
				Ctime: rapid.Int64().Draw(t, "ctime"), Ino: rapid.Uint64().Draw(t, "ino"),
			}
		}
		return r
	})
}

func someRecords(t *rapid.T) []Record {
	seen := map[string]bool{}
	for range rapid.IntRange(0, 60).Draw(t, "n") {
		p := rapid.StringMatching(`[ab/\n\xff]{1,6}`).Draw(t, "path")
		if rapid.IntRange(0, 30).Draw(t, "long") == 0 {
			p += string(bytes.Repeat([]byte{'x'}, rapid.IntRange(1, 30000).Draw(t, "length")))
		}
		seen[p] = true
	}
	var records []Record
	for _, p := range slices.Sorted(maps.Keys(seen)) {
		records = append(records, someRecord(p).Draw(t, "record"))
	}
	return records
}

func TestIndexRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := someRecords(t)
		base := objects.Sum(objects.KindNode, []byte("base"))
		var out bytes.Buffer
		e, _ := newIndexEncoder(&out, base)
		for i := range want {
			if err := e.add(&want[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.close(); err != nil {
			t.Fatal(err)
		}
		gotBase, got, err := decodeIndex(out.Bytes())
		if err != nil || gotBase != base {
			t.Fatal(gotBase, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// manyRecords returns n records like those of a dataset of small files.
func manyRecords(n int) []Record {
	records := make([]Record, n)
	for i := range records {
		path := fmt.Sprintf("train/class%03d/img_%07d.png", i/1000, i)
		id := objects.Sum(objects.KindChunk, []byte(path))
		at := int64(1_790_000_000_000_000_000) + int64(i)*83_123
		records[i] = Record{
			Path: path, InTree: true,
			Entry: objects.Entry{Mode: objects.ModeFile, Size: 10_000 + int64(i%977), Content: id},
			Stamp: Stamp{Size: 10_000 + int64(i%977), Mtime: at, Ctime: at + 4_000_000, Ino: 1_000_000 + uint64(i*7%n)},
		}
	}
	return records
}

func TestIndexManyBlocks(t *testing.T) {
	want := manyRecords(20_000)
	data := encodeIndex(t, objects.ID{1}, want)
	_, got, err := decodeIndex(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	if perRecord := len(data) / len(want); perRecord > 64 {
		t.Errorf("%d bytes a record", perRecord)
	}
}

// Every cut and every flipped bit of an index must be noticed.
func TestIndexDamage(t *testing.T) {
	data := encodeIndex(t, objects.ID{1}, manyRecords(20))
	for i := range data {
		if _, _, err := decodeIndex(data[:i]); !errors.Is(err, ErrIndexLost) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		bad := bytes.Clone(data)
		bad[i] ^= 1 << (i % 8)
		if _, _, err := decodeIndex(bad); !errors.Is(err, ErrIndexLost) {
			t.Fatalf("damage at %d: %v", i, err)
		}
	}
	if _, _, err := decodeIndex(append(data, 0)); !errors.Is(err, ErrIndexLost) {
		t.Fatalf("a byte more: %v", err)
	}
}

// A block that is lost, repeated or swapped has a good checksum of its own.
func TestIndexLostBlock(t *testing.T) {
	data := encodeIndex(t, objects.ID{1}, manyRecords(5_000))
	at := headerSize
	var blocks [][]byte
	for data[at]|data[at+1]|data[at+2] != 0 {
		size := int(data[at]) | int(data[at+1])<<8 | int(data[at+2])<<16
		blocks = append(blocks, data[at:at+size+8])
		at += size + 8
	}
	if len(blocks) < 3 {
		t.Fatalf("%d blocks", len(blocks))
	}
	join := func(order ...int) []byte {
		out := bytes.Clone(data[:headerSize])
		for _, i := range order {
			out = append(out, blocks[i]...)
		}
		return append(out, data[at:]...)
	}
	for _, order := range [][]int{{1, 0, 2}, {0, 2}, {0, 0, 1, 2}, {}} {
		if _, _, err := decodeIndex(join(order...)); !errors.Is(err, ErrIndexLost) {
			t.Errorf("blocks %v: %v", order, err)
		}
	}
}

func TestIndexRefusesDisorder(t *testing.T) {
	e, err := newIndexEncoder(&bytes.Buffer{}, objects.ID{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"", string(make([]byte, maxPath+1))} {
		if e.add(&Record{Path: p, Entry: objects.Entry{Mode: objects.ModeDir}}) == nil {
			t.Errorf("path of %d bytes accepted", len(p))
		}
	}
	for i, p := range []string{"b", "b", "a"} {
		if err := e.add(&Record{Path: p, Entry: objects.Entry{Mode: objects.ModeDir}}); (err == nil) != (i == 0) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func FuzzIndexDecode(f *testing.F) {
	f.Add(encodeIndex(f, objects.ID{1}, nil))
	f.Add(encodeIndex(f, objects.ID{2}, manyRecords(3)))
	f.Add(encodeIndex(f, objects.ID{3}, []Record{
		{Path: "a", Entry: objects.Entry{Mode: objects.ModeDir}}, {Path: "a\nb", Entry: objects.Entry{Mode: objects.ModeExec, Size: 1 << 30}},
	}))
	f.Fuzz(func(t *testing.T, data []byte) {
		// A fuzzer does not find checksums: put in the right ones.
		fixChecksums(data)
		base, records, err := decodeIndex(data)
		if err != nil {
			if !errors.Is(err, ErrIndexLost) {
				t.Fatal(err)
			}
			return
		}
		if again := encodeIndex(t, base, records); !bytes.Equal(again, data) {
			t.Fatalf("re-encoded to\n%x\nnot\n%x", again, data)
		}
	})
}

// indexDir is where a test keeps an index.
type indexDir struct{ name, tmp string }

func newIndexDir(t testing.TB) indexDir {
	dir := t.TempDir()
	return indexDir{name: filepath.Join(dir, "index"), tmp: dir}
}

func (d indexDir) write(t testing.TB, base objects.ID, records iter.Seq2[Record, error]) {
	t.Helper()
	w, err := CreateIndex(vfs.OS, d.name, d.tmp, base)
	if err != nil {
		t.Fatal(err)
	}
	if err := Merge(w, records, none[Update]); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func (d indexDir) open(t testing.TB) *Index {
	t.Helper()
	x, err := OpenIndex(vfs.OS, d.name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func none[T any](func(T, error) bool) {}

func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func collect[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var list []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func TestIndexFile(t *testing.T) {
	dir := newIndexDir(t)
	if _, err := OpenIndex(vfs.OS, dir.name); !errors.Is(err, ErrIndexLost) {
		t.Fatalf("no index: %v", err)
	}
	want := manyRecords(3000)
	dir.write(t, objects.ID{9}, each(want))
	x := dir.open(t)
	dir.write(t, objects.ID{8}, each(want[:10])) // the open one is a snapshot
	for range 2 {
		if diff := cmp.Diff(want, collect(t, x.Records())); diff != "" || x.Base() != (objects.ID{9}) {
			t.Fatal(x.Base(), diff)
		}
	}
	for range x.Records() {
		break
	}
	if got := collect(t, dir.open(t).Records()); len(got) != 10 {
		t.Fatalf("%d records", len(got))
	}
	w, err := CreateIndex(vfs.OS, dir.name, dir.tmp, objects.ID{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir.tmp); len(left) != 1 {
		t.Fatalf("left behind: %v", left)
	}
}

func TestMergeIsAMapUpdate(t *testing.T) {
	dir := newIndexDir(t)
	rapid.Check(t, func(t *rapid.T) {
		model := map[string]Record{}
		old := someRecords(t)
		for _, r := range old {
			model[r.Path] = r
		}
		var updates []Update
		for _, r := range someRecords(t) {
			u := Update{Path: r.Path, Record: &r}
			model[r.Path] = r
			if rapid.Bool().Draw(t, "delete") {
				u.Record = nil
				delete(model, r.Path)
			}
			updates = append(updates, u)
		}
		w, err := CreateIndex(vfs.OS, dir.name, dir.tmp, objects.ID{})
		if err != nil {
			t.Fatal(err)
		}
		if err := Merge(w, each(old), each(updates)); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(dir.name)
		if err != nil {
			t.Fatal(err)
		}
		_, got, err := decodeIndex(data)
		if err != nil {
			t.Fatal(err)
		}
		var want []Record
		for _, p := range slices.Sorted(maps.Keys(model)) {
			want = append(want, model[p])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestMergePassesErrorsOn(t *testing.T) {
	boom := errors.New("boom")
	bad := func(yield func(Update, error) bool) { yield(Update{}, boom) }
	badRecords := func(yield func(Record, error) bool) { yield(Record{}, boom) }
	for _, old := range []iter.Seq2[Record, error]{none[Record], each(manyRecords(2))} {
		e, _ := newIndexEncoder(&bytes.Buffer{}, objects.ID{})
		if err := Merge(&IndexWriter{enc: e}, old, bad); !errors.Is(err, boom) {
			t.Errorf("updates: %v", err)
		}
	}
	e, _ := newIndexEncoder(&bytes.Buffer{}, objects.ID{})
	if err := Merge(&IndexWriter{enc: e}, badRecords, none[Update]); !errors.Is(err, boom) {
		t.Errorf("records: %v", err)
	}
}

func TestFromTree(t *testing.T) {
	entry := objects.Entry{Mode: objects.ModeFile, Size: 3, Content: objects.ID{5}}
	got := collect(t, FromTree(each([]TreeEntry{{"a", entry}, {"b", entry}})))
	want := []Record{{Path: "a", Entry: entry, InTree: true}, {Path: "b", Entry: entry, InTree: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

// indexVector is a case of testdata/vectors/index.json.
type indexVector struct {
	Name    string         `json:"name"`
	Base    objects.ID     `json:"base"`
	Records []vectorRecord `json:"records"`
	Hex     string         `json:"hex"`
}

type vectorRecord struct {
	Path    string     `json:"path"`
	Mode    uint8      `json:"mode"`
	Size    int64      `json:"size,omitempty"`
	Content objects.ID `json:"content,omitzero"`
	List    objects.ID `json:"list,omitzero"`
	InTree  bool       `json:"in_tree,omitempty"`
	Stamp   *Stamp     `json:"stamp,omitempty"`
}

func (v vectorRecord) record() Record {
	r := Record{
		Path: v.Path, InTree: v.InTree,
		Entry: objects.Entry{Mode: objects.Mode(v.Mode), Size: v.Size, Content: v.Content, List: v.List},
	}
	if v.Stamp != nil {
		r.Stamp = *v.Stamp
	}
	return r
}

func TestIndexVectors(t *testing.T) {
	text, err := os.ReadFile("../../testdata/vectors/index.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []indexVector
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		var records []Record
		for _, r := range v.Records {
			records = append(records, r.record())
		}
		data := encodeIndex(t, v.Base, records)
		if got := hex.EncodeToString(data); got != v.Hex {
			t.Errorf("%s: encoded to %s", v.Name, got)
		}
		base, got, err := decodeIndex(data)
		if err != nil || base != v.Base {
			t.Errorf("%s: %v", v.Name, err)
		}
		if diff := cmp.Diff(records, got); diff != "" {
			t.Errorf("%s: %s", v.Name, diff)
		}
	}
}

func BenchmarkIndexRead1M(b *testing.B) {
	dir := newIndexDir(b)
	dir.write(b, objects.ID{}, each(manyRecords(1_000_000)))
	x := dir.open(b)
	b.ReportMetric(float64(x.size)/1e6, "MB")
	for b.Loop() {
		n := 0
		for _, err := range x.Records() {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
}

func BenchmarkIndexWrite1M(b *testing.B) {
	dir := newIndexDir(b)
	records := manyRecords(1_000_000)
	for b.Loop() {
		dir.write(b, objects.ID{}, each(records))
	}
}

// fixChecksums sets the checksums of whatever sections data seems to have.
func fixChecksums(data []byte) {
	var crc uint32
	section := func(size int) bool {
		if size+4 > len(data) {
			return false
		}
		crc = crc32.Update(crc, castagnoli, data[:size])
		binary.LittleEndian.PutUint32(data[size:], crc)
		data = data[size+4:]
		return true
	}
	if !section(headerSize - 4) {
		return
	}
	for len(data) >= 4 {
		size := int(binary.LittleEndian.Uint32(data))
		if size == 0 {
			section(trailerSize - 4)
			return
		}
		if size > len(data) || !section(4+size) {
			return
		}
	}
}
