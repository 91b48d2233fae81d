package prolly

import (
	"bytes"
	"context"
	"iter"

	"github.com/mlvc/mlvc/objects"
)

// DiffRange returns the changes from a to b of the keys with from <= key < to,
// as Diff does; a nil to is the end. Beside the way to from it reads only
// nodes in which the maps differ there, so that the cost follows the change in
// the range, not the range and not the change elsewhere.
func DiffRange(ctx context.Context, g objects.Getter, a, b Map, from, to []byte) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		if a == b {
			return
		}
		d, err := newDiffer(ctx, g, a, b)
		if err == nil {
			err = d.start(ctx, from)
		}
		for err == nil && !(d.a.beyond(to) && d.b.beyond(to)) {
			var c Change
			if c, err = d.step(ctx); err != nil || c.Key == nil {
				continue
			}
			if to != nil && bytes.Compare(c.Key, to) >= 0 || !yield(c, nil) {
				return
			}
		}
		if err != nil {
			yield(Change{}, err)
		}
	}
}

// start puts both cursors before the first key that is not below from. Where
// the maps share a node on the way, both stand in it.
func (d *differ) start(ctx context.Context, from []byte) error {
	for _, c := range []*cursor{d.a, d.b} {
		if c.done() {
			continue
		}
		if err := c.seek(ctx, 0, from); err != nil {
			return err
		}
		if c.top().ended() {
			c.stack = nil // from is above every key
		}
	}
	return nil
}

// beyond reports whether no key below to is left.
func (c *cursor) beyond(to []byte) bool {
	if c.done() {
		return true
	}
	f := c.top()
	if to == nil {
		return false
	}
	if f.node.level == 0 {
		return bytes.Compare(f.node.Key(f.i), to) >= 0
	}
	return bytes.Compare(f.bound(), to) >= 0
}
