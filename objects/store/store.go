// Package store is the object store of a repository: the bulk bytes in packs,
// and in the database every metadata object and where each chunk lies.
//
// A store has one writer at a time: Put, PutDelta and Sync may be called only
// while the caller holds the repository's writer lock. Reading needs no lock.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Options say where a store lies.
type Options struct {
	FS vfs.FS
	// Packs is the folder of the packs, Temp one on the same file system for
	// packs that are being written. Both exist.
	Packs, Temp string
	DB          kv.DB
}

// Store implements objects.Store and content.Store over packs and a database.
// Safe for concurrent use.
type Store struct {
	opt   Options
	packs *packCache

	mu     sync.Mutex // held while a pack is written to
	stats  Stats
	failed error // the first error of writing; final

	known   sync.RWMutex // of what both have, for looking; taken after mu
	current *batch       // what was put and is not being recorded yet
	flushed *batch       // what is being recorded; nil if nothing

	lost *lostObjects // objects found in packs that the database lacks
}

// Stats count what a store has written since it was opened.
type Stats struct {
	Objects int64 // put and not there before
	Bytes   int64 // of them, before compression
	Stored  int64 // bytes of packs, headers and footers included
	Deltas  int64 // chunks stored as deltas
	Chunks  int64 // bytes of the chunks among Objects as they lie in packs, sealed or not
}

var _ objects.Store = (*Store)(nil)

// Open returns a store over existing folders. It does no I/O.
func Open(opt Options) *Store {
	return &Store{
		opt:     opt,
		packs:   newPackCache(opt.FS, opt.Packs),
		current: newBatch(),
		lost:    new(lostObjects),
	}
}

// Close lets go of open packs. What was put and not synced is lost.
func (s *Store) Close() error {
	s.Discard()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.packs.close()
}

// Discard forgets what was put since the last Sync, and that writing it failed.
// When it returns nothing is being written any more, so the writer lock may be
// released. Packs that were sealed stay: the next Adopt finds them.
func (s *Store) Discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.await() //nolint:errcheck // what it wrote is not wanted
	s.current.abort()
	s.known.Lock()
	s.current = newBatch()
	s.known.Unlock()
	s.failed = nil
}

// Stats returns the counts so far; Stored includes only sealed packs, so call
// it after Sync.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// PackPath is the name of the pack of that ID in the folder of packs. There is
// no fan-out: at 64 MiB a pack a terabyte is 16,000 names, which file systems
// and buckets hold with ease, and every folder would cost a block.
func PackPath(id objects.ID) string { return id.String() + ".pack" }

// Get implements objects.Getter. A record that the database lacks or that is
// damaged is looked for in the packs themselves, which are the truth.
func (s *Store) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	if o, ok, err := s.getPending(ctx, id); ok || err != nil {
		return o, err
	}
	o, err := s.getRecorded(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		// gc moved it to another pack between the look-up and the read.
		o, err = s.getRecorded(ctx, id)
	}
	switch {
	case err == nil:
		return o, nil
	case errors.Is(err, objects.ErrNotFound), errors.Is(err, objects.ErrCorrupt), errors.Is(err, kv.ErrDamaged):
		found, lostErr := s.getLost(ctx, id)
		if lostErr == nil {
			return found, nil
		}
		if errors.Is(err, objects.ErrNotFound) && errors.Is(lostErr, objects.ErrCorrupt) {
			return objects.Object{}, lostErr // it is there, and damaged
		}
	}
	return objects.Object{}, err
}

// getRecorded reads an object by what the database says of it.
func (s *Store) getRecorded(ctx context.Context, id objects.ID) (objects.Object, error) {
	rec, err := s.lookup(ctx, id)
	if err != nil {
		return objects.Object{}, err
	}
	if rec.meta != nil {
		return decodeMeta(id, rec.meta)
	}
	return s.readChunk(ctx, id, rec.place)
}

// GetRecorded is Get that does not look for an object that the database lacks.
func (s *Store) GetRecorded(ctx context.Context, id objects.ID) (objects.Object, error) {
	return s.getRecorded(ctx, id)
}

// readChunk reads and verifies the chunk that lies at a place.
func (s *Store) readChunk(ctx context.Context, id objects.ID, at pack.Place) (objects.Object, error) {
	r, release, err := s.packs.open(ctx, at.Pack)
	if err != nil {
		return objects.Object{}, lostPack(id, at.Pack, err)
	}
	defer release()
	return r.ReadRecord(ctx, at, id, s.packs.open)
}

