package prolly

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/mlvc/mlvc/objects"
)

// Edit is one change to a map: Key gets Value, or is deleted.
type Edit struct {
	Key, Value []byte
	Delete     bool
}

// Build puts the nodes of a map of the entries into s and returns the map.
// Keys must strictly rise. Items are copied before the next one is asked for.
// Memory is one node a level. Nothing is synced; on an error nodes that nothing
// refers to are left in s.
func Build(ctx context.Context, s objects.Store, entries iter.Seq2[Item, error]) (Map, error) {
	return apply(ctx, s, Map{}, func(yield func(Edit, error) bool) {
		for it, err := range entries {
			if !yield(Edit{Key: it.Key, Value: it.Value}, err) {
				return
			}
		}
	}, standard)
}

// Apply returns m with the edits made, having put into s the nodes that are
// new. Keys must strictly rise; to delete an absent key changes nothing. Edits
// are copied before the next one is asked for. Cost follows the edits: a
// subtree without edits is not read. Memory is a few nodes a level. Nothing is
// synced; on an error nodes that nothing refers to are left in s.
func Apply(ctx context.Context, s objects.Store, m Map, edits iter.Seq2[Edit, error]) (Map, error) {
	return apply(ctx, s, m, edits, standard)
}

func apply(ctx context.Context, s objects.Store, m Map, edits iter.Seq2[Edit, error], split splitter) (Map, error) {
	r := &rewrite{s: s, r: &reader{g: s}, split: split, old: m, height: -1}
	if m != (Map{}) {
		root, err := r.r.root(ctx, m)
		if err != nil {
			return Map{}, err
		}
		r.root, r.height = root, int(root.node.level)
	}
	leaf := r.newLevel(0)
	var last []byte
	for e, err := range edits {
		if err == nil {
			err = checkEdit(last, e)
		}
		if err == nil {
			err = leaf.edit(ctx, e)
		}
		if err != nil {
			return Map{}, err
		}
		last = append(last[:0], e.Key...)
	}
	return r.finish(ctx, leaf)
}

func checkEdit(last []byte, e Edit) error {
	if len(e.Key) == 0 || len(e.Key) > MaxKey || len(e.Value) > MaxValue {
		return fmt.Errorf("key of %d bytes with a value of %d: %w", len(e.Key), len(e.Value), ErrSize)
	}
	if bytes.Compare(e.Key, last) <= 0 {
		return fmt.Errorf("%q after %q: %w", e.Key, last, ErrOrder)
	}
	return nil
}

// How a map is rewritten
//
// Every level of a map is one sorted sequence of entries, cut into nodes; each
// node is an entry of the level above. Each level does the same work: it is
// given edits of its sequence in order, and gives the level above edits of
// its own: this child is gone, this child is new.
//
//  1. Clean. The new sequence so far ends where an old node ends. Old nodes
//     without edits are passed over: the level above keeps its entries for
//     them.
//  2. An edit comes. The level opens the old node that the edit's key lies in,
//     the last one if the key is above all, and takes over the entries
//     before it. From that node's start on it is dirty.
//  3. Dirty. Every entry, old or new, goes to the builder; where the splitter
//     says so, the node is closed and added to the level above. An old node
//     that is used up is dropped from the level above, and the next one is
//     gone into.
//  4. If an old node is used up at the moment at which a new one was closed,
//     the boundaries meet. What follows is cut as it was, since a cut depends
//     on nothing before the node's start: the level is clean again.
//  5. After the last old node nothing is left to meet, and the level stays
//     dirty: it only adds. A level that the old map does not have begins so,
//     which makes building a map the same as editing the empty one.
//
// At the end the lowest level that has a single node is the root. That and
// the rule for cuts make equal maps equal in every node, level by level.

// rewrite is one run of Apply.
type rewrite struct {
	s      objects.Store
	r      *reader
	split  splitter
	old    Map
	root   frame
	height int // level of the old root; -1 if the old map is empty
}

// level is the rewriting of one level.
type level struct {
	*rewrite
	depth   uint8
	old     *cursor // in an old node of this level; nil if there are none
	build   builder
	dirty   bool       // (3), else (1)
	ended   bool       // (5)
	touched bool       // was ever dirty
	closed  int        // nodes closed
	last    objects.ID // of the last one
	lastLen int        // its entries
	parent  *level
}

func (r *rewrite) newLevel(depth uint8) *level {
	l := &level{rewrite: r, depth: depth, build: builder{level: depth}}
	if int(depth) <= r.height {
		l.old = &cursor{r: r.r, stack: []frame{r.root}}
	} else {
		l.dirty, l.ended = true, true
	}
	return l
}

func (l *level) up() *level {
	if l.parent == nil {
		l.parent = l.newLevel(l.depth + 1)
	}
	return l.parent
}

// edit makes one edit of the lowest level, unless it changes nothing.
func (l *level) edit(ctx context.Context, e Edit) error {
	if err := l.seek(ctx, e.Key, false); err != nil {
		return err
	}
	old := l.entry(e.Key)
	if e.Delete == (old == nil) && (e.Delete || bytes.Equal(old, e.Value)) {
		return nil
	}
	if !e.Delete {
		if err := l.put(ctx, e.Key, e.Value); err != nil {
			return err
		}
		l.touched = true
	}
	if old != nil {
		return l.skip(ctx)
	}
	return nil
}

