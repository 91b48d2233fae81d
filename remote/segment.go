package remote

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
)

// The parts of a segment; see FORMAT.md.
const (
	segmentMagic   = "mlvcsegm"
	segmentEnd     = "mlvcsend"
	segmentVersion = 1
	segmentContext = "mlvc 2026-11-25 segment v1"

	segmentHeader = 16
	segmentFooter = 32 + 8 + 4 + 4 + 4 + 8
	recordSize    = 32 + 4 + 4 + 4
	packOffset    = 32 // in a record
	// A page is as many records as fit into 4 KiB with a checksum behind.
	pageRecords = 93
	pageSize    = pageRecords*recordSize + crcSize
	crcSize     = 4
	packSize    = 32 + 1 + 4 + 4 + 4 // without its bases

	// maxSegment is the most bytes that a segment may have, and maxTable the
	// most of its pack table.
	maxSegment = 64 << 30
	maxTable   = 256 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// role says what a pack of a depot is for.
type role uint8

const (
	roleData  role = 1
	roleMeta  role = 2
	roleNames role = 3 // views and operations of the depot, which no copy takes
)

// holds reports whether objects of that kind lie in such packs.
func (r role) holds(k objects.Kind) bool {
	switch r {
	case roleData:
		return k == objects.KindChunk
	case roleMeta:
		return k.IsMeta() && k.Valid()
	default:
		return k == objects.KindNode || k == objects.KindOperation
	}
}

// listedPack is a pack as a segment lists it.
type listedPack struct {
	PackInfo
	role   role
	folder string // of its key; not part of a segment
}

func (p listedPack) key() string { return PackKey(p.folder, p.ID) }

// record says where an object lies. Pack is the number of the pack in the
// table of the segment.
type record struct {
	id     objects.ID
	pack   uint32
	offset uint32
	length uint32
	kind   objects.Kind
}

func (r record) compare(o record) int {
	if c := compareIDs(r.id, o.id); c != 0 {
		return c
	}
	if c := cmp.Compare(r.pack, o.pack); c != 0 {
		return c
	}
	return cmp.Compare(r.offset, o.offset)
}

func (r record) append(dst []byte) []byte {
	dst = append(dst, r.id[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, r.pack)
	dst = binary.LittleEndian.AppendUint32(dst, r.offset)
	return binary.LittleEndian.AppendUint32(dst, r.length<<8|uint32(r.kind))
}

func decodeSegmentRecord(b []byte) record {
	last := binary.LittleEndian.Uint32(b[40:])
	return record{
		id: objects.ID(b[:32]), pack: binary.LittleEndian.Uint32(b[packOffset:]), offset: binary.LittleEndian.Uint32(b[36:]),
		length: last >> 8, kind: objects.Kind(last),
	}
}

// minSegment is the size of a segment of so many records without its table.
func minSegment(records int64) int64 { return segmentHeader + pagesSize(records) + segmentFooter }

func pagesSize(records int64) int64 {
	pages := (records + pageRecords - 1) / pageRecords
	return records*recordSize + pages*crcSize
}

// segment is an index segment in a local file: it says where objects lie. The
// table of packs is in memory, the records are read as they are needed. Safe
// for concurrent use.
type segment struct {
	ref       segmentRef
	name      string
	folder    string // of its packs, if that is not the shelf's
	file      vfs.File
	packs     []listedPack // sorted by ID
	operation objects.ID   // of the push that wrote it
}

// segmentError is for a local copy of an index segment that is damaged. It is
// objects.ErrCorrupt to errors.Is.
type segmentError struct {
	segment *segment
	err     error
}

func (e *segmentError) Error() string {
	return fmt.Sprintf("index segment %s: %v", e.segment.name, e.err)
}

func (e *segmentError) Unwrap() error { return e.err }

// openSegment opens the file of a segment; only its ends are read. Damage is
// objects.ErrCorrupt.
func openSegment(fs vfs.FS, name string, ref segmentRef) (*segment, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	s := &segment{ref: ref, name: name, file: f}
	if err := s.readEnds(); err != nil {
		f.Close() //nolint:errcheck // it was only read
		return nil, fmt.Errorf("index segment %s: %w", name, err)
	}
	return s, nil
}

// close closes the file; that this fails says nothing, for it was only read.
func (s *segment) close() {
	s.file.Close() //nolint:errcheck // see above
}

// readEnds reads and checks header, footer and table.
func (s *segment) readEnds() error {
	stat, err := s.file.Stat()
	if err != nil {
		return err
	}
	if stat.Size != s.ref.Size || s.ref.Records < 1 || stat.Size < minSegment(s.ref.Records) || stat.Size > maxSegment {
		return corrupt("%d bytes, expected %d", stat.Size, s.ref.Size)
	}
	header, err := s.read(0, segmentHeader)
	if err != nil {
		return err
	}
	if err := checkSegmentHeader(header); err != nil {
		return err
	}
	footer, err := s.read(s.ref.Size-segmentFooter, segmentFooter)
	if err != nil {
		return err
	}
	packs, length := binary.LittleEndian.Uint32(footer[40:]), int64(binary.LittleEndian.Uint32(footer[44:]))
	if string(footer[52:]) != segmentEnd || binary.LittleEndian.Uint64(footer[32:]) != uint64(s.ref.Records) ||
		length > maxTable || s.ref.Size != minSegment(s.ref.Records)+length {
		return corrupt("footer")
	}
	table, err := s.read(segmentHeader+pagesSize(s.ref.Records), int(length))
	if err != nil {
		return err
	}
	if crc32.Update(crc32.Checksum(table, castagnoli), castagnoli, footer[:48]) != binary.LittleEndian.Uint32(footer[48:]) {
		return corrupt("checksum of the pack table")
	}
	s.operation = objects.ID(footer[:32])
	s.packs, err = decodeTable(table, int(packs))
	return err
}

func (s *segment) read(offset int64, n int) ([]byte, error) {
	b := make([]byte, n)
	if got, err := s.file.ReadAt(b, offset); got < n {
		if err == nil || err == io.EOF {
			err = corrupt("ends at %d", offset+int64(got))
		}
		return nil, err
	}
	return b, nil
}

func appendSegmentHeader(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, segmentMagic...)
	dst = append(dst, segmentVersion, 0, 0, 0)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// checkSegmentHeader tells by the checksum a later version from damage.
func checkSegmentHeader(b []byte) error {
	if string(b[:8]) != segmentMagic || crc32.Checksum(b[:12], castagnoli) != binary.LittleEndian.Uint32(b[12:]) {
		return corrupt("not the header of an index segment")
	}
	if b[8] > segmentVersion {
		return fmt.Errorf("of version %d (this mlvc reads up to %d): %w", b[8], segmentVersion, objects.ErrNewer)
	}
	if !bytes.Equal(b, appendSegmentHeader(nil)) {
		return corrupt("header")
	}
	return nil
}

func appendTable(dst []byte, packs []listedPack) []byte {
	for _, p := range packs {
		dst = append(dst, p.ID[:]...)
		dst = append(dst, byte(p.role))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(p.Size))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(p.Count))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p.Bases)))
		for _, id := range p.Bases {
			dst = append(dst, id[:]...)
		}
	}
	return dst
}

