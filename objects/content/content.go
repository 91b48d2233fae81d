// Package content takes whole files into a store and hands them out again.
// A content of up to objects.SingleChunk bytes is one chunk; a larger one is
// cut by package chunk and has a chunk list. The entry of a content depends
// on its bytes alone, never on how or after what it was written.
package content

import (
	"context"
	"errors"
	"io"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
)

// ErrChanged is for a source that has more or fewer bytes than its Size when
// it is read: the file is being written to.
var ErrChanged = errors.New("file changed while it was read")

// Store is what Write needs of a store. Put and PutDelta of a chunk must not
// keep o.Data after they return: it lies in a buffer that is used again.
type Store interface {
	objects.Store
	// PutDelta stores o like Put. It may store o as a difference against
	// the bytes of bases, existing chunks in the order of the old content,
	// at most DictMax bytes together, if that is smaller; used says that it
	// did, and is only a hint. A base that cannot be read is no error.
	// Idempotent, safe for concurrent use.
	PutDelta(ctx context.Context, o objects.Object, bases []objects.ID) (id objects.ID, used bool, err error)
}

// DictMax is the most bytes that the bases of one delta have together.
const DictMax = 1 << 20

// Source is the file to write. ReadAt is called by one goroutine at a time.
type Source interface {
	io.ReaderAt
	Size() int64
	// NextData returns the first run of bytes at or after offset that is not
	// a hole, as [start, end); start == end == the size when only holes
	// follow. Where holes are not known, all is data.
	NextData(offset int64) (start, end int64, err error)
}

// File is the part of an open file that a Source is made of.
type File interface {
	io.ReaderAt
	NextData(offset int64) (start, end int64, err error)
}

// Sized makes a Source of a file that had size bytes when it was looked at.
func Sized(f File, size int64) Source { return sized{f, size} }

type sized struct {
	File
	size int64
}

func (s sized) Size() int64 { return s.size }

// Bytes is a Source of bytes in memory.
type Bytes []byte

// ReadAt implements io.ReaderAt.
func (b Bytes) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(b)) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Size returns the number of bytes.
func (b Bytes) Size() int64 { return int64(len(b)) }

// NextData says that all is data.
func (b Bytes) NextData(offset int64) (start, end int64, err error) {
	return min(offset, b.Size()), b.Size(), nil
}

// zeros is what holes are made of; nobody writes to it.
var zeros [blockSize]byte

// zeroChunk is the longest chunk of zeros, which is what a long hole is cut
// into: the gear hash never cuts zeros before chunk.Default.Max.
var zeroChunk = chunk.Ref{
	ID:     objects.Sum(objects.KindChunk, zeros[:chunk.Default.Max]),
	Length: chunk.Default.Max,
}
