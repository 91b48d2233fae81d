// Package chunk cuts content into chunks by its bytes, and keeps the sequence
// of a content's chunks as a Merkle list. FORMAT.md beside this file has both
// formats.
package chunk

import (
	"encoding/binary"
	"fmt"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
)

// Params says where content is cut. Sizes are in bytes.
type Params struct {
	Min    int // no cut falls before or directly after this many bytes
	Normal int // up to here cuts are rare, beyond it frequent; a power of two
	Max    int // a chunk has at most this many bytes
}

// Default is what every repository uses. It never changes: the same content
// must have the same chunks for ever.
var Default = Params{Min: 64 << 10, Normal: 128 << 10, Max: objects.SingleChunk}

// normalisation is how many bits the mask before Normal has more, and the mask
// beyond it fewer, than Normal asks for.
const normalisation = 2

// Cut returns the length of the first chunk of buf, at least 1 if buf has any
// bytes. buf must hold p.Max bytes, or all that is left of the content: then
// final is true. Where a chunk ends depends only on the bytes of that chunk
// and, for the last one, on where the content ends.
func Cut(p Params, buf []byte, final bool) int {
	n := min(len(buf), p.Max)
	if n < p.Max && !final {
		panic(fmt.Sprintf("chunk: cut of %d bytes that are not the last", n))
	}
	if n <= p.Min {
		return n
	}
	buf = buf[:n]
	early, late := p.masks()
	normal := min(p.Normal, n)
	end, hash := scan(buf[:normal], p.Min, 0, early)
	if end < 0 {
		end, _ = scan(buf, normal, hash, late)
	}
	if end < 0 {
		return n
	}
	return end
}

// masks returns the bits of the gear hash that must be zero for a cut before
// and beyond Normal, spread evenly from the top bit down.
func (p Params) masks() (early, late uint64) {
	if p == Default {
		return defaultEarly, defaultLate
	}
	return p.mask(normalisation), p.mask(-normalisation)
}

func (p Params) mask(more int) uint64 {
	bits := more
	for n := p.Normal; n > 1; n >>= 1 {
		bits++
	}
	var mask uint64
	for i := range bits {
		mask |= 1 << (63 - i*(64/bits))
	}
	return mask
}

var defaultEarly, defaultLate = Default.mask(normalisation), Default.mask(-normalisation)

// scan rolls the gear hash over buf[from:] and returns the offset after the
// first byte at which hash&mask is zero, or -1 and the hash at the end.
func scan(buf []byte, from int, hash, mask uint64) (int, uint64) {
	g := &gear
	i := from
	for ; i+8 <= len(buf); i += 8 {
		b := buf[i : i+8 : i+8]
		h1 := hash<<1 + g[b[0]]
		h2 := hash<<2 + (g[b[0]]<<1 + g[b[1]])
		h3 := h2<<1 + g[b[2]]
		h4 := h2<<2 + (g[b[2]]<<1 + g[b[3]])
		h5 := h4<<1 + g[b[4]]
		h6 := h4<<2 + (g[b[4]]<<1 + g[b[5]])
		h7 := h6<<1 + g[b[6]]
		hash = h6<<2 + (g[b[6]]<<1 + g[b[7]])
		if h1&mask == 0 || h2&mask == 0 || h3&mask == 0 || h4&mask == 0 ||
			h5&mask == 0 || h6&mask == 0 || h7&mask == 0 || hash&mask == 0 {
			return i + firstZero(mask, h1, h2, h3, h4, h5, h6, h7, hash) + 1, 0
		}
	}
	for ; i < len(buf); i++ {
		hash = hash<<1 + g[buf[i]]
		if hash&mask == 0 {
			return i + 1, 0
		}
	}
	return -1, hash
}

func firstZero(mask uint64, hashes ...uint64) int {
	for i, h := range hashes {
		if h&mask == 0 {
			return i
		}
	}
	return len(hashes)
}

// gear is the table of the rolling hash: 256 little-endian integers from the
// output of BLAKE3 in derive-key mode under gearContext, with no key material.
var gear = func() (table [256]uint64) {
	var out [256 * 8]byte
	digest := blake3.NewDeriveKey(gearContext).Digest()
	if _, err := digest.Read(out[:]); err != nil {
		panic(err)
	}
	for i := range table {
		table[i] = binary.LittleEndian.Uint64(out[8*i:])
	}
	return table
}()

const gearContext = "mlvc 2026-11-24 gear table v1"
