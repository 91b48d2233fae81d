package local

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
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
	if err == nil && stat.Type == vfs.TypeDir {
		return nil
	}
	return vfs.MkdirAll(b.fs, b.root, 0o777)
}

// makeFolder makes one folder below the root. The first time that this Bucket
// uses it, its name is made durable, whoever made it.
func (b *Bucket) makeFolder(dir string) error {
	err := b.checkFolder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = b.fs.Mkdir(dir, 0o777)
		if errors.Is(err, fs.ErrExist) {
			err = b.checkFolder(dir)
		} else if err == nil {
			return b.fs.SyncDir(filepath.Dir(dir))
		}
	}
	if err != nil || !b.first("durable", dir) {
		return err
	}
	return b.fs.SyncDir(filepath.Dir(dir))
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

// first reports whether this Bucket has not yet done the thing to the folder.
func (b *Bucket) first(what, dir string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := what + " " + dir
	if b.ready[key] {
		return false
	}
	b.ready[key] = true
	return true
}

// staleAfter is how old a temporary file is that no process still writes.
const staleAfter = 24 * time.Hour

// sweep removes what crashes left in a folder, once for each Bucket. Ages are
// taken against now, a file just made, so that the clock is that of the disk. A
// failure is none of the caller's, whose own write goes on: the file may be
// another user's, and a later write tries again.
func (b *Bucket) sweep(dir string, now vfs.File) {
	if !b.first("swept", dir) {
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
