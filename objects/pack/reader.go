package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Reader reads the records of one pack. It is safe for concurrent use.
type Reader struct {
	r     io.ReaderAt
	file  vfs.File // what Close closes, or nil
	id    objects.ID
	size  int64
	where string // for people
	// base returns the ID of the k-th base record, from 1.
	base func(ctx context.Context, k int) (objects.ID, error)

	mu    sync.Mutex
	bases []objects.ID // nil until they were needed

	recovering sync.Mutex
	recovered  *Index // of a damaged pack, once it was needed
}

// Opener hands out the pack of that ID, which is zero for the one that is
// being written. The Reader is used until release is called.
type Opener func(ctx context.Context, pack objects.ID) (r *Reader, release func(), err error)

// Open opens the pack of that ID. Only the header is read: damage anywhere,
// there too, is found when what it lies in is read, and costs no more than
// that. It fails with objects.ErrNewer for a format that this build does not
// know.
func Open(fs vfs.FS, name string, id objects.ID) (*Reader, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open pack: %w", err)
	}
	stat, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open pack: %w", err), f.Close())
	}
	r := newReader(f, stat.Size, id)
	r.file = f
	header := make([]byte, headerSize)
	if readFull(f, header, 0) == nil {
		if _, err := decodeHeader(header); errors.Is(err, objects.ErrNewer) {
			return nil, errors.Join(fmt.Errorf("open pack %s: %w", id, err), f.Close())
		}
	}
	return r, nil
}

func newReader(src io.ReaderAt, size int64, id objects.ID) *Reader {
	r := &Reader{r: src, id: id, size: size, where: "pack " + id.String()}
	r.base = r.lookUpBase
	return r
}

// Close closes the file.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// ID returns the pack's ID.
func (r *Reader) ID() objects.ID { return r.id }

// Size returns the pack's size in bytes.
func (r *Reader) Size() int64 { return r.size }

// Index reads and checks the footer. It is not kept: it has about 40 bytes an
// object.
func (r *Reader) Index(ctx context.Context) (*Index, error) {
	x, err := ReadIndex(ctx, r.r, r.size, r.id)
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", r.id, err)
	}
	return x, nil
}

// Recover is Index of a pack that may be damaged; see the function of that
// name. What was found in a damaged one is kept, about 100 bytes an object.
func (r *Reader) Recover(ctx context.Context, open Opener) (*Index, error) {
	x, err := r.Index(ctx)
	if !errors.Is(err, objects.ErrCorrupt) {
		return x, err
	}
	r.recovering.Lock()
	defer r.recovering.Unlock()
	if r.recovered != nil {
		return r.recovered, nil
	}
	x, err = Recover(ctx, r.r, r.size, r.id, open)
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", r.id, err)
	}
	r.recovered = x
	return x, nil
}

// Restore is the function of that name for this pack.
func (r *Reader) Restore(ctx context.Context, fs vfs.FS, name string, open Opener) (*Index, error) {
	return Restore(ctx, fs, name, r.r, r.size, r.id, open)
}

// Verify checks every byte of the pack; see the function of that name.
func (r *Reader) Verify(ctx context.Context) (*Index, error) {
	return Verify(ctx, r.r, r.size, r.id)
}

// ReadRecord reads the object at a place, checked against the ID wanted; at's
// Pack is not looked at. Only for deltas, open is asked for the packs that they
// are built on, and may be nil. It fails with an *objects.ObjectError that wraps
// objects.ErrCorrupt for damage, which may be that of a base: the message then
// says where it lies.
func (r *Reader) ReadRecord(ctx context.Context, at Place, want objects.ID, open Opener) (objects.Object, error) {
	o, _, err := r.read(ctx, at, want, open)
	return o, err
}

// ReadPayload reads the record at a place as it is stored, to be appended to
// another pack, and for a delta the places of what it is built on. It was
// decoded and checked as by ReadRecord.
func (r *Reader) ReadPayload(ctx context.Context, at Place, want objects.ID, open Opener) (Payload, []Place, error) {
	_, rec, err := r.read(ctx, at, want, open)
	if err != nil {
		return Payload{}, nil, err
	}
	p := Payload{
		ID: want, Kind: rec.kind, Encoding: rec.encoding, Size: rec.size, Data: rec.payload,
		Depth: rec.depth, Cost: rec.cost, sum: payloadSum(rec.payload),
	}
	places, err := r.places(ctx, rec.runs)
	return p, places, err
}

func (r *Reader) read(ctx context.Context, at Place, want objects.ID, open Opener) (objects.Object, raw, error) {
	c := chain{open: open, limit: MaxCost}
	rec, data, err := c.top(ctx, r, at)
	if err == nil {
		if o := (objects.Object{Kind: rec.kind, Data: data}); o.ID() == want {
			return o, rec, nil
		}
		err = corrupt("record at %d has other bytes", at.Offset)
	}
	if ctx.Err() == nil {
		err = &objects.ObjectError{ID: want, Where: r.where, Err: damaged(err)}
	}
	return objects.Object{}, raw{}, err
}

// places resolves the packs of runs.
func (r *Reader) places(ctx context.Context, runs []run) ([]Place, error) {
	var places []Place
	for _, run := range runs {
		p := Place{Pack: r.id, Offset: run.offset, Length: run.length}
		if run.base > 0 {
			var err error
			if p.Pack, err = r.base(ctx, run.base); err != nil {
				return nil, err
			}
		}
		places = append(places, p)
	}
	return places, nil
}

// lookUpBase finds the base records by the index, or, where that is damaged,
// by walking through the records.
func (r *Reader) lookUpBase(ctx context.Context, k int) (objects.ID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bases == nil {
		x, err := footer(ctx, r.r, r.size, r.id)
		switch {
		case err == nil:
			r.bases = x.Bases
		case errors.Is(err, objects.ErrCorrupt):
			if r.bases, err = walkBases(ctx, r.r, r.size); err != nil {
				r.bases = nil
				return objects.ID{}, err
			}
		default:
			return objects.ID{}, err // the disk failed, now: that says nothing of the pack
		}
	}
	return numbered(r.bases, k)
}

// numbered returns the k-th of bases, from 1; a zero one was lost.
func numbered(bases []objects.ID, k int) (objects.ID, error) {
	if k > len(bases) || bases[k-1].IsZero() {
		return objects.ID{}, corrupt("base %d of %d", k, len(bases))
	}
	return bases[k-1], nil
}
