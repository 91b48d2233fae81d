// Package faultfs is a file system on which one chosen operation fails, so
// that a test can sweep over all of them: run once without a failure, read
// Count, then run again for each operation.
package faultfs

import (
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/mlvc/mlvc/objects/vfs"
)

// Kind is how an operation fails.
type Kind int

// The kinds of failure.
const (
	// EIO fails with ErrIO and does nothing.
	EIO Kind = iota
	// ENOSPC fails with vfs.ErrNoSpace and does nothing.
	ENOSPC
	// ShortWrite really writes the first half of the bytes and then fails
	// with vfs.ErrNoSpace; operations other than Write fail as ENOSPC.
	ShortWrite
)

// ErrIO is the failure of kind EIO.
var ErrIO = errors.New("input/output error (injected)")

// Plan says which operation fails.
type Plan struct {
	// At is the operation that fails, counted from 1; 0: none.
	At   int
	Kind Kind
	// Sticky makes every operation from At on fail, as if the process had
	// died there: nothing reaches the disk any more.
	Sticky bool
	// Ops, if not empty, counts only operations of these names: that of the
	// method, after "File." or "Dir." if it is one of theirs, as in "Rename",
	// "File.Write", "Dir.Names".
	Ops []string
}

// FS wraps a file system. Safe for concurrent use.
type FS struct {
	inner vfs.FS
	plan  Plan

	mu     sync.Mutex
	count  int
	failed string
}

var (
	_ vfs.FS   = (*FS)(nil)
	_ vfs.File = (*file)(nil)
	_ vfs.Dir  = (*dir)(nil)
)

// New returns a file system that does what inner does but for the plan.
func New(inner vfs.FS, plan Plan) *FS { return &FS{inner: inner, plan: plan} }

// Count returns how many operations there have been.
func (f *FS) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// Failed returns the first operation that failed, as "Rename path"; empty if
// none has.
func (f *FS) Failed() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// op counts an operation and returns its failure, if this is the one.
func (f *FS) op(op, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.plan.Ops) > 0 && !slices.Contains(f.plan.Ops, op) {
		return nil
	}
	f.count++
	at := f.plan.At
	if at == 0 || f.count < at || (f.count > at && !f.plan.Sticky) {
		return nil
	}
	if f.failed == "" {
		f.failed = op + " " + name
	}
	err := vfs.ErrNoSpace
	if f.plan.Kind == EIO {
		err = ErrIO
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// shortWrite reports whether a write that fails first writes a half; not once
// the process has died.
func (f *FS) shortWrite() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.plan.Kind == ShortWrite && f.count == f.plan.At
}

func (f *FS) Open(name string) (vfs.File, error) {
	return f.file("Open", name, func() (vfs.File, error) { return f.inner.Open(name) })
}

func (f *FS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	return f.file("OpenFile", name, func() (vfs.File, error) { return f.inner.OpenFile(name, flag, perm) })
}

func (f *FS) file(op, name string, open func() (vfs.File, error)) (vfs.File, error) {
	if err := f.op(op, name); err != nil {
		return nil, err
	}
	inner, err := open()
	if err != nil {
		return nil, err
	}
	return &file{f, inner}, nil
}

func (f *FS) Lstat(name string) (vfs.Stat, error) {
	if err := f.op("Lstat", name); err != nil {
		return vfs.Stat{}, err
	}
	return f.inner.Lstat(name)
}

func (f *FS) OpenDir(name string) (vfs.Dir, error) {
	if err := f.op("OpenDir", name); err != nil {
		return nil, err
	}
	inner, err := f.inner.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &dir{f, inner, name}, nil
}

func (f *FS) Mkdir(name string, perm fs.FileMode) error {
	if err := f.op("Mkdir", name); err != nil {
		return err
	}
	return f.inner.Mkdir(name, perm)
}

func (f *FS) Remove(name string) error {
	if err := f.op("Remove", name); err != nil {
		return err
	}
	return f.inner.Remove(name)
}

func (f *FS) Rename(oldname, newname string) error {
	if err := f.op("Rename", newname); err != nil {
		return err
	}
	return f.inner.Rename(oldname, newname)
}

