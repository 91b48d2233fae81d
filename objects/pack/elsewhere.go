package pack

import (
	"io"

	"github.com/mlvc/mlvc/objects"
)

// NewReader returns a Reader of the pack of that ID and size in bytes, which r
// reads from wherever it lies; Close does not close r. Bases are those of the
// pack, in its order, or nil to look them up in its footer when a delta needs
// them. Nothing is read yet, and neither r nor bases need be trusted: what is
// handed out was checked against its ID.
func NewReader(r io.ReaderAt, size int64, id objects.ID, bases []objects.ID) *Reader {
	p := newReader(r, size, id)
	p.bases = bases
	return p
}
