package remote

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
	"github.com/mlvc/mlvc/objects/prolly"
)

// closure finds what the wanted commits reach and dst lacks:
//
//  1. Commits are painted from the wanted and from those that dst holds whole,
//     highest generation first, until only painted ones are left to look at.
//     A commit that both reach is held. Where generations are not known more
//     is looked at, and nothing is missed.
//  2. Each commit that is wanted is compared with its first parent, oldest first.
//     prolly.Diff reads every node that the parent's tree does not have, and few
//     others: the nodes read are the nodes to bring. What lies below is walked
//     from the entries that differ.
//  3. dst is asked in batches what it lacks, src where that lies.
//
// That dst has an object says nothing of what lies below it, so only commits
// that dst holds whole end the walk.
type closure struct {
	dst, src Endpoint
	near     objects.Getter
	quick    objects.Getter
	plan     *plan
	metaOnly bool
	progress func()

	seen   map[objects.ID]bool // metadata that was looked at
	recent map[objects.ID]bool // contents that were, of late
	ask    []objects.ID        // what dst was not asked for yet
}

const (
	askBatch   = 4096
	maxRecent  = 1 << 16
	wantedMark = 1
	heldMark   = 2
)

func newClosure(dst, src Endpoint, metaOnly bool, p *plan) *closure {
	c := &closure{
		dst: dst, src: src, plan: p, metaOnly: metaOnly,
		seen: make(map[objects.ID]bool), recent: make(map[objects.ID]bool),
	}
	c.near, c.quick = nearest(dst, src)
	return c
}

// nearest returns a getter that asks the local end first, and one that asks it
// alone and at no cost.
func nearest(dst, src Endpoint) (near, quick objects.Getter) {
	if l, ok := src.(*Local); ok {
		return &nearGetter{near: l, far: dst}, getterFunc(l.store.GetRecorded)
	}
	if l, ok := dst.(*Local); ok {
		// It is likely that the object is not there, so it is not looked for.
		quick = getterFunc(l.store.GetRecorded)
		return &nearGetter{near: quick, far: src}, quick
	}
	return src, src
}

type nearGetter struct{ near, far objects.Getter }

// Get implements objects.Getter. It fails with a *NotHeldError when neither
// end has the object.
func (g *nearGetter) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	o, err := g.near.Get(ctx, id)
	if err == nil {
		return o, nil
	}
	if ctx.Err() != nil {
		return o, ctx.Err() // not that the near end lacks it, which says nothing
	}
	far, farErr := g.far.Get(ctx, id)
	switch {
	case !errors.Is(farErr, objects.ErrNotFound):
		return far, farErr
	case errors.Is(err, objects.ErrNotFound):
		return o, &NotHeldError{ID: id}
	}
	return o, err
}

type getterFunc func(ctx context.Context, id objects.ID) (objects.Object, error)

func (f getterFunc) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	return f(ctx, id)
}

// run finds everything.
func (c *closure) run(ctx context.Context, w Want) error {
	commits, err := c.commits(ctx, w)
	if err != nil {
		return err
	}
	for i := len(commits) - 1; i >= 0; i-- {
		if err := c.commit(ctx, commits[i]); err != nil {
			return fmt.Errorf("commit %s: %w", commits[i].Short(), err)
		}
	}
	return c.flush(ctx)
}

func readCommit(ctx context.Context, g objects.Getter, id objects.ID) (objects.Commit, error) {
	o, err := g.Get(ctx, id)
	if err != nil {
		return objects.Commit{}, err
	}
	commit, err := objects.DecodeCommit(o)
	if err != nil {
		return commit, &objects.ObjectError{ID: id, Err: err}
	}
	return commit, nil
}

