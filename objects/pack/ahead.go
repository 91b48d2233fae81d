package pack

import (
	"context"
	"io"
)

// Ahead returns a Reader of the same pack that has the bytes of a place in
// memory, read at once: for records that lie together, whose own reads would
// each wait for the disk. It needs no Close, and r must stay open.
func (r *Reader) Ahead(ctx context.Context, at Place) (*Reader, error) {
	return r.ahead(ctx, at, false)
}

// Shared is Ahead for records that are used together: objects that are stored as
// they are lie in that memory, and each holds all of it.
func (r *Reader) Shared(ctx context.Context, at Place) (*Reader, error) {
	return r.ahead(ctx, at, true)
}

func (r *Reader) ahead(ctx context.Context, at Place, shared bool) (*Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &window{under: r.r, offset: at.Offset, buf: make([]byte, at.Length), shared: shared}
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
	shared bool // record may hand out buf itself
}

// record returns the bytes of a record, which nobody changes.
func (r *Reader) record(at Place) ([]byte, error) {
	if w, ok := r.r.(*window); ok && w.shared {
		if from := at.Offset - w.offset; w.has(from, at.Length) {
			return w.buf[from:][:at.Length:at.Length], nil
		}
	}
	buf := make([]byte, at.Length)
	return buf, readFull(r.r, buf, at.Offset)
}

// has reports whether so many bytes from one of buf on are there.
func (w *window) has(from int64, length int) bool {
	return from >= 0 && from+int64(length) <= int64(len(w.buf))
}

// ReadAt implements io.ReaderAt.
func (w *window) ReadAt(p []byte, offset int64) (int, error) {
	if from := offset - w.offset; w.has(from, len(p)) {
		return copy(p, w.buf[from:]), nil
	}
	return w.under.ReadAt(p, offset)
}
