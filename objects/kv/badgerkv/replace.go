package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/mlvc/mlvc/objects/vfs"
)

// Replace puts the database in the folder fresh in the place of the one in
// dir, when nobody has either open; the old one is removed. The caller has
// closed both, and excludes other writers. A crash leaves the old one, the new
// one, or for a moment none, which Finish ends.
func Replace(ctx context.Context, dir, fresh string, opt Options) error {
	opt = opt.withDefaults(dir)
	d := &DB{dir: dir, opt: opt}
	ctx, cancel := d.bound(ctx)
	defer cancel()
	for _, name := range []string{"db.turn", "db.held"} {
		l := flock.New(filepath.Join(opt.LockDir, name))
		if err := d.lock(ctx, l.TryLockContext); err != nil {
			return err
		}
		defer l.Close() //nolint:errcheck // a lock file holds no data
	}
	old := oldName(dir)
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("replace database %s: %w", dir, err)
	}
	if err := vfs.OS.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace database %s: %w", dir, err)
	}
	return finish(dir, fresh)
}

// Finish ends a Replace that was interrupted between its two steps. The caller
// excludes other writers.
func Finish(dir, fresh string) error {
	_, err := os.Lstat(dir)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, name := range []string{oldName(dir), fresh} {
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return finish(dir, fresh)
}

func finish(dir, fresh string) error {
	err := vfs.OS.Rename(fresh, dir)
	if err == nil {
		err = vfs.OS.SyncDir(filepath.Dir(dir))
	}
	if err == nil {
		err = os.RemoveAll(oldName(dir))
	}
	if err != nil {
		return fmt.Errorf("replace database %s: %w", dir, err)
	}
	return nil
}

func oldName(dir string) string { return dir + ".old" }