func (f *FS) RenameNew(oldname, newname string) error {
	if err := f.op("RenameNew", newname); err != nil {
		return err
	}
	return f.inner.RenameNew(oldname, newname)
}

func (f *FS) Symlink(target, name string) error {
	if err := f.op("Symlink", name); err != nil {
		return err
	}
	return f.inner.Symlink(target, name)
}

func (f *FS) Readlink(name string) (string, error) {
	if err := f.op("Readlink", name); err != nil {
		return "", err
	}
	return f.inner.Readlink(name)
}

func (f *FS) Chmod(name string, perm fs.FileMode) error {
	if err := f.op("Chmod", name); err != nil {
		return err
	}
	return f.inner.Chmod(name, perm)
}

func (f *FS) Chtimes(name string, mtime time.Time) error {
	if err := f.op("Chtimes", name); err != nil {
		return err
	}
	return f.inner.Chtimes(name, mtime)
}

func (f *FS) SyncDir(name string) error {
	if err := f.op("SyncDir", name); err != nil {
		return err
	}
	return f.inner.SyncDir(name)
}

func (f *FS) SyncFS(name string) error {
	if err := f.op("SyncFS", name); err != nil {
		return err
	}
	return f.inner.SyncFS(name)
}

func (f *FS) Free(name string) (int64, error) {
	if err := f.op("Free", name); err != nil {
		return 0, err
	}
	return f.inner.Free(name)
}

type file struct {
	fs    *FS
	inner vfs.File
}

func (f *file) op(op string) error { return f.fs.op("File."+op, f.inner.Name()) }

func (f *file) Name() string { return f.inner.Name() }

func (f *file) Read(p []byte) (int, error) {
	if err := f.op("Read"); err != nil {
		return 0, err
	}
	return f.inner.Read(p)
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.op("ReadAt"); err != nil {
		return 0, err
	}
	return f.inner.ReadAt(p, off)
}

func (f *file) Write(p []byte) (int, error) {
	err := f.op("Write")
	if err == nil {
		return f.inner.Write(p)
	}
	if !f.fs.shortWrite() {
		return 0, err
	}
	n, werr := f.inner.Write(p[:len(p)/2])
	if werr != nil {
		return n, werr
	}
	return n, err
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	if err := f.op("Seek"); err != nil {
		return 0, err
	}
	return f.inner.Seek(offset, whence)
}

// Close closes the file even where it fails, so that none stays open.
func (f *file) Close() error {
	err := f.op("Close")
	cerr := f.inner.Close()
	if err != nil {
		return err
	}
	return cerr
}

func (f *file) Stat() (vfs.Stat, error) {
	if err := f.op("Stat"); err != nil {
		return vfs.Stat{}, err
	}
	return f.inner.Stat()
}

func (f *file) Sync() error {
	if err := f.op("Sync"); err != nil {
		return err
	}
	return f.inner.Sync()
}

func (f *file) Truncate(size int64) error {
	if err := f.op("Truncate"); err != nil {
		return err
	}
	return f.inner.Truncate(size)
}

func (f *file) Chtimes(mtime time.Time) error {
	if err := f.op("Chtimes"); err != nil {
		return err
	}
	return f.inner.Chtimes(mtime)
}

func (f *file) Chmod(perm fs.FileMode) error {
	if err := f.op("Chmod"); err != nil {
		return err
	}
	return f.inner.Chmod(perm)
}

func (f *file) NextData(offset int64) (start, end int64, err error) {
	if err := f.op("NextData"); err != nil {
		return 0, 0, err
	}
	return f.inner.NextData(offset)
}

type dir struct {
	fs    *FS
	inner vfs.Dir
	name  string
}

func (d *dir) Names() ([]vfs.Name, error) {
	if err := d.fs.op("Dir.Names", d.name); err != nil {
		return nil, err
	}
	return d.inner.Names()
}

func (d *dir) Lstat(name string) (vfs.Stat, error) {
	if err := d.fs.op("Dir.Lstat", d.name+"/"+name); err != nil {
		return vfs.Stat{}, err
	}
	return d.inner.Lstat(name)
}

// Close closes the folder even where it fails, so that none stays open.
func (d *dir) Close() error {
	err := d.fs.op("Dir.Close", d.name)
	cerr := d.inner.Close()
	if err != nil {
		return err
	}
	return cerr
}
