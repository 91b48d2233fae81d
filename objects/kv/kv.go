// Package kv is the seam to the database: a sorted map from keys to small
// values, opened in short windows so that no process waits long for another.
package kv

import (
	"context"
	"errors"
	"fmt"
)

// ErrNotFound is what Get returns for a key that is not there.
var ErrNotFound = errors.New("key not found")

// ErrBusy is returned when the database stayed in another process's hands for
// longer than the bound.
var ErrBusy = errors.New("database is busy")

// ErrDamaged is returned when the database cannot be opened or read because
// its files are damaged or lost. The packs can rebuild it.
var ErrDamaged = errors.New("database is damaged")

// ErrTooLarge is returned for a key or a value that is outside the limits.
var ErrTooLarge = errors.New("outside the database's limits")

// The limits of a record. A longer value would leave the part of Badger in
// which a damaged value is noticed.
const (
	MaxKey   = 4096        // bytes; a key is not empty
	MaxValue = 1<<20 - 256 // bytes
)

// CheckKey fails with ErrTooLarge unless the key is within the limits.
func CheckKey(key []byte) error {
	if len(key) == 0 || len(key) > MaxKey {
		return fmt.Errorf("key of %d bytes: %w", len(key), ErrTooLarge)
	}
	return nil
}

// CheckRecord fails with ErrTooLarge unless key and value are within the
// limits.
func CheckRecord(key, value []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if len(value) > MaxValue {
		return fmt.Errorf("value of %d bytes: %w", len(value), ErrTooLarge)
	}
	return nil
}

// DB is a database that several processes share. Each View and Update is one
// window: the database is opened in the mode needed if it is not already, and
// let go of when idle or when another process asks. Safe for concurrent use,
// but fn must not open another window of the same DB: a writer that waits
// between the two would make them wait for each other until ErrBusy.
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
	// Close waits for the open windows and lets go of the database.
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
// window. Not safe for concurrent use.
type Writer interface {
	// Set fails with ErrTooLarge outside the limits.
	Set(key, value []byte) error
	Delete(key []byte) error
}
