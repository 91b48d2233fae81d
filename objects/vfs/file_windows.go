package vfs

import (
	"io/fs"
	"os"
	"time"
)

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
