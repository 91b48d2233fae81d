package vfs

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// TempPrefix begins the name of every temporary file. A name that begins so
// is never data: every walk leaves it out, and what a crash left may be
// removed.
const TempPrefix = ".mlvc-tmp-"

// TempName returns a new name beginning with TempPrefix in the folder.
func TempName(dir string) string {
	var b [12]byte
	rand.Read(b[:]) //nolint:errcheck // it never fails
	return filepath.Join(dir, TempPrefix+hex.EncodeToString(b[:]))
}

// WriteFile replaces name by a file of these bytes, atomically and durably:
// bytes to a temporary file in the same folder, sync, rename, sync of the
// folder. After an error name is as before, or already replaced if only the
// last step failed; the temporary file is removed.
func WriteFile(fsys FS, name string, data []byte, perm fs.FileMode) error {
	return WriteFrom(fsys, name, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFrom is WriteFile of what fill writes. Writes are not buffered. If fill
// fails, name is as before.
func WriteFrom(fsys FS, name string, perm fs.FileMode, fill func(w io.Writer) error) error {
	temp := TempName(filepath.Dir(name))
	if err := writeNew(fsys, temp, perm, fill); err != nil {
		return errors.Join(err, removeTemp(fsys, temp))
	}
	if err := fsys.Rename(temp, name); err != nil {
		return errors.Join(err, removeTemp(fsys, temp))
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// removeTemp does not report a file that was never made.
func removeTemp(fsys FS, temp string) error {
	if err := fsys.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func writeNew(fsys FS, name string, perm fs.FileMode, fill func(w io.Writer) error) error {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|NoFollow, perm)
	if err != nil {
		return err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// SyncFile makes the bytes of a file durable, whoever has written them.
func SyncFile(fsys FS, name string) error {
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// ReadFile returns the bytes of the file. It allocates what the file's size
// says, so a caller that does not trust it asks Lstat first.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, 0, stat.Size+1) // one more, to see the end without growing
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}

// MkdirAll makes the folder and every parent that is missing, and makes each
// new name durable by a sync of the folder that holds it. It is not an error
// if name is a folder, or a link to one, already.
func MkdirAll(fsys FS, name string, perm fs.FileMode) error {
	err := fsys.Mkdir(name, perm)
	if errors.Is(err, fs.ErrNotExist) {
		parent := filepath.Dir(name)
		if parent == name {
			return err
		}
		if err := MkdirAll(fsys, parent, perm); err != nil {
			return err
		}
		err = fsys.Mkdir(name, perm)
	}
	if errors.Is(err, fs.ErrExist) {
		return isFolder(fsys, name)
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

func isFolder(fsys FS, name string) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	if stat.Type != TypeDir {
		return fmt.Errorf("%s: is a file, not a folder: %w", name, fs.ErrExist)
	}
	return nil
}
