package chunk

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/mlvc/mlvc/objects"
)

// List yields the chunks of the list at root that hold the bytes from offset
// on, the first one covering offset; size is that of the whole content. What
// lies wholly before offset is not read. After an error, which wraps
// ErrCorrupt when the list is not the one valid list of such a content,
// nothing more is yielded.
func List(ctx context.Context, g objects.Getter, root objects.ID, size, offset int64) iter.Seq2[Span, error] {
	return func(yield func(Span, error) bool) {
		w := walker{ctx: ctx, getter: g}
		err := w.root(root, size, func(r Run, start int64) error {
			skip := max(0, min((offset-start)/int64(r.Length), r.Repeat))
			start += skip * int64(r.Length)
			for range r.Repeat - skip {
				if !yield(Span{Ref{r.ID, r.Length}, start}, nil) {
					return errStop
				}
				start += int64(r.Length)
			}
			return nil
		}, offset)
		if err != nil && err != errStop { //nolint:errorlint // errStop is never wrapped
			yield(Span{}, err)
		}
	}
}

// WalkList visits a whole list, for gc and for verifying: enter is called
// with each node before it is read, and leaves out what is below it by
// returning false; run is called with each run of chunks. The list is checked
// as far as it is visited.
func WalkList(ctx context.Context, g objects.Getter, root objects.ID, enter func(objects.ID) (bool, error), run func(Run) error) error {
	w := walker{ctx: ctx, getter: g, enter: enter}
	return w.root(root, -1, func(r Run, _ int64) error { return run(r) }, 0)
}

var errStop = errors.New("stop")

// walker goes through a list from left to right.
type walker struct {
	ctx    context.Context //nolint:containedctx // lives as long as one walk
	getter objects.Getter
	enter  func(objects.ID) (bool, error)
	last   objects.ID // of the run before, to see that runs are whole
}

func (w *walker) get(id objects.ID) (node, error) {
	if err := w.ctx.Err(); err != nil {
		return node{}, err
	}
	o, err := w.getter.Get(w.ctx, id)
	if err != nil {
		return node{}, fmt.Errorf("chunk list: %w", err)
	}
	n, err := decode(o)
	if err != nil {
		return node{}, &objects.ObjectError{ID: id, Err: err}
	}
	return n, nil
}

func damaged(id objects.ID, what string) error {
	return &objects.ObjectError{ID: id, Err: fmt.Errorf("%w: chunk list %s", objects.ErrCorrupt, what)}
}

// root checks what only the root can show, and walks. A size below zero is
// not checked.
func (w *walker) root(id objects.ID, size int64, run func(Run, int64) error, offset int64) error {
	if w.enter != nil {
		if ok, err := w.enter(id); err != nil || !ok {
			return err
		}
	}
	n, err := w.get(id)
	if err != nil {
		return err
	}
	if len(n.children) == 1 {
		return damaged(id, "has a root above its root")
	}
	if bytes, _, _ := n.total(); size >= 0 && bytes != size {
		return damaged(id, fmt.Sprintf("of %d bytes for a content of %d", bytes, size))
	}
	return w.walk(id, n, 0, offset, true, run)
}

// walk visits a node whose first byte is at start; last says that it is the
// last of its level, and so may end anywhere.
func (w *walker) walk(id objects.ID, n node, start, offset int64, last bool, run func(Run, int64) error) error {
	if !last && !n.ended() {
		return damaged(id, "node ends too early")
	}
	for _, r := range n.runs {
		end := start + int64(r.Length)*r.Repeat
		if r.ID == w.last {
			return damaged(id, "run in two parts")
		}
		w.last = r.ID
		if end > offset {
			if err := run(r, start); err != nil {
				return err
			}
		}
		start = end
	}
	for i, c := range n.children {
		if start+c.bytes > offset {
			if err := w.child(n.level-1, c, start, offset, last && i == len(n.children)-1, run); err != nil {
				return err
			}
		}
		start += c.bytes
	}
	return nil
}

func (w *walker) child(level int, c child, start, offset int64, last bool, run func(Run, int64) error) error {
	if w.enter != nil {
		if ok, err := w.enter(c.id); err != nil || !ok {
			w.last = objects.ID{}
			return err
		}
	}
	n, err := w.get(c.id)
	if err != nil {
		return err
	}
	if bytes, count, _ := n.total(); n.level != level || bytes != c.bytes || count != c.count {
		return damaged(c.id, "node is not what the node above says")
	}
	return w.walk(c.id, n, start, offset, last, run)
}

// ended reports whether the node's last item ends it.
func (n node) ended() bool {
	if n.level == 0 {
		return ends(0, len(n.runs), n.runs[len(n.runs)-1].ID)
	}
	return ends(n.level, len(n.children), n.children[len(n.children)-1].id)
}
