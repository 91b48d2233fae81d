// Package prolly keeps immutable sorted maps from byte strings to byte
// strings as history-independent Merkle trees: equal maps have equal roots,
// however they came about, and maps that are nearly equal share nearly all
// their nodes. Trees, split tables and views are such maps. FORMAT.md says how
// a map is cut into nodes and how a node is written.
package prolly

import (
	"bytes"
	"context"
	"errors"
	"iter"

	"github.com/mlvc/mlvc/objects"
)

var (
	// ErrOrder is for keys given to Build or Apply that do not strictly rise.
	ErrOrder = errors.New("keys out of order")
	// ErrSize is for a key or value outside MaxKey and MaxValue, or an empty
	// key.
	ErrSize = errors.New("size out of bounds")
)

// Map is a map by the ID of its root. It is a value: maps are equal exactly if
// == says so. The zero Map is the empty map.
type Map struct{ root objects.ID }

var emptyNode = objects.Object{Kind: objects.KindNode, Data: []byte{nodeVersion, 0, 0}}

var emptyRoot = emptyNode.ID()

// Open returns the map with that root. It reads nothing: a root that is
// missing or is no map shows on first use.
func Open(root objects.ID) Map {
	if root == emptyRoot {
		return Map{}
	}
	return Map{root}
}

// Root returns the ID of the root node; an empty map has one too.
func (m Map) Root() objects.ID {
	if m.root.IsZero() {
		return emptyRoot
	}
	return m.root
}

// Item is an entry of a map. Items that a map hands out must not be changed
// and stay valid; their values are never nil.
type Item struct{ Key, Value []byte }

// Get returns the value of key, and whether the map has it.
func (m Map) Get(ctx context.Context, g objects.Getter, key []byte) ([]byte, bool, error) {
	c, err := newCursor(ctx, &reader{g: g}, m)
	if err != nil || c.done() {
		return nil, false, err
	}
	if err := c.seek(ctx, 0, key); err != nil {
		return nil, false, err
	}
	f := c.top()
	if f.ended() || !bytes.Equal(f.node.Key(f.i), key) {
		return nil, false, nil
	}
	return f.node.Value(f.i), true, nil
}

// Count returns the number of entries. It reads the root alone.
func (m Map) Count(ctx context.Context, g objects.Getter) (int64, error) {
	c, err := newCursor(ctx, &reader{g: g}, m)
	if err != nil || c.done() {
		return 0, err
	}
	return c.top().node.count, nil
}

// All returns every entry in key order. An error is the last thing yielded.
func (m Map) All(ctx context.Context, g objects.Getter) iter.Seq2[Item, error] {
	return m.Range(ctx, g, nil, nil)
}

// Prefix returns the entries whose keys begin with prefix, as All does.
func (m Map) Prefix(ctx context.Context, g objects.Getter, prefix []byte) iter.Seq2[Item, error] {
	return m.Range(ctx, g, prefix, afterPrefix(prefix))
}

// afterPrefix returns the least key above all that begin with prefix, or nil
// if there is none.
func afterPrefix(prefix []byte) []byte {
	for n := len(prefix); n > 0; n-- {
		if prefix[n-1] < 0xff {
			end := bytes.Clone(prefix[:n])
			end[n-1]++
			return end
		}
	}
	return nil
}

// Range returns the entries with from <= key < to, as All does; a nil to is
// the end. It reads the nodes that hold them and those on the way there.
func (m Map) Range(ctx context.Context, g objects.Getter, from, to []byte) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		c, err := newCursor(ctx, &reader{g: g}, m)
		if err == nil && !c.done() {
			err = c.scan(ctx, from, to, func(it Item) bool { return yield(it, nil) })
		}
		if err != nil {
			yield(Item{}, err)
		}
	}
}

// scan calls yield for the entries in [from, to) until it says false.
func (c *cursor) scan(ctx context.Context, from, to []byte, yield func(Item) bool) error {
	beyond := func(key []byte) bool { return to != nil && bytes.Compare(key, to) >= 0 }
	if err := c.seek(ctx, 0, from); err != nil || c.top().ended() {
		return err
	}
	for !c.done() {
		f := c.top()
		if f.node.level > 0 {
			if beyond(f.bound()) {
				return nil
			}
			if err := c.open(ctx); err != nil {
				return err
			}
			continue
		}
		it := Item{f.node.Key(f.i), f.node.Value(f.i)}
		if beyond(it.Key) || !yield(it) {
			return nil
		}
		c.next()
	}
	return nil
}
