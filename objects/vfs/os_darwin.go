package vfs

import (
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const direct = 0

// chtimes also sets the access time: the system has no call that leaves it.
func chtimes(name string, mtime time.Time) error {
	ts := []unix.Timespec{timespec(mtime), timespec(mtime)}
	return retry(func() error {
		return unix.UtimesNanoAt(unix.AT_FDCWD, name, ts, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// futimes keeps microseconds only, and sets the access time too.
func futimes(fd int, mtime time.Time) error {
	tv := unix.NsecToTimeval(mtime.UnixNano())
	return retry(func() error { return unix.Futimes(fd, []unix.Timeval{tv, tv}) })
}

func renameNoReplace(oldname, newname string) error {
	return unix.RenamexNp(oldname, newname, unix.RENAME_EXCL)
}

// fsync also makes the drive write its cache, which fsync does not here.
func fsync(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
	return err
}

// syncFS asks for everything to be written and then waits for the drive by a
// full sync of the name itself, which flushes the drive's cache after it.
func syncFS(name string) error {
	if err := unix.Sync(); err != nil {
		return pathError("sync", name, err)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

type osDir struct {
	fd   int
	f    *os.File
	name string
}

func newDir(fd int, name string) *osDir {
	return &osDir{fd: fd, f: os.NewFile(uintptr(fd), name), name: name}
}

func (d *osDir) Close() error { return d.f.Close() }

func (d *osDir) Names() ([]Name, error) {
	if _, err := d.f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	entries, err := d.f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	names := make([]Name, len(entries))
	for i, e := range entries {
		names[i] = Name{Name: e.Name(), Type: entryType(e.Type())}
	}
	return names, nil
}

func (d *osDir) Lstat(name string) (Stat, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return Stat{}, pathError("lstat", d.name+"/"+name, err)
	}
	return fromSys(&st), nil
}

func entryType(mode fs.FileMode) Type {
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
