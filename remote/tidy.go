package remote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
)

// Tidy merges the small packs of a depot, once it has too many: those of which
// the local store holds every object, and on which no pack that stays is
// built. The new packs are added and the old ones dropped with the next
// Publish of d, which may be another push's as well: until then nothing has
// changed for others. It is called between Copy and Publish, and again before another
// Publish when the first one failed with ErrMoved.
func Tidy(ctx context.Context, d *Depot, src *Local, opt CopyOptions) (done Copied, err error) {
	small, err := mergeable(ctx, d, src)
	if err != nil || len(small) == 0 {
		return Copied{}, err
	}
	p := newPlan()
	leaving := make([]objects.ID, 0, len(small))
	for id, list := range small {
		leaving = append(leaving, id)
		places, err := src.Locate(ctx, list.ids)
		if err != nil {
			return Copied{}, err
		}
		for i, id := range list.ids {
			p.add(id, places[i], list.meta)
		}
	}
	t := newTransfer(d, src, true, opt)
	defer func() { err = errors.Join(err, t.close()) }()
	t.near = src
	t.pack.leave(leaving)
	if err := t.run(ctx, p); err != nil {
		return t.copied, fmt.Errorf("merge small packs of %s: %w", d, err)
	}
	d.Drop(leaving)
	return t.copied, nil
}

// contents is what lies in a small pack.
type contents struct {
	meta bool
	ids  []objects.ID
}

// mergeable returns the packs to merge; none if there are too few.
func mergeable(ctx context.Context, d *Depot, src *Local) (map[objects.ID]*contents, error) {
	small := make(map[objects.ID]*contents)
	for _, info := range d.Small() {
		small[info.ID] = &contents{meta: info.Type == pack.TypeMeta}
	}
	if len(small) == 0 {
		return nil, nil
	}
	if err := d.contents(ctx, small); err != nil {
		return nil, err
	}
	candidates := make(map[objects.ID]bool)
	for id, list := range small {
		places, err := src.Locate(ctx, list.ids)
		if err != nil {
			return nil, err
		}
		lacks := func(at pack.Place) bool { return at.Length == 0 }
		if len(places) > 0 && !slices.ContainsFunc(places, lacks) {
			candidates[id] = true
		}
	}
	d.mu.RLock()
	d.keepBases(candidates)
	d.mu.RUnlock()
	if len(candidates) < 2 {
		return nil, nil
	}
	maps.DeleteFunc(small, func(id objects.ID, _ *contents) bool { return !candidates[id] })
	return small, nil
}

// contents fills in what lies in the small packs.
func (d *Depot) contents(ctx context.Context, small map[objects.ID]*contents) error {
	return d.mending(ctx, func() error {
		for _, list := range small {
			list.ids = nil
		}
		in := func(pack objects.ID) bool { return small[pack] != nil }
		return d.Contents(ctx, in, func(pack, id objects.ID, _ objects.Kind) error {
			small[pack].ids = append(small[pack].ids, id)
			return nil
		})
	})
}
