package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mlvc/mlvc/remote/bucket"
)

// object reads an object of a bucket. A small one it holds; of a larger one it
// reads what it is asked for and no more, since parity goes through many places
// of it at once. Safe for concurrent use.
type object struct {
	ctx    context.Context
	bucket bucket.Bucket
	key    string
	size   int64

	mu   sync.Mutex
	held []byte
}

// maxHeld is the most bytes of an object that is held.
const maxHeld = 4 << 20

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
	want := p[:max(0, min(int64(len(p)), o.size-offset))]
	if o.size > maxHeld {
		n, err = o.read(want, offset)
	} else {
		n, err = o.copyHeld(want, offset)
	}
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (o *object) copyHeld(p []byte, offset int64) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if o.held == nil {
		all := make([]byte, o.size)
		if _, err := o.read(all, 0); err != nil {
			return 0, err
		}
		o.held = all
	}
	return copy(p, o.held[offset:]), nil
}

func (o *object) read(p []byte, offset int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r, err := o.bucket.GetRange(o.ctx, o.key, offset, int64(len(p)))
	if err != nil {
		return 0, err
	}
	n, err := io.ReadFull(r, p)
	return n, errors.Join(err, r.Close())
}