// commits returns the commits to bring, newest first.
func (c *closure) commits(ctx context.Context, w Want) ([]objects.ID, error) {
	p := painter{marks: make(map[objects.ID]uint8)}
	for _, id := range w.Have {
		if err := c.paint(ctx, &p, id, heldMark); err != nil {
			return nil, err
		}
	}
	for _, id := range w.Commits {
		if err := c.paint(ctx, &p, id, wantedMark); err != nil {
			return nil, err
		}
	}
	var order []objects.ID
	for p.wanted > 0 {
		item := p.pop()
		mark := p.marks[item.id]
		if mark == wantedMark && !item.again {
			order = append(order, item.id)
		}
		for _, id := range append([]objects.ID{item.base}, item.parents...) {
			if err := c.paint(ctx, &p, id, mark); err != nil {
				return nil, err
			}
		}
	}
	return slices.DeleteFunc(order, func(id objects.ID) bool { return p.marks[id] != wantedMark }), nil
}

// paint hands a mark on to a commit. Held ones that are not near are left out:
// what is wanted then ends later.
func (c *closure) paint(ctx context.Context, p *painter, id objects.ID, mark uint8) error {
	if id.IsZero() || p.marks[id]|mark == p.marks[id] {
		return nil
	}
	from := c.near
	if mark&heldMark != 0 {
		from = c.quick
	}
	commit, err := readCommit(ctx, from, id)
	if err != nil && mark&heldMark != 0 && ctx.Err() == nil {
		return nil //nolint:nilerr // see above
	}
	if err == nil {
		p.add(id, commit, mark)
	}
	return err
}

// painter holds the commits to look at.
type painter struct {
	marks  map[objects.ID]uint8
	queue  commitQueue
	wanted int // of the queue, those that only the wanted reach
	seq    int
}

type painted struct {
	id         objects.ID
	generation int
	parents    []objects.ID
	base       objects.ID
	mark       uint8 // when it was queued
	again      bool  // it was queued before
	seq        int
}

// add adds a mark to a commit and queues it to hand the mark on.
func (p *painter) add(id objects.ID, c objects.Commit, mark uint8) {
	old := p.marks[id]
	p.marks[id] = old | mark
	p.seq++
	item := painted{id, c.Generation, c.Parents, c.Base, old | mark, old != 0, p.seq}
	if item.mark == wantedMark {
		p.wanted++
	}
	heap.Push(&p.queue, item)
}

func (p *painter) pop() painted {
	item := heap.Pop(&p.queue).(painted)
	if item.mark == wantedMark {
		p.wanted--
	}
	return item
}

// commitQueue is a heap, the highest generation first, then what came first.
type commitQueue []painted

func (q commitQueue) Len() int { return len(q) }
func (q commitQueue) Less(i, k int) bool {
	if q[i].generation != q[k].generation {
		return q[i].generation > q[k].generation
	}
	return q[i].seq < q[k].seq
}
func (q commitQueue) Swap(i, k int) { q[i], q[k] = q[k], q[i] }
func (q *commitQueue) Push(x any)   { *q = append(*q, x.(painted)) }
func (q *commitQueue) Pop() any {
	last := len(*q) - 1
	item := (*q)[last]
	*q = (*q)[:last]
	return item
}

// commit adds one commit and what its first parent does not have.
func (c *closure) commit(ctx context.Context, id objects.ID) error {
	commit, err := readCommit(ctx, c.near, id)
	if err != nil {
		return err
	}
	if err := c.meta(ctx, id); err != nil {
		return err
	}
	var parent objects.Commit
	if len(commit.Parents) > 0 {
		if parent, err = readCommit(ctx, c.near, commit.Parents[0]); err != nil {
			return err
		}
	}
	if err := c.tree(ctx, parent.Tree, commit.Tree); err != nil {
		return err
	}
	for _, split := range commit.Splits {
		var old objects.ID
		for _, s := range parent.Splits {
			if s.Scheme == split.Scheme {
				old = s.Table
			}
		}
		err := c.nodes(ctx, old, split.Table, func(prolly.Change) error { return nil })
		if err != nil {
			return fmt.Errorf("split %s: %w", split.Scheme, err)
		}
	}
	return nil
}

