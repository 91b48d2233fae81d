package parity

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
)

const (
	magic   = "mlvcpari"
	version = 1

	headerBody = 56
	headerSize = headerBody + sumSize
	sumSize    = 16
	// sumsPerPage checksums and that of the page itself are 4 KiB.
	sumsPerPage = BlockSize/sumSize - 1

	headerContext = "mlvc 2026-11-26 parity header v1"
	pageContext   = "mlvc 2026-11-26 parity page v1"
)

// sum is the first half of a BLAKE3 hash: it finds damage, it does not stop
// who wants to forge. What is healed has an ID of its own to be checked by.
type sum [sumSize]byte

func blockSum(block []byte) sum {
	full := blake3.Sum256(block)
	return sum(full[:sumSize])
}

func deriveSum(context string, parts ...[]byte) (s sum) {
	h := blake3.NewDeriveKey(context)
	for _, p := range parts {
		h.Write(p) //nolint:errcheck // a hash never fails
	}
	copy(s[:], h.Sum(nil))
	return s
}

// encodeHeader returns the header, which is also the footer.
func (l layout) encodeHeader() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, magic...)
	b = append(b, version, byte(l.Data), byte(l.Parity), 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(l.size))
	b = append(b, l.owner[:]...)
	s := deriveSum(headerContext, b)
	return append(b, s[:]...)
}

// decodeHeader reads exactly what encodeHeader writes. It fails with
// objects.ErrNewer for a later version, else with objects.ErrCorrupt. Every
// version has these lengths, and the version here.
func decodeHeader(b []byte) (layout, error) {
	if len(b) != headerSize || string(b[:len(magic)]) != magic || deriveSum(headerContext, b[:headerBody]) != sum(b[headerBody:]) {
		return layout{}, fmt.Errorf("%w: header", objects.ErrCorrupt)
	}
	if v := b[8]; v > version {
		return layout{}, fmt.Errorf("of version %d (this mlvc reads up to %d): %w", v, version, objects.ErrNewer)
	}
	size := binary.LittleEndian.Uint64(b[16:])
	if size > MaxSize {
		return layout{}, fmt.Errorf("%w: for %d bytes", objects.ErrCorrupt, size)
	}
	l := newLayout(Scheme{Data: int(b[9]), Parity: int(b[10])}, int64(size), objects.ID(b[24:headerBody]))
	if l.check() != nil || !bytes.Equal(l.encodeHeader(), b) {
		return layout{}, fmt.Errorf("%w: header", objects.ErrCorrupt)
	}
	return l, nil
}

// pageSum is the checksum of page i of a table; it holds only in the parity
// file with this header.
func pageSum(header []byte, i int, sums []byte) sum {
	return deriveSum(pageContext, header[:headerBody], binary.LittleEndian.AppendUint32(nil, uint32(i)), sums)
}

// encodeTable returns the table of all checksums.
func (l layout) encodeTable(sums []sum) []byte {
	header, table := l.encodeHeader(), make([]byte, 0, l.tableSize())
	for i := range l.pages() {
		start := len(table)
		for _, s := range sums[i*sumsPerPage:][:l.pageSums(i)] {
			table = append(table, s[:]...)
		}
		s := pageSum(header, i, table[start:])
		table = append(table, s[:]...)
	}
	return table
}

// decodePage puts the checksums of page i into sums, and reports whether the
// page is whole.
func (l layout) decodePage(header, page []byte, i int, sums []sum) bool {
	count := l.pageSums(i)
	body := page[:count*sumSize]
	if pageSum(header, i, body) != sum(page[count*sumSize:]) {
		return false
	}
	for k := range count {
		sums[i*sumsPerPage+k] = sum(body[k*sumSize:])
	}
	return true
}
