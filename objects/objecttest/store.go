// Package objecttest has what tests of objects need: a store in memory that
// counts and can be damaged, and the conformance suite of every store.
package objecttest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mlvc/mlvc/objects"
)

// Store is an objects.Store in memory. It checks what it hands out, as every
// store must.
type Store struct {
	gets, puts atomic.Int64

	mu      sync.RWMutex
	objects map[objects.ID]objects.Object
}

var _ objects.Store = (*Store)(nil)

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{objects: make(map[objects.ID]objects.Object)}
}

// Get implements objects.Getter.
func (s *Store) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	if err := ctx.Err(); err != nil {
		return objects.Object{}, err
	}
	s.gets.Add(1)
	s.mu.RLock()
	o, ok := s.objects[id]
	s.mu.RUnlock()
	if !ok {
		return objects.Object{}, &objects.ObjectError{ID: id, Err: objects.ErrNotFound}
	}
	if o.ID() != id {
		return objects.Object{}, &objects.ObjectError{ID: id, Where: "memory", Err: objects.ErrCorrupt}
	}
	return o, nil
}

// Put implements objects.Store.
func (s *Store) Put(ctx context.Context, o objects.Object) (objects.ID, error) {
	if err := ctx.Err(); err != nil {
		return objects.ID{}, err
	}
	if !o.Kind.Valid() || len(o.Data) > objects.MaxObject {
		return objects.ID{}, fmt.Errorf("put an object of %v and %d bytes", o.Kind, len(o.Data))
	}
	s.puts.Add(1)
	id := o.ID()
	s.mu.Lock()
	s.objects[id] = o
	s.mu.Unlock()
	return id, nil
}

// Missing implements objects.Store.
func (s *Store) Missing(ctx context.Context, ids []objects.ID) ([]objects.ID, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var missing []objects.ID
	seen := make(map[objects.ID]bool)
	for _, id := range ids {
		if _, ok := s.objects[id]; !ok && !seen[id] {
			seen[id] = true
			missing = append(missing, id)
		}
	}
	return missing, ctx.Err()
}

// Sync implements objects.Store; memory has nothing to sync.
func (s *Store) Sync(ctx context.Context) error { return ctx.Err() }

// Gets returns how many Gets there were since the last ResetCounts.
func (s *Store) Gets() int { return int(s.gets.Load()) }

// Puts returns how many Puts there were since the last ResetCounts, those of
// objects that the store already had included.
func (s *Store) Puts() int { return int(s.puts.Load()) }

// ResetCounts sets both counts to zero.
func (s *Store) ResetCounts() {
	s.gets.Store(0)
	s.puts.Store(0)
}

// Len returns the number of objects held.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.objects)
}

// Damage changes one bit of the stored bytes of id, which the store holds and
// which are not empty.
func (s *Store) Damage(id objects.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[id]
	o.Data = bytes.Clone(o.Data)
	o.Data[len(o.Data)/2] ^= 1
	s.objects[id] = o
}

// Delete takes id out of the store.
func (s *Store) Delete(id objects.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, id)
}
