package vfs

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// Flags for OpenFile beside those of package os.
const (
	// Append makes every Write go to the end of the file.
	Append = os.O_APPEND
	// NoFollow makes OpenFile fail if name is a symbolic link.
	NoFollow = noFollow
	// Direct bypasses the page cache: buffers, offsets and lengths must then
	// be multiples of the file system's block (4096 bytes is safe). OpenFile
	// goes on without it where the file system refuses. Zero, so without
	// effect, on systems other than Linux.
	Direct = direct
)

// OS is the real file system. Calls that a signal interrupts are repeated. A
// full disk and an exhausted quota both satisfy errors.Is(err, ErrNoSpace).
//
// Where a system cannot do what FS says: SyncDir does nothing on Windows,
// where Rename itself writes through; SyncFS fails there with
// errors.ErrUnsupported, so the caller syncs each file instead.
var OS FS = osFS{}

type osFS struct{}

var (
	_ File = (*osFile)(nil)
	_ Dir  = (*osDir)(nil)
)

func (osFS) Open(name string) (File, error) {
	return osFS{}.OpenFile(name, os.O_RDONLY, 0)
}

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := openFile(name, flag, perm)
	if err != nil && Direct != 0 && flag&Direct != 0 && errors.Is(err, errInvalid) {
		f, err = openFile(name, flag&^Direct, perm)
	}
	if err != nil {
		return nil, mapError(err)
	}
	return f, nil
}

func (osFS) Mkdir(name string, perm fs.FileMode) error { return mapError(os.Mkdir(name, perm)) }

func (osFS) Remove(name string) error { return mapError(os.Remove(name)) }

func (osFS) Rename(oldname, newname string) error { return mapError(rename(oldname, newname)) }

func (osFS) RenameNew(oldname, newname string) error { return mapError(renameNew(oldname, newname)) }

func (osFS) Symlink(target, name string) error { return mapError(os.Symlink(target, name)) }

func (osFS) Readlink(name string) (string, error) { return os.Readlink(name) }

func (osFS) Chmod(name string, perm fs.FileMode) error { return os.Chmod(name, perm) }

func (osFS) Chtimes(name string, mtime time.Time) error {
	return pathError("chtimes", name, chtimes(name, mtime))
}

func (osFS) SyncDir(name string) error { return mapError(syncDir(name)) }

func (osFS) SyncFS(name string) error { return mapError(syncFS(name)) }

func (osFS) Free(name string) (int64, error) {
	n, err := free(name)
	return n, pathError("statfs", name, err)
}

// pathError names the path that err is about; nil stays nil.
func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(*fs.PathError); ok {
		return mapError(err)
	}
	return mapError(&fs.PathError{Op: op, Path: name, Err: err})
}

// mapError makes errors.Is(err, ErrNoSpace) hold for what this system says
// when a disk is full, and keeps the type and the path.
func mapError(err error) error {
	if err == nil || !isNoSpace(err) {
		return err
	}
	switch e := err.(type) {
	case *fs.PathError:
		return &fs.PathError{Op: e.Op, Path: e.Path, Err: noSpaceError{e.Err}}
	case *os.LinkError:
		return &os.LinkError{Op: e.Op, Old: e.Old, New: e.New, Err: noSpaceError{e.Err}}
	}
	return noSpaceError{err}
}

type noSpaceError struct{ error }

func (e noSpaceError) Unwrap() error        { return e.error }
func (e noSpaceError) Is(target error) bool { return target == ErrNoSpace }
