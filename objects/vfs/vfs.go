// Package vfs is the one seam through which mlvc's engine touches files, so
// that a test can make any operation fail. OS is the real file system.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"time"
)

// FS is a file system. Names are operating-system paths, absolute or relative
// to the process's folder. Errors are *fs.PathError (or *os.LinkError) that
// name the path. Safe for concurrent use.
type FS interface {
	// Open opens a file for reading, following symbolic links.
	Open(name string) (File, error)
	// OpenFile opens with the flags of package os (O_RDWR, O_CREATE, …) and
	// NoFollow, Direct and Append of this package.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Lstat describes name without following a symbolic link.
	Lstat(name string) (Stat, error)
	// OpenDir opens a folder for listing. It fails if name is a symbolic link.
	OpenDir(name string) (Dir, error)
	Mkdir(name string, perm fs.FileMode) error
	// Remove removes a file or an empty folder.
	Remove(name string) error
	// Rename replaces newname atomically if it exists and is a file.
	Rename(oldname, newname string) error
	// RenameNew renames a file unless newname exists: of several callers, on
	// whatever machine, exactly one gets the name, and the others an error that
	// is fs.ErrExist. Where the file system has no such rename, it is done
	// by a hard link: then oldname may stay beside newname if it cannot be
	// removed. errors.ErrUnsupported where it has neither.
	RenameNew(oldname, newname string) error
	Symlink(target, name string) error
	Readlink(name string) (string, error)
	Chmod(name string, perm fs.FileMode) error
	// Chtimes sets the modification time, never following a symbolic link.
	Chtimes(name string, mtime time.Time) error
	// SyncDir makes the names in a folder durable.
	SyncDir(name string) error
	// SyncFS makes everything on the file system that holds name durable.
	SyncFS(name string) error
	// Free returns the bytes that this user may still write to the file
	// system that holds name.
	Free(name string) (int64, error)
}

// File is an open file. Close after a successful Sync never loses data.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Seeker
	io.Closer
	Name() string
	Stat() (Stat, error)
	// Sync makes the file's bytes durable.
	Sync() error
	Truncate(size int64) error
	// Chtimes sets the modification time of the open file.
	Chtimes(mtime time.Time) error
	Chmod(perm fs.FileMode) error
	// NextData returns the first run of bytes at or after offset that is not
	// a hole, as [start, end); start == end == the size when only holes
	// follow. Where the system cannot tell, all is data.
	NextData(offset int64) (start, end int64, err error)
}

// Dir is an open folder. Lstat is safe for concurrent use.
type Dir interface {
	// Names lists the folder, in no order, "." and ".." left out.
	Names() ([]Name, error)
	// Lstat describes one name of the folder without following a link.
	Lstat(name string) (Stat, error)
	Close() error
}

// Name is one name of a folder. Type is zero where the system did not say.
type Name struct {
	Name string
	Type Type
}

// Type is what a directory entry is.
type Type uint8

// The types of file.
const (
	TypeRegular Type = iota + 1
	TypeDir
	TypeSymlink
	TypeOther // FIFO, socket, device
)

// Stat describes a file. Times are nanoseconds since 1970; where the system
// has no ctime, inode or device number they are zero.
type Stat struct {
	Type  Type
	Perm  fs.FileMode // permission bits only
	Size  int64
	Mtime int64
	Ctime int64
	Ino   uint64
	Dev   uint64
	Nlink uint64
	// Allocated is the bytes on disk, less than Size for a sparse file.
	Allocated int64
}

// ErrNoSpace is what a write fails with when the disk is full, on every
// system; errors.Is finds it.
var ErrNoSpace = errors.New("no space left on device")
