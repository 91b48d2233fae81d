package content

import "context"

// Stages of a pipeline talk through channels that they close only when all
// went well; after a failure the context ends everyone's waiting.

// send gives up when the pipeline fails.
func send[T any](ctx context.Context, ch chan<- T, v T) error {
	select {
	case ch <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// each calls fn with what comes through ch until ch is closed, which says that
// all has come, or the pipeline fails.
func each[T any](ctx context.Context, ch <-chan T, fn func(T) error) error {
	for {
		select {
		case v, ok := <-ch:
			if !ok {
				return context.Cause(ctx)
			}
			if err := fn(v); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// wait returns when done is closed; nil never is waited for.
func wait(ctx context.Context, done <-chan struct{}) error {
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