func (c *closure) tree(ctx context.Context, old, root objects.ID) error {
	return c.nodes(ctx, old, root, func(change prolly.Change) error {
		if change.New == nil {
			return nil
		}
		var old objects.ID
		if was, err := objects.DecodeEntry(change.Old); err == nil {
			old = was.List
		}
		e, err := objects.DecodeEntry(change.New)
		if err == nil {
			err = c.content(ctx, e, old)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", change.Key, err)
		}
		return nil
	})
}

// nodes adds the nodes that the map at root has beyond that at old, and maybe
// a few of old, which are reachable too.
func (c *closure) nodes(ctx context.Context, old, root objects.ID, change func(prolly.Change) error) error {
	g := getterFunc(func(ctx context.Context, id objects.ID) (objects.Object, error) {
		o, err := c.near.Get(ctx, id)
		if err == nil {
			err = c.meta(ctx, id)
		}
		return o, err
	})
	for ch, err := range prolly.Diff(ctx, g, openMap(old), openMap(root)) {
		if err == nil {
			err = change(ch)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openMap is prolly.Open for which a zero ID is the empty map.
func openMap(root objects.ID) prolly.Map {
	if root.IsZero() {
		return prolly.Map{}
	}
	return prolly.Open(root)
}

// content adds the chunk or the list of an entry and, unless only metadata is
// wanted, the list's chunks; old is the list that the parent has there, if any.
func (c *closure) content(ctx context.Context, e objects.Entry, old objects.ID) error {
	switch {
	case e.Mode == objects.ModeDir:
		return nil
	case e.Size <= objects.SingleChunk:
		return c.chunk(ctx, e.Content)
	}
	return chunk.WalkBeyond(ctx, c.near, old, e.List, func(id objects.ID) (bool, error) {
		if c.seen[id] {
			return false, nil
		}
		return true, c.meta(ctx, id)
	}, func(run chunk.Run) error {
		return c.chunk(ctx, run.ID)
	})
}

// entries adds contents alone.
func (c *closure) entries(ctx context.Context, entries iter.Seq2[objects.Entry, error]) error {
	for e, err := range entries {
		if err == nil {
			err = c.content(ctx, e, objects.ID{})
		}
		if err != nil {
			return err
		}
	}
	return c.flush(ctx)
}

// meta adds a metadata object, once.
func (c *closure) meta(ctx context.Context, id objects.ID) error {
	if c.seen[id] {
		return nil
	}
	c.seen[id] = true
	return c.add(ctx, id)
}

// chunk adds a chunk; one that comes again later is found to be planned.
func (c *closure) chunk(ctx context.Context, id objects.ID) error {
	if c.metaOnly || c.recent[id] {
		return nil
	}
	if len(c.recent) == maxRecent {
		clear(c.recent)
	}
	c.recent[id] = true
	return c.add(ctx, id)
}

func (c *closure) add(ctx context.Context, id objects.ID) error {
	if c.ask = append(c.ask, id); len(c.ask) < askBatch {
		return nil
	}
	return c.flush(ctx)
}

// flush asks dst what of the batch it lacks, and plans to bring it.
func (c *closure) flush(ctx context.Context) error {
	ids := c.ask
	c.ask = c.ask[:0]
	if len(ids) == 0 {
		return nil
	}
	held, err := c.dst.Locate(ctx, ids)
	if err != nil {
		return err
	}
	var lacking []objects.ID
	for i, id := range ids {
		if held[i].Length == 0 {
			lacking = append(lacking, id)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	places, err := c.src.Locate(ctx, lacking)
	if err != nil {
		return err
	}
	for i, id := range lacking {
		c.plan.add(id, places[i], c.seen[id])
	}
	c.progress()
	return nil
}
