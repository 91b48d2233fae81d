// Package ordered runs work on a stream in parallel and yields the results in
// the stream's order.
package ordered

import (
	"context"
	"iter"
	"sync"
)

// A worker takes up to batchSize items at once, which makes handing them over
// cheap, but no more once they weigh batchWeight: the next worker begins.
const (
	batchSize   = 32
	batchWeight = 1 << 20
)

// Map calls fn for every item of in, from up to workers goroutines, and yields
// the results in the order of in. weight is about how many bytes of work an
// item is. At most 2 × workers batches of 32 items are
// under way or finished and not yet yielded, which bounds memory. The first
// error, of in, of fn, or of ctx, is yielded and ends it. When the caller
// stops early, the context that fn was given is cancelled, and Map returns
// after its goroutines have ended.
func Map[T, R any](ctx context.Context, in iter.Seq2[T, error], workers int, weight func(T) int64, fn func(context.Context, T) (R, error)) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()

		jobs := make(chan *batch[T, R], 2*workers)
		order := make(chan *batch[T, R], 2*workers)
		running.Go(func() {
			defer close(order)
			defer close(jobs)
			produce(ctx, in, weight, jobs, order)
		})
		for range workers {
			running.Go(func() {
				for b := range jobs {
					b.run(ctx, fn)
				}
			})
		}
		for b := range order {
			<-b.done
			for _, r := range b.results {
				if !yield(r, nil) {
					return
				}
			}
			if b.err != nil {
				var zero R
				yield(zero, b.err)
				return
			}
		}
		if err := ctx.Err(); err != nil {
			var zero R
			yield(zero, err)
		}
	}
}

type batch[T, R any] struct {
	items   []T
	results []R
	err     error // after the results
	done    chan struct{}
}

func newBatch[T, R any]() *batch[T, R] { return &batch[T, R]{done: make(chan struct{})} }

// run calls fn for the items; an error ends the batch, and one that came with
// the items stays behind their results.
func (b *batch[T, R]) run(ctx context.Context, fn func(context.Context, T) (R, error)) {
	defer close(b.done)
	b.results = make([]R, 0, len(b.items))
	for _, item := range b.items {
		if err := ctx.Err(); err != nil {
			b.err = err
			return
		}
		r, err := fn(ctx, item)
		if err != nil {
			b.err = err
			return
		}
		b.results = append(b.results, r)
	}
}

// produce cuts in into batches and hands each to the workers and, in order, to
// the consumer.
func produce[T, R any](ctx context.Context, in iter.Seq2[T, error], weight func(T) int64, jobs, order chan<- *batch[T, R]) {
	b, total := newBatch[T, R](), int64(0)
	send := func() bool {
		for _, to := range []chan<- *batch[T, R]{jobs, order} {
			select {
			case to <- b:
			case <-ctx.Done():
				return false
			}
		}
		b, total = newBatch[T, R](), 0
		return true
	}
	for item, err := range in {
		if err != nil {
			b.err = err
			send()
			return
		}
		b.items = append(b.items, item)
		total += weight(item)
		if (len(b.items) == batchSize || total >= batchWeight) && !send() {
			return
		}
	}
	if len(b.items) > 0 {
		send()
	}
}
