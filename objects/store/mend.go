package store

import (
	"context"
	"fmt"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/pack"
)

// Recorded counts the objects that are live, and recorded in a way that can be
// right: a chunk in a pack that is there.
func (s *Store) Recorded(ctx context.Context, live *Live) (meta, chunks int, err error) {
	c := &packCheck{s: s, numbers: make(map[uint32]objects.ID)}
	if err := c.readNumbers(ctx); err != nil {
		return 0, 0, err
	}
	nothing := func() error { return nil }
	err = s.scan(ctx, objectPrefix, func(id objects.ID, _ []byte) error {
		if live.has(id) {
			meta++
		}
		return nil
	}, nothing)
	if err != nil {
		return meta, chunks, err
	}
	err = s.scan(ctx, chunkPrefix, func(id objects.ID, value []byte) error {
		if !live.has(id) {
			return nil
		}
		loc, err := decodeLocation(id, value)
		if err != nil {
			return nil //nolint:nilerr // not right
		}
		there, err := s.packs.exists(c.numbers[loc.Pack])
		if there {
			chunks++
		}
		return err
	}, nothing)
	return meta, chunks, err
}

// Mend records what lies readable in a pack and has no record in the database,
// or one that cannot be right; with live only what is in it. The caller holds
// the writer lock. It returns how many objects were recorded.
func (s *Store) Mend(ctx context.Context, live *Live) (int, error) {
	ids, err := s.Packs()
	if err != nil {
		return 0, err
	}
	mended := 0
	for _, id := range ids {
		n, err := s.mendPack(ctx, id, live)
		mended += n
		if err != nil && !unreadable(err) {
			return mended, fmt.Errorf("mend the records of pack %s: %w", id.Short(), err)
		}
	}
	s.lost = new(lostObjects)
	return mended, nil
}

func (s *Store) mendPack(ctx context.Context, id objects.ID, live *Live) (int, error) {
	r, release, err := s.packs.open(ctx, id)
	if err != nil {
		return 0, err
	}
	defer release()
	x, err := r.Recover(ctx, s.packs.open)
	if err != nil {
		return 0, err
	}
	var unrecorded []pack.Record
	var n uint32
	err = s.opt.DB.View(ctx, func(kr kv.Reader) error {
		value, err := kr.Get(idKey(packPrefix, id))
		if err != nil || len(value) != 4 {
			return err // a pack that is not known is for Adopt
		}
		n = numberOf(append([]byte{0}, value...))
		for rec := range x.Records() {
			if live != nil && !live.has(rec.ID) {
				continue
			}
			ok, err := s.sound(kr, rec)
			if err != nil {
				return err
			}
			if !ok {
				unrecorded = append(unrecorded, rec)
			}
		}
		return nil
	})
	if err != nil || len(unrecorded) == 0 {
		return 0, ignoreNotFound(err)
	}
	mended := 0
	err = s.opt.DB.Update(ctx, func(w kv.Writer) error {
		for _, rec := range unrecorded {
			if _, err := r.ReadRecord(ctx, rec.Place(id), rec.ID, s.packs.open); unreadable(err) {
				continue
			} else if err != nil {
				return err
			}
			out, err := s.record(ctx, r, rec, n)
			if err != nil {
				return err
			}
			if err := w.Set(out.key, out.value); err != nil {
				return err
			}
			mended++
		}
		return nil
	})
	return mended, err
}

// sound says whether the record that the database has of an object can be right.
func (s *Store) sound(r kv.Reader, rec pack.Record) (bool, error) {
	if !rec.Kind.IsMeta() {
		return s.recorded(r, rec.ID)
	}
	value, err := r.Get(idKey(objectPrefix, rec.ID))
	if err != nil {
		return false, ignoreNotFound(err)
	}
	_, err = decodeMeta(rec.ID, value)
	return err == nil, nil
}
