// Package badgerkv is the database: Badger, opened in short windows that
// several processes share. It is the only package that imports Badger.
package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/mlvc/mlvc/objects/kv"
)

// ErrFormat is for a database of a version that this one does not know.
var ErrFormat = errors.New("database has an unknown format")

// ErrClosed is for a window of a DB after its Close.
var ErrClosed = errors.New("database is closed")

// deepWait is how long an Update lets Badger's compactors run at its end;
// readers wait as long. What is left is done by the next one.
const deepWait = 2 * time.Second

// DB is a database in a folder. See kv.DB for its contract.
type DB struct {
	dir string
	opt Options

	updates chan struct{} // holds one token: one Update at a time

	mu      sync.Mutex
	changed chan struct{} // closed and made anew whenever what is below changes
	h       *handle       // nil: not open
	users   int           // Views that run on h
	moving  bool          // h is being opened or closed outside mu
	waiting bool          // an Update of this process waits for h
	closed  bool
	idle    *time.Timer
	since   time.Time // when users became zero

	askedAt  time.Time // when another process was looked for, and
	askedWas bool      // whether there was one

	sound map[uint64]int64 // size of each table, by ID, that checkTables has passed; used while moving
}

var _ kv.DB = (*DB)(nil)

// Open returns the database in the folder dir. It touches nothing yet: the
// windows do. A folder that does not exist is an empty database, which the
// first Update makes.
func Open(dir string, opt Options) (*DB, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	d := &DB{
		dir:     dir,
		opt:     opt.withDefaults(dir),
		updates: make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
	d.updates <- struct{}{}
	return d, nil
}

// bound returns ctx with the bound on waiting, after which its cause is
// kv.ErrBusy.
func (d *DB) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d.opt.Wait, kv.ErrBusy)
}

// View implements kv.DB.
func (d *DB) View(ctx context.Context, fn func(kv.Reader) error) error {
	h, err := d.join(ctx)
	if err != nil {
		return err
	}
	defer d.leave()
	if h.db == nil {
		return fn(empty{})
	}
	txn := h.db.NewTransaction(false)
	defer txn.Discard()
	return fn(&reader{d: d, h: h, txn: txn})
}

// join returns the handle for a View, opening it if need be.
func (d *DB) join(ctx context.Context) (*handle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed && d.joinable() {
		d.users++
		return d.h, nil
	}
	ctx, cancel := d.bound(ctx)
	defer cancel()
	for {
		if err := d.usable(ctx); err != nil {
			return nil, err
		}
		if !d.moving && d.h != nil && !d.h.rw && d.users == 0 && d.over() {
			if err := d.drop(); err != nil {
				return nil, err
			}
		}
		switch {
		case d.joinable():
			d.users++
			return d.h, nil
		case d.h == nil && !d.moving && !d.waiting:
			h, err := d.openUnlocked(ctx, false)
			if err != nil {
				return nil, err
			}
			d.h = h
			d.users++
			return h, nil
		}
		d.wait(ctx)
	}
}

// joinable reports whether a View may use the open handle. Not while an
// Update of this process or another process waits for it to be free.
func (d *DB) joinable() bool {
	switch {
	case d.moving || d.h == nil:
		return false
	case d.h.rw:
		return !d.h.draining
	}
	return !d.waiting && !d.over()
}

// over reports whether the open read-only handle must not serve any more:
// another process waits for it, or it says that there is no database, and may
// not be right any more.
func (d *DB) over() bool {
	if d.h.db == nil {
		return time.Since(d.h.opened) >= poll
	}
	return d.asked()
}

// leave ends a View.
func (d *DB) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users--
	d.broadcast()
	if d.users > 0 || d.h.rw || d.waiting {
		return
	}
	if d.closed || d.over() {
		d.drop() //nolint:errcheck // nothing was written
		return
	}
	d.since = time.Now()
	tick := min(d.opt.Idle, 10*time.Millisecond)
	if d.idle == nil {
		d.idle = time.AfterFunc(tick, d.tick)
	} else {
		d.idle.Reset(tick)
	}
}

// tick lets go of an idle read-only handle, when its time is over or another
// process asks.
func (d *DB) tick() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.h == nil || d.h.rw || d.users > 0 || d.moving || d.waiting {
		return
	}
	if time.Since(d.since) >= d.opt.Idle || d.over() {
		d.drop() //nolint:errcheck // nothing was written
		return
	}
	d.idle.Reset(min(d.opt.Idle, 10*time.Millisecond))
}

// Update implements kv.DB.
func (d *DB) Update(ctx context.Context, fn func(kv.Writer) error) (err error) {
	h, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := d.end(h); err == nil {
			err = cerr
		}
	}()
	w := newWriter(d, h.db)
	defer w.discard()
	if err := fn(w); err != nil {
		return err
	}
	return w.flush()
}

// begin waits for the Views of this process, and opens for writing.
func (d *DB) begin(ctx context.Context) (h *handle, err error) {
	ctx, cancel := d.bound(ctx)
	defer cancel()
	select {
	case <-d.updates:
	case <-ctx.Done():
		return nil, fmt.Errorf("database %s: %w", d.dir, context.Cause(ctx))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = true
	defer func() {
		d.waiting = false
		d.broadcast()
		if err != nil {
			d.updates <- struct{}{}
		}
	}()
	for d.moving || d.users > 0 {
		if err := d.usable(ctx); err != nil {
			return nil, err
		}
		d.wait(ctx)
	}
	if err := d.usable(ctx); err != nil {
		return nil, err
	}
	if d.h != nil {
		if err := d.drop(); err != nil {
			return nil, err
		}
	}
	h, err = d.openUnlocked(ctx, true)
	if err == nil {
		d.h = h
	}
	return h, err
}

// end closes what begin opened: only a close without error makes the window
// durable.
func (d *DB) end(h *handle) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	h.draining = true
	for d.users > 0 {
		d.wait(context.Background()) // Views of this process, which end on their own
	}
	d.moving = true
	d.mu.Unlock()
	if h.deep {
		settle(h.db)
	}
	err := d.closeHandle(h)
	d.mu.Lock()
	d.moving = false
	d.h = nil
	d.updates <- struct{}{}
	d.broadcast()
	return err
}

// Close implements kv.DB.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.broadcast()
	for d.moving || d.users > 0 || (d.h != nil && d.h.rw) {
		d.wait(context.Background())
	}
	if d.idle != nil {
		d.idle.Stop()
	}
	if d.h == nil {
		return nil
	}
	return d.drop()
}

// The functions below are called with mu held.

func (d *DB) usable(ctx context.Context) error {
	if d.closed {
		return fmt.Errorf("database %s: %w", d.dir, ErrClosed)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("database %s: %w", d.dir, context.Cause(ctx))
	}
	return nil
}

// openUnlocked opens with mu released.
func (d *DB) openUnlocked(ctx context.Context, rw bool) (*handle, error) {
	d.moving = true
	d.mu.Unlock()
	h, err := d.open(ctx, rw)
	d.mu.Lock()
	d.moving = false
	d.broadcast()
	return h, err
}

// drop closes the read-only handle.
func (d *DB) drop() error {
	h := d.h
	d.h = nil
	d.broadcast()
	return d.closeHandle(h)
}

func (d *DB) broadcast() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// wait returns, with mu held again, after the next broadcast or when ctx is
// done, and at least every few milliseconds: another process asks without
// telling.
func (d *DB) wait(ctx context.Context) {
	changed := d.changed
	d.mu.Unlock()
	defer d.mu.Lock()
	timer := time.NewTimer(5 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-changed:
	case <-ctx.Done():
	case <-timer.C:
	}
}
