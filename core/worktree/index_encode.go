package worktree

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/mlvc/mlvc/objects"
)

// The encoding is described in INDEX.md.

const (
	indexMagic   = "mlvcindx"
	indexVersion = 1
	headerSize   = len(indexMagic) + 4 + objects.IDSize + 4
	trailerSize  = 4 + 8 + 4

	// blockSize is the payload at which a block ends, in bytes.
	blockSize = 64 << 10
	// maxPath is the longest path that a record may have, in bytes.
	maxPath = 32767
	// maxEntry is the longest encoding of an entry.
	maxEntry = 1 + binary.MaxVarintLen64 + 2*objects.IDSize
	// maxBlock bounds what a decoder allocates: a block and one more record.
	maxBlock = blockSize + maxPath + maxEntry + 64

	flagInTree  = 1
	flagStamped = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// before is the record that the next one of its block is encoded against.
type before struct {
	mtime int64
	ino   uint64
}

// indexEncoder writes an index. Each checksum continues the one before it, so
// that a block that is lost, repeated or of another file shows.
type indexEncoder struct {
	w     io.Writer
	crc   uint32
	count uint64
	last  string // the path of the record before
	block []byte // four bytes for the length, then the payload
	before
}

func newIndexEncoder(w io.Writer, base objects.ID) (*indexEncoder, error) {
	e := &indexEncoder{w: w, block: make([]byte, 4, maxBlock+8)}
	head := append([]byte(indexMagic), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(head[len(indexMagic):], indexVersion)
	return e, e.section(append(head, base[:]...))
}

// section writes bytes and the checksum that continues to them.
func (e *indexEncoder) section(b []byte) error {
	e.crc = crc32.Update(e.crc, castagnoli, b)
	_, err := e.w.Write(binary.LittleEndian.AppendUint32(b, e.crc))
	return err
}

// add appends a record. Paths must ascend.
func (e *indexEncoder) add(r *Record) error {
	if r.Path == "" || len(r.Path) > maxPath {
		return fmt.Errorf("index: path of %d bytes: %.40q", len(r.Path), r.Path)
	}
	if r.Path <= e.last {
		return fmt.Errorf("index: path %q after %q", r.Path, e.last)
	}
	shared := 0
	if len(e.block) > 4 {
		shared = commonPrefix(e.last, r.Path)
	}
	b := binary.AppendUvarint(e.block, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(r.Path)-shared))
	b = append(b, r.Path[shared:]...)
	b = e.appendFlags(b, r)
	at := len(b)
	b = r.Entry.Append(append(b, 0))
	b[at] = byte(len(b) - at - 1)
	e.block, e.last = b, r.Path
	e.count++
	if len(b)-4 >= blockSize {
		return e.flush()
	}
	return nil
}

func (e *indexEncoder) appendFlags(b []byte, r *Record) []byte {
	var flags byte
	if r.InTree {
		flags |= flagInTree
	}
	if r.Stamp.IsZero() {
		return append(b, flags)
	}
	s := &r.Stamp
	b = append(b, flags|flagStamped)
	b = binary.AppendUvarint(b, zigzag(s.Size-r.Entry.Size))
	b = binary.AppendUvarint(b, zigzag(s.Mtime-e.mtime))
	b = binary.AppendUvarint(b, zigzag(s.Ctime-s.Mtime))
	b = binary.AppendUvarint(b, zigzag(int64(s.Ino-e.ino)))
	e.before = before{mtime: s.Mtime, ino: s.Ino}
	return b
}

func (e *indexEncoder) flush() error {
	if len(e.block) == 4 {
		return nil
	}
	binary.LittleEndian.PutUint32(e.block, uint32(len(e.block)-4))
	err := e.section(e.block)
	e.block, e.before = e.block[:4], before{}
	return err
}

// close writes what is left and the trailer.
func (e *indexEncoder) close() error {
	if err := e.flush(); err != nil {
		return err
	}
	return e.section(binary.LittleEndian.AppendUint64(make([]byte, 4, trailerSize), e.count))
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
