package split

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
)

const (
	fingerprintContext = "mlvc 2026-11-26 split fingerprint v1"
	elementContext     = "mlvc 2026-11-26 split element v1"
)

const (
	laneBytes = 2048 // 1024 lanes of 16 bits
	wideBytes = 32
	sumBytes  = laneBytes + wideBytes + 8
)

// Sum is the state of a fingerprint: a hash of a multiset of samples that is
// updated by what comes and goes (LtHash16). The zero Sum is of no samples.
//
//  1. A sample becomes an element of 2,048 bytes: BLAKE3's extended output.
//  2. The lanes are the sums of the elements, each 16 bits for itself.
//  3. Of equal elements 65,536 would add up to nothing. Files differ by their
//     paths, but rows may be equal: so the first 32 bytes of each element are
//     also added up as one wide number, and the elements are counted.
type Sum struct {
	lanes [laneBytes / 8]uint64 // four lanes each
	wide  [4]uint64             // little-endian
	count int64
}

// top has the highest bit of each lane.
const top = 0x8000_8000_8000_8000

// element is one sample, hashed.
type element [laneBytes]byte

// Count returns the number of samples.
func (s *Sum) Count() int64 { return s.count }

func (s *Sum) add(e *element) {
	for i := range s.lanes {
		a, b := s.lanes[i], binary.LittleEndian.Uint64(e[8*i:])
		s.lanes[i] = (a&^top + b&^top) ^ (a^b)&top
	}
	var carry uint64
	for i := range s.wide {
		s.wide[i], carry = bits.Add64(s.wide[i], binary.LittleEndian.Uint64(e[8*i:]), carry)
	}
	s.count++
}

func (s *Sum) remove(e *element) {
	for i := range s.lanes {
		a, b := s.lanes[i], binary.LittleEndian.Uint64(e[8*i:])
		s.lanes[i] = (a | top - b&^top) ^ (a^^b)&top
	}
	var borrow uint64
	for i := range s.wide {
		s.wide[i], borrow = bits.Sub64(s.wide[i], binary.LittleEndian.Uint64(e[8*i:]), borrow)
	}
	s.count--
}

// join adds the samples of another sum.
func (s *Sum) join(o *Sum) {
	for i, b := range o.lanes {
		a := s.lanes[i]
		s.lanes[i] = (a&^top + b&^top) ^ (a^b)&top
	}
	var carry uint64
	for i := range s.wide {
		s.wide[i], carry = bits.Add64(s.wide[i], o.wide[i], carry)
	}
	s.count += o.count
}

// appendTo appends the encoding: the lanes, the wide number and the count,
// each little-endian.
func (s *Sum) appendTo(b []byte) []byte {
	for _, w := range s.lanes {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	for _, w := range s.wide {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return binary.LittleEndian.AppendUint64(b, uint64(s.count))
}

func decodeSum(b []byte) (*Sum, error) {
	if len(b) != sumBytes {
		return nil, fmt.Errorf("%w: a sum of %d bytes", objects.ErrCorrupt, len(b))
	}
	s := &Sum{}
	for i := range s.lanes {
		s.lanes[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	for i := range s.wide {
		s.wide[i] = binary.LittleEndian.Uint64(b[laneBytes+8*i:])
	}
	s.count = int64(binary.LittleEndian.Uint64(b[laneBytes+wideBytes:]))
	return s, nil
}

// Fingerprint returns the fingerprint that the sum is the state of.
func (s *Sum) Fingerprint() objects.ID {
	return objects.Derive(fingerprintContext, s.appendTo(make([]byte, 0, sumBytes)))
}

// The kinds of sample, as the first byte of what an element is made of.
const (
	ofFile = 'f'
	ofRow  = 'r'
)

// appendSample appends what the element of a sample is made of.
func appendSample(b []byte, kind byte, path string, id objects.ID) []byte {
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(len(path)))
	return append(append(b, path...), id[:]...)
}

// expander makes elements; one goroutine each.
type expander struct{ h *blake3.Hasher }

func newExpander() expander { return expander{blake3.NewDeriveKey(elementContext)} }

func (x expander) expand(sample []byte, e *element) {
	x.h.Reset()
	x.h.Write(sample)       //nolint:errcheck // a hash never fails
	x.h.Digest().Read(e[:]) //nolint:errcheck // nor does its output end
}
