package core

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
)

// weight is what a set of contents comes to.
type weight struct {
	contents int64 // each once
	bytes    int64 // of them
	stored   int64 // of their chunks and lists in packs, each once
}

// weighed is what an ID of a weighing stands for: a content, an object, or, as
// of a file of one chunk, both.
type weighed struct {
	size    int64 // of the content
	content bool
	object  bool
}

// weighing holds the IDs of contents and of the chunks and lists that they are
// made of; in a weighing in parts, those that belong to its part.
type weighing struct {
	getter      objects.Getter
	part, parts int
	items       map[objects.ID]weighed
	seen        map[objects.ID]bool // nodes of chunk lists
}

// maxWeighed bounds the IDs that a weighing holds, and apart from those the
// nodes of lists that it remembers: at most some 150 MB.
const maxWeighed = 1 << 20

var (
	errTooMany     = errors.New("too many IDs")
	errNothingLeft = errors.New("nothing is left to remove")
)

// weigh sums up what fill adds and does not remove. Should that be more IDs
// than a weighing may hold, fill is called again, once for each of several
// parts of all IDs.
func (r *Repo) weigh(ctx context.Context, fill func(*weighing) error) (weight, error) {
	for parts := 1; ; parts *= 2 {
		sum, err := r.weighIn(ctx, parts, fill)
		if !errors.Is(err, errTooMany) {
			return sum, err
		}
	}
}

func (r *Repo) weighIn(ctx context.Context, parts int, fill func(*weighing) error) (weight, error) {
	var sum weight
	for part := range parts {
		w := &weighing{getter: r.store, part: part, parts: parts, items: make(map[objects.ID]weighed)}
		if err := fill(w); err != nil {
			return weight{}, err
		}
		if err := w.sum(ctx, r.store.StoredSizes, &sum); err != nil {
			return weight{}, err
		}
	}
	return sum, nil
}

// sum adds up what is held.
func (w *weighing) sum(ctx context.Context, sizes func(context.Context, []objects.ID) ([]int64, error), sum *weight) error {
	const window = 4096
	ids := make([]objects.ID, 0, window)
	look := func() error {
		stored, err := sizes(ctx, ids)
		for _, n := range stored {
			sum.stored += n
		}
		ids = ids[:0]
		return err
	}
	for id, item := range w.items {
		if item.content {
			sum.contents++
			sum.bytes += item.size
		}
		if !item.object {
			continue
		}
		if ids = append(ids, id); len(ids) == window {
			if err := look(); err != nil {
				return err
			}
		}
	}
	return look()
}

// add adds the content of an entry.
func (w *weighing) add(ctx context.Context, e objects.Entry) error {
	return w.each(ctx, e, func(id objects.ID, more weighed) error {
		item, ok := w.items[id]
		if !ok && len(w.items) == maxWeighed {
			return errTooMany
		}
		item.content = item.content || more.content
		item.object = item.object || more.object
		item.size = max(item.size, more.size)
		w.items[id] = item
		return nil
	})
}

// remove takes out the content of an entry, which something else has too. It
// fails with errNothingLeft once that is so.
func (w *weighing) remove(ctx context.Context, e objects.Entry) error {
	if len(w.items) == 0 {
		return errNothingLeft
	}
	return w.each(ctx, e, func(id objects.ID, less weighed) error {
		item, ok := w.items[id]
		if !ok {
			return nil
		}
		item.content = item.content && !less.content
		item.object = item.object && !less.object
		if item.content || item.object {
			w.items[id] = item
		} else {
			delete(w.items, id)
		}
		return nil
	})
}

// each calls fn for the IDs of this part that the content of an entry is made
// of. The nodes of a list, and what is below them, are passed over where they
// were seen before.
func (w *weighing) each(ctx context.Context, e objects.Entry, fn func(objects.ID, weighed) error) error {
	if e.Mode == objects.ModeDir {
		return nil
	}
	give := func(id objects.ID, item weighed) error {
		if int(binary.BigEndian.Uint16(id[:2]))*w.parts>>16 != w.part {
			return nil
		}
		return fn(id, item)
	}
	single := e.Size <= objects.SingleChunk
	if err := give(e.Content, weighed{size: e.Size, content: true, object: single}); err != nil || single {
		return err
	}
	enter := func(id objects.ID) (bool, error) {
		if w.seen[id] {
			return false, nil
		}
		if w.seen == nil || len(w.seen) == maxWeighed {
			w.seen = make(map[objects.ID]bool) // to have forgotten costs only time
		}
		w.seen[id] = true
		return true, give(id, weighed{object: true})
	}
	return chunk.WalkList(ctx, w.getter, e.List, enter, func(run chunk.Run) error {
		return give(run.ID, weighed{object: true})
	})
}
