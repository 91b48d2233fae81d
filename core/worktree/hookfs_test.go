package worktree

import (
	"io/fs"
	"time"

	"github.com/mlvc/mlvc/objects/vfs"
)

// hookFS calls hook before every operation that reaches the disk; an error
// from it is the operation's.
type hookFS struct {
	vfs.FS
	hook func(op, name string) error
}

func (h hookFS) Open(name string) (vfs.File, error) { return h.OpenFile(name, 0, 0) }

func (h hookFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	op := "open"
	if flag != 0 {
		op = "create"
	}
	if err := h.hook(op, name); err != nil {
		return nil, err
	}
	f, err := h.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return hookFile{f, h.hook}, nil
}

func (h hookFS) Lstat(name string) (vfs.Stat, error) {
	if err := h.hook("lstat", name); err != nil {
		return vfs.Stat{}, err
	}
	return h.FS.Lstat(name)
}

func (h hookFS) OpenDir(name string) (vfs.Dir, error) {
	if err := h.hook("opendir", name); err != nil {
		return nil, err
	}
	return h.FS.OpenDir(name)
}

func (h hookFS) Mkdir(name string, perm fs.FileMode) error {
	if err := h.hook("mkdir", name); err != nil {
		return err
	}
	return h.FS.Mkdir(name, perm)
}

func (h hookFS) Remove(name string) error {
	if err := h.hook("remove", name); err != nil {
		return err
	}
	return h.FS.Remove(name)
}

func (h hookFS) Rename(oldname, newname string) error {
	if err := h.hook("rename", newname); err != nil {
		return err
	}
	return h.FS.Rename(oldname, newname)
}

func (h hookFS) Symlink(target, name string) error {
	if err := h.hook("symlink", name); err != nil {
		return err
	}
	return h.FS.Symlink(target, name)
}

func (h hookFS) Chmod(name string, perm fs.FileMode) error {
	if err := h.hook("chmod", name); err != nil {
		return err
	}
	return h.FS.Chmod(name, perm)
}

func (h hookFS) Chtimes(name string, mtime time.Time) error {
	if err := h.hook("chtimes", name); err != nil {
		return err
	}
	return h.FS.Chtimes(name, mtime)
}

func (h hookFS) SyncFS(name string) error {
	if err := h.hook("syncfs", name); err != nil {
		return err
	}
	return h.FS.SyncFS(name)
}

type hookFile struct {
	vfs.File
	hook func(op, name string) error
}

func (f hookFile) Write(p []byte) (int, error) {
	if err := f.hook("write", f.Name()); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f hookFile) Truncate(size int64) error {
	if err := f.hook("truncate", f.Name()); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f hookFile) Chtimes(mtime time.Time) error {
	if err := f.hook("chtimes", f.Name()); err != nil {
		return err
	}
	return f.File.Chtimes(mtime)
}

func (f hookFile) Chmod(perm fs.FileMode) error {
	if err := f.hook("chmod", f.Name()); err != nil {
		return err
	}
	return f.File.Chmod(perm)
}
