package pack

import (
	"context"
	"io"
)

// Ahead returns a Reader of the same pack that has the bytes of a place in
// memory, read at once: for records that lie together, whose own reads would
// each wait for the disk. It needs no Close, and r must stay open.
func (r *Reader) Ahead(ctx context.Context, at Place) (*Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &window{under: r.r, offset: at.Offset, buf: make([]byte, at.Length)}
	if err := readFull(r.r, w.buf, at.Offset); err != nil {
		return nil, err
	}
	return &Reader{r: w, id: r.id, size: r.size, where: r.where, base: r.base}, nil
}

// window is a run of bytes in memory over all of them.
type window struct {
	under  io.ReaderAt
	offset int64
	buf    []byte
}

// ReadAt implements io.ReaderAt.
func (w *window) ReadAt(p []byte, offset int64) (int, error) {
	if from := offset - w.offset; from >= 0 && from+int64(len(p)) <= int64(len(w.buf)) {
		return copy(p, w.buf[from:]), nil
	}
	return w.under.ReadAt(p, offset)
}
