package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/bucket"
)

// ShelfOptions is what a Shelf needs from outside.
type ShelfOptions struct {
	FS vfs.FS
	// Cache is a local folder for index segments and packs that are
	// arriving. It is made if it is missing, and may be lost at any time.
	Cache string
	// Folder begins the key of every pack that is added, and ends in a slash.
	Folder string
	// Resumed says that an earlier try may have left packs, which are asked for
	// before the first is sent.
	Resumed bool
	// Added is told of each pack when it is durable in the bucket, with its
	// bytes, and may make something beside it; when it fails, so does AddPack.
	// It is called again for a pack that an earlier try left. It may be nil.
	Added func(ctx context.Context, p PackInfo, r io.ReaderAt) error
	// Direct reads every pack in the bucket itself, though the cache may have it.
	Direct bool
	// ReadAhead is how much memory reads of packs take that go forward, each in
	// as many packs at once as there are segments and no more requests than
	// that needs; 0: each read is a request.
	ReadAhead int64
	// Progress is told how many bytes have moved since the last call, from
	// several goroutines; it may be nil.
	Progress func(received, sent int64)
}

// Index names an index segment in a bucket, in the folder of the packs that it
// lists: its key is Folder + ID + ".idx", that of a pack Folder + ID + ".pack".
type Index struct {
	Folder  string
	ID      objects.ID
	Size    int64 // bytes
	Records int64
}

// Key returns where the segment lies.
func (x Index) Key() string { return x.Folder + x.ID.String() + segmentSuffix }

// PackKey returns where a pack of a folder lies.
func PackKey(folder string, id objects.ID) string { return folder + id.String() + packSuffix }

// Shelf is packs in a bucket and the index segments that list them: an
// Endpoint without names. A Depot is a Shelf that has names. Safe for concurrent
// use.
type Shelf struct {
	bucket bucket.Bucket
	opt    ShelfOptions
	cache  *cache
	ahead  *readAhead            // or nil
	gone   func(objects.ID) bool // packs that AddPack refuses, asked with mu held; or nil

	// change is held by what changes the state below, one at a time.
	change sync.Mutex

	mu       sync.RWMutex
	listed   []*segment // the newest last
	fresh    []*segment // what was added and is not listed yet
	packs    map[objects.ID]listedPack
	supplied map[objects.ID]bool // packs that are read from a local file
	broken   map[objects.ID]bool // metadata packs that are damaged in the bucket
	adding   adding
}

var _ Endpoint = (*Shelf)(nil)

// OpenShelf opens the packs that index segments list, the newest last.
// Segments that the cache does not have are downloaded and verified. It fails
// with a *DepotError for what is damaged or missing. The bucket stays the caller's
// to close.
func OpenShelf(ctx context.Context, b bucket.Bucket, opt ShelfOptions, list []Index) (*Shelf, error) {
	l, err := newShelf(b, opt)
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		s, err := l.cache.segment(ctx, segmentRef{ID: x.ID, Size: x.Size, Records: x.Records}, x.Folder)
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		l.listed = append(l.listed, s)
	}
	l.listPacks()
	if opt.ReadAhead > 0 {
		l.ahead = newReadAhead(opt.ReadAhead, len(list))
	}
	return l, nil
}

func newShelf(b bucket.Bucket, opt ShelfOptions) (*Shelf, error) {
	c, err := openCache(opt, b)
	if err != nil {
		return nil, err
	}
	return &Shelf{
		bucket: b, opt: opt, cache: c, packs: make(map[objects.ID]listedPack), supplied: make(map[objects.ID]bool), broken: make(map[objects.ID]bool),
	}, nil
}

// Close closes local files. What was added and not listed is forgotten; the
// bytes sent stay in the bucket, for the next try to find.
func (l *Shelf) Close() error {
	l.change.Lock()
	defer l.change.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.listed {
		s.close()
	}
	l.listed = nil
	l.forgetFresh()
	l.cache.close()
	return nil
}

// String returns the URL of the bucket.
func (l *Shelf) String() string { return l.bucket.String() }

// Get implements objects.Getter. For metadata the whole pack that it lies in is
// downloaded, once; a chunk is read alone.
func (l *Shelf) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	places, err := l.Locate(ctx, []objects.ID{id})
	if err != nil {
		return objects.Object{}, err
	}
	if places[0].Length == 0 {
		return objects.Object{}, &objects.ObjectError{ID: id, Where: l.String(), Err: objects.ErrNotFound}
	}
	r, release, err := l.Open(ctx, places[0].Pack)
	if err != nil {
		return objects.Object{}, &objects.ObjectError{ID: id, Where: l.String(), Err: err}
	}
	defer release()
	return r.ReadRecord(ctx, places[0], id, l.Open)
}

