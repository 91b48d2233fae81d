package history

import (
	"context"
	"iter"

	"github.com/mlvc/mlvc/objects"
)

// Options say what a walk leaves out.
type Options struct {
	// Hide are commits that are not yielded, nor are their ancestors.
	Hide []objects.ID
	// FirstParent follows only the first parent of each commit, hidden ones
	// included.
	FirstParent bool
}

// Walk yields the commits that tips reach, each once: children before their
// parents, and otherwise newest first, whatever the clocks said. It reads
// commits as they are asked for, and ahead only those that may still have the
// next one as a parent: those whose generation is not lower. All commits
// without a generation are read first.
//
// It holds the commits of the frontier and of what was read ahead, and the ID
// of each commit that it has yielded.
func Walk(ctx context.Context, g objects.Getter, tips []objects.ID, opt Options) iter.Seq2[Commit, error] {
	return func(yield func(Commit, error) bool) {
		w := &walker{
			ctx: ctx, g: g, firstParent: opt.FirstParent,
			nodes:   make(map[objects.ID]*node),
			explore: queue{before: higher}, ready: queue{before: newer},
		}
		if err := w.start(tips, opt.Hide); err != nil {
			yield(Commit{}, err)
			return
		}
		for {
			n, err := w.next()
			if err != nil {
				yield(Commit{}, err)
				return
			}
			if n == nil || !yield(n.Commit, nil) {
				return
			}
		}
	}
}

// A walk has two fronts. The front of exploring has read a commit but not yet
// counted it as a child of its parents; the front of yielding holds commits
// all of whose known children were yielded.
//
//  1. The candidate is the newest commit that waits for no child.
//  2. Every commit whose generation is not lower than the candidate's is
//     explored first. A child of the candidate is among those, so if the
//     candidate still waits for no child, it has none left.
//  3. The candidate is yielded, and its parents wait for one child less. That
//     it is hidden is handed on to its parents at that moment: by then all
//     of its own children have done so.
type walker struct {
	ctx         context.Context
	g           objects.Getter
	firstParent bool

	nodes   map[objects.ID]*node // every commit met; nil once it was yielded
	explore queue                // met, not yet explored; highest generation first
	ready   queue                // may wait for no child; newest first
	visible int                  // commits in nodes that are not hidden
}

// node is a commit that a walk has met.
type node struct {
	Commit
	children int // that were explored and not yet yielded
	hidden   bool
	done     bool // yielded, or passed over because it is hidden

	// A painter's.
	side   side
	queued bool
}

func (w *walker) start(tips, hide []objects.ID) error {
	for _, id := range hide {
		n, err := w.meet(id)
		if err != nil {
			return err
		}
		w.hide(n)
	}
	for _, id := range tips {
		if _, err := w.meet(id); err != nil {
			return err
		}
	}
	for _, n := range w.nodes {
		w.ready.push(n)
	}
	return nil
}

// next returns the next commit to yield, or nil at the end.
func (w *walker) next() (*node, error) {
	for w.visible > 0 {
		candidate := w.ready.peek()
		if e := w.explore.peek(); e != nil && (candidate == nil || e.rank() >= candidate.rank()) {
			if err := w.expand(w.explore.pop()); err != nil {
				return nil, err
			}
			continue
		}
		n := w.ready.pop()
		if n.done || n.children > 0 {
			continue // it comes again when its last child is yielded
		}
		w.finish(n)
		if !n.hidden {
			return n, nil
		}
	}
	return nil, nil
}

// meet returns the node of a commit, reading it if it is new, and nil if it
// was yielded already.
func (w *walker) meet(id objects.ID) (*node, error) {
	if n, met := w.nodes[id]; met {
		return n, nil
	}
	c, err := Read(w.ctx, w.g, id)
	if err != nil {
		return nil, err
	}
	n := &node{Commit: c}
	w.nodes[id] = n
	w.explore.push(n)
	w.visible++
	return n, nil
}

// expand counts n as a child of its parents.
func (w *walker) expand(n *node) error {
	for _, id := range w.parents(n) {
		parent, err := w.meet(id)
		if err != nil {
			return err
		}
		if parent != nil {
			parent.children++
		}
	}
	return nil
}

// finish takes n out of the walk and releases its parents.
func (w *walker) finish(n *node) {
	n.done = true
	w.nodes[n.ID] = nil
	if !n.hidden {
		w.visible--
	}
	for _, id := range w.parents(n) {
		parent := w.nodes[id]
		if parent == nil {
			continue
		}
		if n.hidden {
			w.hide(parent)
		}
		if parent.children--; parent.children == 0 {
			w.ready.push(parent)
		}
	}
}

func (w *walker) hide(n *node) {
	if n != nil && !n.hidden {
		n.hidden = true
		w.visible--
	}
}

func (w *walker) parents(n *node) []objects.ID {
	if w.firstParent && len(n.Parents) > 1 {
		return n.Parents[:1]
	}
	return n.Parents
}
