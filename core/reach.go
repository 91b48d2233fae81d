package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/refs"
)

// reach collects everything that gc keeps. Whatever cannot be read ends it:
// what lies below is not known, so nothing may go.
type reach struct {
	*session
	live *store.Live
	ops  int
	done *store.Live // what is below these is not looked at; nil: none
}

// reachable walks from every root: the operations of the log that are kept,
// with all that their views name, and the moves of the young; the tree of the
// stat cache; unfinished work; while paired, what pointers in git name. Operations are kept when they are younger than since or not
// older than the operation marked (zero: none), and the one before the young.
func (s *session) reachable(ctx context.Context, since time.Time, marked objects.ID) (*reach, error) {
	w := &reach{session: s, live: store.NewLive()}
	ops, err := s.keptOperations(ctx, since, marked)
	if err != nil {
		return nil, err
	}
	w.ops = len(ops)
	for _, op := range ops {
		if err := w.operation(ctx, op, !op.Op.When.Before(since)); err != nil {
			return nil, fmt.Errorf("operation %s: %w", op.ID.Short(), err)
		}
	}
	if err := w.workingTree(ctx); err != nil {
		return nil, err
	}
	if err := w.gitPointers(ctx); err != nil {
		return nil, err
	}
	return w, nil
}

// keptOperations returns the newest part of the log that is kept. It ends
// where gc has removed what came before.
func (s *session) keptOperations(ctx context.Context, since time.Time, marked objects.ID) ([]refs.Logged, error) {
	var ops []refs.Logged
	keep := 1
	for logged, err := range refs.Log(ctx, recorded{s.store}, s.op) {
		if errors.Is(err, objects.ErrNotFound) && len(ops) > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		ops = append(ops, logged)
		switch {
		case !logged.Op.When.Before(since):
			keep = len(ops) + 1 // with the one before, whose view it changed
		case logged.ID == marked:
			keep = max(keep, len(ops))
		}
	}
	if !marked.IsZero() && !slices.ContainsFunc(ops, func(l refs.Logged) bool { return l.ID == marked }) {
		return ops, nil // the log is not the one that the marks were made by
	}
	return ops[:min(len(ops), keep)], nil
}

// recorded reads what the database has, and does not look further.
type recorded struct{ store *store.Store }

func (r recorded) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	return r.store.GetRecorded(ctx, id)
}

// operation adds an operation and its view; of a young one, which can be
// undone, also what it moved names from.
func (w *reach) operation(ctx context.Context, op refs.Logged, young bool) error {
	w.live.Add(op.ID)
	if err := w.nodes(ctx, op.Op.View, nil); err != nil {
		return err
	}
	for ref, err := range refs.OpenView(w.store, op.Op.View).List(ctx, "") {
		if err != nil {
			return err
		}
		if err := w.commits(ctx, ref.Value.Commit); err != nil {
			return fmt.Errorf("%s: %w", ref.Name, err)
		}
	}
	if !young {
		return nil
	}
	for _, m := range op.Op.Moves {
		for _, id := range []objects.ID{m.Old.Commit, m.New.Commit} {
			if err := w.commits(ctx, id); err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
		}
	}
	return nil
}

// commits adds a commit and everything before it.
func (w *reach) commits(ctx context.Context, id objects.ID) error {
	for stack := []objects.ID{id}; len(stack) > 0; {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if id.IsZero() || w.done != nil && w.done.Has(id) || !w.live.Add(id) {
			continue
		}
		c, err := history.Read(ctx, w.store, id)
		if err != nil {
			return err
		}
		if err := w.tree(ctx, c.Tree); err != nil {
			return fmt.Errorf("commit %s: %w", id.Short(), err)
		}
		for _, split := range c.Splits {
			if err := w.nodes(ctx, split.Table, nil); err != nil {
				return fmt.Errorf("commit %s: split %s: %w", id.Short(), split.Scheme, err)
			}
		}
		stack = append(append(stack, c.Base), c.Parents...)
	}
	return nil
}

// nodes adds the nodes of a map, and calls leaf for those at the bottom.
func (w *reach) nodes(ctx context.Context, root objects.ID, leaf func(*prolly.Node) error) error {
	return treeMap(root).Walk(ctx, w.store, prolly.Visitor{
		Enter: func(id objects.ID) bool {
			return id != prolly.Map{}.Root() && w.live.Add(id)
		},
		Node: func(_ objects.ID, n *prolly.Node, err error) error {
			if err != nil || n.Level() > 0 || leaf == nil {
				return err
			}
			return leaf(n)
		},
	})
}

func (w *reach) tree(ctx context.Context, root objects.ID) error {
	return w.nodes(ctx, root, func(n *prolly.Node) error {
		for i := range n.Len() {
			e, err := decodeEntry(n.Key(i), n.Value(i))
			if err != nil {
				return err
			}
			if err := w.content(ctx, e); err != nil {
				return fmt.Errorf("%q: %w", n.Key(i), err)
			}
		}
		w.env.Events.Progress(Progress{Phase: PhaseScan, Files: int64(w.live.Len())})
		return nil
	})
}

func (w *reach) content(ctx context.Context, e objects.Entry) error {
	switch {
	case e.Mode == objects.ModeDir:
		return nil
	case e.Size <= objects.SingleChunk:
		w.live.AddChunk(e.Content)
		return nil
	}
	return chunk.WalkList(ctx, w.store, e.List, func(id objects.ID) (bool, error) {
		return w.live.Add(id), nil
	}, func(run chunk.Run) error {
		w.live.AddChunk(run.ID)
		return nil
	})
}

// partTables adds the split tables that say what a part has.
func (w *reach) partTables(ctx context.Context, part Part) error {
	for _, f := range part.Splits {
		if f.Table.IsZero() {
			continue
		}
		if err := w.nodes(ctx, f.Table, nil); err != nil {
			return fmt.Errorf("part: scheme %s: %w", f.Scheme, err)
		}
	}
	return nil
}

// workingTree adds what the part, the stat cache and unfinished work stand on.
func (w *reach) workingTree(ctx context.Context) error {
	index, err := worktree.OpenIndex(w.env.FS, w.indexPath())
	switch {
	case err == nil:
		base := index.Base()
		index.Close() //nolint:errcheck // it was only read
		err = w.tree(ctx, base)
		if errors.Is(err, objects.ErrNotFound) || errors.Is(err, objects.ErrCorrupt) {
			err = nil // a damaged index, or one of a lost tree: it is made anew
		}
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
	case !errors.Is(err, worktree.ErrIndexLost):
		return err
	}
	part, err := w.readPart()
	if err == nil {
		err = w.partTables(ctx, part)
	}
	if err != nil {
		return err
	}
	u, err := w.Unfinished()
	if err != nil || u == nil {
		return err
	}
	if u.Part != nil {
		if err := w.partTables(ctx, *u.Part); err != nil {
			return err
		}
	}
	for _, tree := range []objects.ID{u.From, u.To} {
		if err := w.tree(ctx, tree); err != nil {
			return fmt.Errorf("unfinished %s: %w", u.Verb, err)
		}
	}
	for _, m := range u.Moves {
		for _, id := range []objects.ID{m.Old, m.New} {
			if err := w.commits(ctx, id); err != nil {
				return fmt.Errorf("unfinished %s: %w", u.Verb, err)
			}
		}
	}
	return nil
}
