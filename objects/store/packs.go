package store

import (
	"container/list"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
)

// maxOpenPacks bounds the file descriptors and footers held open.
const maxOpenPacks = 64

// packCache holds the most recently used packs open. Safe for concurrent use.
type packCache struct {
	fs  vfs.FS
	dir string

	mu      sync.Mutex
	byID    map[objects.ID]*cachedPack
	recent  *list.List // of *cachedPack, most recent first
	numbers map[uint32]objects.ID
	seen    map[objects.ID]bool // packs that were there
}

type cachedPack struct {
	id      objects.ID
	reader  *pack.Reader
	element *list.Element
	users   int
	evicted bool
}

func newPackCache(fsys vfs.FS, dir string) *packCache {
	return &packCache{
		fs: fsys, dir: dir,
		byID:    make(map[objects.ID]*cachedPack),
		recent:  list.New(),
		numbers: make(map[uint32]objects.ID),
		seen:    make(map[objects.ID]bool),
	}
}

// open returns a reader of the pack, and what to call when done with it; it
// is a pack.Opener.
func (c *packCache) open(_ context.Context, id objects.ID) (*pack.Reader, func(), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.byID[id]
	if p == nil {
		r, err := pack.Open(c.fs, filepath.Join(c.dir, PackPath(id)), id)
		if err != nil {
			return nil, nil, err
		}
		p = &cachedPack{id: id, reader: r}
		p.element = c.recent.PushFront(p)
		c.byID[id] = p
		c.trim()
	} else {
		c.recent.MoveToFront(p.element)
	}
	p.users++
	return p.reader, func() { c.release(p) }, nil
}

func (c *packCache) release(p *cachedPack) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.users--
	if p.users == 0 && p.evicted {
		p.reader.Close() //nolint:errcheck // it was only read
	}
}

// trim closes what has not been used for longest; one in use closes when its
// last user lets go.
func (c *packCache) trim() {
	for c.recent.Len() > maxOpenPacks {
		c.evict(c.recent.Back().Value.(*cachedPack))
	}
}

func (c *packCache) evict(p *cachedPack) {
	c.recent.Remove(p.element)
	delete(c.byID, p.id)
	p.evicted = true
	if p.users == 0 {
		p.reader.Close() //nolint:errcheck // it was only read
	}
}

// forget closes a pack that is about to be removed.
func (c *packCache) forget(id objects.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.seen, id)
	if p := c.byID[id]; p != nil {
		c.evict(p)
	}
}

// exists reports whether the pack's file is there; it looks once.
func (c *packCache) exists(id objects.ID) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[id] {
		return true, nil
	}
	_, err := c.fs.Lstat(filepath.Join(c.dir, PackPath(id)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	c.seen[id] = err == nil
	return err == nil, err
}

func (c *packCache) number(n uint32) (objects.ID, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.numbers[n]
	return id, ok
}

func (c *packCache) setNumber(n uint32, id objects.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.numbers[n] = id
}

func (c *packCache) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.recent.Len() > 0 {
		c.evict(c.recent.Back().Value.(*cachedPack))
	}
	return nil
}
