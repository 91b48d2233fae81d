package pack

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/mlvc/mlvc/objects"
)

const (
	crcSize  = 4
	baseSize = 1 + crcSize + objects.IDSize // of a base record
	// maxRecordHeader is at least the longest header of a record: tag, size,
	// stored, depth, cost, count of runs, runs, checksum.
	maxRecordHeader = 1 + 3 + 3 + 1 + 4 + 1 + MaxRuns*(4+4+4) + crcSize
	maxRecord       = maxRecordHeader + objects.MaxObject
	// maxRun bounds what is read at once for a run of records.
	maxRun = 2 * MaxDict
)

// run is a run of records that a delta is built on: base is 0 for the delta's
// own pack and k for the k-th base record of that pack.
type run struct {
	base   int
	offset int64
	length int
}

func (r run) end() int64 { return r.offset + int64(r.length) }

// head is what the header of a record says, its checksum aside. The same
// bytes stand in the index behind the object's ID.
type head struct {
	kind        objects.Kind
	encoding    Encoding
	size        int
	stored      int
	depth, cost int
	runs        []run
}

// append appends the canonical encoding of h.
func (h head) append(dst []byte) []byte {
	dst = append(dst, byte(h.encoding)<<4|byte(h.kind))
	if h.encoding == encBase {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(h.size))
	if h.encoding == EncRaw {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(h.stored))
	if h.encoding != EncDelta {
		return dst
	}
	dst = append(dst, byte(h.depth))
	dst = binary.AppendUvarint(dst, uint64(h.cost))
	dst = binary.AppendUvarint(dst, uint64(len(h.runs)))
	for _, r := range h.runs {
		dst = binary.AppendUvarint(dst, uint64(r.base))
		dst = binary.AppendUvarint(dst, uint64(r.offset))
		dst = binary.AppendUvarint(dst, uint64(r.length))
	}
	return dst
}

// decodeHead reads what append writes for a record at the given offset, and
// returns how many bytes that were. Nothing else is accepted.
func decodeHead(b []byte, offset int64) (head, int, error) {
	if len(b) == 0 {
		return head{}, 0, corrupt("record header: cut off")
	}
	if !plausible(b[0]) {
		return head{}, 0, corrupt("record header: tag %#x", b[0])
	}
	h := head{kind: objects.Kind(b[0] & 15), encoding: Encoding(b[0] >> 4)}
	d := decoder{rest: b[1:]}
	if h.encoding == encBase {
		h.size, h.stored = objects.IDSize, objects.IDSize
		return h, 1, nil
	}
	h.size = d.number(0, objects.MaxObject)
	h.stored = h.size
	if h.encoding != EncRaw {
		h.stored = d.number(1, h.size-1)
	}
	if h.encoding == EncDelta {
		h.depth = d.number(1, MaxDepth)
		h.cost = d.number(h.size+1, MaxCost)
		h.runs = d.runs(offset)
	}
	if d.bad {
		return head{}, 0, corrupt("record header: %v", h.encoding)
	}
	return h, len(b) - len(d.rest), nil
}

// plausible reports whether a record may start with that byte; it tells most
// bytes that start none.
func plausible(tag byte) bool {
	kind, encoding := objects.Kind(tag&15), Encoding(tag>>4)
	return encoding <= EncDelta && kind.Valid() || encoding == encBase && kind == 0
}

// decoder reads numbers; after the first that is not right it is bad.
type decoder struct {
	rest []byte
	bad  bool
}

// number reads a canonical unsigned varint between lo and hi.
func (d *decoder) number(lo, hi int) int {
	v, n := objects.Uvarint(d.rest)
	if d.bad || n <= 0 || hi < lo || v < uint64(lo) || v > uint64(hi) {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

// runs reads the runs of a delta at the given offset. In its own pack they
// lie before it, and two that touch are one.
func (d *decoder) runs(offset int64) []run {
	n := d.number(1, MaxRuns)
	runs := make([]run, 0, n)
	for range n {
		r := run{base: d.number(0, MaxSize/baseSize)}
		r.offset = int64(d.number(headerSize, MaxSize))
		r.length = d.number(1, maxRun)
		if k := len(runs); k > 0 && runs[k-1].base == r.base && runs[k-1].end() == r.offset {
			d.bad = true
		}
		if r.end() > MaxSize || r.base == 0 && r.end() > offset {
			d.bad = true
		}
		if d.bad {
			return nil
		}
		runs = append(runs, r)
	}
	return runs
}

// checksum returns the checksum of a record from that of its payload. The
// payload comes first so that it can be summed before the record has a place.
func checksum(payload uint32, header []byte) uint32 {
	return crc32.Update(payload, castagnoli, header)
}

// raw is one record as it lies in a pack.
type raw struct {
	head
	offset  int64
	length  int // header and payload
	payload []byte
}

// decodeRecord reads the record that b starts with and checks its checksum.
func decodeRecord(b []byte, offset int64) (raw, error) {
	h, n, err := decodeHead(b, offset)
	if err != nil {
		return raw{}, err
	}
	length := n + crcSize + h.stored
	if len(b) < length {
		return raw{}, corrupt("record at %d: %d of %d bytes", offset, len(b), length)
	}
	payload := b[n+crcSize : length]
	sum := checksum(crc32.Checksum(payload, castagnoli), b[:n])
	if sum != binary.LittleEndian.Uint32(b[n:]) {
		return raw{}, corrupt("record at %d: checksum", offset)
	}
	return raw{head: h, offset: offset, length: length, payload: payload}, nil
}

// appendRecordHeader appends header and checksum; the payload follows.
func appendRecordHeader(dst []byte, h head, payloadSum uint32) []byte {
	start := len(dst)
	dst = h.append(dst)
	return binary.LittleEndian.AppendUint32(dst, checksum(payloadSum, dst[start:]))
}
