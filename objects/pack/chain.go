package pack

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/mlvc/mlvc/objects"
)

// A delta is read with everything below it:
//
//  1. Each record is read and decoded once, whoever is built on it, and their
//     sizes are summed: more than MaxCost, or more than the delta itself says,
//     is refused before it is decoded.
//  2. A base is less deep than what is built on it, so the recursion ends,
//     whatever the bytes say.
//  3. Bases are checked by their checksums, not by their IDs: only what is
//     handed out must have its ID, and it cannot if a base is wrong.

// chain is one read of a record and of what it is built on.
type chain struct {
	open  Opener
	limit int // of cost
	cost  int
	got   map[Place][]byte // by pack and offset
	depth int              // of the deepest base so far
	read  int              // bytes of bases
}

// maxRead bounds the bytes that are read from packs for one object, where
// runs overlap; MaxCost bounds what is decoded.
const maxRead = 4 * MaxCost

// top reads the record that is asked for.
func (c *chain) top(ctx context.Context, r *Reader, at Place) (raw, []byte, error) {
	if at.Length < 1 || at.Length > maxRecord {
		return raw{}, nil, corrupt("record of %d bytes at %d", at.Length, at.Offset)
	}
	if err := ctx.Err(); err != nil {
		return raw{}, nil, err
	}
	buf, err := r.record(at)
	if err != nil {
		return raw{}, nil, err
	}
	rec, err := decodeRecord(buf, at.Offset)
	if err != nil {
		return raw{}, nil, err
	}
	if rec.length != at.Length {
		return raw{}, nil, corrupt("record of %d bytes at %d, want %d", rec.length, at.Offset, at.Length)
	}
	if rec.encoding == EncDelta {
		c.limit = min(c.limit, rec.cost)
	}
	data, err := c.decode(ctx, r, rec)
	return rec, data, err
}

// decode returns the object of a record.
func (c *chain) decode(ctx context.Context, r *Reader, rec raw) ([]byte, error) {
	if c.cost += rec.size; c.cost > c.limit {
		return nil, fmt.Errorf("record at %d: %w", rec.offset, ErrBounds)
	}
	var dict []byte
	for _, run := range rec.runs {
		var err error
		if dict, err = c.appendRun(ctx, r, run, rec.depth, dict); err != nil {
			return nil, err
		}
	}
	return rec.decode(dict)
}

// appendRun appends the objects of a run, which a record of the given depth
// in r is built on.
func (c *chain) appendRun(ctx context.Context, r *Reader, run run, depth int, dict []byte) ([]byte, error) {
	if run.base > 0 {
		id, err := r.base(ctx, run.base)
		if err != nil {
			return nil, err
		}
		if c.open == nil {
			return nil, fmt.Errorf("base pack %s: %w", id, objects.ErrNotFound)
		}
		base, release, err := c.open(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("base pack %s: %w", id, err)
		}
		defer release()
		r = base
	}
	return c.appendPlace(ctx, r, Place{Offset: run.offset, Length: run.length}, depth, dict)
}

// appendPlace appends the objects of a run of records of r.
func (c *chain) appendPlace(ctx context.Context, r *Reader, at Place, depth int, dict []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.read += at.Length; c.read > maxRead {
		return nil, fmt.Errorf("bases: %w", ErrBounds)
	}
	buf := make([]byte, at.Length)
	if err := readFull(r.r, buf, at.Offset); err != nil {
		return nil, fmt.Errorf("base in %s: %w", r.where, err)
	}
	for offset := at.Offset; len(buf) > 0; {
		rec, err := decodeRecord(buf, offset)
		if err != nil {
			return nil, fmt.Errorf("base in %s: %w", r.where, err)
		}
		if rec.depth >= depth {
			return nil, corrupt("base at %d in %s is a delta of depth %d", offset, r.where, rec.depth)
		}
		data, err := c.once(ctx, r, rec)
		if err != nil {
			return nil, err
		}
		if dict = append(dict, data...); len(dict) > MaxDict {
			return nil, fmt.Errorf("record at %d: %w", offset, ErrBounds)
		}
		buf, offset = buf[rec.length:], offset+int64(rec.length)
	}
	return dict, nil
}

// once decodes a base, unless it was already.
func (c *chain) once(ctx context.Context, r *Reader, rec raw) ([]byte, error) {
	key := Place{Pack: r.id, Offset: rec.offset}
	if data, ok := c.got[key]; ok {
		return data, nil
	}
	data, err := c.decode(ctx, r, rec)
	if err != nil {
		return nil, err
	}
	if c.got == nil {
		c.got = make(map[Place][]byte)
	}
	c.got[key] = data
	c.depth = max(c.depth, rec.depth)
	return data, nil
}

// ReadDict reads what a delta is to be built on. Records that several bases
// are built on are read and counted once. It fails with ErrBounds if such a
// delta would take too much to read, and with objects.ErrCorrupt for damage.
func ReadDict(ctx context.Context, bases []Place, open Opener) (Dict, error) {
	c := chain{open: open, limit: MaxCost}
	var d Dict
	total, runs := 0, 0
	for i, b := range bases {
		total += b.Length
		if i == 0 || bases[i-1].Pack != b.Pack || bases[i-1].end() != b.Offset {
			runs++
		}
		if b.Length < 1 || total > maxRun || runs > MaxRuns {
			return Dict{}, ErrBounds
		}
		r, release, err := open(ctx, b.Pack)
		if err != nil {
			return Dict{}, fmt.Errorf("base pack %s: %w", b.Pack, err)
		}
		d.Bytes, err = c.appendPlace(ctx, r, b, MaxDepth+1, d.Bytes)
		release()
		if err != nil {
			return Dict{}, err
		}
		if c.depth >= MaxDepth {
			return Dict{}, ErrBounds
		}
	}
	d.Depth, d.Cost = c.depth, c.cost
	return d, nil
}

// damaged returns the error of reading a record. That it takes more than a
// Writer lets it take is damage.
func damaged(err error) error {
	if errors.Is(err, ErrBounds) {
		return fmt.Errorf("%w: %w", objects.ErrCorrupt, err)
	}
	return err
}

func payloadSum(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }
