package worktree

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/objects"
)

// guarded passes changes on and stops at the first that no honest pair of
// trees has: an unsafe path, paths out of order, a path below a file.
func guarded(changes Changes) Changes {
	return func(yield func(Change, error) bool) {
		var last string
		var files prefixes
		for c, err := range changes {
			if err == nil {
				err = CheckPath(c.Path)
			}
			switch {
			case err != nil:
			case last != "" && c.Path <= last:
				err = fmt.Errorf("%q comes after %q: changes are out of order", c.Path, last)
			case c.Old == nil && c.New == nil:
				err = fmt.Errorf("%q: a change from nothing to nothing", c.Path)
			case c.New != nil && files.cover(c.Path):
				err = unsafePath(c.Path, "it lies below a file")
			}
			if err != nil {
				yield(Change{}, err)
				return
			}
			if isLeaf(c.New) {
				files.push(c.Path)
			}
			last = c.Path
			if !yield(c, nil) {
				return
			}
		}
	}
}

// isLeaf reports whether an entry is there and is no folder.
func isLeaf(e *objects.Entry) bool { return e != nil && e.Mode != objects.ModeDir }

// prefixes remembers those paths of a sorted stream that can still have
// something below them: each is a string prefix of the next.
type prefixes []string

func (p *prefixes) push(path string) {
	p.pop(path)
	*p = append(*p, path)
}

// pop forgets what is no string prefix of path: nothing after path can lie
// below it.
func (p *prefixes) pop(path string) {
	for n := len(*p); n > 0 && !strings.HasPrefix(path, (*p)[n-1]); n-- {
		*p = (*p)[:n-1]
	}
}

// cover reports whether path lies below one of them.
func (p *prefixes) cover(path string) bool {
	p.pop(path)
	for i := len(*p) - 1; i >= 0; i-- {
		if below(path, (*p)[i]) {
			return true
		}
	}
	return false
}

// has reports whether path itself is one of them.
func (p prefixes) has(path string) bool { return slices.Contains(p, path) }

// below reports whether path lies in the folder dir.
func below(path, dir string) bool {
	return dir == "" || len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir
}

// cursor joins the index to a stream of paths in order.
type cursor struct {
	next func() (Record, error, bool)
	stop func()
	at   Record
	have bool
}

func newCursor(index iter.Seq2[Record, error]) *cursor {
	if index == nil {
		return &cursor{next: func() (Record, error, bool) { return Record{}, nil, false }, stop: func() {}}
	}
	next, stop := iter.Pull2(index)
	c := &cursor{next: next, stop: stop, have: true}
	return c
}

// find returns what is known of path, or nil. Paths must come in order.
func (c *cursor) find(path string) (*Record, error) {
	for c.have && c.at.Path < path {
		var err error
		if c.at, err, c.have = c.next(); err != nil {
			return nil, fmt.Errorf("read the index: %w", err)
		}
	}
	if !c.have || c.at.Path != path {
		return nil, nil
	}
	known := c.at
	return &known, nil
}

// ordered runs work on what produce emits, several at once, and gives each
// with its result to consume in the order of emission. At most workers+2 are
// between emission and consumption. Produce and consume run in one goroutine
// each.
func ordered[T any](ctx context.Context, workers int, produce func(emit func(T) error) error,
	work func(context.Context, T) error, consume func(T) error,
) error {
	type slot struct {
		item T
		done chan struct{}
	}
	group, ctx := errgroup.WithContext(ctx)
	jobs, order := make(chan *slot), make(chan *slot, workers+1)
	emit := func(item T) error {
		s := &slot{item, make(chan struct{})}
		for _, queue := range []chan *slot{order, jobs} {
			select {
			case queue <- s:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	group.Go(func() error {
		defer close(order)
		defer close(jobs)
		return produce(emit)
	})
	for range workers {
		group.Go(func() error {
			for s := range jobs {
				if err := work(ctx, s.item); err != nil {
					return err
				}
				close(s.done)
			}
			return nil
		})
	}
	group.Go(func() error {
		for s := range order {
			select {
			case <-s.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := consume(s.item); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}
