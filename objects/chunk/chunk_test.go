package chunk

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"testing"

	chunkers "github.com/PlakarKorp/go-cdc-chunkers"
	"github.com/PlakarKorp/go-cdc-chunkers/chunkers/fastcdc"
	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/blake3"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
)

// made returns n bytes that any BLAKE3 makes: the output of derive-key mode
// for a name.
func made(name string, n int) []byte {
	h := blake3.NewDeriveKey("mlvc test content")
	h.Write([]byte(name))
	out := make([]byte, n)
	if _, err := io.ReadFull(h.Digest(), out); err != nil {
		panic(err)
	}
	return out
}

func lengths(p Params, content []byte) []int {
	var out []int
	for len(content) > 0 {
		n := Cut(p, content, true)
		out = append(out, n)
		content = content[n:]
	}
	return out
}

var small = Params{Min: 64, Normal: 256, Max: 1024}

func TestDefaultFitsSingleChunk(t *testing.T) {
	if Default.Max != objects.SingleChunk {
		t.Fatalf("chunks of %d bytes, contents up to %d are one", Default.Max, objects.SingleChunk)
	}
}

// TestOracle compares with an independent FastCDC that is given our table. It
// ends a chunk before the byte that decides, we after it.
func TestOracle(t *testing.T) {
	theirs := fastcdc.G
	fastcdc.G = gear
	defer func() { fastcdc.G = theirs }()
	for _, p := range []Params{small, Default, {Min: 16 << 10, Normal: 64 << 10, Max: 256 << 10}} {
		content := made("oracle", 40*p.Normal)
		for len(content) > 0 {
			opt := &chunkers.ChunkerOpts{MinSize: p.Min, NormalSize: p.Normal, MaxSize: p.Max}
			c, err := chunkers.NewChunker("fastcdc-v1.0.0", bytes.NewReader(content), opt)
			if err != nil {
				t.Fatal(err)
			}
			first, err := c.Next()
			if err != nil && err != io.EOF { //nolint:errorlint // exactly EOF
				t.Fatal(err)
			}
			want := len(first)
			if want < min(len(content), p.Max) {
				want++
			}
			got := Cut(p, content, true)
			if got != want {
				t.Fatalf("%+v: cut at %d, want %d", p, got, want)
			}
			content = content[got:]
		}
	}
}

// slowCut is Cut as FORMAT.md says it, a byte at a time.
func slowCut(p Params, buf []byte) int {
	early, late := p.mask(normalisation), p.mask(-normalisation)
	var hash uint64
	for i := p.Min; i < min(len(buf), p.Max); i++ {
		hash = hash<<1 + gear[buf[i]]
		if i < p.Normal && hash&early == 0 || i >= p.Normal && hash&late == 0 {
			return i + 1
		}
	}
	return min(len(buf), p.Max)
}

func TestCutLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.SliceOfN(rapid.ByteRange(0, rapid.ByteRange(0, 255).Draw(t, "alphabet")), 1, 5000).Draw(t, "content")
		n := Cut(small, content, true)
		if want := slowCut(small, content); n != want {
			t.Fatalf("cut at %d, want %d", n, want)
		}
		if again := Cut(small, content[:n], true); again != n {
			t.Fatalf("the chunk alone is cut at %d, not %d", again, n)
		}
		if n < len(content) && n < small.Max {
			// What comes after a cut has no say in it.
			other := append(bytes.Clone(content[:n]), make([]byte, small.Max)...)
			if again := Cut(small, other, false); again != n {
				t.Fatalf("before other bytes the chunk is cut at %d, not %d", again, n)
			}
		}
	})
}

func TestZerosAreCutAtMax(t *testing.T) {
	zeros := make([]byte, 3*Default.Max)
	if diff := cmp.Diff([]int{Default.Max, Default.Max, Default.Max}, lengths(Default, zeros)); diff != "" {
		t.Fatal(diff)
	}
}

func TestInsertionResynchronises(t *testing.T) {
	content := made("insertion", 32<<20)
	old := make(map[string]bool)
	for rest := content; len(rest) > 0; {
		n := Cut(Default, rest, true)
		old[string(rest[:n])] = true
		rest = rest[n:]
	}
	fresh := 0
	for rest := append([]byte("one more row\n"), content...); len(rest) > 0; {
		n := Cut(Default, rest, true)
		if !old[string(rest[:n])] {
			fresh++
		}
		rest = rest[n:]
	}
	if fresh > 3 {
		t.Fatalf("%d of %d chunks are new after an insertion at the front", fresh, len(old))
	}
}

func TestCutNeedsMax(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("a short buffer that is not the last was cut")
		}
	}()
	Cut(small, make([]byte, small.Max-1), false)
}

type cutVector struct {
	Name    string `json:"name"`
	Size    int    `json:"size"`
	Lengths []int  `json:"lengths"`
}

type chunkVectors struct {
	Gear       []string    `json:"gear"`
	GearSum    string      `json:"gear_blake3"`
	EarlyMask  string      `json:"early_mask"`
	LateMask   string      `json:"late_mask"`
	Contents   []cutVector `json:"contents"`
	ZeroChunk  string      `json:"zero_chunk"`
	ContentGen string      `json:"content_is"`
}

func TestChunkVectors(t *testing.T) {
	var got chunkVectors
	sum := blake3.New()
	for i, g := range gear {
		if i < 4 || i > 251 {
			got.Gear = append(got.Gear, fmt.Sprintf("%3d: %016x", i, g))
		}
		for shift := 0; shift < 64; shift += 8 {
			sum.Write([]byte{byte(g >> shift)})
		}
	}
	got.GearSum = hex.EncodeToString(sum.Sum(nil))
	early, late := Default.masks()
	got.EarlyMask, got.LateMask = fmt.Sprintf("%016x", early), fmt.Sprintf("%016x", late)
	got.ZeroChunk = objects.Sum(objects.KindChunk, make([]byte, Default.Max)).String()
	got.ContentGen = `output of BLAKE3 derive-key, context "mlvc test content", key material the name`
	for _, size := range []int{1, 262144, 262145, 1 << 20, 5_000_000} {
		name := fmt.Sprintf("content of %d", size)
		got.Contents = append(got.Contents, cutVector{name, size, lengths(Default, made(name, size))})
	}
	checkVectors(t, "chunk.json", got)
}

func BenchmarkCut(b *testing.B) {
	content := made("benchmark", 64<<20)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		lengths(Default, content)
	}
}
