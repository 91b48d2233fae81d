// Package ordered runs work on a stream in parallel and yields the results in
// the stream's order.
package ordered

import (
	"context"
	"iter"
	"sync"
)

// batchSize is how many items a worker takes at once: enough to make handing
// them over cheap.
const batchSize = 32

// Map calls fn for every item of in, from up to workers goroutines, and yields
// the results in the order of in. At most 2 × workers batches of 32 items are
// under way or finished and not yet yielded, which bounds memory. The first
// error, of in, of fn, or of ctx, is yielded and ends it. When the caller
// stops early, the context that fn was given is cancelled, and Map returns
// after its goroutines have ended.
func Map[T, R any](ctx context.Context, in iter.Seq2[T, error], workers int, fn func(context.Context, T) (R, error)) iter.Seq2[R, error] {
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
			produce(ctx, in, jobs, order)
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
func produce[T, R any](ctx context.Context, in iter.Seq2[T, error], jobs, order chan<- *batch[T, R]) {
	b := newBatch[T, R]()
	send := func() bool {
		for _, to := range []chan<- *batch[T, R]{jobs, order} {
			select {
			case to <- b:
			case <-ctx.Done():
				return false
			}
		}
		b = newBatch[T, R]()
		return true
	}
	for item, err := range in {
		if err != nil {
			b.err = err
			send()
			return
		}
		b.items = append(b.items, item)
		if len(b.items) == batchSize && !send() {
			return
		}
	}
	if len(b.items) > 0 {
		send()
	}
}
