package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/bucket"
)

// DepotError says which object of which remote place an error is about.
type DepotError struct {
	URL string
	Key string
	Err error
}

func (e *DepotError) Error() string {
	return fmt.Sprintf("%s of %s: %s", e.Key, e.URL, strings.TrimPrefix(e.Err.Error(), e.Key+": "))
}

func (e *DepotError) Unwrap() error { return e.Err }

// cache is the local folder of a depot: index segments, packs that are
// arriving, and what is being written. It may be lost at any time, and several
// processes may use it at once. Safe for concurrent use.
type cache struct {
	fs       vfs.FS
	dir      string
	bucket   bucket.Bucket
	progress func(received, sent int64)

	mu       sync.Mutex
	locks    map[objects.ID]*sync.Mutex // of packs that are being fetched
	verified map[objects.ID]bool        // packs that this process verified
	open     map[objects.ID]*openPack
	releases int64
}

// openPack is a local pack file that is kept open.
type openPack struct {
	reader *pack.Reader
	users  int
	used   int64 // when it was last released, in releases
}

// maxOpen is how many local packs are kept open when nobody uses them.
const maxOpen = 32

const (
	packSuffix    = ".pack"
	segmentSuffix = ".idx"
	partSuffix    = ".part"

	packsPrefix   = "packs/"
	indexesPrefix = "indexes/"
)

func openCache(opt ShelfOptions, b bucket.Bucket) (*cache, error) {
	c := &cache{
		fs: opt.FS, dir: opt.Cache, bucket: b, progress: opt.Progress,
		locks: make(map[objects.ID]*sync.Mutex), verified: make(map[objects.ID]bool), open: make(map[objects.ID]*openPack),
	}
	if c.progress == nil {
		c.progress = func(int64, int64) {}
	}
	for _, dir := range []string{c.segments(), c.incoming()} {
		if err := vfs.MkdirAll(c.fs, dir, 0o777); err != nil {
			return nil, fmt.Errorf("cache of %s: %w", b, err)
		}
	}
	return c, nil
}

func (c *cache) segments() string { return filepath.Join(c.dir, "segments") }
func (c *cache) incoming() string { return filepath.Join(c.dir, "incoming") }

func (c *cache) segmentFile(id objects.ID) string {
	return filepath.Join(c.segments(), id.String()+segmentSuffix)
}

func (c *cache) packFile(id objects.ID) string {
	return filepath.Join(c.incoming(), id.String()+packSuffix)
}

func packKey(id objects.ID) string    { return PackKey(packsPrefix, id) }
func segmentKey(id objects.ID) string { return indexesPrefix + id.String() + segmentSuffix }

// failed says what an error of the bucket is about.
func (c *cache) failed(key string, err error) error {
	if err == nil {
		return nil
	}
	return &DepotError{URL: c.bucket.String(), Key: key, Err: err}
}

// segment opens an index segment, downloaded and verified if it is not there.
// folder is where it and its packs lie, empty for those of a depot.
func (c *cache) segment(ctx context.Context, ref segmentRef, folder string) (*segment, error) {
	name := c.segmentFile(ref.ID)
	s, err := openSegment(c.fs, name, ref)
	if err == nil {
		s.folder = folder
	}
	if err == nil || errors.Is(err, objects.ErrNewer) {
		return s, err
	}
	key := segmentKey(ref.ID)
	if folder != "" {
		key = Index{Folder: folder, ID: ref.ID}.Key()
	}
	if err := c.download(ctx, key, ref.Size, name, c.checkSegment(ctx, ref)); err != nil {
		return nil, c.failed(key, err)
	}
	if s, err = openSegment(c.fs, name, ref); err == nil {
		s.folder = folder
	}
	return s, err
}

// checkSegment returns a check of every byte of a file that should be a segment.
func (c *cache) checkSegment(ctx context.Context, ref segmentRef) func(string) error {
	return func(name string) error {
		s, err := openSegment(c.fs, name, ref)
		if err != nil {
			return err
		}
		defer s.close()
		return verifySegment(ctx, s)
	}
}

