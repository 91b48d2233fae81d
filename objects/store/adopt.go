package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/pack"
)

// Packs lists the packs that lie in the folder of packs, sorted by ID.
func (s *Store) Packs() ([]objects.ID, error) {
	names, err := s.names(s.opt.Packs)
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	var ids []objects.ID
	for _, name := range names {
		if id, ok := packName(name); ok {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b objects.ID) int { return slices.Compare(a[:], b[:]) })
	return ids, nil
}

func (s *Store) names(dir string) ([]string, error) {
	d, err := s.opt.FS.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close() //nolint:errcheck // it was only read
	entries, err := d.Names()
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	slices.Sort(names)
	return names, err
}

func packName(name string) (objects.ID, bool) {
	id, err := objects.ParseID(strings.TrimSuffix(name, ".pack"))
	return id, err == nil && PackPath(id) == name
}

// Adopt records in the database what lies in packs that it does not know: what
// a crash left between the packs and the database, or everything after the
// database was lost. A pack of which header or footer is damaged is reported,
// and what can be read there is recorded; the rest is left for Mend, if it ever
// can be. The caller holds the writer lock. It returns how many packs were adopted.
func (s *Store) Adopt(ctx context.Context, damaged func(objects.ID, error)) (int, error) {
	ids, err := s.Packs()
	if err != nil {
		return 0, err
	}
	unknown, err := s.unknownPacks(ctx, ids)
	if err != nil {
		return 0, err
	}
	adopted := 0
	for _, id := range unknown {
		damage, err := s.adopt(ctx, id)
		if damage != nil {
			damaged(id, damage)
		}
		switch {
		case errors.Is(err, objects.ErrCorrupt), errors.Is(err, fs.ErrNotExist):
			damaged(id, err)
		case err != nil:
			return adopted, fmt.Errorf("adopt pack %s: %w", id.Short(), err)
		default:
			adopted++
		}
	}
	return adopted, nil
}

func (s *Store) unknownPacks(ctx context.Context, ids []objects.ID) ([]objects.ID, error) {
	var unknown []objects.ID
	err := s.opt.DB.View(ctx, func(r kv.Reader) error {
		for _, id := range ids {
			known, err := has(r, idKey(packPrefix, id))
			if err != nil {
				return err
			}
			if !known {
				unknown = append(unknown, id)
			}
		}
		return nil
	})
	return unknown, err
}

// adopt records one pack's objects in windows of at most batchBytes, and the
// pack itself last: only then is it known. It returns the damage of the pack as
// a whole, which is no error.
func (s *Store) adopt(ctx context.Context, id objects.ID) (damage, err error) {
	r, release, err := s.packs.open(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	x, err := r.Recover(ctx, s.packs.open)
	if err != nil {
		return nil, err
	}
	var n uint32
	if err := s.opt.DB.View(ctx, func(r kv.Reader) (err error) {
		n, err = nextNumber(r)
		return err
	}); err != nil {
		return x.Damage, err
	}
	if err := s.opt.DB.Update(ctx, func(w kv.Writer) error { return takeNumber(w, n, id) }); err != nil {
		return x.Damage, err
	}
	next, stop := iter.Pull2(s.records(ctx, r, x, n))
	defer stop()
	for more := true; more; {
		err := s.opt.DB.Update(ctx, func(w kv.Writer) error {
			for size := 0; size < batchBytes; {
				rec, err, ok := next()
				if !ok {
					more = false
					return setPack(w, n, id)
				}
				if err != nil {
					return err
				}
				if err := w.Set(rec.key, rec.value); err != nil {
					return err
				}
				size += len(rec.key) + len(rec.value)
			}
			return nil
		})
		if err != nil {
			return x.Damage, err
		}
	}
	return x.Damage, nil
}

// takeNumber gives a pack the next number, before any record names it.
func takeNumber(w kv.Writer, n uint32, id objects.ID) error {
	if err := w.Set(nextKey, binary.BigEndian.AppendUint32(nil, n+1)); err != nil {
		return err
	}
	return w.Set(numberKey(n), append([]byte(nil), id[:]...))
}

type dbRecord struct{ key, value []byte }

// records yields the database's records of what lies in a pack.
func (s *Store) records(ctx context.Context, r *pack.Reader, x *pack.Index, n uint32) iter.Seq2[dbRecord, error] {
	return func(yield func(dbRecord, error) bool) {
		for rec := range x.Records() {
			out, err := s.record(ctx, r, rec, n)
			if errors.Is(err, objects.ErrCorrupt) {
				continue // one damaged place costs the object that it lies in
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// record makes the database's record of one object of a pack.
func (s *Store) record(ctx context.Context, r *pack.Reader, rec pack.Record, n uint32) (dbRecord, error) {
	if !rec.Kind.IsMeta() {
		return dbRecord{idKey(chunkPrefix, rec.ID), locate(n, rec).append(nil)}, nil
	}
	p, _, err := r.ReadPayload(ctx, rec.Place(r.ID()), rec.ID, s.packs.open)
	if err != nil {
		return dbRecord{}, err
	}
	return dbRecord{idKey(objectPrefix, rec.ID), encodeMeta(p)}, nil
}

// lostObjects is where the objects lie that the packs hold, read from all
// their footers once something was missed in the database.
type lostObjects struct {
	once  sync.Once
	err   error
	where map[objects.ID]pack.Place
	again map[objects.ID][]pack.Place // other copies of what lies in more than one
	found atomic.Int64                // how many were asked for and found
}

// getLost looks for an object in the packs themselves.
func (s *Store) getLost(ctx context.Context, id objects.ID) (objects.Object, error) {
	s.lost.once.Do(func() { s.lost.err = s.lost.scanPacks(ctx, s) })
	if s.lost.err != nil {
		return objects.Object{}, s.lost.err
	}
	place, ok := s.lost.where[id]
	if !ok {
		return objects.Object{}, &objects.ObjectError{ID: id, Err: objects.ErrNotFound}
	}
	o, err := s.readLost(ctx, id, place)
	for _, place := range s.lost.again[id] {
		if !unreadable(err) {
			break
		}
		o, err = s.readLost(ctx, id, place)
	}
	if err == nil {
		s.lost.found.Add(1)
	}
	return o, err
}

func (s *Store) readLost(ctx context.Context, id objects.ID, place pack.Place) (objects.Object, error) {
	r, release, err := s.packs.open(ctx, place.Pack)
	if err != nil {
		return objects.Object{}, err
	}
	defer release()
	return r.ReadRecord(ctx, place, id, s.packs.open)
}

// Lost returns how many objects were found only in the packs, the database
// having no record of them, or a damaged one. Mend records them.
func (s *Store) Lost() int64 { return s.lost.found.Load() }

// scanPacks fills in where everything lies, whatever the database says.
func (l *lostObjects) scanPacks(ctx context.Context, s *Store) error {
	ids, err := s.Packs()
	if err != nil {
		return err
	}
	l.where, l.again = make(map[objects.ID]pack.Place), make(map[objects.ID][]pack.Place)
	for _, id := range ids {
		x, err := s.index(ctx, id)
		if err != nil {
			continue // the object may lie in another
		}
		for rec := range x.Records() {
			if _, ok := l.where[rec.ID]; ok {
				l.again[rec.ID] = append(l.again[rec.ID], rec.Place(id))
			} else {
				l.where[rec.ID] = rec.Place(id)
			}
		}
	}
	return nil
}
