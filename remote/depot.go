package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote/bucket"
)

// DepotOptions is what a Depot needs from outside.
type DepotOptions struct {
	FS vfs.FS
	// Cache is a local folder for index segments and packs that are
	// arriving. It is made if it is missing, and may be lost at any time.
	Cache string
	// Progress is told how many bytes have moved since the last call, from
	// several goroutines; it may be nil.
	Progress func(received, sent int64)
	// Now is the time by which the cache is swept; nil: it is not.
	Now func() time.Time
}

// Depot is a repository in a bucket: an Endpoint that has names. What it shows
// is the state at the last OpenDepot, Reload or Publish, and what was added
// since by this Depot. Safe for concurrent use.
type Depot struct {
	bucket bucket.Bucket
	opt    DepotOptions
	cache  *cache

	// change is held by what changes the state below, one at a time.
	change  sync.Mutex
	version bucket.Version
	drops   []objects.ID // packs that the next Publish drops

	mu      sync.RWMutex
	current current    // its zero value: the bucket is empty
	listed  []*segment // in the order of current.Segments
	fresh   []*segment // what was added and not yet published
	packs   map[objects.ID]listedPack
	adding  adding
}

var _ Endpoint = (*Depot)(nil)

// OpenDepot reads what a bucket has: one small object, and those index
// segments that the cache does not have. A bucket without a current record is
// an empty depot. It fails with a *DepotError for what is damaged, and with one
// that wraps objects.ErrNewer for a later version. The bucket stays the
// caller's to close.
func OpenDepot(ctx context.Context, b bucket.Bucket, opt DepotOptions) (*Depot, error) {
	c, err := openCache(opt, b)
	if err != nil {
		return nil, err
	}
	d := &Depot{bucket: b, opt: opt, cache: c, packs: make(map[objects.ID]listedPack)}
	if err := d.Reload(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if opt.Now != nil {
		inUse := make(map[string]bool)
		for _, s := range d.current.Segments {
			inUse[s.ID.String()+segmentSuffix] = true
		}
		c.sweep(opt.Now(), func(name string) bool { return inUse[name] })
	}
	return d, nil
}

// Close closes local files. What was added and not published is forgotten; the
// bytes sent stay in the bucket, for the next push to find.
func (d *Depot) Close() error {
	d.change.Lock()
	defer d.change.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.listed {
		s.close()
	}
	d.listed = nil
	d.forgetFresh()
	d.cache.close()
	return nil
}

// String returns the URL of the bucket.
func (d *Depot) String() string { return d.bucket.String() }

// ID returns the repository's ID, made by the first push; empty before.
func (d *Depot) ID() string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.current.Repository
}

// Operation returns the current operation; zero before the first push.
func (d *Depot) Operation() objects.ID {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.current.Operation
}

// View returns all names. What it yields is checked, but for namespaces that a
// later version may have: refs.ParseName tells.
func (d *Depot) View(ctx context.Context) (refs.View, error) {
	return refs.ViewAt(ctx, d, d.Operation())
}

// Dropped reports whether a pack was replaced by others not long ago. One that
// was is on its way out, so AddPack refuses it: its objects are to be sent in
// another pack.
func (d *Depot) Dropped(id objects.ID) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.current.isDropped(id)
}

// Get implements objects.Getter. For metadata the whole pack that it lies in is
// downloaded, once; a chunk is read alone.
func (d *Depot) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	places, err := d.Locate(ctx, []objects.ID{id})
	if err != nil {
		return objects.Object{}, err
	}
	if places[0].Length == 0 {
		return objects.Object{}, &objects.ObjectError{ID: id, Where: d.String(), Err: objects.ErrNotFound}
	}
	r, release, err := d.Open(ctx, places[0].Pack)
	if err != nil {
		return objects.Object{}, &objects.ObjectError{ID: id, Where: d.String(), Err: err}
	}
	defer release()
	return r.ReadRecord(ctx, places[0], id, d.Open)
}

// Info implements Endpoint.
func (d *Depot) Info(_ context.Context, id objects.ID) (PackInfo, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p, ok := d.packs[id]
	if !ok {
		return PackInfo{}, &objects.ObjectError{ID: id, Where: "packs of " + d.String(), Err: objects.ErrNotFound}
	}
	return p.PackInfo, nil
}

