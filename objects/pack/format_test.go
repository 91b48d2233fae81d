package pack

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// vector is a pack whose every byte is known.
type vector struct {
	Name    string         `json:"name"`
	ID      objects.ID     `json:"id"`
	Hex     string         `json:"hex"`
	Records []vectorRecord `json:"records"`
}

type vectorRecord struct {
	ID       objects.ID `json:"id"`
	Kind     int        `json:"kind"`
	Encoding string     `json:"encoding"`
	Offset   int64      `json:"offset"`
	Length   int        `json:"length"`
	Object   string     `json:"object"`
}

const vectorFile = "../../testdata/vectors/pack.json"

func readVectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(data, &vs); err != nil {
		t.Fatal(err)
	}
	return vs
}

// memory are the packs of the vectors.
func memory(t testing.TB, vs []vector) (map[objects.ID]*Reader, Opener) {
	readers := make(map[objects.ID]*Reader)
	for _, v := range vs {
		b, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		readers[v.ID] = newReader(bytes.NewReader(b), int64(len(b)), v.ID)
	}
	return readers, func(_ context.Context, id objects.ID) (*Reader, func(), error) {
		if r := readers[id]; r != nil {
			return r, func() {}, nil
		}
		return nil, nil, objects.ErrNotFound
	}
}

func TestVectors(t *testing.T) {
	vs := readVectors(t)
	readers, open := memory(t, vs)
	for _, v := range vs {
		x, err := readers[v.ID].Verify(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		var got []vectorRecord
		for r := range x.Records() {
			o, err := readers[v.ID].ReadRecord(t.Context(), r.Place(v.ID), r.ID, open)
			if err != nil {
				t.Fatalf("%s: %v", v.Name, err)
			}
			got = append(got, vectorRecord{
				ID: r.ID, Kind: int(r.Kind), Encoding: r.Encoding.String(),
				Offset: r.Offset, Length: r.Length, Object: hex.EncodeToString(o.Data),
			})
		}
		if diff := cmp.Diff(v.Records, got); diff != "" {
			t.Errorf("%s: %s", v.Name, diff)
		}
		if again := rewrite(t, readers[v.ID], x, open); again != v.Hex {
			t.Errorf("%s: written again it is %s", v.Name, again)
		}
	}
}

// rewrite writes the records of a pack to a new one.
func rewrite(t *testing.T, r *Reader, x *Index, open Opener) string {
	name := filepath.Join(t.TempDir(), "tmp")
	w, err := NewWriter(vfs.OS, name, x.Type)
	if err != nil {
		t.Fatal(err)
	}
	for rec := range x.Records() {
		p, _, err := r.ReadPayload(t.Context(), rec.Place(x.ID), rec.ID, open)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Append(p, rec.Bases); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

func TestHeader(t *testing.T) {
	good := appendHeader(nil, TypeMeta)
	if typ, err := decodeHeader(good); err != nil || typ != TypeMeta {
		t.Fatalf("%v, %v", typ, err)
	}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1
		if _, err := decodeHeader(b); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	for i, v := range map[int]byte{8: 2, 9: 3, 10: 1} {
		b := bytes.Clone(good)
		b[i] = v
		b = appendSum(b[:12])
		if _, err := decodeHeader(b); !errors.Is(err, objects.ErrNewer) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}

func appendSum(b []byte) []byte {
	s := payloadSum(b)
	return append(b, byte(s), byte(s>>8), byte(s>>16), byte(s>>24))
}

// A frame may not give more than its record says, nor more than MaxObject.
func TestBombs(t *testing.T) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false))
	if err != nil {
		t.Fatal(err)
	}
	large := e.EncodeAll(make([]byte, 1<<28), nil)
	var stream bytes.Buffer
	s, err := zstd.NewWriter(&stream, zstd.WithEncoderCRC(false))
	if err != nil {
		t.Fatal(err)
	}
	for range 16 {
		s.Write(make([]byte, 1<<20))
	}
	s.Close()
	exact := e.EncodeAll(make([]byte, 1000), nil)
	for name, frame := range map[string][]byte{
		"one segment": large, "no size": stream.Bytes(),
		"too short": e.EncodeAll(make([]byte, 999), nil), "two frames": append(bytes.Clone(exact), exact...),
		"nothing": {},
	} {
		if _, err := inflate(plainDecoder(), frame, 1000); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := undelta(frame, 1000, []byte("some dictionary")); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%s as delta: %v", name, err)
		}
	}
	if allocated := testing.AllocsPerRun(10, func() { inflate(plainDecoder(), large, 1000) }); allocated > 20 {
		t.Errorf("%v allocations", allocated)
	}
}

