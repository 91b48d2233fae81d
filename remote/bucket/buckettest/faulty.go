package buckettest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"

	"github.com/mlvc/mlvc/remote/bucket"
)

// Kind is how an operation fails.
type Kind int

// The kinds of failure.
const (
	// Before fails and does nothing.
	Before Kind = iota
	// After does its work and then fails, as if the answer had been lost. A
	// reader fails at its end, a list after its last object.
	After
	// Midway lets a reader of GetRange fail after Plan.Bytes bytes, and a list
	// after its first object; others fail as After.
	Midway
)

// ErrFault is the failure that Faulty injects.
var ErrFault = errors.New("connection lost (injected)")

// Plan says which operation fails.
type Plan struct {
	// At is the operation that fails, counted from 1; 0: none.
	At   int
	Kind Kind
	// Bytes is how much a reader hands out before it fails Midway.
	Bytes int64
	// Sticky makes every operation after At fail too, and do nothing, as if
	// the process had died there.
	Sticky bool
	// Ops, if not empty, counts only the methods of these names, as in "Swap".
	Ops []string
}

// Faulty is a bucket on which one chosen operation fails, so that a test can
// sweep over all of them: run once without a failure, read Count, then run
// again for each operation. Safe for concurrent use.
type Faulty struct {
	bucket.Bucket
	plan Plan

	mu     sync.Mutex
	count  int
	failed string
}

var _ bucket.Bucket = (*Faulty)(nil)

// NewFaulty returns a bucket that does what inner does but for the plan.
func NewFaulty(inner bucket.Bucket, plan Plan) *Faulty { return &Faulty{Bucket: inner, plan: plan} }

// Count returns how many operations there have been.
func (f *Faulty) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// Failed returns the first operation that failed, as "Swap current"; empty if
// none has.
func (f *Faulty) Failed() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// op counts an operation; before is its failure if it is to do nothing, after
// the one if it is to do its work first.
func (f *Faulty) op(op, key string) (before, after error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.plan.Ops) > 0 && !slices.Contains(f.plan.Ops, op) {
		return nil, nil
	}
	f.count++
	at := f.plan.At
	if at == 0 || f.count < at || (f.count > at && !f.plan.Sticky) {
		return nil, nil
	}
	if f.failed == "" {
		f.failed = op + " " + key
	}
	err := fmt.Errorf("%s %s: %w", op, key, ErrFault)
	if f.plan.Kind == Before || f.count > at {
		return err, nil
	}
	return nil, err
}

// Get implements bucket.Bucket.
func (f *Faulty) Get(ctx context.Context, key string) ([]byte, bucket.Version, error) {
	before, after := f.op("Get", key)
	if before != nil {
		return nil, "", before
	}
	data, version, err := f.Bucket.Get(ctx, key)
	if after != nil {
		return nil, "", after
	}
	return data, version, err
}

// GetRange implements bucket.Bucket.
func (f *Faulty) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	before, after := f.op("GetRange", key)
	if before != nil {
		return nil, before
	}
	r, err := f.Bucket.GetRange(ctx, key, offset, length)
	if after == nil || err != nil {
		return r, err
	}
	left := int64(-1)
	if f.plan.Kind == Midway {
		left = f.plan.Bytes
	}
	return &faultyReader{ReadCloser: r, left: left, err: after}, nil
}

// faultyReader fails after left bytes; at the end if there are fewer or left is
// negative.
type faultyReader struct {
	io.ReadCloser
	left int64
	err  error
}

func (r *faultyReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, r.err
	}
	if r.left > 0 {
		p = p[:min(int64(len(p)), r.left)]
	}
	n, err := r.ReadCloser.Read(p)
	if r.left > 0 {
		r.left -= int64(n)
	}
	if err != nil {
		err = r.err
	}
	return n, err
}

// PutIfAbsent implements bucket.Bucket.
func (f *Faulty) PutIfAbsent(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	before, after := f.op("PutIfAbsent", key)
	if before != nil {
		return before
	}
	if err := f.Bucket.PutIfAbsent(ctx, key, body, size); after == nil {
		return err
	}
	return after
}

// Swap implements bucket.Bucket.
func (f *Faulty) Swap(ctx context.Context, key string, old bucket.Version, data []byte) (bucket.Version, error) {
	before, after := f.op("Swap", key)
	if before != nil {
		return "", before
	}
	version, err := f.Bucket.Swap(ctx, key, old, data)
	if after != nil {
		return "", after
	}
	return version, err
}

// List implements bucket.Bucket; each run of the sequence counts once.
func (f *Faulty) List(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		before, after := f.op("List", prefix)
		if before != nil {
			yield(bucket.Info{}, before)
			return
		}
		for info, err := range f.Bucket.List(ctx, prefix) {
			if !yield(info, err) {
				return
			}
			if after != nil && f.plan.Kind == Midway {
				break
			}
		}
		if after != nil {
			yield(bucket.Info{}, after)
		}
	}
}

// Delete implements bucket.Bucket.
func (f *Faulty) Delete(ctx context.Context, key string) error {
	before, after := f.op("Delete", key)
	if before != nil {
		return before
	}
	if err := f.Bucket.Delete(ctx, key); after == nil {
		return err
	}
	return after
}