// Info implements Endpoint.
func (l *Shelf) Info(_ context.Context, id objects.ID) (PackInfo, error) {
	p, err := l.pack(id)
	return p.PackInfo, err
}

func (l *Shelf) pack(id objects.ID) (listedPack, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	p, ok := l.packs[id]
	if !ok {
		return p, &objects.ObjectError{ID: id, Where: "packs of " + l.String(), Err: objects.ErrNotFound}
	}
	return p, nil
}

// Open implements Endpoint. Of a data pack each read is one request to the
// bucket, with the context given here, so who reads much at one place reads
// Ahead; a meta pack is downloaded whole.
func (l *Shelf) Open(ctx context.Context, id objects.ID) (*pack.Reader, func(), error) {
	p, err := l.pack(id)
	if err != nil {
		return nil, nil, err
	}
	l.mu.RLock()
	supplied, broken := l.supplied[id], l.broken[id]
	l.mu.RUnlock()
	if (p.Type == pack.TypeMeta && !broken || supplied) && !l.opt.Direct {
		r, release, err := l.cache.reader(ctx, p)
		if !errors.Is(err, objects.ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return r, release, err
		}
		// What is sound in it can be read all the same.
		l.mu.Lock()
		l.broken[id] = true
		l.mu.Unlock()
	}
	if o := l.cache.use(id); o != nil && !l.opt.Direct {
		return o.reader, func() { l.cache.release(o) }, nil
	}
	r := pack.NewReader(ranges{ctx: ctx, cache: l.cache, key: p.key(), size: p.Size, ahead: l.ahead}, p.Size, id, p.Bases)
	return r, func() {}, nil
}

// Fetch implements Endpoint; the file is always temporary. What arrived before
// an error is kept for the next try, of this process or a later one.
func (l *Shelf) Fetch(ctx context.Context, id objects.ID) (string, bool, error) {
	p, err := l.pack(id)
	if err != nil {
		return "", false, err
	}
	name, err := l.cache.fetch(ctx, p)
	return name, true, err
}

// Supply takes a local file, which is moved away, for the whole pack of that
// ID, which is listed: from now on the pack is read there, whatever has become
// of it in the bucket. It fails with objects.ErrCorrupt if the file is not that
// pack.
func (l *Shelf) Supply(ctx context.Context, id objects.ID, name string) error {
	if _, err := l.pack(id); err != nil {
		return err
	}
	r, err := pack.Open(l.opt.FS, name, id)
	if err != nil {
		return err
	}
	if _, err = r.Verify(ctx); err != nil {
		return errors.Join(err, r.Close())
	}
	if err := r.Close(); err != nil {
		return err
	}
	if err := l.opt.FS.Rename(name, l.cache.packFile(id)); err != nil {
		return err
	}
	l.cache.mu.Lock()
	l.cache.verified[id] = true
	l.cache.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.supplied[id] = true
	return nil
}

// Check reads every byte of a listed pack as it lies in the bucket, whatever
// the cache has, a few MiB at once. It fails with a *DepotError that
// wraps objects.ErrCorrupt for damage, and bucket.ErrNotExist for a pack that is lost.
func (l *Shelf) Check(ctx context.Context, id objects.ID) error {
	p, err := l.pack(id)
	if err != nil {
		return err
	}
	stored := &checked{ranges: ranges{ctx: ctx, cache: l.cache, key: p.key()}}
	_, err = pack.Verify(ctx, io.NewSectionReader(stored, 0, p.Size), p.Size, id)
	switch {
	case errors.Is(stored.failed, io.ErrUnexpectedEOF):
		err = corrupt("fewer than %d bytes", p.Size)
	case stored.failed != nil:
		return stored.failed // it names the pack
	}
	return l.cache.failed(p.key(), err)
}

// CheckIndex reads an index segment as it lies in the bucket, whatever the cache
// has. It fails with a *DepotError that wraps objects.ErrCorrupt for damage, and
// bucket.ErrNotExist for one that is lost.
func CheckIndex(ctx context.Context, b bucket.Bucket, opt ShelfOptions, x Index) error {
	c, err := openCache(opt, b)
	if err != nil {
		return err
	}
	defer c.close()
	temp := vfs.TempName(c.dir)
	err = c.download(ctx, x.Key(), x.Size, temp, c.checkSegment(ctx, segmentRef{ID: x.ID, Size: x.Size, Records: x.Records}))
	return errors.Join(c.failed(x.Key(), err), removeFile(opt.FS, temp), removeFile(opt.FS, temp+partSuffix))
}