func decodeTable(b []byte, count int) ([]listedPack, error) {
	if count < 1 || count > len(b)/packSize {
		return nil, corrupt("table of %d packs", count)
	}
	packs := make([]listedPack, 0, count)
	for range count {
		if len(b) < packSize {
			return nil, corrupt("table of packs: cut off")
		}
		p := listedPack{role: role(b[32])}
		p.ID, p.Type = objects.ID(b[:32]), pack.TypeMeta
		if p.role == roleData {
			p.Type = pack.TypeData
		}
		p.Size, p.Count = int64(binary.LittleEndian.Uint32(b[33:])), int(binary.LittleEndian.Uint32(b[37:]))
		bases := int64(binary.LittleEndian.Uint32(b[41:]))
		b = b[packSize:]
		if p.role < roleData || p.role > roleNames || p.Size > pack.MaxSize || p.Count < 1 || int64(p.Count) > p.Size ||
			bases*objects.IDSize > int64(len(b)) || len(packs) > 0 && compareIDs(packs[len(packs)-1].ID, p.ID) >= 0 {
			return nil, corrupt("table of packs: %s", p.ID)
		}
		for range bases {
			p.Bases, b = append(p.Bases, objects.ID(b[:32])), b[32:]
		}
		packs = append(packs, p)
	}
	if len(b) > 0 {
		return nil, corrupt("%d bytes behind the table of packs", len(b))
	}
	return packs, nil
}

// records yields all records in order.
func (s *segment) records(ctx context.Context) func(yield func(record, error) bool) {
	return func(yield func(record, error) bool) {
		for c := (cursor{s: s}); c.page*pageRecords < s.ref.Records; c.page++ {
			err := ctx.Err()
			if err == nil {
				err = c.load(c.page)
			}
			if err != nil {
				yield(record{}, err)
				return
			}
			for b := c.buf; len(b) > 0; b = b[recordSize:] {
				if !yield(decodeSegmentRecord(b), nil) {
					return
				}
			}
		}
	}
}

// verifySegment checks every byte of a segment: that it has its ID, and is what
// a push writes.
func verifySegment(ctx context.Context, s *segment) error {
	id, err := sumFile(ctx, s.file, s.ref.Size)
	if err != nil {
		return err
	}
	if id != s.ref.ID {
		return corrupt("it has the ID %s", id)
	}
	if s.operation.IsZero() {
		return corrupt("no operation")
	}
	counts := make([]int, len(s.packs))
	var last record
	for r, err := range s.records(ctx) {
		if err != nil {
			return err
		}
		if !last.id.IsZero() && last.compare(r) >= 0 || r.id.IsZero() {
			return corrupt("record of %s is out of order", r.id)
		}
		p := s.packs[r.pack]
		if !p.role.holds(r.kind) || r.length < 1 || int64(r.offset)+int64(r.length) > p.Size {
			return corrupt("record of %s: %d bytes at %d of a pack of %d", r.id, r.length, r.offset, p.Size)
		}
		counts[r.pack]++
		last = r
	}
	for i, p := range s.packs {
		if counts[i] != p.Count {
			return corrupt("pack %s has %d records, not %d", p.ID, counts[i], p.Count)
		}
	}
	return nil
}
