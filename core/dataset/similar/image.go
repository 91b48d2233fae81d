package similar

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
)

// Bits are the two hashes of one picture as it lies.
type Bits struct {
	D uint64 // dHash: where it becomes brighter from left to right
	P uint64 // pHash: which low frequencies are above their median
}

// Distance returns how many bits of each hash differ.
func (b Bits) Distance(o Bits) (d, p int) {
	return bits.OnesCount64(b.D ^ o.D), bits.OnesCount64(b.P ^ o.P)
}

// Image is what an image looks like.
type Image struct {
	Bits          // as its pixels are stored
	Look          Look
	Width, Height int
	// Flat says that it is of one colour, or nearly: it looks like every other
	// such image, and is compared with none.
	Flat bool
	// Turned are other ways in which it may be seen: upright, where EXIF data
	// say that it is stored otherwise; or all seven others.
	Turned []Turned
}

// Turned is an image turned or mirrored.
type Turned struct {
	Bits
	Turn Turn
}

// HashImage decodes an image and hashes it: as it is stored, and as EXIF data
// say that it is seen; with all, turned and mirrored in every way. Of several
// frames or pages it takes the first. It fails for what it cannot decode or
// what has more than MaxPixels; the error says why.
func HashImage(ctx context.Context, c dataset.Content, all bool) (Image, error) {
	return hashImage(ctx, c, all, MaxPixels)
}

func hashImage(ctx context.Context, c dataset.Content, all bool, maxPixels int64) (i Image, err error) {
	err = decode(ctx, c, maxPixels, func(p picture) error {
		i = hashPicture(p, all)
		return nil
	})
	return i, err
}

// flatness is the standard deviation, as a part of white, below which an
// image is flat: one level and a half of 255.
const flatness = 1.5 / 255

func hashPicture(p picture, all bool) Image {
	b := p.Bounds()
	s := squares.Get().(*square)
	defer squares.Put(s)
	s.shrink(p.Image) // not p: the image's own type tells how to read its rows
	f, contrast := s.frequencies(), s.deviation()
	i := Image{Bits: Bits{s.dHash(contrast), f.pHash()}, Look: f.look(), Width: b.Dx(), Height: b.Dy()}
	limit := flatness
	if deep(p) {
		limit /= 16 // 12 bits of range in 16 are usual
	}
	i.Flat = contrast < limit
	for t := Turn(1); t < turns; t++ {
		if all || t == p.turn {
			turned := s.turned(t)
			f := turned.frequencies()
			i.Turned = append(i.Turned, Turned{Bits{turned.dHash(contrast), f.pHash()}, t})
		}
	}
	return i
}

// margin is by how much of the picture's contrast a cell must be brighter than
// the one before it, so that noise where nothing changes is no bit.
const margin = 0.05

// dHash compares each of 9 × 8 cells with its neighbour on the right; contrast
// is the deviation.
func (s *square) dHash(contrast float64) uint64 {
	const w, h = side / 9, side / 8
	least := margin * contrast * w * h
	var hash uint64
	for r := range 8 {
		columns := s.columns(r*h, h)
		before := sum(columns[:w])
		for c := w; c < side; c += w {
			v := sum(columns[c : c+w])
			hash <<= 1
			if v-before > least {
				hash |= 1
			}
			before = v
		}
	}
	return hash
}

// columns adds up h rows of cells from row r on.
func (s *square) columns(r, h int) (sums [side]float64) {
	for i := r; i < r+h; i++ {
		for c, v := range &s[i] {
			sums[c] += v
		}
	}
	return sums
}

func sum(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum
}

// half is the side of the square that is transformed for the pHash.
const half = side / 2

// cosines are the DCT-II's first eight basis vectors, side by side.
var cosines = func() (table [half][8]float64) {
	for x := range table {
		for u := range 8 {
			table[x][u] = math.Cos(math.Pi * float64(u) * (float64(x) + 0.5) / half)
		}
	}
	return table
}()

// spectrum is the 8 × 8 lowest frequencies of the DCT; the first is the mean.
type spectrum [64]float64

