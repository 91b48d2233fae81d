package remote

import (
	"context"
	"io"
)

// ranges reads a pack in the bucket, each read one request but for what is
// read ahead.
type ranges struct {
	ctx   context.Context
	cache *cache
	key   string
	size  int64
	ahead *readAhead // or nil
}

// ReadAt implements io.ReaderAt.
func (r ranges) ReadAt(p []byte, offset int64) (int, error) {
	if r.ahead == nil {
		return r.fetch(p, offset)
	}
	return r.ahead.read(r.ctx, r.key, r.size, p, offset, r.fetch)
}

func (r ranges) fetch(p []byte, offset int64) (int, error) {
	w := filling{buf: p}
	err := r.cache.receive(r.ctx, &w, r.key, offset, int64(len(p)))
	return w.n, r.cache.failed(r.key, err)
}

// checked is a pack that one goroutine verifies: what could not be read is told
// from what is wrong.
type checked struct {
	ranges
	failed error // the first
}

// ReadAt implements io.ReaderAt.
func (c *checked) ReadAt(p []byte, offset int64) (int, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	n, err := c.ranges.ReadAt(p, offset)
	c.failed = err
	return n, err
}

// filling is a Writer into a buffer that is large enough.
type filling struct {
	buf []byte
	n   int
}

func (f *filling) Write(p []byte) (int, error) {
	n := copy(f.buf[f.n:], p)
	f.n += n
	return n, nil
}

// counted reports what is read of a file that is being sent.
type counted struct {
	io.ReaderAt
	progress func(received, sent int64)
}

// ReadAt implements io.ReaderAt.
func (r counted) ReadAt(p []byte, offset int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, offset)
	r.progress(0, int64(n))
	return n, err
}
