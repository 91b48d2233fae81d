package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mlvc/mlvc/objects"
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

// Depot is a repository in a bucket: a Shelf that has names. What it shows
// is the state at the last OpenDepot, Reload or Publish, and what was added
// since by this Depot. Safe for concurrent use.
type Depot struct {
	*Shelf

	// These are changed with the Shelf's change held.
	version bucket.Version
	drops   []objects.ID // packs that the next Publish drops

	current current // its zero value: the bucket is empty; guarded by the Shelf's mu
}

var _ Endpoint = (*Depot)(nil)

// OpenDepot reads what a bucket has: one small object, and those index
// segments that the cache does not have. A bucket without a current record is
// an empty depot. It fails with a *DepotError for what is damaged, and with one
// that wraps objects.ErrNewer for a later version. The bucket stays the
// caller's to close.
func OpenDepot(ctx context.Context, b bucket.Bucket, opt DepotOptions) (*Depot, error) {
	l, err := newShelf(b, ShelfOptions{FS: opt.FS, Cache: opt.Cache, Folder: packsPrefix, Progress: opt.Progress})
	if err != nil {
		return nil, err
	}
	d := &Depot{Shelf: l}
	l.gone = func(id objects.ID) bool { return d.current.isDropped(id) }
	if err := d.Reload(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if opt.Now != nil {
		inUse := make(map[string]bool)
		for _, s := range d.current.Segments {
			inUse[s.ID.String()+segmentSuffix] = true
		}
		d.cache.sweep(opt.Now(), func(name string) bool { return inUse[name] })
	}
	return d, nil
}

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
			if s, err = d.cache.segment(ctx, ref, ""); err != nil {
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