// Key returns where a listed pack lies in the bucket.
func (l *Shelf) Key(id objects.ID) (string, error) {
	p, err := l.pack(id)
	return p.key(), err
}

// Packs returns all packs that are listed or were added and synced, sorted.
func (l *Shelf) Packs() []PackInfo {
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := make([]PackInfo, 0, len(l.packs))
	for _, p := range l.packs {
		list = append(list, p.PackInfo)
	}
	slices.SortFunc(list, func(a, b PackInfo) int { return compareIDs(a.ID, b.ID) })
	return list
}

// Contents calls fn with every object that listed packs of in have, by what
// the index says.
func (l *Shelf) Contents(ctx context.Context, in func(pack objects.ID) bool, fn func(pack, id objects.ID, kind objects.Kind) error) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, s := range l.listed {
		if !slices.ContainsFunc(s.packs, func(p listedPack) bool { return in(p.ID) }) {
			continue
		}
		for r, err := range s.records(ctx) {
			if err != nil {
				return err
			}
			if p := s.packs[r.pack].ID; in(p) {
				if err := fn(p, r.id, r.kind); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// WriteIndex lists what was added since the Shelf was opened in one index
// segment, stored in the folder of the options. owner goes into the segment; it is
// not zero. Equal packs and owner make an equal segment. Without anything added
// the Index is zero and nothing is stored.
func (l *Shelf) WriteIndex(ctx context.Context, owner objects.ID) (Index, []PackInfo, error) {
	l.change.Lock()
	defer l.change.Unlock()
	if err := l.sync(ctx); err != nil {
		return Index{}, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.fresh) == 0 {
		return Index{}, nil, nil
	}
	s, err := mergeSegments(ctx, l.opt.FS, l.temp(), l.fresh, func(objects.ID) bool { return false }, owner)
	if err != nil {
		return Index{}, nil, err
	}
	x := Index{Folder: l.opt.Folder, ID: s.ref.ID, Size: s.ref.Size, Records: s.ref.Records}
	packs := make([]PackInfo, len(s.packs))
	for i, p := range s.packs {
		packs[i] = p.PackInfo
	}
	s.close()
	if err := l.putFile(ctx, x.Key(), s.name, s.ref.Size); err != nil {
		return Index{}, nil, errors.Join(err, removeFile(l.opt.FS, s.name))
	}
	// The cache keeps it, for whoever may write here and not read.
	if err := l.cache.publish(s.name, l.cache.segmentFile(s.ref.ID)); err != nil {
		return Index{}, nil, fmt.Errorf("keep index segment: %w", err)
	}
	return x, packs, nil
}

// Locate implements Endpoint.
func (l *Shelf) Locate(ctx context.Context, ids []objects.ID) ([]pack.Place, error) {
	places := make([]pack.Place, len(ids))
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareIDs(ids[a], ids[b]) })
	err := l.mending(ctx, func() error {
		l.mu.RLock()
		defer l.mu.RUnlock()
		clear(places)
		for _, segments := range [][]*segment{l.fresh, l.listed} {
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
			places[i] = pack.Place{Pack: s.packs[r.pack].ID, Offset: int64(r.offset), Length: int(r.length)}
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
func (l *Shelf) mending(ctx context.Context, fn func() error) error {
	err := fn()
	var damaged *segmentError
	if !errors.As(err, &damaged) {
		return err
	}
	if merr := l.mend(ctx, damaged.segment); merr != nil {
		return errors.Join(err, merr)
	}
	return fn()
}

func (l *Shelf) mend(ctx context.Context, damaged *segment) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.listed, damaged)
	if i < 0 {
		return nil // it is mended, or one that can not be
	}
	if err := removeFile(l.opt.FS, damaged.name); err != nil {
		return err
	}
	s, err := l.cache.segment(ctx, damaged.ref, damaged.folder)
	if err != nil {
		return err
	}
	l.listed[i] = s
	damaged.close()
	return nil
}

// listPacks makes packs anew; l.mu is held.
func (l *Shelf) listPacks() {
	clear(l.packs)
	for _, segments := range [][]*segment{l.listed, l.fresh} {
		for _, s := range segments {
			for _, p := range s.packs {
				if p.folder = s.folder; p.folder == "" {
					p.folder = l.opt.Folder
				}
				l.packs[p.ID] = p
			}
		}
	}
}
