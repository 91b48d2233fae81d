package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/bucket"
)

// Swap implements bucket.Bucket. A version is a hash of the bytes.
func (b *Bucket) Swap(ctx context.Context, key string, old bucket.Version, data []byte) (bucket.Version, error) {
	name, err := b.start(ctx, key)
	if err == nil && len(data) > bucket.MaxSmall {
		err = bucket.ErrTooLarge
	}
	if err == nil {
		err = b.locked(ctx, func() error { return b.swap(ctx, key, name, old, data) })
	}
	if err != nil {
		return "", b.wrap("swap", key, err)
	}
	return versionOf(data), nil
}

// swap is called with the lock held. The temporary file is made before the
// object is looked at: a network file system then knows that the folder has
// changed, and cannot take a name that it remembers, or remembers as absent,
// for the present one.
func (b *Bucket) swap(ctx context.Context, key, name string, old bucket.Version, data []byte) error {
	temp, err := b.stage(ctx, key, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	err = b.compare(name, old)
	if err == nil {
		err = b.replace(temp, name, old)
	}
	if err != nil {
		return errors.Join(err, b.removeTemp(temp))
	}
	return b.fs.SyncDir(filepath.Dir(name))
}

// compare fails with ErrMoved unless the object has the version.
func (b *Bucket) compare(name string, old bucket.Version) error {
	data, err := b.read(name)
	var version bucket.Version
	if err == nil {
		version = versionOf(data)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if version != old {
		return bucket.ErrMoved
	}
	return nil
}

// replace gives the temporary file its name. What must not exist is not
// replaced even if the look at it was wrong.
func (b *Bucket) replace(temp, name string, old bucket.Version) error {
	if old != "" {
		return b.fs.Rename(temp, name)
	}
	err := b.fs.RenameNew(temp, name)
	if errors.Is(err, errors.ErrUnsupported) {
		err = b.renameAbsent(temp, name)
	}
	if errors.Is(err, fs.ErrExist) {
		if stat, err := b.fs.Lstat(name); err == nil && stat.Type == vfs.TypeDir {
			return fmt.Errorf("%s is a folder: it cannot be an object", name)
		}
		return bucket.ErrMoved
	}
	return err
}

const (
	lockName = ".lock"
	lockPoll = 5 * time.Millisecond
	// lockWait is long: the lock is held for some file operations only.
	lockWait = 30 * time.Second
)

var (
	// ErrNoLocks is for a folder on a file system that has no locks.
	ErrNoLocks = errors.New("the file system has no locks, which a remote needs to be written to")
	// ErrLocked is for a lock that another process did not release in time.
	ErrLocked = errors.New("another process has held the remote's lock for 30 s")
)

// locked calls do with the lock of the bucket held.
func (b *Bucket) locked(ctx context.Context, do func() error) error {
	if err := b.makeRoot(); err != nil {
		return err
	}
	name := filepath.Join(b.root, lockName)
	if _, err := b.stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l := flock.New(name, flock.SetPermissions(0o666))
	if err := acquire(ctx, l, name); err != nil {
		return err
	}
	err := do()
	if uerr := l.Unlock(); uerr != nil && err == nil {
		err = fmt.Errorf("unlock %s: %w", name, uerr)
	}
	return err
}

func acquire(ctx context.Context, l *flock.Flock, name string) error {
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	_, err := l.TryLockContext(wait, lockPoll)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case wait.Err() != nil:
		return fmt.Errorf("%w (%s)", ErrLocked, name)
	case errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK):
		return fmt.Errorf("%w: %s: %w", ErrNoLocks, name, err)
	}
	return fmt.Errorf("lock %s: %w", name, err)
}
