package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/bucket"
)

// ErrDropped is for a pack that a depot has replaced by others and is about to
// delete: its objects are to be sent in another pack.
var ErrDropped = errors.New("pack was replaced at the remote by another push")

const (
	// maxAdding is how many records of added packs are kept in memory before
	// they go to a local file: about 50 MiB.
	maxAdding = 1 << 20
	// maxFresh is how many such files there are before they become one.
	maxFresh = 16
	// listAfter is how many packs are sent before it is worth a request to
	// ask what an interrupted push has left.
	listAfter = 3
)

// adding is what was added since the last Sync.
type adding struct {
	packs   []listedPack
	records []record // their packs are positions in packs
	known   map[objects.ID]bool

	sent    int // packs, since the depot was opened
	listing sync.Mutex
	arrived map[objects.ID]int64 // sizes of packs that were there and not listed; nil: not asked
}

// AddPack implements Endpoint. When it returns nil the pack is durable in the
// bucket; Publish makes it visible to others. It fails with ErrDropped for a
// pack that is Dropped. A pack that the bucket has is not sent again.
func (d *Depot) AddPack(ctx context.Context, id objects.ID, name string, temporary bool) error {
	d.mu.RLock()
	_, known := d.packs[id]
	known = known || d.adding.known[id]
	gone := d.current.isDropped(id)
	d.mu.RUnlock()
	if gone {
		return fmt.Errorf("pack %s: %w", id, ErrDropped)
	}
	if !known {
		x, err := d.send(ctx, id, name)
		if err != nil {
			return err
		}
		if err := d.add(ctx, x); err != nil {
			return err
		}
	}
	if temporary {
		return removeFile(d.opt.FS, name)
	}
	return nil
}

