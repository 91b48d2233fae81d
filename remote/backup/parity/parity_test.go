package parity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
)

var parityOwner = objects.ID{1, 2, 3}

// parityBuffer is a file in memory that grows.
type parityBuffer struct {
	data []byte
	at   int64
}

func (b *parityBuffer) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekStart {
		return 0, errors.ErrUnsupported
	}
	b.at = offset
	return offset, nil
}

func (b *parityBuffer) Write(p []byte) (int, error) {
	if need := int(b.at) + len(p) - len(b.data); need > 0 {
		b.data = append(b.data, make([]byte, need)...)
	}
	n := copy(b.data[b.at:], p)
	b.at += int64(n)
	return n, nil
}

func parityRandom(size int, seed byte) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

func parityEncode(t testing.TB, s Scheme, data []byte) []byte {
	t.Helper()
	var out parityBuffer
	size, err := Encode(t.Context(), s, parityOwner, bytes.NewReader(data), int64(len(data)), &out)
	if err != nil || size != int64(len(out.data)) || size != s.Size(int64(len(data))) {
		t.Fatalf("%s of %d bytes: said %d, wrote %d, Size %d, %v", s, len(data), size, len(out.data), s.Size(int64(len(data))), err)
	}
	return out.data
}

func parityOpen(t testing.TB, data []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// parityHeal heals a copy in place, and demands that what it says is true.
func parityHeal(t testing.TB, f *File, want, broken []byte) (Report, error) {
	t.Helper()
	file := parityBuffer{data: bytes.Clone(broken)}
	report, err := f.Heal(t.Context(), bytes.NewReader(broken), int64(len(broken)), &file)
	healed := file.data
	if len(healed) > len(want) {
		healed = healed[:len(want)]
	}
	if (err == nil) != (len(report.Lost) == 0) || (err != nil && !errors.Is(err, objects.ErrCorrupt)) {
		t.Fatalf("lost %v, but %v", report.Lost, err)
	}
	if err == nil && !bytes.Equal(healed, want) {
		t.Fatal("said to be healed, but is not")
	}
	checked, err2 := f.Check(t.Context(), bytes.NewReader(broken), int64(len(broken)))
	if err2 != nil || fmt.Sprint(checked) != fmt.Sprint(report) {
		t.Fatalf("check says %+v, %v; heal %+v", checked, err2, report)
	}
	for i := range want { // outside what is lost all is right, and outside what is damaged it was before
		in := func(ranges []Range) bool {
			return slices.ContainsFunc(ranges, func(r Range) bool { return int64(i) >= r.Offset && int64(i) < r.Offset+r.Length })
		}
		if i < len(healed) && healed[i] == want[i] && i < len(broken) && broken[i] == want[i] {
			continue
		}
		if !in(report.Damaged) {
			t.Fatalf("byte %d is damaged and not reported: %+v", i, report)
		}
		if (i >= len(healed) || healed[i] != want[i]) && !in(report.Lost) {
			t.Fatalf("byte %d is not healed and not reported as lost: %+v", i, report)
		}
	}
	return report, err
}

func TestWholeFilesAreOK(t *testing.T) {
	for _, s := range []Scheme{Default, {10, 2}, {1, 1}, {2, 2}, {128, 32}} {
		for _, size := range []int{1, 4095, 4096, 4097, 40960, 40961, 41 * 4096, 300_000, 5_000_001} {
			data := parityRandom(size, 1)
			f := parityOpen(t, parityEncode(t, s, data))
			if f.Owner() != parityOwner || f.Covers() != int64(size) || f.Scheme() != s {
				t.Fatalf("owner %s, covers %d, scheme %s", f.Owner(), f.Covers(), f.Scheme())
			}
			report, err := f.Check(t.Context(), bytes.NewReader(data), int64(size))
			if err != nil || !report.OK() {
				t.Errorf("%s of %d bytes: %+v, %v", s, size, report, err)
			}
		}
	}
}

// A run that touches as many blocks as Parity shards have heals, wherever it is; and
// no shorter bound is promised than FORMAT.md says.
func TestRunHeals(t *testing.T) {
	const size = 41*4096 + 100 // 42 blocks, 5 stripes
	data := parityRandom(size, 2)
	for _, s := range []Scheme{{10, 1}, {10, 2}} {
		f := parityOpen(t, parityEncode(t, s, data))
		run := (s.Parity*5-1)*BlockSize + 1 // bytes that touch at most Parity*5 blocks
		for offset := 0; offset < size; offset += 1013 {
			broken := bytes.Clone(data)
			for i := offset; i < min(offset+run, size); i++ {
				broken[i] ^= 0x5a
			}
			if report, err := parityHeal(t, f, data, broken); err != nil {
				t.Fatalf("%s: run of %d at %d: %v %+v", s, run, offset, err, report)
			}
		}
		broken := bytes.Clone(data)
		clear(broken[:s.Parity*5*BlockSize+1])
		report, err := parityHeal(t, f, data, broken)
		var lost *LostError
		if !errors.As(err, &lost) || lost.Owner != parityOwner || report.LostBytes() != int64(s.Parity+1)*BlockSize {
			t.Errorf("%s: one block more: %v, lost %v", s, err, report.Lost)
		}
	}
}

// One per cent of a pack, in one run or at places of which no stripe has two.
func TestOnePerCentOfAPackHeals(t *testing.T) {
	const size = 16<<20 + 12345
	data := parityRandom(size, 3)
	f := parityOpen(t, parityEncode(t, Default, data))
	random := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		broken := bytes.Clone(data)
		start := random.IntN(size - size/100)
		_, _ = rand.NewChaCha8([32]byte{9}).Read(broken[start : start+size/100])
		if _, err := f.Heal(t.Context(), bytes.NewReader(broken), size, &parityBuffer{data: broken}); err != nil || !bytes.Equal(broken, data) {
			t.Fatalf("run at %d: %v", start, err)
		}
		for stripe := range f.stripes {
			if block := random.IntN(f.Data)*f.stripes + stripe; f.blockLen(block) > 0 && stripe%10 == 0 {
				broken[block*BlockSize+random.IntN(f.blockLen(block))] ^= 1 << random.IntN(8)
			}
		}
		if _, err := f.Heal(t.Context(), bytes.NewReader(broken), size, &parityBuffer{data: broken}); err != nil || !bytes.Equal(broken, data) {
			t.Fatalf("scattered: %v", err)
		}
	}
}

