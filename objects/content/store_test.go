package content_test

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
)

// store keeps copies of objects in memory and counts what is asked of it.
type store struct {
	mu      sync.Mutex
	objects map[objects.ID]objects.Object
	puts    []objects.ID                // in the order of their coming
	deltas  map[objects.ID][]objects.ID // the bases that were offered
	gets    int

	useless   bool // deltas help nothing
	failAfter int  // the put of that number fails, and all after it; 0: none does
}

var errPut = errors.New("put failed")

var _ content.Store = (*store)(nil)

func newStore() *store {
	return &store{objects: make(map[objects.ID]objects.Object), deltas: make(map[objects.ID][]objects.ID)}
}

func (s *store) Get(_ context.Context, id objects.ID) (objects.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	o, ok := s.objects[id]
	if !ok {
		return objects.Object{}, &objects.ObjectError{ID: id, Err: objects.ErrNotFound}
	}
	if o.ID() != id {
		return objects.Object{}, &objects.ObjectError{ID: id, Err: objects.ErrCorrupt}
	}
	return o, nil
}

func (s *store) Put(ctx context.Context, o objects.Object) (objects.ID, error) {
	id, _, err := s.PutDelta(ctx, o, nil)
	return id, err
}

func (s *store) PutDelta(_ context.Context, o objects.Object, bases []objects.ID) (objects.ID, bool, error) {
	id := o.ID()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failAfter > 0 {
		if s.failAfter--; s.failAfter == 0 {
			s.failAfter = 1
			return objects.ID{}, false, errPut
		}
	}
	s.puts = append(s.puts, id)
	if _, ok := s.objects[id]; !ok {
		s.objects[id] = objects.Object{Kind: o.Kind, Data: bytes.Clone(o.Data)}
		if bases != nil {
			s.deltas[id] = bases
		}
	}
	return id, bases != nil && !s.useless, nil
}

func (s *store) Missing(_ context.Context, ids []objects.ID) ([]objects.ID, error) {
	var missing []objects.ID
	for _, id := range ids {
		if _, ok := s.objects[id]; !ok {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

func (s *store) Sync(context.Context) error { return nil }
