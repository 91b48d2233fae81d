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
	return &osFile{f}, nil
}

func (osFS) Mkdir(name string, perm fs.FileMode) error { return mapError(os.Mkdir(name, perm)) }

func (osFS) Remove(name string) error { return mapError(os.Remove(name)) }

func (osFS) Rename(oldname, newname string) error { return mapError(rename(oldname, newname)) }

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

// osFile wraps, rather than embeds, so that ReadFrom and WriteTo of os.File
// do not go past the error mapping.
type osFile struct{ f *os.File }

func (f *osFile) Read(p []byte) (int, error)              { return f.f.Read(p) }
func (f *osFile) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }
func (f *osFile) Seek(off int64, whence int) (int64, error) {
	return f.f.Seek(off, whence)
}
func (f *osFile) Name() string                 { return f.f.Name() }
func (f *osFile) Close() error                 { return mapError(f.f.Close()) }
func (f *osFile) Sync() error                  { return mapError(f.f.Sync()) }
func (f *osFile) Truncate(size int64) error    { return mapError(f.f.Truncate(size)) }
func (f *osFile) Chmod(perm fs.FileMode) error { return f.f.Chmod(perm) }

func (f *osFile) Write(p []byte) (int, error) {
	n, err := f.f.Write(p)
	return n, mapError(err)
}

func (f *osFile) Stat() (Stat, error) {
	s, err := statFile(f.f)
	return s, pathError("stat", f.f.Name(), err)
}

func (f *osFile) Chtimes(mtime time.Time) error {
	return pathError("chtimes", f.f.Name(), chtimesFile(f.f, mtime))
}

// NextData moves the file's offset while it runs: it must not run beside
// Read, Write or Seek of the same File.
func (f *osFile) NextData(offset int64) (start, end int64, err error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, 0, err
	}
	size := info.Size()
	if offset >= size {
		return size, size, nil
	}
	start, end, err = nextData(f.f, offset, size)
	return start, end, pathError("seek", f.f.Name(), err)
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