// Whatever happens to both files, what is reported is true.
func TestDamageIsReportedTruly(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := Scheme{Data: rapid.IntRange(1, 12).Draw(rt, "data")}
		s.Parity = rapid.IntRange(1, min(3, s.Data)).Draw(rt, "parity")
		data := parityRandom(rapid.IntRange(1, 60_000).Draw(rt, "size"), 4)
		if rapid.Bool().Draw(rt, "zeros") {
			clear(data[len(data)/2:])
		}
		encoded := parityEncode(t, s, data)
		broken := parityDamage(rt, "file", data)
		if rapid.Bool().Draw(rt, "damage parity") {
			encoded = parityDamage(rt, "parity", encoded)
		}
		f, err := Open(bytes.NewReader(encoded), int64(len(encoded)))
		if err != nil {
			if !errors.Is(err, objects.ErrCorrupt) {
				rt.Fatal(err)
			}
			return
		}
		report, _ := parityHeal(t, f, data, broken)
		if want := int64(max(len(broken)-len(data), 0)); report.Excess != want {
			rt.Fatalf("excess %d, want %d", report.Excess, want)
		}
		if whole := parityEncode(t, s, data); bytes.Equal(whole, encoded) != (len(report.Parity) == 0) {
			rt.Fatalf("parity damage: %v", report.Parity)
		}
	})
}

// parityDamage returns a copy with some runs changed, cut off or made longer.
func parityDamage(rt *rapid.T, name string, data []byte) []byte {
	out := bytes.Clone(data)
	for range rapid.IntRange(0, 4).Draw(rt, name+" runs") {
		start := rapid.IntRange(0, len(out)-1).Draw(rt, "start")
		for i := start; i < min(len(out), start+rapid.IntRange(1, 9000).Draw(rt, "run")); i++ {
			out[i] ^= 0x11
		}
	}
	switch rapid.IntRange(0, 5).Draw(rt, name+" cut") {
	case 0:
		out = out[:rapid.IntRange(0, len(out)).Draw(rt, "end")]
	case 1:
		out = append(out, 1, 2, 3)
	}
	return out
}

// A parity file heals with either end gone: both have all that is needed.
func TestParityFileWithoutOneEnd(t *testing.T) {
	data := parityRandom(600_000, 5)
	encoded := parityEncode(t, Default, data)
	l := parityOpen(t, encoded).layout
	broken := bytes.Clone(data)
	clear(broken[100_000:104_000])
	for name, cut := range map[string][]byte{
		"end":        encoded[:l.tables()[1]],
		"end's half": encoded[:l.tables()[1]+17],
		"front":      encoded[l.parityStart():],
		"overwritten front": append(bytes.Repeat([]byte{7}, int(l.parityStart())),
			encoded[l.parityStart():]...),
	} {
		report, err := parityHeal(t, parityOpen(t, cut), data, broken)
		if err != nil || len(report.Parity) == 0 {
			t.Errorf("without its %s: %v, %+v", name, err, report)
		}
	}
	for _, gone := range [][]byte{nil, []byte("x"), encoded[headerSize : len(encoded)-headerSize]} {
		if _, err := Open(bytes.NewReader(gone), int64(len(gone))); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%d bytes: %v", len(gone), err)
		}
	}
}

