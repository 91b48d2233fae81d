package core

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/mlvc/mlvc/core/backupplan"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
	"github.com/mlvc/mlvc/objects/prolly"
)

// lineWeighing goes along a history, oldest first, and knows at each commit
// what the history holds so far and what of it the commit's tree needs. For
// that it counts references, as the tree changes from commit to commit: of
// each content, chunk and node of a list, once for each place that names it.
// What no tree needs any more stays at zero; the history still has it.
type lineWeighing struct {
	repo        *Repo
	part, parts int
	refs        map[objects.ID]int32 // those of the part
	nodes       map[objects.ID]int32 // of chunk lists; of all parts, to know whether to go down
	pending     []weighStep
	sum         backupplan.Commit // Tree so far, Held and Objects of one commit
}

// weighStep is something to be looked up and counted.
type weighStep struct {
	id    objects.ID
	size  int64 // where it is not here
	tree  int64 // 1: the tree needs it now; -1: no more
	first bool  // the history has it only now
}

// weighLine weighs every commit of a line.
func (r *Repo) weighLine(ctx context.Context, line []lineCommit) ([]backupplan.Commit, error) {
	nodes, err := r.treeBytes(ctx, line)
	if err != nil {
		return nil, err
	}
	for parts := 1; ; parts *= 2 {
		all, err := r.weighLineIn(ctx, line, parts, nodes)
		if !errors.Is(err, errTooMany) {
			return all, err
		}
	}
}

