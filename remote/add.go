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
// pack that was dropped not long ago. A pack that the bucket has is not sent again.
func (l *Shelf) AddPack(ctx context.Context, id objects.ID, name string, temporary bool) error {
	l.mu.RLock()
	_, known := l.packs[id]
	known = known || l.adding.known[id]
	gone := l.gone != nil && l.gone(id)
	l.mu.RUnlock()
	if gone {
		return fmt.Errorf("pack %s: %w", id, ErrDropped)
	}
	if !known {
		x, err := l.send(ctx, id, name)
		if err != nil {
			return err
		}
		if err := l.add(ctx, x); err != nil {
			return err
		}
	}
	if temporary {
		return removeFile(l.opt.FS, name)
	}
	return nil
}

// send puts a pack into the bucket and returns its footer.
func (l *Shelf) send(ctx context.Context, id objects.ID, name string) (*pack.Index, error) {
	f, err := l.opt.FS.Open(name)
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
	size, arrived, err := l.hasArrived(ctx, id)
	if err != nil {
		return nil, err
	}
	key := PackKey(l.opt.Folder, id)
	switch {
	case !arrived:
		err = l.put(ctx, key, f, stat.Size)
	case size != stat.Size:
		err = l.cache.failed(key, corrupt("it has %d bytes, the pack of that name %d", size, stat.Size))
	}
	if err == nil && l.opt.Added != nil {
		err = l.opt.Added(ctx, PackInfo{ID: id, Type: x.Type, Size: x.Size, Count: x.Count, Bases: x.Bases}, f)
	}
	return x, err
}

// hasArrived reports whether an earlier push has left the pack in the bucket.
// It asks once for all packs, and only when there is much to send.
func (l *Shelf) hasArrived(ctx context.Context, id objects.ID) (int64, bool, error) {
	l.mu.Lock()
	l.adding.sent++
	few := l.adding.sent <= listAfter && !l.opt.Resumed
	l.mu.Unlock()
	if few {
		return 0, false, nil
	}
	l.adding.listing.Lock()
	defer l.adding.listing.Unlock()
	if l.adding.arrived == nil {
		arrived, err := l.listArrived(ctx)
		if err != nil {
			return 0, false, err
		}
		l.adding.arrived = arrived
	}
	size, ok := l.adding.arrived[id]
	return size, ok, nil
}

// listArrived lists the packs of the bucket that no segment lists.
func (l *Shelf) listArrived(ctx context.Context) (map[objects.ID]int64, error) {
	arrived := make(map[objects.ID]int64)
	for info, err := range l.bucket.List(ctx, l.opt.Folder) {
		if err != nil {
			return nil, l.cache.failed(l.opt.Folder, err)
		}
		id, err := objects.ParseID(strings.TrimSuffix(strings.TrimPrefix(info.Key, l.opt.Folder), packSuffix))
		if err != nil || PackKey(l.opt.Folder, id) != info.Key {
			continue
		}
		l.mu.RLock()
		_, known := l.packs[id]
		l.mu.RUnlock()
		if !known {
			arrived[id] = info.Size
		}
	}
	return arrived, nil
}

// put makes an object that is named by its bytes. One that is there already
// has them, if it has as many.
func (l *Shelf) put(ctx context.Context, key string, r io.ReaderAt, size int64) error {
	err := l.bucket.PutIfAbsent(ctx, key, counted{r, l.cache.progress}, size)
	if !errors.Is(err, bucket.ErrExist) {
		return l.cache.failed(key, err)
	}
	for info, err := range l.bucket.List(ctx, key) {
		if err != nil {
			return l.cache.failed(key, err)
		}
		if info.Key == key && info.Size == size {
			return nil
		}
		if info.Key == key {
			return l.cache.failed(key, corrupt("it has %d bytes, what has that name has %d", info.Size, size))
		}
	}
	return l.cache.failed(key, errors.New("it was there and is gone"))
}

// add takes the records of a pack in the bucket.
func (l *Shelf) add(ctx context.Context, x *pack.Index) error {
	as := roleMeta
	if x.Type == pack.TypeData {
		as = roleData
	}
	p, records, err := listPack(x, as)
	if err != nil {
		return err
	}
	l.mu.Lock()
	a := &l.adding
	if a.known[x.ID] {
		l.mu.Unlock()
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
	l.mu.Unlock()
	if full {
		return l.Sync(ctx)
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
func (l *Shelf) Sync(ctx context.Context) error {
	l.change.Lock()
	defer l.change.Unlock()
	return l.sync(ctx)
}

func (l *Shelf) sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.adding.packs) == 0 {
		return nil
	}
	s, err := writeSegment(l.opt.FS, l.temp(), l.adding.packs, l.adding.records, objects.ID{})
	if err != nil {
		return err
	}
	l.fresh = append(l.fresh, s)
	l.adding.packs, l.adding.records = nil, nil
	if len(l.fresh) > maxFresh {
		if err := l.joinFresh(ctx); err != nil {
			return err
		}
	}
	l.listPacks()
	return nil
}

// joinFresh makes one segment of all that were added; l.mu is held.
func (l *Shelf) joinFresh(ctx context.Context) error {
	s, err := mergeSegments(ctx, l.opt.FS, l.temp(), l.fresh, func(objects.ID) bool { return false }, objects.ID{})
	if err != nil {
		return err
	}
	discardSegments(l.opt.FS, l.fresh)
	l.fresh = []*segment{s}
	return nil
}

// forgetFresh forgets what was added before the last sync; l.mu is held.
func (l *Shelf) forgetFresh() {
	discardSegments(l.opt.FS, l.fresh)
	l.fresh = nil
	clear(l.adding.known)
	for _, p := range l.adding.packs {
		l.adding.known[p.ID] = true
	}
	l.listPacks()
}

func (l *Shelf) temp() string { return vfs.TempName(filepath.Clean(l.opt.Cache)) }

// discardSegments closes and removes local segments. What cannot be removed is
// swept later.
func discardSegments(fs vfs.FS, segments []*segment) {
	for _, s := range segments {
		s.close()
		removeFile(fs, s.name) //nolint:errcheck // see above
	}
}

// putFile sends a local file.
func (l *Shelf) putFile(ctx context.Context, key, name string, size int64) error {
	f, err := l.opt.FS.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(l.put(ctx, key, f, size), f.Close())
}