// entry returns the old value of key, which was sought, or nil.
func (l *level) entry(key []byte) []byte {
	if l.ended {
		return nil
	}
	if f := l.old.top(); !f.ended() && bytes.Equal(f.node.Key(f.i), key) {
		return f.node.Value(f.i)
	}
	return nil
}

// seek goes to the place of key: what is before it stays as it was (1), or is
// taken over (3). With toEnd it goes on until nothing is left to take over.
func (l *level) seek(ctx context.Context, key []byte, toEnd bool) error {
	for l.dirty && !l.ended {
		if l.old.top().ended() {
			if err := l.old.nextNode(ctx, l.depth); err != nil {
				return err
			}
			if err := l.seekParent(ctx); err != nil {
				return err
			}
		}
		for f := l.old.top(); !f.ended(); {
			if !toEnd && bytes.Compare(f.node.Key(f.i), key) >= 0 {
				return nil
			}
			if err := l.take(ctx); err != nil {
				return err
			}
		}
	}
	if l.dirty || toEnd {
		return nil
	}
	return l.old.seek(ctx, l.depth, key)
}

// seekParent brings the level above to its entry for the old node that this
// level is in.
func (l *level) seekParent(ctx context.Context) error {
	if int(l.depth) >= l.height {
		return nil
	}
	return l.up().seek(ctx, l.old.top().node.last(), false)
}

// touch makes a clean level dirty (2).
func (l *level) touch(ctx context.Context) error {
	if l.dirty {
		return nil
	}
	l.dirty, l.touched = true, true
	if err := l.seekParent(ctx); err != nil {
		return err
	}
	f := l.old.top()
	before := f.i
	f.i = 0
	for range before {
		if err := l.take(ctx); err != nil {
			return err
		}
	}
	return nil
}

// take takes over the old entry that the level stands before.
func (l *level) take(ctx context.Context) error {
	f := l.old.top()
	if err := l.add(ctx, f.node.Key(f.i), f.node.Value(f.i)); err != nil {
		return err
	}
	return l.pass(ctx)
}

// put adds a new entry where the level stands.
func (l *level) put(ctx context.Context, key, value []byte) error {
	if err := l.touch(ctx); err != nil {
		return err
	}
	return l.add(ctx, key, value)
}

// skip drops the old entry that the level stands before.
func (l *level) skip(ctx context.Context) error {
	if err := l.touch(ctx); err != nil {
		return err
	}
	return l.pass(ctx)
}

// pass steps over an old entry that was taken over or dropped.
func (l *level) pass(ctx context.Context) error {
	f := l.old.top()
	if f.i++; !f.ended() {
		return nil
	}
	if int(l.depth) < l.height {
		if err := l.up().skip(ctx); err != nil {
			return err
		}
	}
	if l.old.inLastNode() {
		l.ended = true
	} else if l.build.len == 0 {
		l.dirty = false // (4)
	}
	return nil
}

// add adds an entry to the node being built, and closes the node if it ends
// there.
func (l *level) add(ctx context.Context, key, value []byte) error {
	w := weight(key, value)
	l.build.add(key, value, w)
	if l.split.closes(l.depth, key, w, l.build.weight) {
		return l.close(ctx)
	}
	return nil
}

func (l *level) close(ctx context.Context) error {
	id, err := l.s.Put(ctx, l.build.object())
	if err != nil {
		return fmt.Errorf("put map node: %w", err)
	}
	ref := appendRef(make([]byte, 0, objects.IDSize+9), id, l.build.count)
	if err := l.up().put(ctx, l.build.last, ref); err != nil {
		return err
	}
	l.closed, l.last, l.lastLen = l.closed+1, id, l.build.len
	l.build.reset()
	return nil
}

// finish ends the rewriting, level by level, and finds the root.
func (r *rewrite) finish(ctx context.Context, l *level) (Map, error) {
	if !l.touched {
		if r.height < 0 {
			return r.empty(ctx)
		}
		return r.old, nil
	}
	for ; ; l = l.up() {
		if err := l.seek(ctx, nil, true); err != nil {
			return Map{}, err
		}
		if l.build.len > 0 {
			if err := l.close(ctx); err != nil {
				return Map{}, err
			}
		}
		switch {
		case int(l.depth) < r.height || l.closed > 1:
		case l.closed == 1 && l.lastLen == 1 && l.depth > 0:
			return r.collapse(ctx, l.last)
		case l.closed == 1:
			return Open(l.last), nil
		default:
			return r.empty(ctx)
		}
	}
}

func (r *rewrite) empty(ctx context.Context) (Map, error) {
	if _, err := r.s.Put(ctx, emptyNode); err != nil {
		return Map{}, fmt.Errorf("put map node: %w", err)
	}
	return Map{}, nil
}

// collapse finds the root of a map that has shrunk: the first node from the
// top that is not the parent of a single child.
func (r *rewrite) collapse(ctx context.Context, id objects.ID) (Map, error) {
	for {
		n, err := r.r.load(ctx, id)
		if err != nil {
			return Map{}, err
		}
		if n.level == 0 || n.Len() > 1 {
			return Open(id), nil
		}
		id = n.Child(0)
	}
}
