package prolly

import (
	"bytes"
	"context"
	"iter"

	"github.com/mlvc/mlvc/objects"
)

// Change is one key in which two maps differ. Old is nil if the key was added,
// New if it was removed; a value that is there is never nil, even if empty.
type Change struct{ Key, Old, New []byte }

// Edit returns the edit that makes the change.
func (c Change) Edit() Edit {
	return Edit{Key: c.Key, Value: c.New, Delete: c.New == nil}
}

// Diff returns the changes from a to b in key order; an error is the last
// thing yielded. Below the two roots, a node that both maps have is not read,
// so that cost follows the change. The slices must not be changed and stay
// valid.
func Diff(ctx context.Context, g objects.Getter, a, b Map) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if a == b {
			return
		}
		d, err := newDiffer(ctx, g, a, b)
		for err == nil && !(d.a.done() && d.b.done()) {
			var c Change
			if c, err = d.step(ctx); err == nil && c.Key != nil && !yield(c, nil) {
				return
			}
		}
		if err != nil {
			yield(Change{}, err)
		}
	}
}

// Edits returns the edits that make changes, for Apply.
func Edits(changes iter.Seq2[Change, error]) iter.Seq2[Edit, error] {
	return func(yield func(Edit, error) bool) {
		for c, err := range changes {
			if !yield(c.Edit(), err) {
				return
			}
		}
	}
}

// How two maps are compared
//
// Two cursors move through the maps, each before an entry or before a subtree
// that is not opened yet. What lies before either cursor is dealt with.
//
//  1. Both before the same subtree: both pass it, unread.
//  2. Both before an entry: the lower key is a change, or with equal keys
//     different values are; who was compared passes.
//  3. Else take the higher of the two subtrees. If the other map has it too,
//     further on, then what the other has before it is changes: the other
//     moves, and this cursor waits for it. If not, the subtree is opened.
//
// In (3) the search in the other map opens inner nodes on the way to the
// subtree. A node there that this map has too does not hold the subtree if it
// lies further on here, and is not opened; it cannot lie on this cursor's own
// path, since it would have been passed by (1).

type differ struct {
	a, b *cursor
	// waiting is the cursor that (3) lets wait where it is; nil if none.
	waiting *cursor
}

func newDiffer(ctx context.Context, g objects.Getter, a, b Map) (*differ, error) {
	r := &reader{g: g}
	ca, err := newCursor(ctx, r, a)
	if err != nil {
		return nil, err
	}
	cb, err := newCursor(ctx, r, b)
	return &differ{a: ca, b: cb}, err
}

// step moves on by one subtree or entry. The change has a nil key if that
// showed none.
func (d *differ) step(ctx context.Context) (Change, error) {
	if d.a.done() || d.b.done() {
		if d.a.done() {
			return d.only(ctx, d.b)
		}
		return d.only(ctx, d.a)
	}
	fa, fb := d.a.top(), d.b.top()
	switch {
	case fa.node.level != fb.node.level:
	case fa.node.level == 0:
		return d.compare(fa, fb), nil // (2)
	case fa.node.Child(fa.i) == fb.node.Child(fb.i): // (1)
		d.a.next()
		d.b.next()
		d.waiting = nil
		return Change{}, nil
	}
	high, low := d.a, d.b // (3)
	if fb.node.level > fa.node.level {
		high, low = d.b, d.a
	}
	if d.waiting != high {
		held, err := low.holds(ctx, high.top(), high)
		if err != nil {
			return Change{}, err
		}
		if !held {
			return Change{}, high.open(ctx)
		}
		d.waiting = high
	}
	return d.only(ctx, low)
}

// only moves c on, which stands before what the other map does not have.
func (d *differ) only(ctx context.Context, c *cursor) (Change, error) {
	f := c.top()
	if f.node.level > 0 {
		return Change{}, c.open(ctx)
	}
	change := Change{Key: f.node.Key(f.i)}
	if c == d.a {
		change.Old = f.node.Value(f.i)
	} else {
		change.New = f.node.Value(f.i)
	}
	c.next()
	return change, nil
}

// compare compares the entries that the cursors stand before.
func (d *differ) compare(fa, fb *frame) Change {
	key, old := fa.node.Key(fa.i), fa.node.Value(fa.i)
	other, value := fb.node.Key(fb.i), fb.node.Value(fb.i)
	order := bytes.Compare(key, other)
	if order <= 0 {
		d.a.next()
	}
	if order >= 0 {
		d.b.next()
	}
	switch {
	case order < 0:
		return Change{Key: key, Old: old}
	case order > 0:
		return Change{Key: other, New: value}
	case bytes.Equal(old, value):
		return Change{}
	}
	return Change{Key: key, Old: old, New: value}
}
