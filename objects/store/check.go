package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/pack"
)

// Checker looks whether chunks can be where the database says, without reading
// them. Safe for concurrent use.
type Checker struct {
	s     *Store
	mu    sync.Mutex
	sizes map[objects.ID]int64 // of packs; below 0: not there
}

// NewChecker returns a Checker, which looks at each pack's file once.
func (s *Store) NewChecker() *Checker {
	return &Checker{s: s, sizes: make(map[objects.ID]int64)}
}

// Places returns for each of ids what is wrong with the place that the database
// has of it, or nil.
func (c *Checker) Places(ctx context.Context, ids []objects.ID) ([]error, error) {
	wrong := make([]error, len(ids))
	err := c.s.opt.DB.View(ctx, func(r kv.Reader) error {
		for i, id := range ids {
			err := c.place(r, id)
			if err != nil && !errors.Is(err, objects.ErrCorrupt) && !errors.Is(err, objects.ErrNotFound) {
				return err
			}
			wrong[i] = err
		}
		return nil
	})
	return wrong, err
}

func (c *Checker) place(r kv.Reader, id objects.ID) error {
	value, err := r.Get(idKey(chunkPrefix, id))
	if errors.Is(err, kv.ErrNotFound) {
		return &objects.ObjectError{ID: id, Where: "the database", Err: objects.ErrNotFound}
	}
	if err != nil {
		return err
	}
	loc, err := decodeLocation(id, value)
	if err != nil {
		return err
	}
	packID, err := c.s.packID(r, loc.Pack)
	if err != nil {
		return err
	}
	size, err := c.size(packID)
	if err != nil {
		return err
	}
	if size < loc.Offset+int64(loc.Length) {
		err := fmt.Errorf("%w: the pack has %d bytes", objects.ErrCorrupt, size)
		if size < 0 {
			err = fmt.Errorf("%w: the pack is not there", objects.ErrCorrupt)
		}
		return &objects.ObjectError{ID: id, Where: "pack " + packID.String(), Err: err}
	}
	return nil
}

func (c *Checker) size(id objects.ID) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if size, ok := c.sizes[id]; ok {
		return size, nil
	}
	st, err := c.s.opt.FS.Lstat(filepath.Join(c.s.opt.Packs, PackPath(id)))
	if errors.Is(err, fs.ErrNotExist) {
		st.Size, err = -1, nil
	}
	if err == nil {
		c.sizes[id] = st.Size
	}
	return st.Size, err
}

// CheckOptions receive what CheckPacks finds. Calls come one at a time.
type CheckOptions struct {
	Workers int
	// Damaged is told of each damaged object (an *objects.ObjectError) or pack.
	Damaged func(pack objects.ID, err error)
	// Done is told of each pack that was read.
	Done func(size int64)
}

