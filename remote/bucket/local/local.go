// Package local is a bucket in a folder: of this disk, another disk, a mount or a
// network share. An object is the file of its key.
//
// An object gets its name by a rename that replaces nothing, or by a hard link,
// which the file system itself, or the server behind it, grants to one writer
// alone. Where it has neither (some FUSE mounts), a lock is held over looking
// and renaming. Swap always holds that lock, a system lock on the file `.lock`,
// while it reads, compares and renames; the system releases it when its holder
// dies. A share whose machines do not see each other's locks (NFS mounted
// with nolock, sshfs) must not be pushed to by two machines at once.
//
// Reading writes nothing, so a folder that one may only read will do for it.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/bucket"
)

// Bucket is a bucket in a folder.
type Bucket struct {
	fs   vfs.FS
	root string
	url  string

	kept  folders // whose names are durable
	swept folders // that were looked through for what crashes left
}

var _ bucket.Bucket = (*Bucket)(nil)

// Open returns the bucket in the folder that url names: an absolute path, or a
// file:// URL, percent-encoded, of no host or of localhost (on Windows of any).
// A folder that does not exist is an empty bucket, and made by the first
// write. Permissions follow the umask.
func Open(ctx context.Context, fsys vfs.FS, url string) (*Bucket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := parse(url)
	if err != nil {
		return nil, fmt.Errorf("remote %q: %w", url, err)
	}
	b := &Bucket{fs: fsys, root: root, url: format(root)}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		b.root = real // the folder may be reached through a link; nothing below it is
	}
	stat, err := fsys.Lstat(b.root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("remote %s: %w", b.url, err)
	case stat.Type != vfs.TypeDir:
		return nil, fmt.Errorf("remote %s: %w", b.url, &fs.PathError{Op: "open", Path: root, Err: syscall.ENOTDIR})
	}
	return b, nil
}

// String implements bucket.Bucket.
func (b *Bucket) String() string { return b.url }

// Folder returns the path of the folder that the objects are in.
func (b *Bucket) Folder() string { return b.root }

// Close implements bucket.Bucket.
func (b *Bucket) Close() error { return nil }

// start checks what every call of one key checks, and returns the object's
// path.
func (b *Bucket) start(ctx context.Context, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := bucket.CheckKey(key); err != nil {
		return "", err
	}
	return filepath.Join(b.root, filepath.FromSlash(key)), nil
}

// wrap names the object that an error is about.
func (b *Bucket) wrap(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s of %s: %w", op, key, b.url, err)
}

// stat describes an object's file. What is no file is no object: folders are
// ErrNotExist, and links and devices are refused.
func (b *Bucket) stat(name string) (vfs.Stat, error) {
	stat, err := b.fs.Lstat(name)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return stat, &fs.PathError{Op: "lstat", Path: name, Err: bucket.ErrNotExist}
	case err != nil:
		return stat, err
	case stat.Type == vfs.TypeDir:
		return stat, &fs.PathError{Op: "open", Path: name, Err: bucket.ErrNotExist}
	case stat.Type != vfs.TypeRegular:
		return stat, fmt.Errorf("%s: %w", name, errNoFile)
	}
	return stat, nil
}

var errNoFile = errors.New("is a link or a device, which a remote does not have")

// parts returns the folders of a key below the root, outermost first.
func (b *Bucket) parts(key string) []string {
	var folders []string
	for i := range len(key) {
		if key[i] == '/' {
			folders = append(folders, filepath.Join(b.root, filepath.FromSlash(key[:i])))
		}
	}
	return folders
}

// isHidden reports whether a name in the folder is none of an object:
// temporary files, the lock, what systems leave behind.
func isHidden(name string) bool { return strings.HasPrefix(name, ".") }
