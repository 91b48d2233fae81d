package remote

import (
	"context"
	"errors"
	"sync"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
)

// source is where a copy reads packs. Of a pack at a far place records are
// read by ranges; one that is asked for often is fetched whole, so that requests
// follow bytes and not objects. Safe for concurrent use.
type source struct {
	Endpoint
	fs  vfs.FS
	far bool
	dst *Local // looked into first if src is far; or nil

	mu     sync.Mutex
	opened map[objects.ID]int
	files  map[objects.ID]*fetched
}

// fetched is a whole pack on this machine.
type fetched struct {
	reader    *pack.Reader
	temporary string // the file to remove, or ""
}

// maxRanges is how many ranges of a pack are read before it is fetched whole.
const maxRanges = 8

func newSource(dst, src Endpoint, fsys vfs.FS) *source {
	s := &source{
		Endpoint: src, fs: fsys,
		opened: make(map[objects.ID]int), files: make(map[objects.ID]*fetched),
	}
	if _, near := src.(*Local); !near {
		s.far = true
		s.dst, _ = dst.(*Local)
	}
	return s
}

func (s *source) close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.reader.Close())
		if f.temporary != "" {
			errs = append(errs, s.fs.Remove(f.temporary))
		}
	}
	return errors.Join(errs...)
}

// Open is a pack.Opener. dst may have the same pack by now.
func (s *source) Open(ctx context.Context, id objects.ID) (*pack.Reader, func(), error) {
	if !s.far {
		return s.Endpoint.Open(ctx, id)
	}
	if s.dst != nil {
		if there, err := s.dst.store.HasPack(id); err == nil && there {
			return s.dst.Open(ctx, id)
		}
	}
	s.mu.Lock()
	f := s.files[id]
	s.opened[id]++
	often := s.opened[id] > maxRanges
	s.mu.Unlock()
	if f == nil && often {
		err := s.fetch(ctx, id)
		if err != nil && !errors.Is(err, objects.ErrCorrupt) {
			return nil, nil, err
		}
		s.mu.Lock()
		f = s.files[id]
		s.mu.Unlock()
	}
	if f != nil {
		return f.reader, func() {}, nil
	}
	return s.Endpoint.Open(ctx, id)
}

// fetch brings a whole pack to this machine until the end of the copy.
func (s *source) fetch(ctx context.Context, id objects.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files[id] != nil {
		return nil
	}
	name, temporary, err := s.Endpoint.Fetch(ctx, id)
	if err != nil {
		return err
	}
	f := new(fetched)
	if temporary {
		f.temporary = name
	}
	if f.reader, err = pack.Open(s.fs, name, id); err != nil {
		return err
	}
	s.files[id] = f
	return nil
}
