package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
)

// Sweep removes the records of what is marked and not live, and every mark.
// When it returns nil that is durable. The caller holds the writer lock, and
// knows that no reader from before the marking is left.
func (s *Store) Sweep(ctx context.Context, live *Live) (Garbage, error) {
	var g Garbage
	sw := &sweeper{s: s, g: &g}
	var ids []objects.ID
	err := s.scan(ctx, markPrefix, func(id objects.ID, _ []byte) error {
		ids = append(ids, id)
		return nil
	}, func() error {
		err := sw.sort(ctx, live, ids)
		ids = ids[:0]
		return err
	})
	if err == nil {
		err = sw.remove(ctx)
	}
	if err != nil {
		return g, fmt.Errorf("sweep garbage: %w", err)
	}
	return g, nil
}

// sweeper holds what is to be removed, by the rank of its kind: parents first.
type sweeper struct {
	s      *Store
	g      *Garbage
	revive []objects.ID
	ranked []ranked // metadata objects, and marks without a record
	chunks []objects.ID
}

type ranked struct {
	rank int
	id   objects.ID
}

// sort looks at the records of marked objects.
func (w *sweeper) sort(ctx context.Context, live *Live, ids []objects.ID) error {
	return w.s.opt.DB.View(ctx, func(r kv.Reader) error {
		for _, id := range ids {
			if live.has(id) {
				w.revive = append(w.revive, id)
				continue
			}
			value, err := r.Get(idKey(chunkPrefix, id))
			if err == nil {
				w.chunks = append(w.chunks, id)
				if loc, err := decodeLocation(id, value); err == nil {
					w.g.Bytes += int64(loc.Length)
				}
				w.g.Objects++
				continue
			}
			if errors.Is(err, kv.ErrNotFound) {
				value, err = r.Get(idKey(objectPrefix, id))
			}
			if err != nil && !errors.Is(err, kv.ErrNotFound) {
				return err
			}
			if err == nil {
				w.g.Objects++
				w.g.Bytes += int64(len(value))
			}
			w.ranked = append(w.ranked, ranked{rank(id, value), id})
		}
		return nil
	})
}

// rank orders metadata objects so that what names another comes before it.
func rank(id objects.ID, value []byte) int {
	o, err := decodeMeta(id, value)
	if err != nil {
		return 0
	}
	const levels = 256
	switch {
	case o.Kind == objects.KindOperation:
		return 1
	case o.Kind == objects.KindCommit:
		return 2
	case o.Kind == objects.KindNode && len(o.Data) > 1:
		return 3 + levels - int(o.Data[1]) // its level
	case o.Kind == objects.KindList && len(o.Data) > 0:
		return 4 + 2*levels - int(o.Data[0])
	}
	return 0
}

func (w *sweeper) remove(ctx context.Context) error {
	slices.SortFunc(w.ranked, func(a, b ranked) int { return a.rank - b.rank })
	meta := make([]objects.ID, len(w.ranked))
	for i, r := range w.ranked {
		meta[i] = r.id
	}
	for _, list := range []struct {
		ids    []objects.ID
		prefix []byte
	}{{w.revive, nil}, {meta, objectPrefix}, {w.chunks, chunkPrefix}} {
		for part := range slices.Chunk(list.ids, scanWindow) {
			err := w.s.opt.DB.Update(ctx, func(kw kv.Writer) error {
				for _, id := range part {
					if list.prefix != nil {
						if err := kw.Delete(idKey(list.prefix, id)); err != nil {
							return err
						}
					}
					if err := kw.Delete(idKey(markPrefix, id)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return w.s.opt.DB.Update(ctx, func(kw kv.Writer) error { return kw.Delete(marksKey) })
}

// Distrust removes the records of damaged objects from the database, so that
// they count as missing and are stored again by whoever has their bytes. The
// caller holds the writer lock.
func (s *Store) Distrust(ctx context.Context, ids []objects.ID) error {
	return s.opt.DB.Update(ctx, func(w kv.Writer) error {
		for _, id := range ids {
			for _, prefix := range [][]byte{chunkPrefix, objectPrefix} {
				if err := w.Delete(idKey(prefix, id)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