// pHash compares the frequencies but the mean with their median.
func (f *spectrum) pHash() uint64 {
	sorted := *f
	slices.Sort(sorted[1:])
	median := sorted[32]
	var hash uint64
	for k, v := range f[1:] {
		if v > median {
			hash |= 1 << (k + 1)
		}
	}
	return hash
}

// frequencies transforms 36 × 36 cells: first each row, then the eight columns
// of what that gives. An even cosine is the same at both ends and an odd one
// changes its sign, so that each half of the basis sees sums or differences.
func (s *square) frequencies() (f spectrum) {
	for y := range half {
		row := s.halved(y)
		var at [8]float64
		for x := range half / 2 {
			even, odd := row[x]+row[half-1-x], row[x]-row[half-1-x]
			c := &cosines[x]
			at[0] += even
			at[1] += odd * c[1]
			at[2] += even * c[2]
			at[3] += odd * c[3]
			at[4] += even * c[4]
			at[5] += odd * c[5]
			at[6] += even * c[6]
			at[7] += odd * c[7]
		}
		for v, c := range cosines[y] {
			to := (*[8]float64)(f[8*v:])
			for u := range to {
				to[u] += at[u] * c
			}
		}
	}
	return f
}

// halved is row y of the picture as 36 × 36 cells.
func (s *square) halved(y int) (row [half]float64) {
	a, b := &s[2*y], &s[2*y+1]
	for x := range row {
		row[x] = a[2*x] + a[2*x+1] + b[2*x] + b[2*x+1]
	}
	return row
}

// ErrBadFact is for bytes that are not what MarshalBinary makes.
var ErrBadFact = errors.New("not a hash that mlvc made")

const imageFlat = 1 // a flag

// The sizes of what MarshalBinary makes.
const (
	imageSize  = 9 + lookSize + bitsSize
	bitsSize   = 16
	turnedSize = 1 + bitsSize
)

// MarshalBinary implements encoding.BinaryMarshaler: flags, width, height, the
// look and the hashes as it is stored; then each turn and its hashes. Numbers
// are little endian.
func (i Image) MarshalBinary() ([]byte, error) {
	var flags byte
	if i.Flat {
		flags |= imageFlat
	}
	out := binary.LittleEndian.AppendUint32([]byte{flags}, uint32(i.Width))
	out = binary.LittleEndian.AppendUint32(out, uint32(i.Height))
	for _, v := range i.Look {
		out = append(out, byte(v))
	}
	out = i.Bits.append(out)
	for _, t := range i.Turned {
		out = t.Bits.append(append(out, byte(t.Turn)))
	}
	return out, nil
}

func (b Bits) append(out []byte) []byte {
	out = binary.LittleEndian.AppendUint64(out, b.D)
	return binary.LittleEndian.AppendUint64(out, b.P)
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler; it takes only what
// MarshalBinary makes.
func (i *Image) UnmarshalBinary(data []byte) error {
	if len(data) < imageSize || (len(data)-imageSize)%turnedSize != 0 || data[0] > imageFlat {
		return ErrBadFact
	}
	*i = Image{
		Flat:   data[0] == imageFlat,
		Width:  int(binary.LittleEndian.Uint32(data[1:])),
		Height: int(binary.LittleEndian.Uint32(data[5:])),
		Bits:   bitsOf(data[9+lookSize:]),
	}
	for k := range i.Look {
		i.Look[k] = int8(data[9+k])
	}
	last := Turn(0)
	for data = data[imageSize:]; len(data) > 0; data = data[turnedSize:] {
		t := Turned{bitsOf(data[1:]), Turn(data[0])}
		if t.Turn <= last || t.Turn >= turns {
			return ErrBadFact
		}
		last = t.Turn
		i.Turned = append(i.Turned, t)
	}
	return nil
}

func bitsOf(data []byte) Bits {
	return Bits{D: binary.LittleEndian.Uint64(data), P: binary.LittleEndian.Uint64(data[8:])}
}