// weighLineIn does it in parts of all IDs; nodes is what treeBytes returns.
func (r *Repo) weighLineIn(ctx context.Context, line []lineCommit, parts int, nodes int64) ([]backupplan.Commit, error) {
	all := make([]backupplan.Commit, 0, len(line))
	for _, c := range line {
		share := float64(c.files) / float64(max(1, line[len(line)-1].files))
		all = append(all, backupplan.Commit{
			Time: c.time, Files: c.files, Bytes: c.bytes, Tree: int64(float64(nodes) * share),
		})
	}
	for part := range parts {
		w := &lineWeighing{repo: r, part: part, parts: parts, refs: make(map[objects.ID]int32), nodes: make(map[objects.ID]int32)}
		if err := w.run(ctx, line, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// treeBytes is what the nodes of the newest tree come to; of the others it is
// taken to go with the number of their files.
func (r *Repo) treeBytes(ctx context.Context, line []lineCommit) (int64, error) {
	if len(line) == 0 {
		return 0, nil
	}
	var ids []objects.ID
	g := getterFunc(func(ctx context.Context, id objects.ID) (objects.Object, error) {
		ids = append(ids, id)
		return r.store.Get(ctx, id)
	})
	for _, err := range treeMap(line[len(line)-1].tree).All(ctx, g) {
		if err != nil {
			return 0, err
		}
	}
	var sum int64
	sizes, err := r.store.StoredSizes(ctx, ids)
	for _, n := range sizes {
		sum += n
	}
	return sum, err
}

// getterFunc is an objects.Getter.
type getterFunc func(ctx context.Context, id objects.ID) (objects.Object, error)

func (g getterFunc) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	return g(ctx, id)
}

// run adds this part of every commit to all.
func (w *lineWeighing) run(ctx context.Context, line []lineCommit, all []backupplan.Commit) error {
	var before objects.ID
	for i, c := range line {
		if err := w.side(ctx, c); err != nil {
			return err
		}
		if err := w.meta(c.id); err != nil {
			return err
		}
		if err := w.change(ctx, before, c.tree, true); err != nil {
			return err
		}
		if err := w.look(ctx); err != nil {
			return err
		}
		before = c.tree
		all[i].Tree += w.sum.Tree
		all[i].Held += w.sum.Held
		all[i].Objects += w.sum.Objects
		w.sum.Held, w.sum.Objects = 0, 0
	}
	return nil
}

// side adds what a merge brings that lies beside the line: commits that only
// its other parents reach.
func (w *lineWeighing) side(ctx context.Context, c lineCommit) error {
	if len(c.parents) < 2 {
		return nil
	}
	for other, err := range history.Walk(ctx, w.repo.store, c.parents[1:], history.Options{Hide: c.parents[:1]}) {
		if err != nil {
			return err
		}
		var base objects.ID
		if len(other.Parents) > 0 {
			if base, err = w.repo.treeOf(ctx, other.Parents[0]); err != nil {
				return err
			}
		}
		if err := w.meta(other.ID); err != nil {
			return err
		}
		if err := w.change(ctx, base, other.Tree, false); err != nil {
			return err
		}
	}
	return nil
}

// change counts what differs between two trees: all of it as held, and if the
// line goes from one to the other, what is needed now and what no more.
func (w *lineWeighing) change(ctx context.Context, from, to objects.ID, online bool) error {
	g := getterFunc(func(ctx context.Context, id objects.ID) (objects.Object, error) {
		if err := w.meta(id); err != nil {
			return objects.Object{}, err
		}
		return w.repo.store.Get(ctx, id)
	})
	for d, err := range prolly.Diff(ctx, g, treeMap(from), treeMap(to)) {
		if err != nil {
			return err
		}
		c, err := decodeChange(d)
		if err != nil {
			return err
		}
		step := int32(0)
		if online {
			step = 1
		}
		if c.New != nil {
			if err := w.entry(ctx, *c.New, step); err != nil {
				return err
			}
		}
		if c.Old != nil && online {
			if err := w.entry(ctx, *c.Old, -1); err != nil {
				return err
			}
		}
		if len(w.pending) >= weighWindow {
			if err := w.look(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// meta counts a commit or the node of a tree. What trees need of these is
// known without (treeBytes).
func (w *lineWeighing) meta(id objects.ID) error { return w.count(id, 0, 0) }

// entry counts the content of an entry: step is 1 for one more reference, -1
// for one less, 0 for none.
func (w *lineWeighing) entry(ctx context.Context, e objects.Entry, step int32) error {
	if e.Mode == objects.ModeDir {
		return nil
	}
	if e.Size <= objects.SingleChunk {
		return w.count(e.Content, e.Size, step)
	}
	enter := func(id objects.ID) (bool, error) {
		before, known := w.nodes[id]
		w.nodes[id] = before + step
		down := !known || step > 0 && before == 0 || step < 0 && before == 1
		if !down {
			return false, nil
		}
		return true, w.count(id, 0, step)
	}
	err := chunk.WalkList(ctx, w.repo.store, e.List, enter, func(run chunk.Run) error {
		return w.count(run.ID, int64(run.Length), step)
	})
	if errors.Is(err, objects.ErrNotFound) { // a list that is not here
		return w.count(e.Content, e.Size, step)
	}
	return err
}

// count counts references to an object of size bytes.
func (w *lineWeighing) count(id objects.ID, size int64, step int32) error {
	if int(binary.BigEndian.Uint16(id[:2]))*w.parts>>16 != w.part {
		return nil
	}
	before, known := w.refs[id]
	if !known && len(w.refs) == maxWeighed {
		return errTooMany
	}
	w.refs[id] = before + step
	s := weighStep{id: id, size: size, first: !known}
	switch {
	case step > 0 && before == 0:
		s.tree = 1
	case step < 0 && before == 1:
		s.tree = -1
	}
	if s.first || s.tree != 0 {
		w.pending = append(w.pending, s)
	}
	return nil
}

// weighWindow is about how many objects are looked up at once.
const weighWindow = 4096

// look finds out the stored sizes of what is pending and adds it up.
func (w *lineWeighing) look(ctx context.Context) error {
	ids := make([]objects.ID, 0, len(w.pending))
	for _, s := range w.pending {
		ids = append(ids, s.id)
	}
	sizes, err := w.repo.store.StoredSizes(ctx, ids)
	if err != nil {
		return err
	}
	for i, s := range w.pending {
		n := sizes[i]
		if n == 0 {
			n = s.size
		}
		w.sum.Tree += s.tree * n
		if s.first && n > 0 {
			w.sum.Held += n
			w.sum.Objects++
		}
	}
	w.pending = w.pending[:0]
	return nil
}