// fetch returns the local file of a whole pack, verified; it is downloaded if
// it is not there.
func (c *cache) fetch(ctx context.Context, p listedPack) (string, error) {
	lock := c.lock(p.ID)
	lock.Lock()
	defer lock.Unlock()
	name := c.packFile(p.ID)
	check := func(name string) error {
		r, err := pack.Open(c.fs, name, p.ID)
		if err != nil {
			return err
		}
		if r.Size() != p.Size {
			return errors.Join(corrupt("%d bytes, expected %d", r.Size(), p.Size), r.Close())
		}
		_, err = r.Verify(ctx)
		return errors.Join(err, r.Close())
	}
	if c.isThere(name, p.PackInfo, check) {
		return name, nil
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := c.download(ctx, p.key(), p.Size, name, check); err != nil {
		return "", c.failed(p.key(), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.verified[p.ID] = true
	return name, nil
}

// isThere reports whether the cache has the whole pack; one that an earlier
// process left is verified again.
func (c *cache) isThere(name string, p PackInfo, check func(string) error) bool {
	stat, err := c.fs.Lstat(name)
	if err != nil || stat.Type != vfs.TypeRegular || stat.Size != p.Size {
		return false
	}
	c.mu.Lock()
	known := c.verified[p.ID]
	c.mu.Unlock()
	if known {
		return true
	}
	if check(name) != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.verified[p.ID] = true
	return true
}

func (c *cache) lock(id objects.ID) *sync.Mutex {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.locks[id]
	if l == nil {
		l = new(sync.Mutex)
		c.locks[id] = l
	}
	return l
}

// download brings an object of the bucket under a local name, once check
// accepts it. What arrived before an error is kept, and used by the next try;
// it is claimed by a rename, so that two processes never write one file.
func (c *cache) download(ctx context.Context, key string, size int64, name string, check func(string) error) error {
	temp, part := vfs.TempName(filepath.Dir(name)), name+partSuffix
	resumed := c.fs.Rename(part, temp) == nil
	for {
		if err := c.fill(ctx, key, size, temp); err != nil {
			return errors.Join(err, c.keep(temp, part))
		}
		err := check(temp)
		if err == nil {
			return c.publish(temp, name)
		}
		if rerr := removeFile(c.fs, temp); rerr != nil {
			return errors.Join(err, rerr)
		}
		if !resumed || !errors.Is(err, objects.ErrCorrupt) || ctx.Err() != nil {
			return err
		}
		resumed = false // perhaps what was there before is what is wrong
	}
}

// keep leaves what has arrived for the next try.
func (c *cache) keep(temp, part string) error {
	if stat, err := c.fs.Lstat(temp); err == nil && stat.Size == 0 {
		return removeFile(c.fs, temp)
	}
	if err := c.fs.Rename(temp, part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// publish makes a file durable and gives it its name.
func (c *cache) publish(temp, name string) error {
	err := vfs.SyncFile(c.fs, temp)
	if err == nil {
		err = c.fs.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, removeFile(c.fs, temp))
	}
	return c.fs.SyncDir(filepath.Dir(name))
}

// fill downloads what the file lacks of an object.
func (c *cache) fill(ctx context.Context, key string, size int64, name string) (err error) {
	f, err := c.fs.OpenFile(name, os.O_RDWR|os.O_CREATE|vfs.NoFollow, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if have > size {
		if err := f.Truncate(0); err != nil {
			return err
		}
		if have, err = f.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	if have < size {
		return c.receive(ctx, f, key, have, size-have)
	}
	return nil
}

// receive copies a range of an object to w.
func (c *cache) receive(ctx context.Context, w io.Writer, key string, offset, length int64) error {
	r, err := c.bucket.GetRange(ctx, key, offset, length)
	if err != nil {
		return err
	}
	buf := make([]byte, min(length, 256<<10))
	for length > 0 {
		n, err := r.Read(buf[:min(length, int64(len(buf)))])
		c.progress(int64(n), 0)
		length -= int64(n)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return errors.Join(werr, r.Close())
		}
		if err == io.EOF && length > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			return errors.Join(err, r.Close())
		}
	}
	return r.Close()
}

// reader returns a reader of a whole pack on the local disk, fetched if needed.
func (c *cache) reader(ctx context.Context, p listedPack) (*pack.Reader, func(), error) {
	if o := c.use(p.ID); o != nil {
		return o.reader, func() { c.release(o) }, nil
	}
	name, err := c.fetch(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	r, err := pack.Open(c.fs, name, p.ID)
	if err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	o := c.open[p.ID]
	if o == nil {
		o = &openPack{reader: r}
		c.open[p.ID] = o
		r = nil
	}
	o.users++
	c.mu.Unlock()
	if r != nil {
		r.Close() //nolint:errcheck // another was faster; it was only read
	}
	return o.reader, func() { c.release(o) }, nil
}

// use returns a pack that is open already, or nil.
func (c *cache) use(id objects.ID) *openPack {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.open[id]
	if o != nil {
		o.users++
	}
	return o
}

// release lets go of a pack, and closes what nobody has used for longest.
func (c *cache) release(o *openPack) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o.users--
	c.releases++
	o.used = c.releases
	for len(c.open) > maxOpen {
		oldest := objects.ID{}
		for id, o := range c.open {
			if o.users == 0 && (oldest.IsZero() || o.used < c.open[oldest].used) {
				oldest = id
			}
		}
		if oldest.IsZero() {
			return // all are in use
		}
		c.open[oldest].reader.Close() //nolint:errcheck // it was only read
		delete(c.open, oldest)
	}
}

// close closes what is open; nobody may use it any more.
func (c *cache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, o := range c.open {
		o.reader.Close() //nolint:errcheck // it was only read
		delete(c.open, id)
	}
}

// sweep removes what nobody has come back for: segments that are not in use
// and temporary files after a day, packs after a week. That a file cannot be
// removed is no error: the next run tries again.
func (c *cache) sweep(now time.Time, inUse func(segment string) bool) {
	for _, dir := range []string{c.dir, c.segments(), c.incoming()} {
		d, err := c.fs.OpenDir(dir)
		if err != nil {
			continue
		}
		names, err := d.Names()
		for _, n := range names {
			age := sweepAge(n.Name)
			if err != nil || age == 0 || inUse(n.Name) {
				continue
			}
			stat, err := d.Lstat(n.Name)
			if err == nil && stat.Type == vfs.TypeRegular && now.Sub(time.Unix(0, stat.Mtime)) > age {
				removeFile(c.fs, filepath.Join(dir, n.Name)) //nolint:errcheck // the next run tries again
			}
		}
		d.Close() //nolint:errcheck // it was only read
	}
}

// sweepAge is how long a file of that name is left alone; zero: for ever.
func sweepAge(name string) time.Duration {
	const day = 24 * time.Hour
	switch {
	case strings.HasPrefix(name, vfs.TempPrefix), strings.HasSuffix(name, segmentSuffix):
		return day
	case strings.HasSuffix(name, packSuffix), strings.HasSuffix(name, partSuffix):
		return 7 * day
	}
	return 0
}

// take moves a verified local file to where packs arrive, so that it need not
// be downloaded; that it fails does not matter.
func (c *cache) take(id objects.ID, name string) {
	if c.fs.Rename(name, c.packFile(id)) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.verified[id] = true
}
