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
	s := shrink(p)
	f := s.frequencies()
	i := Image{Bits: Bits{s.dHash(), f.pHash()}, Look: f.look(), Width: b.Dx(), Height: b.Dy()}
	limit := flatness
	if deep(p) {
		limit /= 16 // 12 bits of range in 16 are usual
	}
	i.Flat = s.deviation() < limit
	for t := Turn(1); t < turns; t++ {
		if all || t == p.turn {
			turned := s.turned(t)
			f := turned.frequencies()
			i.Turned = append(i.Turned, Turned{Bits{turned.dHash(), f.pHash()}, t})
		}
	}
	return i
}

// margin is by how much of the picture's contrast a cell must be brighter than
// the one before it, so that noise where nothing changes is no bit.
const margin = 0.05

// dHash compares each of 9 × 8 cells with its neighbour on the right.
func (s *square) dHash() uint64 {
	const w, h = side / 9, side / 8
	least := margin * s.deviation() * w * h
	var hash uint64
	for r := range 8 {
		before := s.sum(r*h, 0, h, w)
		for c := 1; c < 9; c++ {
			v := s.sum(r*h, c*w, h, w)
			hash <<= 1
			if v-before > least {
				hash |= 1
			}
			before = v
		}
	}
	return hash
}

// sum adds up h × w cells.
func (s *square) sum(r, c, h, w int) float64 {
	var sum float64
	for _, row := range s[r : r+h] {
		for _, v := range row[c : c+w] {
			sum += v
		}
	}
	return sum
}

// half is the side of the square that is transformed for the pHash.
const half = side / 2

// cosines are the DCT-II's first eight basis vectors.
var cosines = func() (table [8][half]float64) {
	for u := range table {
		for x := range half {
			table[u][x] = math.Cos(math.Pi * float64(u) * (float64(x) + 0.5) / half)
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

// frequencies transforms 36 × 36 cells.
func (s *square) frequencies() (f spectrum) {
	for y := range half {
		var row [half]float64
		for x := range row {
			row[x] = s.sum(2*y, 2*x, 2, 2)
		}
		for u := range 8 {
			var sum float64
			for x, v := range row {
				sum += v * cosines[u][x]
			}
			for v := range 8 {
				f[8*v+u] += sum * cosines[v][y]
			}
		}
	}
	return f
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
