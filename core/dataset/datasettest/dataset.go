// Package datasettest has datasets in memory, for tests of what reads them.
package datasettest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/objecttest"
	"github.com/mlvc/mlvc/objects/prolly"
)

// Dataset is files in memory that can be changed. Snapshots of it do not.
type Dataset struct {
	Store *objecttest.Store
	files map[string]string
}

// New returns an empty dataset.
func New() *Dataset { return &Dataset{Store: objecttest.NewStore(), files: map[string]string{}} }

// Put makes the content of a file text.
func (d *Dataset) Put(path, text string) { d.files[path] = text }

// Remove takes a file away.
func (d *Dataset) Remove(path string) { delete(d.files, path) }

// Rename moves a file.
func (d *Dataset) Rename(from, to string) {
	text := d.files[from]
	delete(d.files, from)
	d.files[to] = text
}

// Paths returns the paths of all files, sorted.
func (d *Dataset) Paths() []string { return slices.Sorted(maps.Keys(d.files)) }

// Text returns the content of a file.
func (d *Dataset) Text(path string) string { return d.files[path] }

// Snapshot writes the tree and returns the files as they are now.
func (d *Dataset) Snapshot(ctx context.Context) (*Snapshot, error) {
	s := &Snapshot{files: maps.Clone(d.files), paths: d.Paths()}
	items := func(yield func(prolly.Item, error) bool) {
		for _, p := range s.paths {
			f := s.file(p)
			if !yield(prolly.Item{Key: []byte(p), Value: f.Append(nil)}, nil) {
				return
			}
		}
	}
	m, err := prolly.Build(ctx, d.Store, items)
	s.Tree = m.Root()
	return s, err
}

// Table writes a split table.
func (d *Dataset) Table(ctx context.Context, splits map[string]string) (prolly.Map, error) {
	return prolly.Build(ctx, d.Store, func(yield func(prolly.Item, error) bool) {
		for _, p := range slices.Sorted(maps.Keys(splits)) {
			if !yield(prolly.Item{Key: []byte(p), Value: []byte(splits[p])}, nil) {
				return
			}
		}
	})
}

// Snapshot is the files of a dataset at one time.
type Snapshot struct {
	Tree  objects.ID
	files map[string]string
	paths []string
}

var _ dataset.Files = (*Snapshot)(nil)

// All implements dataset.Files.
func (s *Snapshot) All(ctx context.Context) iter.Seq2[dataset.File, error] {
	return func(yield func(dataset.File, error) bool) {
		for _, p := range s.paths {
			if dataset.IsOwn(p) {
				continue
			}
			if !yield(s.file(p), ctx.Err()) {
				return
			}
		}
	}
}

// Lookup implements dataset.Files.
func (s *Snapshot) Lookup(ctx context.Context, path string) (*dataset.File, error) {
	if _, ok := s.files[path]; !ok {
		return nil, ctx.Err()
	}
	f := s.file(path)
	return &f, ctx.Err()
}

// Open implements dataset.Files.
func (s *Snapshot) Open(ctx context.Context, f dataset.File) (dataset.Content, error) {
	text, ok := s.files[f.Path]
	if !ok || s.file(f.Path).Content != f.Content {
		return nil, fmt.Errorf("%s: %w", f.Path, objects.ErrNotFound)
	}
	return content{bytes.NewReader([]byte(text))}, ctx.Err()
}

// file describes a file. Its list is no real one.
func (s *Snapshot) file(path string) dataset.File {
	text := s.files[path]
	e := objects.Entry{Mode: objects.ModeFile, Size: int64(len(text)), Content: objects.Sum(objects.KindChunk, []byte(text))}
	if e.Size > objects.SingleChunk {
		e.List = e.Content
	}
	return dataset.File{Path: path, Entry: e}
}

type content struct{ *bytes.Reader }

func (content) Close() error { return nil }

// Facts are facts in memory. They count what they are asked and given.
type Facts struct {
	mu         sync.Mutex
	kept       map[fact][]byte
	Hits, Puts map[string]int // by kind
}

type fact struct {
	kind string
	id   objects.ID
}

var _ dataset.Facts = (*Facts)(nil)

// NewFacts returns no facts yet.
func NewFacts() *Facts {
	return &Facts{kept: map[fact][]byte{}, Hits: map[string]int{}, Puts: map[string]int{}}
}

// Clone returns facts that begin with the same.
func (f *Facts) Clone() *Facts {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := NewFacts()
	c.kept = maps.Clone(f.kept)
	return c
}

// Get implements dataset.Facts.
func (f *Facts) Get(kind string, id objects.ID) ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.kept[fact{kind, id}]
	if ok {
		f.Hits[kind]++
	}
	return b, ok
}

// Put implements dataset.Facts.
func (f *Facts) Put(kind string, id objects.ID, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Puts[kind]++
	f.kept[fact{kind, id}] = data
}

// Damage replaces every fact by what to makes of a copy of it.
func (f *Facts) Damage(to func([]byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for at, b := range f.kept {
		f.kept[at] = to(slices.Clone(b))
	}
}