// Every flipped bit of a parity file is reported, and none harms.
func TestParityFileFlips(t *testing.T) {
	data := parityRandom(3*4096, 6)
	encoded := parityEncode(t, Default, data)
	for i := range encoded {
		if i%41 != 0 && i > 3*headerSize && i < len(encoded)-3*headerSize {
			continue
		}
		flipped := bytes.Clone(encoded)
		flipped[i] ^= 1 << (i % 8)
		report, err := parityOpen(t, flipped).Check(t.Context(), bytes.NewReader(data), int64(len(data)))
		if err != nil || len(report.Damaged) != 0 || len(report.Parity) != 1 {
			t.Fatalf("byte %d: %+v, %v", i, report, err)
		}
		if p := report.Parity[0]; int64(i) < p.Offset || int64(i) >= p.Offset+p.Length {
			t.Fatalf("byte %d: reported %+v", i, p)
		}
	}
}

// parityBadDisk gives no byte of one place.
type parityBadDisk struct {
	io.ReaderAt
	from, to int64
}

var errParityDisk = errors.New("input/output error")

func (d parityBadDisk) ReadAt(p []byte, offset int64) (int, error) {
	if offset < d.to && offset+int64(len(p)) > d.from {
		n, _ := d.ReaderAt.ReadAt(p[:max(0, d.from-offset)], offset)
		return n, errParityDisk
	}
	return d.ReaderAt.ReadAt(p, offset)
}

func TestUnreadablePlacesHeal(t *testing.T) {
	data := parityRandom(500_000, 7)
	f := parityOpen(t, parityEncode(t, Default, data))
	disk := parityBadDisk{bytes.NewReader(data), 70_000, 90_000}
	broken := parityBuffer{data: bytes.Clone(data)}
	clear(broken.data[70_000:90_000])
	report, err := f.Heal(t.Context(), disk, 500_000, &broken)
	if err != nil || !bytes.Equal(broken.data, data) {
		t.Fatalf("%v, %+v", err, report)
	}
	if want := []Range{{17 * 4096, 5 * 4096}}; !slices.Equal(report.Damaged, want) {
		t.Errorf("damaged %v, want %v", report.Damaged, want)
	}
	if _, err := Encode(t.Context(), Default, parityOwner, disk, 500_000, &parityBuffer{}); !errors.Is(err, errParityDisk) {
		t.Errorf("encoded an unreadable file: %v", err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	data := bytes.NewReader(make([]byte, 5000))
	if _, err := Encode(t.Context(), Default, parityOwner, data, 5001, &parityBuffer{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short file: %v", err)
	}
	for _, size := range []int64{-1, 0, MaxSize + 1} {
		if _, err := Encode(t.Context(), Default, parityOwner, data, size, &parityBuffer{}); err == nil {
			t.Errorf("%d bytes are taken", size)
		}
	}
	for _, s := range []Scheme{{}, {0, 1}, {10, 0}, {129, 1}, {100, 33}, {1, 2}, {-1, -1}} {
		if _, err := Encode(t.Context(), s, parityOwner, data, 5000, &parityBuffer{}); err == nil {
			t.Errorf("%s is taken", s)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Encode(ctx, Default, parityOwner, data, 5000, &parityBuffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func TestParseScheme(t *testing.T) {
	for _, text := range []string{"10+1", "10+2", "1+1", "128+32"} {
		if s, err := ParseScheme(text); err != nil || s.String() != text {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "10", "+", "10+", "+1", "10+0", "0+1", "129+1", "1+2", "10 + 1", "010+1", "10+1+1", "-1+1", "off"} {
		if s, err := ParseScheme(text); err == nil {
			t.Errorf("%q is taken as %s", text, s)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, s := range []Scheme{{10, 1}, {10, 2}} {
		b.Run(s.String(), func(b *testing.B) {
			data := parityRandom(64<<20, 8)
			out := parityBuffer{data: make([]byte, s.Size(64<<20))}
			b.SetBytes(64 << 20)
			for b.Loop() {
				if _, err := Encode(b.Context(), s, parityOwner, bytes.NewReader(data), 64<<20, &out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) { parityBenchmark(b, 0) }

func BenchmarkHealTenth(b *testing.B) { parityBenchmark(b, 6<<20) }

func parityBenchmark(b *testing.B, damage int) {
	data := parityRandom(64<<20, 8)
	f := parityOpen(b, parityEncode(b, Default, data))
	clear(data[:damage])
	out := parityBuffer{data: bytes.Clone(data)}
	b.SetBytes(64 << 20)
	for b.Loop() {
		if _, err := f.Heal(b.Context(), bytes.NewReader(data), 64<<20, &out); err != nil {
			b.Fatal(err)
		}
	}
}
