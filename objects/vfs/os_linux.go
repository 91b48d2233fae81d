package vfs

import (
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const direct = unix.O_DIRECT

func chtimes(name string, mtime time.Time) error {
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, timespec(mtime)}
	return retry(func() error {
		return unix.UtimesNanoAt(unix.AT_FDCWD, name, ts, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// futimes has no path: it is about the file that is open, as futimens is.
func futimes(fd int, mtime time.Time) error {
	ts := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, timespec(mtime)}
	return retry(func() error {
		_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0,
			uintptr(unsafe.Pointer(&ts[0])), 0, 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
}

func renameNoReplace(oldname, newname string) error {
	return unix.Renameat2(unix.AT_FDCWD, oldname, unix.AT_FDCWD, newname, unix.RENAME_NOREPLACE)
}

func fsync(fd int) error { return unix.Fsync(fd) }

func syncFS(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return pathError("syncfs", name, retry(func() error { return unix.Syncfs(int(f.Fd())) }))
}

// direntBuf is what one getdents call fills: some 1,000 names.
const direntBuf = 32 << 10

type osDir struct {
	fd   int
	name string
}

func newDir(fd int, name string) *osDir { return &osDir{fd: fd, name: name} }

func (d *osDir) Close() error { return pathError("close", d.name, unix.Close(d.fd)) }

func (d *osDir) Names() ([]Name, error) {
	if _, err := unix.Seek(d.fd, 0, 0); err != nil {
		return nil, pathError("seek", d.name, err)
	}
	var names []Name
	buf := make([]byte, direntBuf)
	for {
		var n int
		err := retry(func() (err error) {
			n, err = unix.ReadDirent(d.fd, buf)
			return err
		})
		if err != nil {
			return nil, pathError("readdir", d.name, err)
		}
		if n <= 0 {
			return names, nil
		}
		names = appendNames(names, buf[:n])
	}
}

// appendNames reads struct linux_dirent64: inode (8 bytes), offset (8), record
// length (2), type (1), name ended by a zero byte.
func appendNames(names []Name, buf []byte) []Name {
	const nameAt = 19
	for len(buf) > nameAt {
		size := int(*(*uint16)(unsafe.Pointer(&buf[16])))
		if size <= nameAt || size > len(buf) {
			return names
		}
		record := buf[nameAt:size]
		kind := buf[18]
		buf = buf[size:]
		end := 0
		for end < len(record) && record[end] != 0 {
			end++
		}
		name := string(record[:end])
		if name != "." && name != ".." {
			names = append(names, Name{Name: name, Type: direntType(kind)})
		}
	}
	return names
}

func direntType(kind byte) Type {
	switch kind {
	case unix.DT_UNKNOWN:
		return 0
	case unix.DT_REG:
		return TypeRegular
	case unix.DT_DIR:
		return TypeDir
	case unix.DT_LNK:
		return TypeSymlink
	}
	return TypeOther
}

// Lstat allocates nothing: the name is copied to the stack with its zero byte,
// since a walk calls this once for every file there is.
func (d *osDir) Lstat(name string) (Stat, error) {
	var path [256]byte
	if len(name) >= len(path) {
		return Stat{}, pathError("lstat", d.name+"/"+name, unix.ENAMETOOLONG)
	}
	copy(path[:], name)
	var st unix.Stat_t
	for {
		_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(d.fd),
			uintptr(unsafe.Pointer(&path[0])), uintptr(unsafe.Pointer(&st)),
			unix.AT_SYMLINK_NOFOLLOW, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		runtime.KeepAlive(d)
		if errno != 0 {
			return Stat{}, pathError("lstat", d.name+"/"+name, errno)
		}
		return fromSys(&st), nil
	}
}
