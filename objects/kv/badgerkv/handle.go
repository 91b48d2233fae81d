package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/gofrs/flock"

	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Two lock files order the processes. db.held is held shared by every reader
// and exclusively by the writer, for as long as Badger is open. db.turn is
// held exclusively by whoever waits for db.held: one at a time, so that
// neither readers nor writers can starve the other, and so that a reader with
// an idle handle sees that it is asked to let go.

// poll is how often a lock is tried.
const poll = time.Millisecond

// handle is an open Badger, or the view of a database that does not exist.
type handle struct {
	db       *badger.DB // nil: no database yet, nothing is in it
	held     *flock.Flock
	opened   time.Time
	rw       bool
	draining bool            // an Update is ending: nobody may join
	deep     bool            // compactors run: wait for them at the end
	checked  map[uint64]bool // tables of which every block was checked
}

// open opens Badger in the mode asked for. ctx bounds the wait for locks.
func (d *DB) open(ctx context.Context, rw bool) (_ *handle, err error) {
	if rw {
		if err := d.makeFolders(); err != nil {
			return nil, err
		}
	} else if f, err := d.lookEmpty(); err != nil || f {
		return &handle{opened: time.Now()}, err
	}
	turn := d.lockFile("db.turn")
	if err := d.lock(ctx, turn.TryLockContext); err != nil {
		return nil, err
	}
	defer turn.Close() //nolint:errcheck // a lock file holds no data
	held := d.lockFile("db.held")
	defer func() {
		if err != nil {
			held.Close() //nolint:errcheck // the first error is the one to tell
		}
	}()
	take := held.TryRLockContext
	if rw || !canReadOnly {
		take = held.TryLockContext
	}
	if err := d.lock(ctx, take); err != nil {
		return nil, err
	}
	f, err := d.look()
	if err != nil {
		return nil, err
	}
	if rw {
		return d.openWriter(held, f)
	}
	return d.openReader(ctx, held, f)
}

func (d *DB) makeFolders() error {
	if err := vfs.MkdirAll(vfs.OS, d.dir, 0o777); err != nil {
		return fmt.Errorf("database %s: %w", d.dir, err)
	}
	return vfs.MkdirAll(vfs.OS, d.opt.LockDir, 0o777)
}

// lookEmpty reports, without any lock, that there is no database yet.
func (d *DB) lookEmpty() (bool, error) {
	_, err := vfs.OS.Lstat(filepath.Join(d.dir, badger.ManifestFilename))
	if err == nil || !errors.Is(err, syscall.ENOENT) {
		return false, nil // look tells what is wrong
	}
	_, err = vfs.OS.Lstat(d.opt.LockDir)
	if errors.Is(err, syscall.ENOENT) {
		return true, nil
	}
	f, err := d.look()
	return f.empty, err
}

// lockFile may be used by every user who may use the folder.
func (d *DB) lockFile(name string) *flock.Flock {
	return flock.New(filepath.Join(d.opt.LockDir, name), flock.SetPermissions(0o666))
}

func (d *DB) lock(ctx context.Context, try func(context.Context, time.Duration) (bool, error)) error {
	_, err := try(ctx, poll)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("database %s: %w", d.dir, err)
	}
	return nil
}

func (d *DB) openWriter(held *flock.Flock, f folder) (*handle, error) {
	if err := d.enoughFree(); err != nil {
		return nil, err
	}
	c, err := d.compaction(f)
	if err != nil {
		return nil, err
	}
	db, err := d.openBadger(badgerOptions(d.dir, false, c))
	if err != nil {
		return nil, err
	}
	return &handle{db: db, held: held, rw: true, deep: c.deep}, nil
}

// openReader recovers first if the last writer did not close: Badger refuses
// to open read-only what it would have to replay.
func (d *DB) openReader(ctx context.Context, held *flock.Flock, f folder) (*handle, error) {
	if f.empty {
		return &handle{held: held}, nil
	}
	if !canReadOnly {
		h, err := d.openWriter(held, f)
		if err == nil {
			h.rw = false
		}
		return h, err
	}
	if f.crashed {
		if err := d.recover(ctx, held); err != nil {
			return nil, err
		}
	}
	db, err := d.openBadger(badgerOptions(d.dir, true, compaction{}))
	if err != nil {
		return nil, err
	}
	return &handle{db: db, held: held}, nil
}

// recover opens for writing and closes. The turn is held, so nobody comes in
// between while the lock changes hands.
func (d *DB) recover(ctx context.Context, held *flock.Flock) error {
	if err := held.Unlock(); err != nil {
		return err
	}
	if err := d.lock(ctx, held.TryLockContext); err != nil {
		return err
	}
	if err := d.enoughFree(); err != nil {
		return err
	}
	db, err := d.openBadger(badgerOptions(d.dir, false, compaction{}))
	if err != nil {
		return err
	}
	if err := d.closeBadger(db); err != nil {
		return err
	}
	if err := held.Unlock(); err != nil {
		return err
	}
	return d.lock(ctx, held.TryRLockContext)
}

func (d *DB) enoughFree() error {
	free, err := d.opt.Free(d.dir)
	if err != nil {
		return fmt.Errorf("database %s: free space: %w", d.dir, err)
	}
	if free < d.opt.MinFree {
		return fmt.Errorf("database %s: %d bytes free, %d are needed to write safely: %w",
			d.dir, free, d.opt.MinFree, vfs.ErrNoSpace)
	}
	return nil
}

// openBadger maps Badger's errors, which carry text only, to what kv
// promises. What is not about the machine is about the files.
func (d *DB) openBadger(opt badger.Options) (db *badger.DB, err error) {
	err = guard(func() (err error) {
		db, err = badger.Open(opt)
		return err
	})
	if err == nil {
		return db, nil
	}
	text := err.Error()
	for _, locked := range []string{"Cannot acquire directory lock", "Cannot create lock file"} {
		if strings.Contains(text, locked) { // by a program that is not mlvc
			return nil, fmt.Errorf("database %s: %w: %v", d.dir, kv.ErrBusy, err)
		}
	}
	for _, machine := range []syscall.Errno{
		syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.EMFILE,
		syscall.ENFILE, syscall.ENOMEM, syscall.ENOSPC,
	} {
		if strings.Contains(text, machine.Error()) {
			return nil, fmt.Errorf("database %s: %w", d.dir, err)
		}
	}
	return nil, d.damaged(err)
}

func (d *DB) closeBadger(db *badger.DB) error {
	if err := guard(db.Close); err != nil {
		return fmt.Errorf("close database %s: %w", d.dir, err)
	}
	return nil
}

// closeHandle closes Badger and then lets go of the lock.
func (d *DB) closeHandle(h *handle) error {
	var err error
	if h.db != nil {
		err = d.closeBadger(h.db)
	}
	if h.held != nil {
		h.held.Close() //nolint:errcheck // a lock file holds no data
	}
	return err
}

// asked reports whether another process waits for this one to let go. It is
// known anew once a poll: short windows follow each other much faster.
func (d *DB) asked() bool {
	if now := time.Now(); now.Sub(d.askedAt) >= poll {
		d.askedWas, d.askedAt = d.turnTaken(), now
	}
	return d.askedWas
}

func (d *DB) turnTaken() bool {
	turn := d.lockFile("db.turn")
	free, err := turn.TryRLock()
	turn.Close() //nolint:errcheck // a lock file holds no data
	return err == nil && !free
}

var errPanic = errors.New("panic inside Badger")

// guard turns a panic, and a fault in a memory map (a file that was cut
// short, a bad sector), into an error.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	return fn()
}
