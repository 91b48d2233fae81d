//go:build linux || darwin

package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// osFile is a bare descriptor: os.File asks the kernel for two or three things
// more an open file, which shows where there are a hundred thousand of them.
// Not safe for use beside Close.
type osFile struct {
	fd   int
	name string
}

func openFile(name string, flag int, perm fs.FileMode) (*osFile, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Open(name, flag|unix.O_CLOEXEC, uint32(perm.Perm()))
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &osFile{fd: fd, name: name}, nil
}

func (f *osFile) Name() string { return f.name }

// do runs a call until no signal interrupts it.
func (f *osFile) do(op string, call func() error) error {
	if f.fd < 0 {
		return &fs.PathError{Op: op, Path: f.name, Err: os.ErrClosed}
	}
	return pathError(op, f.name, retry(call))
}

// maxIO is the most that one call moves: the systems have limits near 2 GiB.
const maxIO = 1 << 30

func (f *osFile) Read(p []byte) (n int, err error) {
	err = f.do("read", func() (err error) {
		n, err = unix.Read(f.fd, p[:min(len(p), maxIO)])
		return err
	})
	if n = max(n, 0); err == nil && n == 0 && len(p) > 0 {
		err = io.EOF
	}
	return n, err
}

func (f *osFile) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		var n int
		err := f.do("read", func() (err error) {
			n, err = unix.Pread(f.fd, p[done:min(len(p), done+maxIO)], off+int64(done))
			return err
		})
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

func (f *osFile) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		var n int
		err := f.do("write", func() (err error) {
			n, err = unix.Write(f.fd, p[done:min(len(p), done+maxIO)])
			return err
		})
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, pathError("write", f.name, io.ErrUnexpectedEOF)
		}
		done += n
	}
	return done, nil
}

func (f *osFile) Seek(off int64, whence int) (at int64, err error) {
	err = f.do("seek", func() (err error) {
		at, err = unix.Seek(f.fd, off, whence)
		return err
	})
	return at, err
}

func (f *osFile) Close() error {
	if f.fd < 0 {
		return &fs.PathError{Op: "close", Path: f.name, Err: os.ErrClosed}
	}
	fd := f.fd
	f.fd = -1
	err := unix.Close(fd) // never repeated: the descriptor is gone in any case
	if err == unix.EINTR {
		err = nil
	}
	return pathError("close", f.name, err)
}

func (f *osFile) Sync() error { return f.do("sync", func() error { return fsync(f.fd) }) }

func (f *osFile) Truncate(size int64) error {
	return f.do("truncate", func() error { return unix.Ftruncate(f.fd, size) })
}

func (f *osFile) Chmod(perm fs.FileMode) error {
	return f.do("chmod", func() error { return unix.Fchmod(f.fd, uint32(perm.Perm())) })
}

func (f *osFile) Chtimes(mtime time.Time) error {
	return f.do("chtimes", func() error { return futimes(f.fd, mtime) })
}

func (f *osFile) Stat() (Stat, error) {
	var st unix.Stat_t
	if err := f.do("stat", func() error { return unix.Fstat(f.fd, &st) }); err != nil {
		return Stat{}, err
	}
	return fromSys(&st), nil
}

// NextData moves the file's offset while it runs: it must not run beside
// Read, Write or Seek of the same File.
func (f *osFile) NextData(offset int64) (start, end int64, err error) {
	st, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	if offset >= st.Size {
		return st.Size, st.Size, nil
	}
	here, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, 0, err
	}
	defer func() {
		if _, serr := f.Seek(here, io.SeekStart); err == nil {
			err = serr
		}
	}()
	start, err = f.Seek(offset, unix.SEEK_DATA)
	switch {
	case errors.Is(err, syscall.ENXIO): // only a hole follows
		return st.Size, st.Size, nil
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOTSUP):
		return offset, st.Size, nil
	case err != nil:
		return 0, 0, err
	}
	end, err = f.Seek(start, unix.SEEK_HOLE)
	if err != nil {
		return 0, 0, err
	}
	return start, min(end, max(st.Size, start)), nil
}
