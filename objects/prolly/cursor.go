package prolly

import (
	"bytes"
	"context"
	"fmt"

	"github.com/mlvc/mlvc/objects"
)

// reader reads nodes and keeps the inner nodes that it read last, because
// several cursors of one operation pass through the same ones.
type reader struct {
	g     objects.Getter
	cache [16]cached // oldest first
}

type cached struct {
	id   objects.ID
	node *Node
}

// load returns the node of that ID. Errors name the node.
func (r *reader) load(ctx context.Context, id objects.ID) (*Node, error) {
	for i := len(r.cache) - 1; i >= 0; i-- {
		if hit := r.cache[i]; hit.node != nil && hit.id == id {
			r.keep(i, hit)
			return hit.node, nil
		}
	}
	o, err := r.g.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	n, err := DecodeNode(o)
	if err != nil {
		return nil, &objects.ObjectError{ID: id, Err: err}
	}
	if n.level > 0 {
		r.keep(0, cached{id, n})
	}
	return n, nil
}

// keep makes c the newest in place of what is at i.
func (r *reader) keep(i int, c cached) {
	copy(r.cache[i:], r.cache[i+1:])
	r.cache[len(r.cache)-1] = c
}

// root returns the frame that a map's root is.
func (r *reader) root(ctx context.Context, m Map) (frame, error) {
	id := m.Root()
	n, err := r.load(ctx, id)
	if err != nil {
		return frame{}, err
	}
	if n.level > 0 && n.Len() < 2 {
		return frame{}, damaged(id, "a root with one child")
	}
	return frame{node: n}, nil
}

// child returns the frame of child i of f, after checking that the child is
// what its parent says: a well-formed node in the wrong place does not pass.
func (r *reader) child(ctx context.Context, f frame, i int) (frame, error) {
	f.i = i
	id, low := f.node.Child(i), f.bound()
	n, err := r.load(ctx, id)
	switch {
	case err != nil:
		return frame{}, err
	case n.level != f.node.level-1:
		return frame{}, damaged(id, fmt.Sprintf("a map node of level %d below level %d", n.level, f.node.level))
	case n.Len() == 0, !bytes.Equal(n.last(), f.node.Key(i)), bytes.Compare(n.Key(0), low) <= 0:
		return frame{}, damaged(id, "keys of a map node outside what its parent says")
	case n.count != f.node.childCount(i):
		return frame{}, damaged(id, fmt.Sprintf("%d entries in a map node whose parent says %d", n.count, f.node.childCount(i)))
	}
	return frame{node: n, low: low}, nil
}

func damaged(id objects.ID, what string) error {
	return &objects.ObjectError{ID: id, Err: fmt.Errorf("%w: %s", objects.ErrCorrupt, what)}
}

// frame is a place in a node: at entry i. All keys of the node are above low.
type frame struct {
	node *Node
	i    int
	low  []byte
}

func (f *frame) ended() bool { return f.i == f.node.Len() }

// bound returns a key that all keys at and below entry i are above.
func (f *frame) bound() []byte {
	if f.i > 0 {
		return f.node.Key(f.i - 1)
	}
	return f.low
}

// cursor is a place in a map: a path of nodes from the root. It opens nodes
// only when told: at an inner node it stands before a whole subtree.
type cursor struct {
	r     *reader
	stack []frame // the root first; empty when past the end
}

// newCursor returns a cursor before everything that m holds.
func newCursor(ctx context.Context, r *reader, m Map) (*cursor, error) {
	c := &cursor{r: r}
	if m == (Map{}) {
		return c, nil
	}
	root, err := r.root(ctx, m)
	if err != nil {
		return nil, err
	}
	c.stack = append(c.stack, root)
	return c, nil
}

func (c *cursor) done() bool  { return len(c.stack) == 0 }
func (c *cursor) top() *frame { return &c.stack[len(c.stack)-1] }

// open goes into the subtree that the cursor stands before.
func (c *cursor) open(ctx context.Context) error {
	f := *c.top()
	child, err := c.r.child(ctx, f, f.i)
	if err != nil {
		return err
	}
	c.stack = append(c.stack, child)
	return nil
}

// next passes the entry or the subtree that the cursor stands before.
func (c *cursor) next() {
	c.top().i++
	for !c.done() && c.top().ended() {
		c.stack = c.stack[:len(c.stack)-1]
		if !c.done() {
			c.top().i++
		}
	}
}

// seek goes to the first entry of the given level that is not below key. If
// there is none it stands at the end of the level's last node, which is the
// node that such a key would be added to. The map is not empty.
func (c *cursor) seek(ctx context.Context, level uint8, key []byte) error {
	for len(c.stack) > 1 && bytes.Compare(c.top().node.last(), key) < 0 {
		c.stack = c.stack[:len(c.stack)-1]
	}
	for {
		f := c.top()
		f.i = f.node.search(key)
		if f.node.level == level {
			return nil
		}
		f.i = min(f.i, f.node.Len()-1)
		if err := c.open(ctx); err != nil {
			return err
		}
	}
}

// nextNode goes from a node of the given level to the start of the next one,
// which exists.
func (c *cursor) nextNode(ctx context.Context, level uint8) error {
	c.stack = c.stack[:len(c.stack)-1]
	c.next()
	for c.top().node.level > level {
		if err := c.open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// inLastNode reports whether no node of its level follows the one that the
// cursor is in.
func (c *cursor) inLastNode() bool {
	for _, f := range c.stack[:len(c.stack)-1] {
		if f.i < f.node.Len()-1 {
			return false
		}
	}
	return true
}

// holds reports whether the subtree that f, a place of the cursor other,
// stands before is a subtree of c's map too, at a place that c has not come
// to. On the way there it opens only nodes that the other map does not have.
func (c *cursor) holds(ctx context.Context, f *frame, other *cursor) (bool, error) {
	level, key := f.node.level, f.node.Key(f.i)
	at := len(c.stack) - 1
	for at >= 0 && (c.stack[at].node.level < level || bytes.Compare(c.stack[at].node.last(), key) < 0) {
		at--
	}
	if at < 0 {
		return false, nil
	}
	g := c.stack[at]
	i := g.node.search(key)
	if i < g.i || i == g.i && at < len(c.stack)-1 {
		return false, nil
	}
	for g.i = i; g.node.level > level; g.i = g.node.search(key) {
		// What the other map has further on cannot hold what it is before.
		if further, err := other.holds(ctx, &g, c); err != nil || further {
			return false, err
		}
		child, err := c.r.child(ctx, g, g.i)
		if err != nil {
			return false, err
		}
		g = child
	}
	return bytes.Equal(g.node.Key(g.i), key) && g.node.Child(g.i) == f.node.Child(f.i), nil
}