func TestSimilar(t *testing.T) {
	a, b := incompressible(1, 100_000), incompressible(2, 100_000)
	moved := append(bytes.Clone(b[:50_000]), a[70_000:]...)
	if similar(b, a) || !similar(moved, a) || !similar(a, a) || similar(nil, a) || similar(a, nil) {
		t.Error("similar")
	}
	if similar(make([]byte, 1000), a) {
		t.Error("zeros are like noise")
	}
}

func incompressible(seed uint64, n int) []byte {
	b := make([]byte, 0, n)
	for i := uint64(0); len(b) < n; i++ {
		id := objects.Sum(objects.KindChunk, []byte{byte(seed), byte(i), byte(i >> 8)})
		b = append(b, id[:]...)
	}
	return b[:n]
}

func FuzzDecodeHead(f *testing.F) {
	f.Add(head{kind: 1, encoding: EncRaw, size: 300, stored: 300}.append(nil), int64(16))
	f.Add(head{kind: 3, encoding: EncZstd, size: 300, stored: 30}.append(nil), int64(16))
	f.Add(head{encoding: encBase}.append(nil), int64(16))
	f.Add(head{
		kind: 1, encoding: EncDelta, size: 300, stored: 30, depth: 2, cost: 900,
		runs: []run{{0, 16, 100}, {1, 16, 300}, {0, 116, 20}},
	}.append(nil), int64(200))
	f.Fuzz(func(t *testing.T, b []byte, offset int64) {
		h, n, err := decodeHead(b, offset)
		if err != nil {
			return
		}
		if again := h.append(nil); !bytes.Equal(again, b[:n]) {
			t.Fatalf("%x re-encodes to %x", b[:n], again)
		}
		if len(h.append(nil))+crcSize > maxRecordHeader {
			t.Fatal("longer than the longest header")
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	for _, v := range readVectors(f) {
		b, _ := hex.DecodeString(v.Hex)
		for _, r := range v.Records {
			f.Add(b[r.Offset:][:r.Length], r.Offset)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, offset int64) {
		r, err := decodeRecord(b, offset)
		if err != nil {
			return
		}
		again := append(appendRecordHeader(nil, r.head, payloadSum(r.payload)), r.payload...)
		if !bytes.Equal(again, b[:r.length]) {
			t.Fatalf("%x re-encodes to %x", b[:r.length], again)
		}
		r.decode(nil) //nolint:errcheck // it must not panic
	})
}

func FuzzDecodeHeader(f *testing.F) {
	f.Add(appendHeader(nil, TypeData))
	f.Fuzz(func(t *testing.T, b []byte) {
		typ, err := decodeHeader(b)
		if err == nil && !bytes.Equal(appendHeader(nil, typ), b) {
			t.Fatalf("%x re-encodes otherwise", b)
		}
	})
}

// FuzzPack mends the hashes of what it is given, so that the fuzzer gets past
// them. Whatever Verify accepts, the same bytes come out when its records are
// encoded again.
func FuzzPack(f *testing.F) {
	for _, v := range readVectors(f) {
		b, _ := hex.DecodeString(v.Hex)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		if len(b) >= headerSize+trailerSize {
			mend(b)
		}
		x, err := ReadIndex(t.Context(), bytes.NewReader(b), int64(len(b)), objects.ID{})
		if err == nil {
			again := Index{Type: x.Type, bodySum: x.bodySum}
			count := 0
			for e := range walk(x.entries) {
				again.entries = e.append(append(again.entries, e.id[:]...))
				count++
			}
			if !bytes.Equal(again.seal(count), b[x.start():]) || again.ID != x.ID {
				t.Fatal("the footer re-encodes otherwise")
			}
			if _, err := Verify(t.Context(), bytes.NewReader(b), int64(len(b)), x.ID); err != nil && !errors.Is(err, objects.ErrCorrupt) {
				t.Fatal(err)
			}
		}
		for s, err := range Salvage(t.Context(), bytes.NewReader(b), int64(len(b)), nil) {
			if err == nil && s.Object.ID() != s.Record.ID {
				t.Fatal("salvaged under a wrong ID")
			}
		}
	})
}

// mend corrects the pack's own ID where the trailer's lengths permit it.
func mend(b []byte) {
	trailer := b[len(b)-trailerSize:]
	length := int(trailer[0]) | int(trailer[1])<<8
	if length > len(b)-headerSize-trailerSize {
		return
	}
	footer := b[len(b)-trailerSize-length : len(b)-trailerSize+signedTrailer]
	id := packID(b[:headerSize], footer)
	copy(trailer[signedTrailer:], id[:])
}
