package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/bucket"
)

// PutIfAbsent implements bucket.Bucket: bytes to a temporary file beside the
// object, sync, a rename that replaces nothing, sync of the folder.
func (b *Bucket) PutIfAbsent(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	name, err := b.start(ctx, key)
	if err == nil && size < 0 {
		err = fmt.Errorf("negative size %d: %w", size, syscall.EINVAL)
	}
	if err == nil {
		err = b.put(ctx, key, name, body, size)
	}
	return b.wrap("put", key, err)
}

func (b *Bucket) put(ctx context.Context, key, name string, body io.ReaderAt, size int64) error {
	if _, err := b.stat(name); err == nil {
		return b.exists(name)
	} else if !errors.Is(err, bucket.ErrNotExist) {
		return err
	}
	temp, err := b.stage(ctx, key, body, size)
	if err != nil {
		return err
	}
	err = b.fs.RenameNew(temp, name)
	if errors.Is(err, errors.ErrUnsupported) {
		err = b.locked(ctx, func() error { return b.renameAbsent(temp, name) })
	}
	if errors.Is(err, fs.ErrExist) {
		return errors.Join(b.exists(name), b.removeTemp(temp))
	}
	if err != nil {
		return errors.Join(err, b.removeTemp(temp))
	}
	return b.fs.SyncDir(filepath.Dir(name))
}

// exists returns ErrExist once what exists is durable: another may have given
// it its name only just now. What is a folder is not an object that exists.
func (b *Bucket) exists(name string) error {
	stat, err := b.fs.Lstat(name)
	if err != nil {
		return fmt.Errorf("another made it at the same time; then: %v", err) // %v: it is not ErrNotExist
	}
	if stat.Type != vfs.TypeRegular {
		return fmt.Errorf("%s is not a file: it cannot be an object", name)
	}
	if err := b.fs.SyncDir(filepath.Dir(name)); err != nil {
		return err
	}
	return bucket.ErrExist
}

// renameAbsent is RenameNew for who holds the lock.
func (b *Bucket) renameAbsent(temp, name string) error {
	_, err := b.fs.Lstat(name)
	if err == nil {
		return bucket.ErrExist
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return b.fs.Rename(temp, name)
}

// stage writes a durable temporary file in the folder of a key.
func (b *Bucket) stage(ctx context.Context, key string, body io.ReaderAt, size int64) (string, error) {
	dir, err := b.folder(key)
	if err != nil {
		return "", err
	}
	temp := vfs.TempName(dir)
	f, err := b.fs.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|vfs.NoFollow, 0o666)
	if err != nil {
		return "", err
	}
	b.sweep(dir, f)
	err = copyTo(ctx, f, body, size)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", errors.Join(err, b.removeTemp(temp))
	}
	return temp, nil
}

// block is how much is in memory of what is written.
const block = 1 << 20

func copyTo(ctx context.Context, f vfs.File, body io.ReaderAt, size int64) error {
	buf := make([]byte, min(size, block))
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := buf[:min(size-at, block)]
		n, err := body.ReadAt(part, at)
		if n < len(part) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("read what is to be written: %w", err)
		}
		if _, err := f.Write(part); err != nil {
			return err
		}
		at += int64(n)
	}
	return ctx.Err()
}

// removeTemp does not report a file that is gone.
func (b *Bucket) removeTemp(temp string) error {
	if err := b.fs.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Delete implements bucket.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	name, err := b.start(ctx, key)
	if err == nil {
		err = b.remove(key, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return b.wrap("delete", key, err)
}

func (b *Bucket) remove(key, name string) error {
	if err := b.checkFolders(key); err != nil {
		return err
	}
	if _, err := b.stat(name); err != nil { // an empty folder could be removed, too
		return err
	}
	return b.fs.Remove(name)
}
