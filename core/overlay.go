package core

import (
	"context"
	"sync"

	"github.com/mlvc/mlvc/objects"
)

// overlay is a store for looking alone: what is put into it is held in memory,
// and goes with it. It needs no lock of the repository.
type overlay struct {
	objects.Store
	mu   sync.RWMutex
	more map[objects.ID]objects.Object
}

var _ objects.Store = (*overlay)(nil)

func newOverlay(over objects.Store) *overlay {
	return &overlay{Store: over, more: make(map[objects.ID]objects.Object)}
}

func (o *overlay) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	o.mu.RLock()
	obj, ok := o.more[id]
	o.mu.RUnlock()
	if ok {
		return obj, nil
	}
	return o.Store.Get(ctx, id)
}

func (o *overlay) Put(_ context.Context, obj objects.Object) (objects.ID, error) {
	id := obj.ID()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.more[id] = obj
	return id, nil
}

func (o *overlay) Missing(ctx context.Context, ids []objects.ID) ([]objects.ID, error) {
	var rest []objects.ID
	o.mu.RLock()
	for _, id := range ids {
		if _, ok := o.more[id]; !ok {
			rest = append(rest, id)
		}
	}
	o.mu.RUnlock()
	return o.Store.Missing(ctx, rest)
}

// Sync does nothing: nothing of it lasts.
func (o *overlay) Sync(context.Context) error { return nil }