// CheckPacks reads every byte of every pack, and compares the database with
// what lies there: each record of a chunk must name a record of that chunk, and
// each metadata object must lie in a pack too. It fails only if it cannot go on.
func (s *Store) CheckPacks(ctx context.Context, opt CheckOptions) error {
	ids, err := s.Packs()
	if err != nil {
		return err
	}
	c := &packCheck{s: s, opt: opt, numbers: make(map[uint32]objects.ID)}
	if err := c.readNumbers(ctx); err != nil {
		return err
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, opt.Workers))
	for _, id := range ids {
		group.Go(func() error { return c.pack(gctx, id) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return c.records(ctx)
}

// packCheck notes, as places and IDs, what lies in packs.
type packCheck struct {
	s       *Store
	opt     CheckOptions
	numbers map[uint32]objects.ID

	mu     sync.Mutex
	places numberSet // of pack, offset, length and chunk
	meta   numberSet
	broken map[objects.ID]bool // packs of which not all is known
}

func (c *packCheck) readNumbers(ctx context.Context) error {
	return c.s.opt.DB.View(ctx, func(r kv.Reader) error {
		return r.Scan(numberPrefix, nil, func(key, value []byte) (bool, error) {
			var id objects.ID
			if len(key) == 5 && id.UnmarshalBinary(value) == nil {
				c.numbers[numberOf(key)] = id
			}
			return true, nil
		})
	})
}

// sumPlace makes a number of everything that a chunk's record says.
func sumPlace(id, packID objects.ID, offset int64, length int) uint64 {
	n := binary.LittleEndian.Uint64(id[8:]) ^ binary.LittleEndian.Uint64(packID[:])*0x9e3779b97f4a7c15
	return (n ^ uint64(offset)<<24 ^ uint64(length)) * 0xd6e8feb86659fd93
}

func (c *packCheck) pack(ctx context.Context, id objects.ID) error {
	r, release, err := c.s.packs.open(ctx, id)
	if err != nil && !unreadable(err) {
		return err
	}
	var x *pack.Index
	var size int64
	if err == nil {
		defer release()
		size = r.Size()
		_, err = r.Verify(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		x, _ = r.Index(ctx) // sound even if a record is not
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.opt.Damaged(id, err)
	}
	if x == nil {
		if c.broken == nil {
			c.broken = make(map[objects.ID]bool)
		}
		c.broken[id] = true
	} else {
		c.note(id, x)
	}
	c.opt.Done(size)
	return nil
}

func (c *packCheck) note(id objects.ID, x *pack.Index) {
	for rec := range x.Records() {
		if rec.Kind.IsMeta() {
			c.meta.add(binary.LittleEndian.Uint64(rec.ID[:]))
		} else {
			c.places.add(sumPlace(rec.ID, id, rec.Offset, rec.Length))
		}
	}
}

// records compares the database's records with what was noted.
func (c *packCheck) records(ctx context.Context) error {
	nothing := func() error { return nil }
	err := c.s.scan(ctx, chunkPrefix, func(id objects.ID, value []byte) error {
		loc, err := decodeLocation(id, value)
		packID := c.numbers[loc.Pack]
		switch {
		case err != nil:
		case c.broken[packID], c.places.has(sumPlace(id, packID, loc.Offset, loc.Length)):
			return nil
		default:
			err = fmt.Errorf("%w: no such record in pack %s", objects.ErrCorrupt, packID)
		}
		c.opt.Damaged(packID, &objects.ObjectError{ID: id, Where: "the database", Err: err})
		return nil
	}, nothing)
	if err != nil {
		return err
	}
	return c.s.scan(ctx, objectPrefix, func(id objects.ID, value []byte) error {
		_, err := decodeMeta(id, value)
		if err == nil && len(c.broken) == 0 && !c.meta.has(binary.LittleEndian.Uint64(id[:])) {
			err = &objects.ObjectError{ID: id, Where: "the packs", Err: objects.ErrNotFound}
		}
		if err != nil {
			c.opt.Damaged(objects.ID{}, err)
		}
		return nil
	}, nothing)
}

// PackState says how the packs that are there and those that the database
// knows differ.
type PackState struct {
	Packs   int
	Bytes   int64
	Unknown []objects.ID         // there, not known: Adopt takes them up
	Missing map[objects.ID]int64 // known, not there: how many chunks lie in each
}

// PackState compares the folder of packs with the database.
func (s *Store) PackState(ctx context.Context) (PackState, error) {
	st := PackState{Missing: make(map[objects.ID]int64)}
	ids, err := s.Packs()
	if err != nil {
		return st, err
	}
	there := make(map[objects.ID]bool, len(ids))
	for _, id := range ids {
		there[id] = true
		if stat, err := s.opt.FS.Lstat(filepath.Join(s.opt.Packs, PackPath(id))); err == nil {
			st.Bytes += stat.Size
		}
	}
	st.Packs = len(ids)
	if st.Unknown, err = s.unknownPacks(ctx, ids); err != nil {
		return st, err
	}
	c := &packCheck{s: s, numbers: make(map[uint32]objects.ID)}
	if err := c.readNumbers(ctx); err != nil {
		return st, err
	}
	for _, id := range c.numbers {
		if !there[id] {
			st.Missing[id] = 0
		}
	}
	if len(st.Missing) == 0 {
		return st, nil
	}
	return st, s.scan(ctx, chunkPrefix, func(id objects.ID, value []byte) error {
		if loc, err := decodeLocation(id, value); err == nil {
			if packID := c.numbers[loc.Pack]; !there[packID] {
				st.Missing[packID]++
			}
		}
		return nil
	}, func() error { return nil })
}

// OfKind lists the objects of a kind of metadata that lie in readable packs.
func (s *Store) OfKind(ctx context.Context, kind objects.Kind) ([]objects.ID, error) {
	packs, err := s.Packs()
	if err != nil {
		return nil, err
	}
	var ids []objects.ID
	for _, id := range packs {
		x, err := s.index(ctx, id)
		if unreadable(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if x.Type != pack.TypeMeta {
			continue
		}
		for rec := range x.Records() {
			if rec.Kind == kind {
				ids = append(ids, rec.ID)
			}
		}
	}
	return ids, nil
}
