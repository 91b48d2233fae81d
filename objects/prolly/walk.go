package prolly

import (
	"context"

	"github.com/mlvc/mlvc/objects"
)

// Visitor is what Walk calls.
type Visitor struct {
	// Enter is asked before a node is read; if it says no, the node and all
	// below it are passed over. A nil Enter wants every node.
	Enter func(id objects.ID) bool
	// Node is called with each node, parents first and in key order. If a
	// node cannot be read, or is not what its parent says, n is nil and err
	// names it; Node may return nil to go on beside it. An error that Node
	// returns ends the walk.
	Node func(id objects.ID, n *Node, err error) error
}

// Walk visits the nodes of m, each as often as it occurs; nodes that are
// shared with other maps, or were seen before, are for v.Enter to leave out.
func (m Map) Walk(ctx context.Context, g objects.Getter, v Visitor) error {
	w := walker{r: &reader{g: g}, v: v}
	return w.walk(ctx, m.Root(), func() (frame, error) { return w.r.root(ctx, m) })
}

type walker struct {
	r *reader
	v Visitor
}

func (w *walker) walk(ctx context.Context, id objects.ID, load func() (frame, error)) error {
	if w.v.Enter != nil && !w.v.Enter(id) {
		return nil
	}
	f, err := load()
	if err != nil {
		return w.v.Node(id, nil, err)
	}
	if err := w.v.Node(id, f.node, nil); err != nil || f.node.level == 0 {
		return err
	}
	for i := range f.node.Len() {
		child := func() (frame, error) { return w.r.child(ctx, f, i) }
		if err := w.walk(ctx, f.node.Child(i), child); err != nil {
			return err
		}
	}
	return nil
}
