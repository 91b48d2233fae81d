package parity

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
)

var parityUpdate = flag.Bool("update", false, "write the vectors anew; only for a new version of a format")

const parityVectorFile = "../../../testdata/vectors/parity.json"

// parityVector is a frozen parity file: that of the first Size bytes that BLAKE3
// makes of the text "parity".
type parityVector struct {
	Scheme string     `json:"scheme"`
	Owner  objects.ID `json:"owner"`
	Size   int        `json:"size"`
	Ends   string     `json:"ends"`   // header and first table, in hex
	Length int        `json:"length"` // of the whole parity file
	BLAKE3 string     `json:"blake3"` // of the whole parity file
}

func parityVectorData(t testing.TB, size int) []byte {
	h := blake3.New()
	h.Write([]byte("parity")) //nolint:errcheck // a hash never fails
	data := make([]byte, size)
	if _, err := h.Digest().Read(data); err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParityVectors(t *testing.T) {
	var want []parityVector
	for _, v := range []parityVector{{Scheme: "10+1", Size: 100}, {Scheme: "10+1", Size: 200_000}, {Scheme: "10+2", Size: 100_000}, {Scheme: "3+2", Size: 1_000_000}} {
		s, err := ParseScheme(v.Scheme)
		if err != nil {
			t.Fatal(err)
		}
		data := parityEncode(t, s, parityVectorData(t, v.Size))
		digest := blake3.Sum256(data)
		v.Owner, v.Length, v.BLAKE3 = parityOwner, len(data), hex.EncodeToString(digest[:])
		v.Ends = hex.EncodeToString(data[:min(parityOpen(t, data).parityStart(), 1000)])
		want = append(want, v)
	}
	out, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, '\n')
	if *parityUpdate {
		if err := os.WriteFile(parityVectorFile, out, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(parityVectorFile); err != nil || !bytes.Equal(got, out) {
		t.Errorf("the format has changed: %v\n%s", err, out)
	}
}

// The parity is what FORMAT.md says, reckoned here without the library: the
// product with V·(V's upper square)⁻¹, where V[r][c] = r^c in GF(2⁸).
func TestParityByHand(t *testing.T) {
	for _, s := range []Scheme{{10, 1}, {10, 2}, {3, 3}} {
		data := parityVectorData(t, 150_000)
		l := parityOpen(t, parityEncode(t, s, data)).layout
		encoded := parityEncode(t, s, data)
		matrix := gfMatrix(s)
		for _, at := range []int{0, 1, 4095, 4096, l.stripes*BlockSize - 1} { // a byte of each shard
			for p := range s.Parity {
				var want byte
				for d := range s.Data {
					if i := d*l.stripes*BlockSize + at; i < len(data) {
						want ^= gfMul(matrix[p][d], data[i])
					}
				}
				if got := encoded[l.parityStart()+int64(p*l.stripes*BlockSize+at)]; got != want {
					t.Fatalf("%s: byte %d of parity %d is %x, want %x", s, at, p, got, want)
				}
			}
		}
	}
}

func gfMul(a, b byte) (product byte) {
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			product ^= a
		}
		high := a & 0x80
		a <<= 1
		if high != 0 {
			a ^= 0x1d // x⁸ + x⁴ + x³ + x² + 1
		}
	}
	return product
}

func gfInverse(a byte) byte {
	for b := range 256 {
		if gfMul(a, byte(b)) == 1 {
			return byte(b)
		}
	}
	panic("no inverse of zero")
}

// gfMatrix returns the parity rows.
func gfMatrix(s Scheme) [][]byte {
	rows := make([][]byte, s.Data+s.Parity)
	for r := range rows {
		rows[r] = make([]byte, s.Data)
		power := byte(1)
		for c := range s.Data {
			rows[r][c] = power
			power = gfMul(power, byte(r))
		}
	}
	// Column operations make the upper square the identity.
	for i := range s.Data {
		pivot := i
		for rows[i][pivot] == 0 {
			pivot++
		}
		for _, row := range rows {
			row[i], row[pivot] = row[pivot], row[i]
		}
		inverse := gfInverse(rows[i][i])
		for _, row := range rows {
			row[i] = gfMul(row[i], inverse)
		}
		for c := range s.Data {
			if factor := rows[i][c]; c != i && factor != 0 {
				for _, row := range rows {
					row[c] ^= gfMul(factor, row[i])
				}
			}
		}
	}
	return rows[s.Data:]
}

func TestHeaderRefuses(t *testing.T) {
	good := newLayout(Default, 5000, parityOwner).encodeHeader()
	seal := func(change func(b []byte)) []byte {
		b := bytes.Clone(good)
		change(b)
		s := deriveSum(headerContext, b[:headerBody])
		return append(b[:headerBody], s[:]...)
	}
	if _, err := decodeHeader(seal(func([]byte) {})); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(b []byte){
		"magic":   func(b []byte) { b[0] = 'x' },
		"version": func(b []byte) { b[8] = 0 },
		"data":    func(b []byte) { b[9] = 0 },
		"parity":  func(b []byte) { b[10] = 11 },
		"spare":   func(b []byte) { b[12] = 1 },
		"no size": func(b []byte) { clear(b[16:24]) },
		"size":    func(b []byte) { b[23] = 0xff },
	} {
		if _, err := decodeHeader(seal(change)); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	newer := seal(func(b []byte) { b[8] = 2 })
	if _, err := Open(bytes.NewReader(newer), headerSize); !errors.Is(err, objects.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

// FuzzHeader gives the header any bytes; the checksum is made right.
func FuzzHeader(f *testing.F) {
	f.Add(newLayout(Default, 5000, parityOwner).encodeHeader()[:headerBody])
	f.Fuzz(func(t *testing.T, body []byte) {
		s := deriveSum(headerContext, body)
		data := append(bytes.Clone(body), s[:]...)
		l, err := decodeHeader(data)
		if err == nil && !bytes.Equal(l.encodeHeader(), data) {
			t.Fatal("accepted bytes are encoded differently")
		}
	})
}

// FuzzHeal heals with any parity file: nothing wrong is ever said to be right.
func FuzzHeal(f *testing.F) {
	data := parityVectorData(f, 5000)
	var encoded parityBuffer
	if _, err := Encode(f.Context(), Scheme{2, 1}, parityOwner, bytes.NewReader(data), 5000, &encoded); err != nil {
		f.Fatal(err)
	}
	f.Add(encoded.data, data)
	f.Add(encoded.data, append(make([]byte, 4096), data[4096:]...))
	f.Fuzz(func(t *testing.T, encoded, broken []byte) {
		file, err := Open(bytes.NewReader(encoded), int64(len(encoded)))
		if err != nil || file.Covers() > 1<<16 {
			return
		}
		healed := parityBuffer{data: bytes.Clone(broken)}
		_, err = file.Heal(t.Context(), bytes.NewReader(broken), int64(len(broken)), &healed)
		if err != nil {
			return
		}
		report, err := file.Check(t.Context(), bytes.NewReader(healed.data), int64(len(healed.data)))
		if err != nil || len(report.Damaged) > 0 {
			t.Fatalf("healed, but %+v, %v", report, err)
		}
	})
}
