package facts

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// kind is the facts of one kind.
type kind struct {
	fs                vfs.FS
	name, dir         string
	generation, large int64 // the limits

	mu         sync.RWMutex
	loaded     bool
	aged       bool // the old generation was read
	young, old *table
	fresh      map[objects.ID]value // not in young
	weight     int                  // the bytes of fresh
	err        error                // the first that a Put met
}

// The names in a kind's folder; the files of large facts have their content's
// ID for a name.
const (
	youngName = "young"
	oldName   = "old"
)

func (k *kind) get(id objects.ID) ([]byte, bool) {
	k.load()
	k.mu.RLock()
	v, ok := k.fresh[id]
	if !ok {
		v, ok = k.young.find(id)
	}
	k.mu.RUnlock()
	if !ok {
		if v, ok = k.revive(id); !ok {
			return nil, false
		}
	}
	if v.tag == tagInline {
		return v.data, true
	}
	return k.readLarge(id, v)
}

// load reads the young generation, once.
func (k *kind) load() {
	k.mu.RLock()
	loaded := k.loaded
	k.mu.RUnlock()
	if loaded {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.loaded {
		k.young, k.loaded = k.read(youngName), true
		k.fresh = make(map[objects.ID]value)
	}
}

// revive takes a fact of the old generation to the young one.
func (k *kind) revive(id objects.ID) (value, bool) {
	k.mu.RLock()
	aged, none := k.aged, k.old.len() == 0
	k.mu.RUnlock()
	if aged && none {
		return value{}, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.age()
	v, ok := k.old.find(id)
	if ok {
		k.add(id, v)
	}
	return v, ok
}

// age reads the old generation, once.
func (k *kind) age() {
	if !k.aged {
		k.old, k.aged = k.read(oldName), true
	}
}

// read returns an empty table for a file that is missing, damaged, of another
// version or unreadable.
func (k *kind) read(name string) *table {
	data, err := vfs.ReadFile(k.fs, filepath.Join(k.dir, name))
	if err != nil {
		return nil
	}
	t, err := parse(k.name, data)
	if err != nil {
		return nil
	}
	return t
}

func (k *kind) put(id objects.ID, data []byte) {
	k.load()
	v := value{tag: tagInline, data: data}
	if len(data) >= LargeFact {
		var err error
		if v, err = k.writeLarge(id, data); err != nil {
			k.fail(err)
			return
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	had, ok := k.fresh[id]
	if !ok {
		had, ok = k.young.find(id)
	}
	if !ok || had.tag != v.tag || !bytes.Equal(had.data, v.data) {
		k.add(id, v)
	}
}

// add keeps a fact in memory, and merges and writes when there are many.
func (k *kind) add(id objects.ID, v value) {
	k.fresh[id] = v
	k.weight += len(v.data)
	if !k.many() {
		return
	}
	if err := k.flush(); err != nil && k.err == nil {
		k.err = err
	}
}

// many reports whether what is fresh is to be merged: as the young generation
// is written whole, many is a part of it.
func (k *kind) many() bool {
	return int64(k.weight) >= max(freshBytes, k.young.size()/4) || len(k.fresh) >= max(freshFacts, k.young.len()/4)
}

func (k *kind) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.err = err
	}
}

// flush merges what is fresh into the young generation and writes that.
func (k *kind) flush() error {
	if len(k.fresh) == 0 {
		return nil
	}
	data := merge(k.name, k.young, k.fresh)
	k.young = mustParse(k.name, data)
	k.fresh, k.weight = make(map[objects.ID]value), 0
	return k.write(youngName, data)
}

// close writes what is fresh, and lets the young generation become old when it
// is large. Nothing is done when nothing is new.
func (k *kind) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	wrote := len(k.fresh) > 0
	err := errors.Join(k.err, k.flush())
	k.err = nil
	if !wrote || err != nil {
		return err
	}
	if k.young.size() > k.generation || k.young.largeBytes() > k.large {
		if err := k.fs.Rename(filepath.Join(k.dir, youngName), filepath.Join(k.dir, oldName)); err != nil {
			return err
		}
		k.young, k.old, k.aged = nil, k.young, true
	}
	return k.sweep()
}

// sortedIDs returns the IDs of fresh facts in order.
func sortedIDs(fresh map[objects.ID]value) []objects.ID {
	return slices.SortedFunc(maps.Keys(fresh), func(a, b objects.ID) int { return bytes.Compare(a[:], b[:]) })
}

// missing reports whether an error says that a file is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
