package worktree

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/mlvc/mlvc/objects/vfs"
)

// errFiles is for a folder that should have held none.
var errFiles = errors.New("the folder holds files")

// countFiles counts what is no folder below dir, following no link. The
// reason is OtherRepo if a repository's folder is among it.
func countFiles(ctx context.Context, fsys vfs.FS, dir string) (int64, Reason, error) {
	var count int64
	var reason Reason
	err := eachName(ctx, fsys, dir, func(name string, t vfs.Type) error {
		if bare := plainName(name); bare == ".git" || bare == ".mlvc" {
			reason = OtherRepo
		}
		if t != vfs.TypeDir {
			count++
			return nil
		}
		n, r, err := countFiles(ctx, fsys, filepath.Join(dir, name))
		if count += n; r != "" {
			reason = r
		}
		return err
	})
	return count, reason, err
}

// removeTree removes a folder. Unless all is set it removes no file, and
// fails with errFiles where it meets one.
func (r *run) removeTree(ctx context.Context, dir string, all bool) error {
	err := eachName(ctx, r.FS, dir, func(name string, t vfs.Type) error {
		inner := filepath.Join(dir, name)
		if t == vfs.TypeDir {
			return r.removeTree(ctx, inner, all)
		}
		if !all {
			return errFiles
		}
		return r.remove(dir, inner)
	})
	if err != nil {
		return err
	}
	return r.remove(filepath.Dir(dir), dir)
}

// remove removes a file or an empty folder; that it is gone is no error.
func (r *run) remove(dir, disk string) error {
	err := r.writable(dir, func() error { return r.FS.Remove(disk) })
	if isAbsent(err) {
		return nil
	}
	return err
}

// removeIfEmpty removes a folder if it is empty.
func (r *run) removeIfEmpty(dir, disk string) (gone bool, err error) {
	err = r.remove(dir, disk)
	if errors.Is(err, fs.ErrExist) { // what "not empty" is to package fs
		return false, nil
	}
	return err == nil, err
}

// writable runs op, which changes names in the folder dir. If it is refused
// and the folder is read-only to its owner, the folder is opened for op and
// closed again.
func (r *run) writable(dir string, op func() error) error {
	err := op()
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	r.opening.Lock()
	defer r.opening.Unlock()
	const needed = 0o300
	st, statErr := r.FS.Lstat(dir)
	if statErr != nil || st.Type != vfs.TypeDir || st.Perm&needed == needed {
		return err
	}
	if r.FS.Chmod(dir, st.Perm|needed) != nil {
		return err
	}
	return errors.Join(op(), r.FS.Chmod(dir, st.Perm))
}

// eachName calls fn with every name of a folder and its type.
func eachName(ctx context.Context, fsys vfs.FS, dir string, fn func(name string, t vfs.Type) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Names()
	if err != nil {
		return err
	}
	for _, n := range names {
		if n.Type == 0 {
			st, err := d.Lstat(n.Name)
			if isAbsent(err) {
				continue
			}
			if err != nil {
				return err
			}
			n.Type = st.Type
		}
		if err := fn(n.Name, n.Type); err != nil {
			return err
		}
	}
	return nil
}
