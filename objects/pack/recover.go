package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Recover is ReadIndex of a pack that may be damaged. A sound footer is enough,
// whatever the header is; without one the index has the records that Salvage
// finds, each decoded and true to its ID, and the base packs that those need.
// Then Damage says why, and the index has no bytes of its own to be sealed
// with. It fails only for what is no damage.
func Recover(ctx context.Context, r io.ReaderAt, size int64, id objects.ID, open Opener) (*Index, error) {
	x, damage := footer(ctx, r, size, id)
	if !errors.Is(damage, objects.ErrCorrupt) {
		return x, damage
	}
	x = &Index{ID: id, Size: size, Damage: damage, found: []Record{}}
	header := make([]byte, headerSize)
	if readFull(r, header, 0) == nil {
		x.Type, _ = decodeHeader(header)
	}
	seen := make(map[objects.ID]bool)
	for s, err := range Salvage(ctx, r, size, open) {
		switch {
		case err == nil:
			x.take(s.Record, seen)
		case stops(ctx, err):
			return nil, err
		}
	}
	if x.Type == 0 {
		x.Type = TypeData
	}
	return x, nil
}

// admits says whether an object of that kind may lie in the pack. Without a
// header the first decides what it holds.
func (x *Index) admits(k objects.Kind) bool {
	if x.Type == 0 {
		if x.Type = TypeData; k.IsMeta() {
			x.Type = TypeMeta
		}
	}
	return x.Type.holds(k)
}

// take adds a record that was found.
func (x *Index) take(rec Record, seen map[objects.ID]bool) {
	if !x.admits(rec.Kind) {
		return
	}
	for _, at := range rec.Bases {
		if !at.Pack.IsZero() && !seen[at.Pack] {
			seen[at.Pack] = true
			x.Bases = append(x.Bases, at.Pack)
		}
	}
	x.found = append(x.found, rec)
	x.Count++
}

// stops says whether an error is about more than the object that it names: the
// disk fails, now. A base pack that is not there is damage.
func stops(ctx context.Context, err error) bool {
	return ctx.Err() != nil || !errors.Is(err, objects.ErrCorrupt) && !errors.Is(err, objects.ErrNotFound) && !errors.Is(err, fs.ErrNotExist)
}

// Restore makes the pack of that ID anew, under a temporary name that must not
// exist yet, from a file of which only header and footer are damaged, or what
// lies behind them. What it made is proven by the ID to have every byte of the
// pack that was. It fails with objects.ErrCorrupt, and leaves no file, where
// more was damaged.
func Restore(ctx context.Context, fsys vfs.FS, name string, r io.ReaderAt, size int64, id objects.ID, open Opener) (*Index, error) {
	x, end, err := remake(ctx, r, size, id, open)
	if err != nil {
		return nil, err
	}
	d, err := createDisk(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("create pack: %w", err)
	}
	err = d.append(appendHeader(nil, x.Type))
	src := stream{r: r, size: size}
	for at := int64(headerSize); err == nil && at < end; {
		var b []byte
		if b, err = src.upTo(at, int(min(maxRecord, end-at))); err == nil && len(b) == 0 {
			err = corrupt("pack ends at %d", at)
		}
		if err == nil {
			err = d.append(b)
		}
		at += int64(len(b))
	}
	if err == nil {
		err = d.append(x.tail)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		d.stop() //nolint:errcheck // what was not written is not wanted
		return nil, errors.Join(fmt.Errorf("restore pack: %w", err), d.close(), fsys.Remove(name))
	}
	if err := d.finish(); err != nil {
		return nil, errors.Join(fmt.Errorf("restore pack: %w", err), fsys.Remove(name))
	}
	return &x.Index, nil
}

// remade is an index and the footer that it was proven with.
type remade struct {
	Index
	tail []byte
}

// remake finds the index of a pack whose records are all whole, and where they
// end.
func remake(ctx context.Context, r io.ReaderAt, size int64, id objects.ID, open Opener) (*remade, int64, error) {
	x, body, count, end := &remade{Index: Index{ID: id}}, blake3.New(), 0, int64(headerSize)
	src := newReader(r, size, objects.ID{})
	src.base = func(_ context.Context, k int) (objects.ID, error) { return numbered(x.Bases, k) }
	for rec, err := range scan(ctx, r, size) {
		if err != nil && stops(ctx, err) {
			return nil, 0, err
		}
		if err != nil || rec.offset != end {
			break // here the footer begins, or damage that costs a record
		}
		own := objects.ID{}
		if rec.encoding == encBase {
			own = objects.ID(rec.payload)
			x.Bases = append(x.Bases, own)
		} else {
			s, err := salvage(ctx, src, rec.raw, objects.ID{}, open)
			if err != nil {
				return nil, 0, err
			}
			own = s.Record.ID
			if !x.admits(rec.kind) {
				break
			}
			x.Count++
		}
		if inBody(rec.encoding) {
			body.Write(rec.payload) //nolint:errcheck // a hash never fails
		}
		x.entries = append(append(x.entries, own[:]...), rec.head.append(nil)...)
		count, end = count+1, end+int64(rec.length)
	}
	body.Sum(x.bodySum[:0])
	x.tail = x.seal(count)
	if x.Type == 0 || x.ID != id {
		return nil, 0, corrupt("not all records of the pack are whole")
	}
	x.Size = end + int64(len(x.tail))
	return x, end, nil
}
