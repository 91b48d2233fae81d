package kvtest

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/mlvc/mlvc/objects/kv"
)

// ErrInjected is what the failing call of a FaultyDB returns.
var ErrInjected = errors.New("injected database failure")

// FaultyDB counts the calls of View, Update, Get, Scan, Set and Delete and
// makes one of them fail with ErrInjected, without doing anything. Safe for
// concurrent use.
type FaultyDB struct {
	db    kv.DB
	fail  int64
	calls atomic.Int64
}

var _ kv.DB = (*FaultyDB)(nil)

// Faulty makes the i-th call fail, counted from 1; 0 makes none fail, for a
// dry run that counts.
func Faulty(db kv.DB, i int) *FaultyDB { return &FaultyDB{db: db, fail: int64(i)} }

// Count returns how many calls there have been.
func (f *FaultyDB) Count() int { return int(f.calls.Load()) }

func (f *FaultyDB) call() error {
	if f.calls.Add(1) == f.fail {
		return ErrInjected
	}
	return nil
}

// View implements kv.DB.
func (f *FaultyDB) View(ctx context.Context, fn func(kv.Reader) error) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.db.View(ctx, func(r kv.Reader) error { return fn(faultyReader{f, r}) })
}

// Update implements kv.DB.
func (f *FaultyDB) Update(ctx context.Context, fn func(kv.Writer) error) error {
	if err := f.call(); err != nil {
		return err
	}
	return f.db.Update(ctx, func(w kv.Writer) error { return fn(faultyWriter{f, w}) })
}

// Close implements kv.DB; it is not counted.
func (f *FaultyDB) Close() error { return f.db.Close() }

type faultyReader struct {
	f *FaultyDB
	r kv.Reader
}

func (r faultyReader) Get(key []byte) ([]byte, error) {
	if err := r.f.call(); err != nil {
		return nil, err
	}
	return r.r.Get(key)
}

func (r faultyReader) Scan(prefix, from []byte, fn func(key, value []byte) (bool, error)) error {
	if err := r.f.call(); err != nil {
		return err
	}
	return r.r.Scan(prefix, from, fn)
}

type faultyWriter struct {
	f *FaultyDB
	w kv.Writer
}

func (w faultyWriter) Set(key, value []byte) error {
	if err := w.f.call(); err != nil {
		return err
	}
	return w.w.Set(key, value)
}

func (w faultyWriter) Delete(key []byte) error {
	if err := w.f.call(); err != nil {
		return err
	}
	return w.w.Delete(key)
}
