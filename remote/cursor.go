package remote

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"sort"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
)

// cursor looks up records of a segment. It keeps the page that it read last,
// so that it reads little when it is asked in order. For one goroutine.
type cursor struct {
	s    *segment
	page int64
	buf  []byte // the page's records; nil: none was read
}

// load reads a page and checks its checksum, and that its records name packs of
// the table.
func (c *cursor) load(page int64) error {
	n := min(pageRecords, c.s.ref.Records-page*pageRecords)
	if cap(c.buf) < pageSize {
		c.buf = make([]byte, pageSize)
	}
	b := c.buf[:n*recordSize+crcSize]
	c.buf = nil
	if got, err := c.s.file.ReadAt(b, segmentHeader+page*pageSize); got < len(b) {
		if err == nil || err == io.EOF {
			err = corrupt("ends in page %d", page)
		}
		return &segmentError{segment: c.s, err: err}
	}
	if crc32.Checksum(b[:n*recordSize], castagnoli) != binary.LittleEndian.Uint32(b[n*recordSize:]) {
		return &segmentError{segment: c.s, err: corrupt("checksum of page %d", page)}
	}
	b = b[:n*recordSize]
	for at := 0; at < len(b); at += recordSize {
		if number := binary.LittleEndian.Uint32(b[at+packOffset:]); int64(number) >= int64(len(c.s.packs)) {
			return &segmentError{segment: c.s, err: corrupt("a record of page %d names pack %d of %d", page, number, len(c.s.packs))}
		}
	}
	c.page, c.buf = page, b
	return nil
}

// seek returns the number of the first record whose ID is not less than id;
// that of all records if there is none.
//
// It reads the page where the ID would be if all were evenly spread, as hashes
// are, between the two nearest that it knows; since a segment may come from
// anywhere, every other step after the first four halves what is left.
func (c *cursor) seek(id objects.ID) (int64, error) {
	lo, hi := int64(0), (c.s.ref.Records+pageRecords-1)/pageRecords // what is searched for lies in [lo, hi), or first in hi
	least, greatest, key := uint64(0), ^uint64(0), sortKey(id[:])
	next := c.page
	if c.buf == nil {
		next = between(lo, hi, least, greatest, key)
	}
	for step := 0; lo < hi; step++ {
		if c.buf == nil || c.page != next {
			if err := c.load(next); err != nil {
				return 0, err
			}
		}
		first, last := c.buf[:32], c.buf[len(c.buf)-recordSize:][:32]
		switch {
		case bytes.Compare(last, id[:]) < 0:
			lo, least = next+1, sortKey(last)
		case bytes.Compare(first, id[:]) >= 0 && next > lo:
			hi, greatest = next, sortKey(first)
		default:
			return next*pageRecords + c.within(id), nil
		}
		next = between(lo, hi, least, greatest, key)
		if step > 4 && step%2 == 0 {
			next = lo + (hi-lo)/2
		}
	}
	return min(lo*pageRecords, c.s.ref.Records), nil
}

// within returns the number in the page of the first record not less than id.
func (c *cursor) within(id objects.ID) int64 {
	return int64(sort.Search(len(c.buf)/recordSize, func(i int) bool {
		return bytes.Compare(c.buf[i*recordSize:][:32], id[:]) >= 0
	}))
}

// find calls fn with each record of the object until fn returns false.
func (c *cursor) find(id objects.ID, fn func(record) bool) error {
	at, err := c.seek(id)
	if err != nil {
		return err
	}
	for ; at < c.s.ref.Records; at++ {
		if page := at / pageRecords; c.buf == nil || c.page != page {
			if err := c.load(page); err != nil {
				return err
			}
		}
		r := decodeSegmentRecord(c.buf[at%pageRecords*recordSize:])
		if r.id != id || !fn(r) {
			return nil
		}
	}
	return nil
}

// sortKey is the start of an ID, which orders as IDs do.
func sortKey(id []byte) uint64 { return binary.BigEndian.Uint64(id) }

// between returns the page of [lo, hi) at which key would lie.
func between(lo, hi int64, least, greatest, key uint64) int64 {
	if lo >= hi || key <= least || greatest <= least {
		return lo
	}
	part := float64(key-least) / float64(greatest-least)
	return min(lo+int64(part*float64(hi-lo)), hi-1)
}

// sumFile returns the ID that a segment of these bytes has.
func sumFile(ctx context.Context, r io.ReaderAt, size int64) (objects.ID, error) {
	h := blake3.NewDeriveKey(segmentContext)
	buf := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return objects.ID{}, err
		}
		b := buf[:min(int64(len(buf)), size-at)]
		n, err := r.ReadAt(b, at)
		if n < len(b) {
			if err == nil || err == io.EOF {
				err = corrupt("ends at %d", at+int64(n))
			}
			return objects.ID{}, err
		}
		h.Write(b) //nolint:errcheck // a hash never fails
		at += int64(n)
	}
	var id objects.ID
	h.Sum(id[:0])
	return id, nil
}
