package worktree

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/mlvc/mlvc/objects"
)

// indexDecoder reads what an indexEncoder writes, and nothing else: every
// list of records has one valid encoding. Its errors wrap ErrIndexLost.
type indexDecoder struct {
	r     io.Reader
	base  objects.ID // known at the end
	crc   uint32
	count uint64 // of the records decoded
	want  uint64 // of all, which the trailer says
	ended bool

	section []byte // what was read since the last checksum
	payload []byte // what of the block is not decoded yet
	size    int    // the block's payload in all
	before

	// A batch of records, whose paths share one allocation.
	records []Record
	next    int
	paths   []byte
	ends    []int
	last    []byte // the path of the record before
}

// batchPaths is how many bytes of paths make a batch.
const batchPaths = 16 << 10

func newIndexDecoder(r io.Reader) (*indexDecoder, error) {
	d := &indexDecoder{r: r}
	return d, d.header()
}

// header reads what an index begins with.
func (d *indexDecoder) header() error {
	b, err := d.read(headerSize)
	if err != nil {
		return err
	}
	if string(b[:len(indexMagic)]) != indexMagic {
		return lost("not an index")
	}
	b = b[len(indexMagic):]
	if v := binary.LittleEndian.Uint32(b); v != indexVersion {
		return lost("version %d", v)
	}
	return d.check()
}

func lost(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrIndexLost}, args...)...)
}

// read appends n bytes to the section and returns them.
func (d *indexDecoder) read(n int) ([]byte, error) {
	at := len(d.section)
	if cap(d.section) < at+n {
		d.section = append(make([]byte, 0, at+n), d.section...)
	}
	d.section = d.section[:at+n]
	if _, err := io.ReadFull(d.r, d.section[at:]); err != nil {
		return nil, lost("%w", err)
	}
	return d.section[at:], nil
}

// check compares the checksum that ends the section.
func (d *indexDecoder) check() error {
	end := len(d.section) - 4
	d.crc = crc32.Update(d.crc, castagnoli, d.section[:end])
	if binary.LittleEndian.Uint32(d.section[end:]) != d.crc {
		return lost("wrong checksum")
	}
	d.section = d.section[:0]
	return nil
}

// record returns the next record, or nil at the end. It is valid until the
// next call; its path may be kept, which keeps those of its batch alive too.
func (d *indexDecoder) record() (*Record, error) {
	if d.next == len(d.records) {
		if err := d.fill(); err != nil || d.ended {
			return nil, err
		}
	}
	d.next++
	return &d.records[d.next-1], nil
}

// fill decodes the next batch.
func (d *indexDecoder) fill() error {
	d.records, d.next, d.paths, d.ends = d.records[:0], 0, d.paths[:0], d.ends[:0]
	if len(d.payload) == 0 && !d.ended {
		if err := d.nextBlock(); err != nil {
			return err
		}
		if d.ended && d.want != d.count {
			return lost("%d records, want %d", d.count, d.want)
		}
	}
	for len(d.payload) > 0 && len(d.paths) < batchPaths {
		if err := d.decode(); err != nil {
			return err
		}
	}
	paths, from := string(d.paths), 0
	for i, end := range d.ends {
		d.records[i].Path, from = paths[from:end], end
	}
	return nil
}

// nextBlock reads a block, or the trailer.
func (d *indexDecoder) nextBlock() error {
	b, err := d.read(4)
	if err != nil {
		return err
	}
	size := binary.LittleEndian.Uint32(b)
	switch {
	case size == 0:
		return d.trailer()
	case size > maxBlock:
		return lost("block of %d bytes", size)
	case d.size > 0 && d.size < blockSize:
		return lost("a short block before the last")
	}
	b, err = d.read(int(size) + 4)
	if err != nil {
		return err
	}
	d.payload, d.size, d.before = b[:size], int(size), before{}
	return d.check()
}

func (d *indexDecoder) trailer() error {
	b, err := d.read(trailerSize - 4)
	if err != nil {
		return err
	}
	d.want = binary.LittleEndian.Uint64(b)
	copy(d.base[:], b[8:])
	if err := d.check(); err != nil {
		return err
	}
	if n, err := io.ReadFull(d.r, make([]byte, 1)); n != 0 || err != io.EOF {
		return lost("more after the end")
	}
	d.ended = true
	return nil
}

// decode decodes one record and appends it to the batch.
func (d *indexDecoder) decode() error {
	first := len(d.payload) == d.size
	if d.size-len(d.payload) >= blockSize {
		return lost("a block that goes on too long")
	}
	if err := d.decodePath(first); err != nil {
		return err
	}
	d.records = append(d.records, Record{})
	r := &d.records[len(d.records)-1]
	flags, err := d.byte()
	if err != nil {
		return err
	}
	if flags > flagInTree|flagStamped {
		return lost("flags %#x", flags)
	}
	r.InTree = flags&flagInTree != 0
	var stamp [4]uint64
	if flags&flagStamped != 0 {
		for i := range stamp {
			if stamp[i], err = d.uvarint(); err != nil {
				return err
			}
		}
	}
	size, err := d.byte()
	if err != nil || int(size) > len(d.payload) {
		return lost("a record cut short")
	}
	if r.Entry, err = objects.DecodeEntry(d.payload[:size]); err != nil {
		return lost("%w", err)
	}
	d.payload = d.payload[size:]
	d.count++
	if flags&flagStamped != 0 {
		return d.setStamp(r, stamp)
	}
	return nil
}

func (d *indexDecoder) setStamp(r *Record, v [4]uint64) error {
	s := &r.Stamp
	s.Size = r.Entry.Size + unzigzag(v[0])
	s.Mtime = d.mtime + unzigzag(v[1])
	s.Ctime = s.Mtime + unzigzag(v[2])
	s.Ino = d.ino + uint64(unzigzag(v[3]))
	d.before = before{mtime: s.Mtime, ino: s.Ino}
	if s.IsZero() {
		return lost("a stamp that says nothing")
	}
	return nil
}

// decodePath appends the record's path to the batch's. It shares as much as
// it can with the path before, and comes after it.
func (d *indexDecoder) decodePath(first bool) error {
	shared, err := d.uvarint()
	if err != nil {
		return err
	}
	size, err := d.uvarint()
	if err != nil {
		return err
	}
	if size == 0 || size > uint64(len(d.payload)) || shared > uint64(len(d.last)) || shared+size > maxPath {
		return lost("a path of %d and %d bytes", shared, size)
	}
	rest := d.payload[:size]
	d.payload = d.payload[size:]
	switch {
	case first && (shared > 0 || bytes.Compare(rest, d.last) <= 0):
		return lost("a block out of order")
	case !first && int(shared) < len(d.last) && rest[0] <= d.last[shared]:
		return lost("paths out of order")
	}
	d.last = append(d.last[:shared], rest...)
	d.paths = append(d.paths, d.last...)
	d.ends = append(d.ends, len(d.paths))
	return nil
}

func (d *indexDecoder) byte() (byte, error) {
	if len(d.payload) == 0 {
		return 0, lost("a record cut short")
	}
	b := d.payload[0]
	d.payload = d.payload[1:]
	return b, nil
}

func (d *indexDecoder) uvarint() (uint64, error) {
	if len(d.payload) > 0 && d.payload[0] < 0x80 { // most are this short
		v := uint64(d.payload[0])
		d.payload = d.payload[1:]
		return v, nil
	}
	v, n := objects.Uvarint(d.payload)
	if n <= 0 {
		return 0, lost("not a number")
	}
	d.payload = d.payload[n:]
	return v, nil
}
