package local

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mlvc/mlvc/objects/vfs"
)

// folder returns the folder of a key's object, made if it is missing. A link
// in its place is refused: who may write into the remote must not say
// where others write.
func (b *Bucket) folder(key string) (string, error) {
	if err := b.makeRoot(); err != nil {
		return "", err
	}
	dir := b.root
	for _, dir = range b.parts(key) {
		if err := b.makeFolder(dir); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func (b *Bucket) makeRoot() error {
	stat, err := b.fs.Lstat(b.root)
	if err != nil || stat.Type != vfs.TypeDir {
		err = vfs.MkdirAll(b.fs, b.root, 0o777)
	}
	if err != nil {
		return err
	}
	return b.keepName(b.root, false)
}

// makeFolder makes one folder below the root.
func (b *Bucket) makeFolder(dir string) error {
	err := b.checkFolder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = b.fs.Mkdir(dir, 0o777)
		if err == nil {
			return b.keepName(dir, true)
		}
		if errors.Is(err, fs.ErrExist) {
			err = b.checkFolder(dir)
		}
	}
	if err != nil {
		return err
	}
	return b.keepName(dir, false)
}

// keepName makes the name of a folder durable: if it is new, and else the
// first time that this Bucket uses it, for another may have made it only just
// now.
func (b *Bucket) keepName(dir string, isNew bool) error {
	if !isNew && b.kept.has(dir) {
		return nil
	}
	err := b.fs.SyncDir(filepath.Dir(dir))
	if dir == b.root && errors.Is(err, fs.ErrPermission) {
		err = nil // what holds the remote is not ours, and was there before
	}
	if err == nil {
		b.kept.add(dir)
	}
	return err
}

// folders is a set of folders. Safe for concurrent use.
type folders struct{ set sync.Map }

func (f *folders) has(dir string) bool {
	_, ok := f.set.Load(dir)
	return ok
}

// add reports whether the folder is new in the set.
func (f *folders) add(dir string) bool {
	_, had := f.set.LoadOrStore(dir, true)
	return !had
}

// checkFolders fails if what the key's folders are called is something else.
func (b *Bucket) checkFolders(key string) error {
	for _, dir := range b.parts(key) {
		if err := b.checkFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bucket) checkFolder(dir string) error {
	stat, err := b.fs.Lstat(dir)
	if err == nil && stat.Type != vfs.TypeDir {
		return fmt.Errorf("%s is not a folder", dir)
	}
	return err
}

// staleAfter is how old a temporary file is that no process still writes.
const staleAfter = 24 * time.Hour

// sweep removes what crashes left in a folder, once for each Bucket. Ages are
// taken against now, a file just made, so that the clock is that of the disk. A
// failure is none of the caller's, whose own write goes on: the file may be
// another user's, and another Bucket tries again.
func (b *Bucket) sweep(dir string, now vfs.File) {
	if !b.swept.add(dir) {
		return
	}
	stat, err := now.Stat()
	if err != nil {
		return
	}
	d, err := b.fs.OpenDir(dir)
	if err != nil {
		return
	}
	defer d.Close()
	names, err := d.Names()
	if err != nil {
		return
	}
	for _, n := range names {
		if !strings.HasPrefix(n.Name, vfs.TempPrefix) {
			continue
		}
		left, err := d.Lstat(n.Name)
		if err == nil && left.Type == vfs.TypeRegular && stat.Mtime-left.Mtime > int64(staleAfter) {
			_ = b.fs.Remove(filepath.Join(dir, n.Name))
		}
	}
}