// lostPack says which object could not be read for want of its pack. A pack
// that the database knows and the disk does not is damage.
func lostPack(id, packID objects.ID, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", objects.ErrCorrupt, err)
	}
	return &objects.ObjectError{ID: id, Where: "pack " + packID.String(), Err: err}
}

// found is what the database says of an object: the value of a metadata
// object, or the place of a chunk.
type found struct {
	meta  []byte
	place pack.Place
	size  int
}

// lookup reads the database's record of id; an *objects.ObjectError that wraps
// ErrNotFound if there is none.
func (s *Store) lookup(ctx context.Context, id objects.ID) (found, error) {
	var f found
	err := s.opt.DB.View(ctx, func(r kv.Reader) error {
		value, err := r.Get(idKey(chunkPrefix, id))
		if errors.Is(err, kv.ErrNotFound) {
			f.meta, err = r.Get(idKey(objectPrefix, id))
			return err
		}
		if err != nil {
			return err
		}
		loc, err := decodeLocation(id, value)
		if err != nil {
			return err
		}
		f.size = loc.Size
		f.place = pack.Place{Offset: loc.Offset, Length: loc.Length}
		f.place.Pack, err = s.packID(r, loc.Pack)
		return err
	})
	if errors.Is(err, kv.ErrNotFound) {
		err = objects.ErrNotFound
	}
	if err != nil {
		return found{}, &objects.ObjectError{ID: id, Where: "the database", Err: err}
	}
	return f, nil
}

// packID returns the ID of the pack with this database's number n. A number
// never changes its pack, so it is read once.
func (s *Store) packID(r kv.Reader, n uint32) (objects.ID, error) {
	if id, ok := s.packs.number(n); ok {
		return id, nil
	}
	value, err := r.Get(numberKey(n))
	if err != nil {
		return objects.ID{}, fmt.Errorf("%w: database has no pack %d", objects.ErrCorrupt, n)
	}
	var id objects.ID
	if err := id.UnmarshalBinary(value); err != nil {
		return objects.ID{}, fmt.Errorf("%w: database record of pack %d", objects.ErrCorrupt, n)
	}
	s.packs.setNumber(n, id)
	return id, nil
}

// Missing implements objects.Store.
func (s *Store) Missing(ctx context.Context, ids []objects.ID) ([]objects.ID, error) {
	var missing []objects.ID
	seen := make(map[objects.ID]bool, len(ids))
	var ask []objects.ID
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			ask = append(ask, id)
		}
	}
	held, err := s.held(ctx, ask)
	if err != nil {
		return nil, err
	}
	for i, id := range ask {
		if !held[i] {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

// held says which of ids are pending, or recorded and not marked by gc. A chunk
// whose pack is not there is not held: it is stored again.
func (s *Store) held(ctx context.Context, ids []objects.ID) ([]bool, error) {
	held := make([]bool, len(ids))
	pending := 0
	for i, id := range ids {
		if s.isPending(id) {
			held[i] = true
			pending++
		}
	}
	if pending == len(ids) {
		return held, nil
	}
	err := s.opt.DB.View(ctx, func(r kv.Reader) error {
		marks, err := has(r, marksKey)
		if err != nil {
			return err
		}
		for i, id := range ids {
			if held[i] {
				continue
			}
			if marks {
				marked, err := has(r, idKey(markPrefix, id))
				if err != nil {
					return err
				}
				if marked {
					continue
				}
			}
			if held[i], err = s.recorded(r, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up objects: %w", err)
	}
	return held, nil
}

// recorded says whether the database has a record of id that can be right.
func (s *Store) recorded(r kv.Reader, id objects.ID) (bool, error) {
	value, err := r.Get(idKey(chunkPrefix, id))
	if errors.Is(err, kv.ErrNotFound) {
		return has(r, idKey(objectPrefix, id))
	}
	if err != nil {
		return false, err
	}
	loc, err := decodeLocation(id, value)
	if err != nil {
		return false, nil //nolint:nilerr // a damaged record is as good as none
	}
	packID, err := s.packID(r, loc.Pack)
	if err != nil {
		return false, nil //nolint:nilerr // a pack that is not recorded
	}
	return s.packs.exists(packID)
}

func has(r kv.Reader, key []byte) (bool, error) {
	_, err := r.Get(key)
	if errors.Is(err, kv.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func ignoreNotFound(err error) error {
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	return err
}
