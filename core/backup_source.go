package core

import (
	"context"
	"io"
	"sync"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/remote"
)

// packed hands out contents that lie in the packs of an endpoint to package
// worktree: what is wanted together is looked up together, sorted by pack and
// offset, and what lies side by side is one read.
type packed struct {
	from    remote.Endpoint
	workers int
}

var _ worktree.Source = packed{}

// Batch implements worktree.Source.
func (p packed) Batch(ctx context.Context, entries []objects.Entry) (worktree.Batch, error) {
	b := &packedBatch{packed: p, entries: entries, at: make([]int, len(entries))}
	var ids []objects.ID
	for i, e := range entries {
		if e.Size <= objects.SingleChunk {
			b.at[i] = len(ids)
			ids = append(ids, e.Content)
		}
	}
	b.objs, b.errs = getPacked(ctx, p.from, ids)
	return b, ctx.Err()
}

// packedBatch holds contents that are one chunk, checked.
type packedBatch struct {
	packed
	entries []objects.Entry
	at      []int // of a single chunk: where it is in objs and errs
	objs    []objects.Object
	errs    []error
}

// WriteContent implements worktree.Batch.
func (b *packedBatch) WriteContent(ctx context.Context, i int, w io.Writer) error {
	e := b.entries[i]
	if e.Size <= objects.SingleChunk {
		return content.Read(ctx, got{b.objs[b.at[i]], b.errs[b.at[i]]}, e, w, 1)
	}
	large, err := newWindows(ctx, b.from, e)
	if err != nil {
		return err
	}
	return content.Read(ctx, large, e, w, b.workers)
}

// Close implements worktree.Batch.
func (b *packedBatch) Close() error { return nil }

// Records are read together while what lies between two costs less than a read
// of its own, up to a buffer's size.
const (
	packedGap  = 64 << 10
	packedSpan = 4 << 20
)

// getPacked gets objects, each with its own error.
func getPacked(ctx context.Context, from remote.Endpoint, ids []objects.ID) (objs []objects.Object, errs []error) {
	objs, errs = make([]objects.Object, len(ids)), make([]error, len(ids))
	places, err := from.Locate(ctx, ids)
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return objs, errs
	}
	var order []int
	for i, at := range places {
		if at.Length == 0 {
			errs[i] = &objects.ObjectError{ID: ids[i], Where: "the backup", Err: objects.ErrNotFound}
			continue
		}
		order = append(order, i)
	}
	for run := range pack.Runs(places, order, packedGap, packedSpan) {
		getRun(ctx, from, ids, places, run, objs, errs)
	}
	return objs, errs
}

// getRun gets the objects i of run, which lie side by side in one pack. What
// cannot be read together is read alone, so that damage costs what it lies in.
func getRun(ctx context.Context, from remote.Endpoint, ids []objects.ID, places []pack.Place, run []int, objs []objects.Object, errs []error) {
	first, last := places[run[0]], places[run[len(run)-1]]
	r, release, err := from.Open(ctx, first.Pack)
	if err == nil {
		defer release()
		first.Length = int(last.Offset-first.Offset) + last.Length
		r, err = r.Shared(ctx, first)
	}
	for _, i := range run {
		if err == nil {
			objs[i], errs[i] = r.ReadRecord(ctx, places[i], ids[i], from.Open)
		}
		if (err != nil || errs[i] != nil) && ctx.Err() == nil {
			objs[i], errs[i] = from.Get(ctx, ids[i])
		}
		if err != nil && errs[i] == nil && ctx.Err() != nil {
			errs[i] = ctx.Err()
		}
	}
}

// windowSize is about how many bytes of a large content are read at once.
const windowSize = 2 << 20

// windows is a Getter of the chunks of one large content, which are asked for
// about in order: with each that is not here yet those that follow it are read.
// Lists are got from the endpoint.
type windows struct {
	from remote.Endpoint
	runs []chunk.Run
	at   map[objects.ID]int // the first run of each chunk

	mu   sync.Mutex
	have map[objects.ID]*window
	held []*window // the newest last
	next int       // the run that no window has reached yet
}

// window is chunks that are read together.
type window struct {
	ids  []objects.ID
	done chan struct{}
	objs map[objects.ID]objects.Object
	errs map[objects.ID]error
}

// maxWindows is how many are kept: one that is asked for, and the one before it,
// which the slowest worker still needs.
const maxWindows = 2

func newWindows(ctx context.Context, from remote.Endpoint, e objects.Entry) (*windows, error) {
	w := &windows{from: from, at: make(map[objects.ID]int), have: make(map[objects.ID]*window)}
	every := func(objects.ID) (bool, error) { return true, nil }
	err := chunk.WalkList(ctx, from, e.List, every, func(r chunk.Run) error {
		if _, known := w.at[r.ID]; !known {
			w.at[r.ID] = len(w.runs)
		}
		w.runs = append(w.runs, r)
		return nil
	})
	return w, err
}

// Get implements objects.Getter.
func (w *windows) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	at, known := w.at[id]
	if !known {
		return w.from.Get(ctx, id)
	}
	w.mu.Lock()
	win := w.have[id]
	if win == nil {
		win = w.begin(at)
		w.mu.Unlock()
		win.fill(ctx, w.from)
	} else {
		w.mu.Unlock()
	}
	select {
	case <-win.done:
	case <-ctx.Done():
		return objects.Object{}, ctx.Err()
	}
	return win.objs[id], win.errs[id]
}

// begin makes the window of the chunks from a run on, and forgets the oldest;
// w.mu is held. A chunk that was read before and forgotten comes alone.
func (w *windows) begin(at int) *window {
	win := &window{done: make(chan struct{}), objs: make(map[objects.ID]objects.Object), errs: make(map[objects.ID]error)}
	size := int64(0)
	for again := at < w.next; at < len(w.runs) && size < windowSize && (!again || size == 0); at++ {
		r := w.runs[at]
		w.next = max(w.next, at+1)
		if w.have[r.ID] != nil {
			continue
		}
		w.have[r.ID] = win
		win.ids = append(win.ids, r.ID)
		size += int64(r.Length)
	}
	if w.held = append(w.held, win); len(w.held) > maxWindows {
		for _, id := range w.held[0].ids {
			delete(w.have, id)
		}
		w.held = w.held[1:]
	}
	return win
}

// fill reads the chunks of a window.
func (win *window) fill(ctx context.Context, from remote.Endpoint) {
	defer close(win.done)
	objs, errs := getPacked(ctx, from, win.ids)
	for i, id := range win.ids {
		win.objs[id], win.errs[id] = objs[i], errs[i]
	}
}
