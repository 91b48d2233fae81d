package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
)

// overlay is the objects of a depot and those that an operation adds to them.
type overlay struct {
	*Depot
	put map[objects.ID]objects.Object
}

var _ objects.Store = (*overlay)(nil)

// Get implements objects.Getter.
func (o *overlay) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	if obj, ok := o.put[id]; ok {
		return obj, nil
	}
	return o.Depot.Get(ctx, id)
}

// Put implements objects.Store.
func (o *overlay) Put(_ context.Context, obj objects.Object) (objects.ID, error) {
	id := obj.ID()
	o.put[id] = obj
	return id, nil
}

// Missing implements objects.Store.
func (o *overlay) Missing(ctx context.Context, ids []objects.ID) ([]objects.ID, error) {
	places, err := o.Locate(ctx, ids)
	if err != nil {
		return nil, err
	}
	var missing []objects.ID
	for i, id := range ids {
		if _, ok := o.put[id]; !ok && places[i].Length == 0 && !slices.Contains(missing, id) {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

// Sync implements objects.Store: a names pack is what makes them durable.
func (o *overlay) Sync(ctx context.Context) error { return ctx.Err() }

// maxNamesPacks is how many small packs of names there are before a push makes
// one of them.
const maxNamesPacks = 32

// namesPack is a pack of views and operations that was sent and that nothing
// lists yet.
type namesPack struct {
	segment *segment     // lists it alone
	id      objects.ID   // of the pack
	file    string       // the pack
	takes   []objects.ID // other packs that it has everything of
}

// discard removes the local files. What cannot be removed is swept later.
func (n *namesPack) discard(d *Depot) {
	discardSegments(d.opt.FS, []*segment{n.segment})
	removeFile(d.opt.FS, n.file) //nolint:errcheck // see above
}

// sendNames sends what an operation adds, and with it what small packs of names
// have, if those are many.
func (d *Depot) sendNames(ctx context.Context, put map[objects.ID]objects.Object, operation objects.ID) (_ *namesPack, err error) {
	n := &namesPack{file: d.temp()}
	w, err := pack.NewWriter(d.opt.FS, n.file, pack.TypeMeta)
	if err != nil {
		return nil, err
	}
	x, err := d.writeNames(ctx, w, n, put)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write names: %w", err), w.Abort())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeFile(d.opt.FS, n.file))
		}
	}()
	n.id = x.ID
	if err := d.putFile(ctx, packKey(x.ID), n.file, x.Size); err != nil {
		return nil, err
	}
	p, records, err := listPack(x, roleNames)
	if err != nil {
		return nil, err
	}
	n.segment, err = writeSegment(d.opt.FS, d.temp(), []listedPack{p}, records, operation)
	return n, err
}

func (d *Depot) writeNames(ctx context.Context, w *pack.Writer, n *namesPack, put map[objects.ID]objects.Object) (*pack.Index, error) {
	ids := make([]objects.ID, 0, len(put))
	for id := range put {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, compareIDs)
	for _, id := range ids {
		if _, err := w.Append(pack.Compress(id, put[id]), nil); err != nil {
			return nil, err
		}
	}
	done := make(map[objects.ID]bool)
	for _, p := range d.smallNames() {
		if err := d.copyNames(ctx, w, p.ID, put, done); err != nil {
			return nil, err
		}
		n.takes = append(n.takes, p.ID)
	}
	return w.Seal(ctx)
}

// smallNames returns the packs of names below smallPack, if they are many.
func (d *Depot) smallNames() []PackInfo {
	small := d.small(func(p listedPack) bool { return p.role == roleNames })
	if len(small) < maxNamesPacks {
		return nil
	}
	return small
}

// copyNames appends what a pack of names has, each object once.
func (d *Depot) copyNames(ctx context.Context, w *pack.Writer, id objects.ID, put map[objects.ID]objects.Object, done map[objects.ID]bool) error {
	r, release, err := d.Open(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	x, err := r.Index(ctx)
	if err != nil {
		return err
	}
	for rec := range x.Records() {
		if _, ok := put[rec.ID]; ok || done[rec.ID] {
			continue
		}
		done[rec.ID] = true
		o, err := r.ReadRecord(ctx, rec.Place(id), rec.ID, d.Open)
		if err != nil {
			return err
		}
		if _, err := w.Append(pack.Compress(rec.ID, o), nil); err != nil {
			return err
		}
	}
	return nil
}