// send puts a pack into the bucket and returns its footer.
func (d *Depot) send(ctx context.Context, id objects.ID, name string) (*pack.Index, error) {
	f, err := d.opt.FS.Open(name)
	if err != nil {
		return nil, fmt.Errorf("send pack: %w", err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	stat, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("send pack: %w", err)
	}
	x, err := pack.ReadIndex(ctx, f, stat.Size, id)
	if err != nil {
		return nil, fmt.Errorf("send pack %s: %w", id, err)
	}
	size, arrived, err := d.hasArrived(ctx, id)
	if err != nil {
		return nil, err
	}
	if !arrived {
		return x, d.put(ctx, packKey(id), f, stat.Size)
	}
	if size != stat.Size {
		return nil, d.cache.failed(packKey(id), corrupt("it has %d bytes, the pack of that name %d", size, stat.Size))
	}
	return x, nil
}

// hasArrived reports whether an earlier push has left the pack in the bucket.
// It asks once for all packs, and only when there is much to send.
func (d *Depot) hasArrived(ctx context.Context, id objects.ID) (int64, bool, error) {
	d.mu.Lock()
	d.adding.sent++
	few := d.adding.sent <= listAfter
	d.mu.Unlock()
	if few {
		return 0, false, nil
	}
	d.adding.listing.Lock()
	defer d.adding.listing.Unlock()
	if d.adding.arrived == nil {
		arrived, err := d.listArrived(ctx)
		if err != nil {
			return 0, false, err
		}
		d.adding.arrived = arrived
	}
	size, ok := d.adding.arrived[id]
	return size, ok, nil
}

// listArrived lists the packs of the bucket that no segment lists.
func (d *Depot) listArrived(ctx context.Context) (map[objects.ID]int64, error) {
	arrived := make(map[objects.ID]int64)
	for info, err := range d.bucket.List(ctx, packsPrefix) {
		if err != nil {
			return nil, d.cache.failed(packsPrefix, err)
		}
		id, err := objects.ParseID(strings.TrimSuffix(strings.TrimPrefix(info.Key, packsPrefix), packSuffix))
		if err != nil || packKey(id) != info.Key {
			continue
		}
		d.mu.RLock()
		_, known := d.packs[id]
		d.mu.RUnlock()
		if !known {
			arrived[id] = info.Size
		}
	}
	return arrived, nil
}

// put makes an object that is named by its bytes. One that is there already
// has them, if it has as many.
func (d *Depot) put(ctx context.Context, key string, r io.ReaderAt, size int64) error {
	err := d.bucket.PutIfAbsent(ctx, key, counted{r, d.cache.progress}, size)
	if !errors.Is(err, bucket.ErrExist) {
		return d.cache.failed(key, err)
	}
	for info, err := range d.bucket.List(ctx, key) {
		if err != nil {
			return d.cache.failed(key, err)
		}
		if info.Key == key && info.Size == size {
			return nil
		}
		if info.Key == key {
			return d.cache.failed(key, corrupt("it has %d bytes, what has that name has %d", info.Size, size))
		}
	}
	return d.cache.failed(key, errors.New("it was there and is gone"))
}

// add takes the records of a pack in the bucket.
func (d *Depot) add(ctx context.Context, x *pack.Index) error {
	as := roleMeta
	if x.Type == pack.TypeData {
		as = roleData
	}
	p, records, err := listPack(x, as)
	if err != nil {
		return err
	}
	d.mu.Lock()
	a := &d.adding
	if a.known[x.ID] {
		d.mu.Unlock()
		return nil
	}
	if a.known == nil {
		a.known = make(map[objects.ID]bool)
	}
	a.known[x.ID] = true
	for i := range records {
		records[i].pack = uint32(len(a.packs))
	}
	a.packs, a.records = append(a.packs, p), append(a.records, records...)
	full := len(a.records) >= maxAdding
	d.mu.Unlock()
	if full {
		return d.Sync(ctx)
	}
	return nil
}

// listPack returns a pack as a segment lists it, with its records.
func listPack(x *pack.Index, as role) (listedPack, []record, error) {
	p := listedPack{PackInfo: PackInfo{ID: x.ID, Type: x.Type, Size: x.Size, Count: x.Count, Bases: x.Bases}, role: as}
	var records []record
	for r := range x.Records() {
		if !as.holds(r.Kind) {
			return p, nil, fmt.Errorf("pack %s has a %v, which no depot keeps there", x.ID, r.Kind)
		}
		records = append(records, record{id: r.ID, offset: uint32(r.Offset), length: uint32(r.Length), kind: r.Kind})
	}
	return p, records, nil
}

// Sync implements Endpoint: it makes what was added visible to Locate.
func (d *Depot) Sync(ctx context.Context) error {
	d.change.Lock()
	defer d.change.Unlock()
	return d.sync(ctx)
}

func (d *Depot) sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.adding.packs) == 0 {
		return nil
	}
	s, err := writeSegment(d.opt.FS, d.temp(), d.adding.packs, d.adding.records, objects.ID{})
	if err != nil {
		return err
	}
	d.fresh = append(d.fresh, s)
	d.adding.packs, d.adding.records = nil, nil
	if len(d.fresh) > maxFresh {
		if err := d.joinFresh(ctx); err != nil {
			return err
		}
	}
	d.listPacks()
	return nil
}

// joinFresh makes one segment of all that were added; d.mu is held.
func (d *Depot) joinFresh(ctx context.Context) error {
	s, err := mergeSegments(ctx, d.opt.FS, d.temp(), d.fresh, func(objects.ID) bool { return false }, objects.ID{})
	if err != nil {
		return err
	}
	discardSegments(d.opt.FS, d.fresh)
	d.fresh = []*segment{s}
	return nil
}

// forgetFresh forgets what was added before the last sync; d.mu is held.
func (d *Depot) forgetFresh() {
	discardSegments(d.opt.FS, d.fresh)
	d.fresh = nil
	clear(d.adding.known)
	for _, p := range d.adding.packs {
		d.adding.known[p.ID] = true
	}
	d.listPacks()
}

func (d *Depot) temp() string { return vfs.TempName(filepath.Clean(d.opt.Cache)) }

// discardSegments closes and removes local segments. What cannot be removed is
// swept later.
func discardSegments(fs vfs.FS, segments []*segment) {
	for _, s := range segments {
		s.close()
		removeFile(fs, s.name) //nolint:errcheck // see above
	}
}