// Open implements Endpoint. Of a data pack each read is one request to the
// bucket, with the context given here, so who reads much at one place reads
// Ahead; a meta pack is downloaded whole.
func (d *Depot) Open(ctx context.Context, id objects.ID) (*pack.Reader, func(), error) {
	p, err := d.Info(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if p.Type == pack.TypeMeta {
		return d.cache.reader(ctx, p)
	}
	if o := d.cache.use(id); o != nil {
		return o.reader, func() { d.cache.release(o) }, nil
	}
	r := pack.NewReader(ranges{ctx: ctx, cache: d.cache, key: packKey(id)}, p.Size, id, p.Bases)
	return r, func() {}, nil
}

// Fetch implements Endpoint; the file is always temporary. What arrived before
// an error is kept for the next try, of this process or a later one.
func (d *Depot) Fetch(ctx context.Context, id objects.ID) (string, bool, error) {
	p, err := d.Info(ctx, id)
	if err != nil {
		return "", false, err
	}
	name, err := d.cache.fetch(ctx, p)
	return name, true, err
}

// Locate implements Endpoint.
func (d *Depot) Locate(ctx context.Context, ids []objects.ID) ([]pack.Place, error) {
	places := make([]pack.Place, len(ids))
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareIDs(ids[a], ids[b]) })
	err := d.mending(ctx, func() error {
		d.mu.RLock()
		defer d.mu.RUnlock()
		clear(places)
		for _, segments := range [][]*segment{d.fresh, d.listed} {
			for _, s := range slices.Backward(segments) {
				if err := s.locate(ctx, ids, order, places); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return places, err
}

// locate fills in the places of those ids, by order sorted, that have none yet.
func (s *segment) locate(ctx context.Context, ids []objects.ID, order []int, places []pack.Place) error {
	c := cursor{s: s}
	for _, i := range order {
		if places[i].Length > 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.find(ids[i], func(r record) bool {
			if int64(r.pack) < int64(len(s.packs)) {
				places[i] = pack.Place{Pack: s.packs[r.pack].ID, Offset: int64(r.offset), Length: int(r.length)}
			}
			return places[i].Length == 0
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// mending calls fn, and calls it again after the local copy of a segment that
// it found damaged was downloaded anew.
func (d *Depot) mending(ctx context.Context, fn func() error) error {
	err := fn()
	var damaged *segmentError
	if !errors.As(err, &damaged) {
		return err
	}
	if merr := d.mend(ctx, damaged.segment); merr != nil {
		return errors.Join(err, merr)
	}
	return fn()
}

func (d *Depot) mend(ctx context.Context, damaged *segment) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.Index(d.listed, damaged)
	if i < 0 {
		return nil // it is mended, or one that can not be
	}
	if err := removeFile(d.opt.FS, damaged.name); err != nil {
		return err
	}
	s, err := d.cache.segment(ctx, damaged.ref)
	if err != nil {
		return err
	}
	d.listed[i] = s
	damaged.close()
	return nil
}

// Reload brings the state up to what the bucket has now. What was added and not
// published stays added.
func (d *Depot) Reload(ctx context.Context) error {
	d.change.Lock()
	defer d.change.Unlock()
	return d.reload(ctx)
}

func (d *Depot) reload(ctx context.Context) error {
	for {
		c, version, err := d.readCurrent(ctx)
		if err != nil || version == d.version {
			return err
		}
		segments, err := d.openSegments(ctx, c.Segments)
		if err == nil {
			d.show(c, version, segments)
			return nil
		}
		// A segment may have been replaced since the record was read.
		if _, now, gerr := d.readCurrent(ctx); gerr != nil || now == version || !errors.Is(err, bucket.ErrNotExist) {
			return errors.Join(err, gerr)
		}
	}
}

// readCurrent reads the current record; without one the version is empty.
func (d *Depot) readCurrent(ctx context.Context) (current, bucket.Version, error) {
	data, version, err := d.bucket.Get(ctx, currentKey)
	if errors.Is(err, bucket.ErrNotExist) {
		err = nil
		if d.version != "" {
			err = errors.New("it was there and is gone")
		}
		return current{}, "", d.cache.failed(currentKey, err)
	}
	if err != nil {
		return current{}, "", d.cache.failed(currentKey, err)
	}
	d.cache.progress(int64(len(data)), 0)
	c, err := decodeCurrent(data)
	if err == nil && d.current.Repository != "" && c.Repository != d.current.Repository {
		err = fmt.Errorf("it is of repository %s, and was of %s", c.Repository, d.current.Repository)
	}
	return c, version, d.cache.failed(currentKey, err)
}

// openSegments opens the segments that are not open yet.
func (d *Depot) openSegments(ctx context.Context, list []segmentRef) (segments []*segment, err error) {
	open := make(map[objects.ID]*segment)
	for _, s := range d.listed {
		open[s.ref.ID] = s
	}
	var opened []*segment
	for _, ref := range list {
		s := open[ref.ID]
		if s == nil {
			if s, err = d.cache.segment(ctx, ref); err != nil {
				for _, s := range opened {
					s.close()
				}
				return nil, err
			}
			opened = append(opened, s)
		}
		segments = append(segments, s)
	}
	return segments, nil
}

// show makes a state the one that is seen, and lets go of segments that are
// not part of it any more.
func (d *Depot) show(c current, version bucket.Version, segments []*segment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.listed
	d.current, d.version, d.listed = c, version, segments
	d.listPacks()
	for _, s := range old {
		if !slices.Contains(segments, s) {
			discardSegments(d.opt.FS, []*segment{s})
		}
	}
}

// listPacks makes packs anew; d.mu is held.
func (d *Depot) listPacks() {
	clear(d.packs)
	for _, segments := range [][]*segment{d.listed, d.fresh} {
		for _, s := range segments {
			for _, p := range s.packs {
				d.packs[p.ID] = p
			}
		}
	}
}
