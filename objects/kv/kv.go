// Package kv is the seam to the database: a sorted map from keys to small
// values, opened in short windows so that no process waits long for another.
package kv

import (
	"context"
	"errors"
)

// ErrNotFound is what Get returns for a key that is not there.
var ErrNotFound = errors.New("key not found")

// ErrBusy is returned when the database stayed in another process's hands for
// longer than the bound.
var ErrBusy = errors.New("database is busy")

// ErrDamaged is returned when the database cannot be opened or read because
// its files are damaged or lost. The packs can rebuild it.
var ErrDamaged = errors.New("database is damaged")

// DB is a database that several processes share. Each View and Update is one
// window: the database is opened in the mode needed if it is not already, and
// let go of when idle or when another process asks. Safe for concurrent use.
type DB interface {
	// View calls fn with a consistent snapshot. It never waits for longer
	// than one Update window of another process, plus the bound after which
	// it fails with ErrBusy.
	View(ctx context.Context, fn func(Reader) error) error
	// Update calls fn and applies what it wrote, in order; when it returns
	// nil everything is durable. It is not one transaction: after a crash or
	// an error a prefix of the writes may be there. If fn fails, writes it
	// made may or may not be applied.
	Update(ctx context.Context, fn func(Writer) error) error
	// Close lets go of the database.
	Close() error
}

// Reader reads one snapshot. Not safe for concurrent use.
type Reader interface {
	// Get returns a copy of the value, or ErrNotFound.
	Get(key []byte) ([]byte, error)
	// Scan calls fn for every key that starts with prefix and is not less
	// than from, in order, until fn returns false. Key and value are valid
	// only during the call.
	Scan(prefix, from []byte, fn func(key, value []byte) (bool, error)) error
}

// Writer writes. Keys and values are copied or kept: the caller must not
// change them afterwards. Writes are not visible to a Reader of the same
// window.
type Writer interface {
	Set(key, value []byte) error
	Delete(key []byte) error
}
