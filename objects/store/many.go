package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/pack"
)

// GetMany gets a few chunks: with one window of the database, and in the
// order in which they lie in the packs. For each i either objs[i] was checked
// as by Get, or errs[i] is what Get would return.
func (s *Store) GetMany(ctx context.Context, ids []objects.ID) (objs []objects.Object, errs []error) {
	objs, errs = make([]objects.Object, len(ids)), make([]error, len(ids))
	places, err := s.places(ctx, ids)
	if err != nil {
		places = nil // each says itself what is wrong
	}
	order := make([]int, 0, len(ids))
	for i := range ids {
		if places == nil || places[i].Length == 0 {
			objs[i], errs[i] = s.Get(ctx, ids[i])
			continue
		}
		order = append(order, i)
	}
	for run := range pack.Runs(places, order, maxGap, maxSpan) {
		s.getRun(ctx, ids, places, run, objs, errs)
	}
	return objs, errs
}

// Records are read together while what lies between two is less than a read
// of its own would cost, up to a buffer's size.
const (
	maxGap  = 16 << 10
	maxSpan = 1 << 20
)

// getRun gets the chunks i of run, which lie together in one pack. What goes
// wrong is left to Get, which knows more ways.
func (s *Store) getRun(ctx context.Context, ids []objects.ID, places []pack.Place, run []int, objs []objects.Object, errs []error) {
	first, last := places[run[0]], places[run[len(run)-1]]
	r, release, err := s.packs.open(ctx, first.Pack)
	if err == nil {
		defer release()
		if len(run) > 1 {
			first.Length = int(last.Offset-first.Offset) + last.Length
			r, err = r.Ahead(ctx, first)
		}
	}
	for _, i := range run {
		if err == nil {
			objs[i], errs[i] = r.ReadRecord(ctx, places[i], ids[i], s.packs.open)
		}
		if err != nil || errs[i] != nil && ctx.Err() == nil {
			objs[i], errs[i] = s.Get(ctx, ids[i])
		}
	}
}

// places looks up where chunks lie; a zero place is for one that the database
// does not have, or whose record is damaged.
func (s *Store) places(ctx context.Context, ids []objects.ID) ([]pack.Place, error) {
	places := make([]pack.Place, len(ids))
	err := s.opt.DB.View(ctx, func(r kv.Reader) error {
		for i, id := range ids {
			value, err := r.Get(idKey(chunkPrefix, id))
			if errors.Is(err, kv.ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("look up chunk %s: %w", id, err)
			}
			loc, err := decodeLocation(id, value)
			if err != nil {
				continue
			}
			packID, err := s.packID(r, loc.Pack)
			if err != nil {
				continue
			}
			places[i] = pack.Place{Pack: packID, Offset: loc.Offset, Length: loc.Length}
		}
		return nil
	})
	return places, err
}
