package buckettest

import (
	"context"
	"io"
	"iter"
	"sync"

	"github.com/mlvc/mlvc/remote/bucket"
)

// Counts says how often each method was called, failures included, and how many
// bytes went each way.
type Counts struct {
	Get, GetRange, PutIfAbsent, Swap, List, Delete int

	In  int64 // bytes that the bucket handed out
	Out int64 // bytes that it was given
}

// Ops returns the number of all operations.
func (c Counts) Ops() int { return c.Get + c.GetRange + c.List + c.Writes() }

// Writes returns the number of those that change something.
func (c Counts) Writes() int { return c.PutIfAbsent + c.Swap + c.Delete }

// Counting is a bucket that counts what is done to another. Safe for
// concurrent use.
type Counting struct {
	bucket.Bucket

	mu     sync.Mutex
	counts Counts
}

var _ bucket.Bucket = (*Counting)(nil)

// NewCounting returns a bucket that does what inner does, and counts it.
func NewCounting(inner bucket.Bucket) *Counting { return &Counting{Bucket: inner} }

// Counts returns what was counted since the start or the last Reset.
func (c *Counting) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// Reset begins to count from zero.
func (c *Counting) Reset() { c.add(func(n *Counts) { *n = Counts{} }) }

func (c *Counting) add(count func(n *Counts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count(&c.counts)
}

// Get implements bucket.Bucket.
func (c *Counting) Get(ctx context.Context, key string) ([]byte, bucket.Version, error) {
	data, version, err := c.Bucket.Get(ctx, key)
	c.add(func(n *Counts) { n.Get++; n.In += int64(len(data)) })
	return data, version, err
}

// GetRange implements bucket.Bucket; In grows while the reader is read.
func (c *Counting) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	c.add(func(n *Counts) { n.GetRange++ })
	r, err := c.Bucket.GetRange(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	return &countingReader{ReadCloser: r, counting: c}, nil
}

type countingReader struct {
	io.ReadCloser
	counting *Counting
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.counting.add(func(c *Counts) { c.In += int64(n) })
	return n, err
}

// PutIfAbsent implements bucket.Bucket; Out grows by what is read of body.
func (c *Counting) PutIfAbsent(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	c.add(func(n *Counts) { n.PutIfAbsent++ })
	return c.Bucket.PutIfAbsent(ctx, key, &countingBody{ReaderAt: body, counting: c}, size)
}

type countingBody struct {
	io.ReaderAt
	counting *Counting
}

func (b *countingBody) ReadAt(p []byte, off int64) (int, error) {
	n, err := b.ReaderAt.ReadAt(p, off)
	b.counting.add(func(c *Counts) { c.Out += int64(n) })
	return n, err
}

// Swap implements bucket.Bucket.
func (c *Counting) Swap(ctx context.Context, key string, old bucket.Version, data []byte) (bucket.Version, error) {
	c.add(func(n *Counts) { n.Swap++; n.Out += int64(len(data)) })
	return c.Bucket.Swap(ctx, key, old, data)
}

// List implements bucket.Bucket; each run of the sequence counts once.
func (c *Counting) List(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		c.add(func(n *Counts) { n.List++ })
		c.Bucket.List(ctx, prefix)(yield)
	}
}

// Delete implements bucket.Bucket.
func (c *Counting) Delete(ctx context.Context, key string) error {
	c.add(func(n *Counts) { n.Delete++ })
	return c.Bucket.Delete(ctx, key)
}
