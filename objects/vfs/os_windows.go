package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// The numbers are free in the flags of package os.
const (
	noFollow = 1 << 29
	direct   = 0
)

var errInvalid = windows.ERROR_INVALID_PARAMETER

func isNoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// openFile shares everything, so that an open file can be replaced or removed
// as on other systems.
func openFile(name string, flag int, perm fs.FileMode) (*osFile, error) {
	h, err := createFile(name, flag, perm)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if flag&noFollow != 0 {
		var info windows.ByHandleFileInformation
		err := windows.GetFileInformationByHandle(h, &info)
		if err == nil && info.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0 {
			err = syscall.ELOOP
		}
		if err != nil {
			windows.CloseHandle(h) //nolint:errcheck // the first error is the one to tell
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	f := os.NewFile(uintptr(h), name)
	if flag&os.O_TRUNC != 0 {
		if err := f.Truncate(0); err != nil {
			f.Close()
			return nil, err
		}
	}
	return &osFile{f}, nil
}

func createFile(name string, flag int, perm fs.FileMode) (windows.Handle, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return windows.InvalidHandle, err
	}
	var access uint32
	switch flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR) {
	case os.O_RDONLY:
		access = windows.GENERIC_READ
	case os.O_WRONLY:
		access = windows.GENERIC_WRITE
	case os.O_RDWR:
		access = windows.GENERIC_READ | windows.GENERIC_WRITE
	}
	if flag&os.O_APPEND != 0 {
		access = access&^windows.GENERIC_WRITE | windows.FILE_APPEND_DATA
		if flag&os.O_TRUNC != 0 {
			access |= windows.GENERIC_WRITE
		}
	}
	create := uint32(windows.OPEN_EXISTING)
	switch {
	case flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		create = windows.CREATE_NEW
	case flag&os.O_CREATE != 0:
		create = windows.OPEN_ALWAYS
	}
	attrs := uint32(windows.FILE_ATTRIBUTE_NORMAL | windows.FILE_FLAG_BACKUP_SEMANTICS)
	if flag&os.O_CREATE != 0 && perm&0o200 == 0 {
		attrs |= windows.FILE_ATTRIBUTE_READONLY
	}
	if flag&noFollow != 0 {
		attrs |= windows.FILE_FLAG_OPEN_REPARSE_POINT
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	return windows.CreateFile(path, access, share, nil, create, attrs, 0)
}

func rename(oldname, newname string) error {
	return move(oldname, newname, windows.MOVEFILE_REPLACE_EXISTING)
}

func renameNew(oldname, newname string) error { return move(oldname, newname, 0) }

// move writes through, so that the new name is durable when it returns, and
// repeats for two seconds while another program, such as a virus scanner,
// holds the target.
func move(oldname, newname string, flags uint32) error {
	from, err := windows.UTF16PtrFromString(oldname)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	to, err := windows.UTF16PtrFromString(newname)
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	for pause := time.Millisecond; ; pause *= 2 {
		err = windows.MoveFileEx(from, to, flags|windows.MOVEFILE_WRITE_THROUGH)
		if err == nil {
			return nil
		}
		held := errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
		if !held || pause > time.Second {
			return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
		}
		time.Sleep(pause)
	}
}

func (osFS) Lstat(name string) (Stat, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return Stat{}, err
	}
	return fromInfo(info), nil
}

func (osFS) OpenDir(name string) (Dir, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
	}
	return &osDir{name: name}, nil
}

// osDir opens the folder at each call: a handle would keep it from being
// renamed.
type osDir struct{ name string }

func (d *osDir) Close() error { return nil }

func (d *osDir) Names() ([]Name, error) {
	entries, err := os.ReadDir(d.name)
	if err != nil {
		return nil, err
	}
	names := make([]Name, len(entries))
	for i, e := range entries {
		names[i] = Name{Name: e.Name(), Type: modeType(e.Type())}
	}
	return names, nil
}

func (d *osDir) Lstat(name string) (Stat, error) {
	return osFS{}.Lstat(filepath.Join(d.name, name))
}

func statFile(f *os.File) (Stat, error) {
	info, err := f.Stat()
	if err != nil {
		return Stat{}, err
	}
	return fromInfo(info), nil
}

// fromInfo leaves ctime, inode and device zero: the calls that list a folder
// do not tell them.
func fromInfo(info fs.FileInfo) Stat {
	return Stat{
		Type:      modeType(info.Mode()),
		Perm:      info.Mode().Perm(),
		Size:      info.Size(),
		Mtime:     info.ModTime().UnixNano(),
		Nlink:     1,
		Allocated: info.Size(),
	}
}

func modeType(mode fs.FileMode) Type {
	switch mode.Type() {
	case 0:
		return TypeRegular
	case fs.ModeDir:
		return TypeDir
	case fs.ModeSymlink:
		return TypeSymlink
	}
	return TypeOther
}

func chtimes(name string, mtime time.Time) error {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	h, err := windows.CreateFile(path, windows.FILE_WRITE_ATTRIBUTES, share, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_BACKUP_SEMANTICS|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h) //nolint:errcheck // nothing was written through it
	return setTime(h, mtime)
}

func chtimesFile(f *os.File, mtime time.Time) error { return setTime(windows.Handle(f.Fd()), mtime) }

func setTime(h windows.Handle, mtime time.Time) error {
	ft := windows.NsecToFiletime(mtime.UnixNano())
	return windows.SetFileTime(h, nil, nil, &ft)
}

// syncDir does nothing: the system has no such call, and rename writes
// through.
func syncDir(string) error { return nil }

// syncFS is refused: flushing a volume needs an administrator.
func syncFS(name string) error {
	return &fs.PathError{Op: "syncfs", Path: name, Err: errors.ErrUnsupported}
}

func free(name string) (int64, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	var avail uint64
	if err := windows.GetDiskFreeSpaceEx(path, &avail, nil, nil); err != nil {
		return 0, err
	}
	return int64(avail), nil
}

func nextData(_ *os.File, offset, size int64) (start, end int64, err error) {
	return offset, size, nil
}
