// Package facts keeps what was derived from contents, such as perceptual
// hashes, in files of a folder. All of it may be lost at any time, and is
// derived again; none of it is ever wrong: a file that is damaged is as good
// as none.
//
// Each kind of fact has two generations, a young and an old one, in a file
// each, sorted by content ID. A file is read whole when its kind is first asked
// for, and searched where it lies: a million facts of 16 bytes are 49 MB. New
// facts, and old ones that were asked for, are merged into the young
// generation. Once that is larger than it should be, Close makes it the old
// one, and what nobody had asked for since the last time is gone. So a kind
// takes about twice GenerationBytes, or twice what one run asks for if that is
// more; less where it is given a limit. A fact larger than LargeFact has a file
// of its own, which its generation names.
package facts

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// The limits of a kind.
const (
	// LargeFact is from which size on a fact has a file of its own.
	LargeFact = 64 << 10
	// GenerationBytes is how large a young generation becomes old.
	GenerationBytes = 128 << 20
	// LargeBytes is how large the files of their own that a young generation
	// names may be together before it becomes old.
	LargeBytes = 1 << 30
	// freshBytes and freshFacts are how much waits in memory before it is
	// merged and written, so that a run that dies has not worked for nothing.
	freshBytes = 16 << 20
	freshFacts = 1 << 16
)

// Cache is a dataset.Facts in a folder. Several processes may use one folder
// at once: of two that write a kind, the later one's facts stay. Safe for
// concurrent use.
type Cache struct {
	fs  vfs.FS
	dir string

	mu    sync.Mutex
	kinds map[string]*kind
}

var _ dataset.Facts = (*Cache)(nil)

// Open returns the cache in a folder, which need not exist. Nothing is read
// before it is asked for.
func Open(fsys vfs.FS, dir string) *Cache {
	return &Cache{fs: fsys, dir: dir, kinds: make(map[string]*kind)}
}

// Get returns a fact. Its bytes must not be changed.
func (c *Cache) Get(kind string, id objects.ID) ([]byte, bool) { return c.kind(kind).get(id) }

// Limit bounds a kind of which only the newest facts are of use, such as what
// was found of one whole tree after another: a generation of it becomes old at
// that many bytes, in its own file or in those that it names. It comes before
// the kind is first used.
func (c *Cache) Limit(kind string, bytes int64) {
	k := c.kind(kind)
	k.generation, k.large = bytes, bytes
}

// Put keeps a fact; its bytes must not be changed afterwards. Where it cannot
// be written Close says so.
func (c *Cache) Put(kind string, id objects.ID, data []byte) { c.kind(kind).put(id, data) }

// Close writes what is new. The cache may be used, and closed, again. An error
// means only that facts will be derived again.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.kinds)) {
		if err := c.kinds[name].close(); err != nil {
			errs = append(errs, fmt.Errorf("facts %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// kindName is what the name of a kind looks like: it is part of a file name.
var kindName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

func (c *Cache) kind(name string) *kind {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kinds[name]
	if k == nil {
		if !kindName.MatchString(name) {
			panic(fmt.Sprintf("facts: %q cannot be the name of a kind", name))
		}
		k = &kind{fs: c.fs, name: name, dir: filepath.Join(c.dir, name), generation: GenerationBytes, large: LargeBytes}
		c.kinds[name] = k
	}
	return k
}
