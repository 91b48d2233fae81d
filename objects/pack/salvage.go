package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/mlvc/mlvc/objects"
)

// Salvaged is an object that Salvage found.
type Salvaged struct {
	Record Record
	Object objects.Object
}

// Salvage reads what can be read from a damaged pack of size bytes, in order.
// A footer that is sound proves the header too. With it every object that cannot be read is named. Without it
// each record is found behind the one before it, and behind damage by trying
// every byte: then an ID is what the bytes found have, and damage is told by
// its place. Errors do not end it, but for those of ctx and of the disk. Bases
// in other packs are asked of open. Memory is bounded by a few MiB.
func Salvage(ctx context.Context, r io.ReaderAt, size int64, open Opener) iter.Seq2[Salvaged, error] {
	return func(yield func(Salvaged, error) bool) {
		src := newReader(r, size, objects.ID{})
		var bases bases
		src.base = func(_ context.Context, k int) (objects.ID, error) { return numbered(bases.ids, k) }
		records, known := scan(ctx, r, size), false
		if x, err := footer(ctx, r, size, objects.ID{}); err == nil {
			records, bases.ids, known = listed(ctx, r, x), x.Bases, true
		}
		for rec, err := range records {
			if !known {
				bases.pass(rec.raw, err)
			}
			switch {
			case err != nil:
				if !yield(Salvaged{}, err) {
					return
				}
			case rec.encoding == encBase:
			default:
				if !yield(salvage(ctx, src, rec.raw, rec.id, open)) {
					return
				}
			}
		}
	}
}

// salvage decodes one record; a zero ID is not known.
func salvage(ctx context.Context, r *Reader, rec raw, id objects.ID, open Opener) (Salvaged, error) {
	c := chain{open: open, limit: MaxCost}
	data, err := c.decode(ctx, r, rec)
	if err == nil {
		o := objects.Object{Kind: rec.kind, Data: bytes.Clone(data)}
		found := o.ID()
		if id.IsZero() || id == found {
			e := entry{head: rec.head, id: found, offset: rec.offset, bytes: rec.head.append(nil)}
			e.runs = nil // their packs are r's to know
			s := Salvaged{Record: e.record(nil), Object: o}
			s.Record.Bases, err = r.places(ctx, rec.runs)
			return s, err
		}
		err = corrupt("record at %d has other bytes", rec.offset)
	}
	if id.IsZero() {
		return Salvaged{}, fmt.Errorf("record at %d: %w", rec.offset, damaged(err))
	}
	return Salvaged{}, &objects.ObjectError{ID: id, Where: r.where, Err: damaged(err)}
}

// found is a record and, where the index says so, whose it is. Its payload is
// valid until the next.
type found struct {
	raw
	id objects.ID
}

// listed yields the records that the index names.
func listed(ctx context.Context, r io.ReaderAt, x *Index) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		src := stream{r: r, size: x.Size}
		for e, err := range walk(x.entries) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(found{}, err)
				return
			}
			f, err := src.found(e)
			if !yield(f, err) || err != nil && !errors.Is(err, objects.ErrCorrupt) {
				return
			}
		}
	}
}

func (s *stream) found(e entry) (found, error) {
	b, err := s.read(e.offset, e.length())
	if err == nil {
		var rec raw
		if rec, err = decodeRecord(b, e.offset); err == nil && rec.length == e.length() {
			return found{raw: rec, id: e.id}, nil
		}
	}
	if err == nil {
		err = corrupt("record at %d", e.offset)
	}
	return found{}, &objects.ObjectError{ID: e.id, Where: "damaged pack", Err: err}
}

// scan yields the records of a pack whose footer is lost. Damage is an error
// for each stretch of it; the footer itself is the last.
func scan(ctx context.Context, r io.ReaderAt, size int64) iter.Seq2[found, error] {
	return func(yield func(found, error) bool) {
		src := stream{r: r, size: size}
		bad := int64(-1) // where damage begins
		report := func(end int64) bool {
			begin := bad
			bad = -1
			return begin < 0 || yield(found{}, corrupt("bytes %d to %d are no records", begin, end))
		}
		for offset := int64(headerSize); offset < size; {
			b, err := src.upTo(offset, maxRecord)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(found{}, err)
				return
			}
			var rec raw
			ok := len(b) > 0 && plausible(b[0])
			if ok {
				rec, err = decodeRecord(b, offset)
			}
			if !ok || err != nil {
				if bad < 0 {
					bad = offset
				}
				offset++
				continue
			}
			if !report(offset) || !yield(found{raw: rec}, nil) {
				return
			}
			offset += int64(rec.length)
		}
		report(size)
	}
}

// walkBases returns the base records of a pack whose index is damaged, by
// number; one that was lost is zero. It fails where it was not damage that kept
// a record from being read.
func walkBases(ctx context.Context, r io.ReaderAt, size int64) ([]objects.ID, error) {
	bases := bases{ids: []objects.ID{}}
	for rec, err := range scan(ctx, r, size) {
		if err != nil && !errors.Is(err, objects.ErrCorrupt) {
			return nil, err
		}
		bases.pass(rec.raw, err)
	}
	return bases.ids, nil
}

// bases numbers the base records of a pack whose index is damaged. Some may be
// lost, but one stands directly before the first delta that uses it, and that
// delta uses none of a higher number.
type bases struct {
	ids   []objects.ID // by number, from 1; zero: lost
	fresh int          // how many of the last of ids no delta was met of
}

// pass takes the next record, or damage between two records.
func (b *bases) pass(rec raw, damage error) {
	switch {
	case damage != nil:
		b.fresh = 0
	case rec.encoding == encBase:
		b.ids = append(b.ids, objects.ID(rec.payload))
		b.fresh++
	case b.fresh > 0:
		highest := 0
		for _, r := range rec.runs {
			highest = max(highest, r.base)
		}
		if lost := highest - len(b.ids); lost > 0 {
			b.ids = slices.Insert(b.ids, len(b.ids)-b.fresh, make([]objects.ID, lost)...)
		}
		b.fresh = 0
	}
}
