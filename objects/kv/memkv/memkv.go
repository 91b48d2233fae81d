// Package memkv is a database in memory, for tests: what kv.DB promises, and
// nothing on disk.
package memkv

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/mlvc/mlvc/objects/kv"
)

// DB is a database in memory. The zero value is empty and ready.
type DB struct {
	update  sync.Mutex // one Update at a time
	mu      sync.Mutex
	records map[string][]byte // never changed once it is here: an Update replaces it
	closed  bool
}

var _ kv.DB = (*DB)(nil)

var errClosed = errors.New("database is closed")

// New returns an empty database.
func New() *DB { return &DB{} }

func (d *DB) snapshot(ctx context.Context) (map[string][]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errClosed
	}
	return d.records, nil
}

// View implements kv.DB; it waits for nobody.
func (d *DB) View(ctx context.Context, fn func(kv.Reader) error) error {
	records, err := d.snapshot(ctx)
	if err != nil {
		return err
	}
	return fn(reader(records))
}

// Update implements kv.DB; what fn wrote is applied if it does not fail.
func (d *DB) Update(ctx context.Context, fn func(kv.Writer) error) error {
	d.update.Lock()
	defer d.update.Unlock()
	records, err := d.snapshot(ctx)
	if err != nil {
		return err
	}
	next := maps.Clone(records)
	if next == nil {
		next = make(map[string][]byte)
	}
	if err := fn(writer(next)); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.records = next
	return nil
}

// Close implements kv.DB; open windows go on with their snapshot.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return nil
}

type reader map[string][]byte

func (r reader) Get(key []byte) ([]byte, error) {
	if err := kv.CheckKey(key); err != nil {
		return nil, err
	}
	value, ok := r[string(key)]
	if !ok {
		return nil, kv.ErrNotFound
	}
	return append([]byte{}, value...), nil
}

func (r reader) Scan(prefix, from []byte, fn func(key, value []byte) (bool, error)) error {
	for _, key := range slices.Sorted(maps.Keys(r)) {
		if !strings.HasPrefix(key, string(prefix)) || key < string(from) {
			continue
		}
		on, err := fn([]byte(key), bytes.Clone(r[key]))
		if err != nil || !on {
			return err
		}
	}
	return nil
}

type writer map[string][]byte

func (w writer) Set(key, value []byte) error {
	if err := kv.CheckRecord(key, value); err != nil {
		return err
	}
	w[string(key)] = append([]byte{}, value...)
	return nil
}

func (w writer) Delete(key []byte) error {
	if err := kv.CheckKey(key); err != nil {
		return err
	}
	delete(w, string(key))
	return nil
}
