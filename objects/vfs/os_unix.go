//go:build linux || darwin

package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const noFollow = unix.O_NOFOLLOW

var errInvalid = unix.EINVAL

func isNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

func rename(oldname, newname string) error { return os.Rename(oldname, newname) }

func renameNew(oldname, newname string) error {
	err := retry(func() error { return renameNoReplace(oldname, newname) })
	if err == unix.EINVAL || isUnsupported(err) {
		err = linkNew(oldname, newname)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	return nil
}

// isUnsupported reports whether the system, or the file system, has no such
// call.
func isUnsupported(err error) bool {
	return err == unix.ENOSYS || err == unix.ENOTSUP || err == unix.EOPNOTSUPP
}

// linkNew gives a file a new name by a hard link. A network file system may
// repeat a request whose answer it lost, and then say that newname exists: if
// that is this very file, the first one did it.
func linkNew(oldname, newname string) error {
	err := retry(func() error { return unix.Link(oldname, newname) })
	if err == unix.EEXIST && oldname != newname && sameFile(oldname, newname) {
		err = nil
	}
	if err == unix.EPERM || isUnsupported(err) { // EPERM is what Linux says on FAT
		return fmt.Errorf("%w: neither a rename that replaces nothing nor a hard link (%w)", errors.ErrUnsupported, err)
	}
	if err != nil {
		return err
	}
	_ = unix.Unlink(oldname) // newname is made; what stays is a temporary name
	return nil
}

func sameFile(a, b string) bool {
	var sa, sb unix.Stat_t
	return unix.Lstat(a, &sa) == nil && unix.Lstat(b, &sb) == nil && sa.Dev == sb.Dev && sa.Ino == sb.Ino
}

func (osFS) Lstat(name string) (Stat, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Lstat(name, &st) })
	if err != nil {
		return Stat{}, pathError("lstat", name, err)
	}
	return fromSys(&st), nil
}

func (osFS) OpenDir(name string) (Dir, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return newDir(fd, name), nil
}

// fromSys converts; the conversions are of different widths on each system.
func fromSys(st *unix.Stat_t) Stat {
	return Stat{
		Type:      typeOf(uint32(st.Mode)),
		Perm:      fs.FileMode(st.Mode) & fs.ModePerm,
		Size:      st.Size,
		Mtime:     st.Mtim.Nano(),
		Ctime:     st.Ctim.Nano(),
		Ino:       st.Ino,
		Dev:       uint64(st.Dev),   //nolint:unconvert // int32 on darwin
		Nlink:     uint64(st.Nlink), //nolint:unconvert // uint16 on darwin
		Allocated: st.Blocks * 512,
	}
}

func typeOf(mode uint32) Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return TypeRegular
	case unix.S_IFDIR:
		return TypeDir
	case unix.S_IFLNK:
		return TypeSymlink
	}
	return TypeOther
}

func syncDir(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	// Some network file systems have no such call: there names are durable
	// when the server says so.
	if err := f.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	return nil
}

func free(name string) (int64, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(name, &st) }); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // widths differ by system
}

// retry repeats a call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func timespec(t time.Time) unix.Timespec {
	return unix.NsecToTimespec(t.UnixNano())
}
