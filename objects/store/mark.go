package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
)

// Garbage is removed in two runs of gc, each under the writer lock:
//
//  1. Mark writes a mark for every recorded object that is not live. From
//     then on it counts as missing: who puts it again stores it again, which
//     takes the mark away. All marks belong to one Marking.
//  2. Sweep, in a later run with a set of live objects made anew, takes the
//     marks of what is live again away, and removes the records of the rest,
//     parents before children; each record before its mark.
//  3. Compact then removes packs and parts of packs that no record names.
//
// An interruption leaves fewer marks, or marks without a record: both are
// right for the next run.

// Marking says when the marks were made.
type Marking struct {
	Generation uint64    // readers of it and of earlier ones may know what is marked
	Time       time.Time // to the second
	Op         objects.ID
}

func (m Marking) encode() []byte {
	b := binary.AppendUvarint(nil, m.Generation)
	b = binary.AppendUvarint(b, uint64(max(0, m.Time.Unix())))
	return append(b, m.Op[:]...)
}

func decodeMarking(b []byte) (Marking, error) {
	generation, n := objects.Uvarint(b)
	if n <= 0 {
		return Marking{}, fmt.Errorf("%w: database record of marks", objects.ErrCorrupt)
	}
	b = b[n:]
	at, n := objects.Uvarint(b)
	if n <= 0 || at > 1<<40 || len(b) != n+objects.IDSize {
		return Marking{}, fmt.Errorf("%w: database record of marks", objects.ErrCorrupt)
	}
	return Marking{generation, time.Unix(int64(at), 0), objects.ID(b[n:])}, nil
}

// Garbage counts objects that are not live.
type Garbage struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"` // of their records in packs, about
}

// Marking returns the marking that is under way, if any. A damaged record of
// it counts as none: gc begins anew.
func (s *Store) Marking(ctx context.Context) (m Marking, ok bool, err error) {
	err = s.opt.DB.View(ctx, func(r kv.Reader) error {
		value, err := r.Get(marksKey)
		if errors.Is(err, kv.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		var damage error
		m, damage = decodeMarking(value)
		ok = damage == nil
		return nil
	})
	return m, ok, err
}

// Mark marks every recorded object that is not live. Marks that are there stay.
func (s *Store) Mark(ctx context.Context, live *Live, m Marking) (Garbage, error) {
	begun := false
	return s.garbage(ctx, live, func(ids []objects.ID) error {
		return s.opt.DB.Update(ctx, func(w kv.Writer) error {
			if !begun {
				if err := w.Set(marksKey, m.encode()); err != nil {
					return err
				}
				begun = true
			}
			for _, id := range ids {
				if err := w.Set(idKey(markPrefix, id), nil); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Garbage counts what Mark would mark, and changes nothing.
func (s *Store) Garbage(ctx context.Context, live *Live) (Garbage, error) {
	return s.garbage(ctx, live, func([]objects.ID) error { return nil })
}

func (s *Store) garbage(ctx context.Context, live *Live, mark func([]objects.ID) error) (Garbage, error) {
	var g Garbage
	for _, prefix := range [][]byte{objectPrefix, chunkPrefix} {
		var dead []objects.ID
		err := s.scan(ctx, prefix, func(id objects.ID, value []byte) error {
			if live.has(id) {
				return nil
			}
			dead = append(dead, id)
			g.Objects++
			size := len(value)
			if prefix[0] == chunkPrefix[0] {
				if loc, err := decodeLocation(id, value); err == nil {
					size = loc.Length
				}
			}
			g.Bytes += int64(size)
			return nil
		}, func() error {
			ids := dead
			dead = nil
			if len(ids) == 0 {
				return nil
			}
			return mark(ids)
		})
		if err != nil {
			return g, fmt.Errorf("mark garbage: %w", err)
		}
	}
	return g, nil
}

// scanWindow is how many records are looked at in one window.
const scanWindow = 100_000

// scan calls each for every record of a kind, and between windows, where the
// database is free to be written to, pause.
func (s *Store) scan(ctx context.Context, prefix []byte, each func(id objects.ID, value []byte) error, pause func() error) error {
	from := append([]byte(nil), prefix...)
	for more := true; more; {
		more = false
		n := 0
		err := s.opt.DB.View(ctx, func(r kv.Reader) error {
			return r.Scan(prefix, from, func(key, value []byte) (bool, error) {
				if n == scanWindow {
					from, more = append([]byte(nil), key...), true
					return false, ctx.Err()
				}
				if n++; len(key) != len(prefix)+objects.IDSize {
					return true, nil // not a record of this kind
				}
				return true, each(objects.ID(key[len(prefix):]), value)
			})
		})
		if err == nil {
			err = pause()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
