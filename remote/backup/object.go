package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mlvc/mlvc/remote/bucket"
)

// object reads an object of a bucket by ranges of objectWindow bytes, one of
// which it holds: for those who read it from front to back. Safe for
// concurrent use.
type object struct {
	ctx    context.Context
	bucket bucket.Bucket
	key    string
	size   int64

	mu   sync.Mutex
	at   int64 // where the window begins
	held []byte
}

const objectWindow = 4 << 20

// openObject finds out how large an object is. One that is not there is
// bucket.ErrNotExist.
func openObject(ctx context.Context, b bucket.Bucket, key string) (*object, error) {
	for info, err := range b.List(ctx, key) {
		if err != nil {
			return nil, err
		}
		if info.Key == key {
			return &object{ctx: ctx, bucket: b, key: key, size: info.Size}, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", key, bucket.ErrNotExist)
}

// ReadAt implements io.ReaderAt.
func (o *object) ReadAt(p []byte, offset int64) (n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for n < len(p) {
		at := offset + int64(n)
		if at >= o.size {
			return n, io.EOF
		}
		if at < o.at || at >= o.at+int64(len(o.held)) {
			if err := o.fill(at - at%objectWindow); err != nil {
				return n, err
			}
		}
		n += copy(p[n:], o.held[at-o.at:])
	}
	return n, nil
}

// fill reads the window that begins at a place.
func (o *object) fill(at int64) error {
	length := min(objectWindow, o.size-at)
	if o.held = o.held[:0]; int64(cap(o.held)) < length {
		o.held = make([]byte, 0, objectWindow)
	}
	r, err := o.bucket.GetRange(o.ctx, o.key, at, length)
	if err != nil {
		return err
	}
	window := o.held[:length]
	_, err = io.ReadFull(r, window)
	if err = errors.Join(err, r.Close()); err == nil {
		o.at, o.held = at, window
	}
	return err
}
