package worktree

import (
	"context"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// deleteAll deletes what shall be absent and is in a commit, and the folders
// that become empty by it. What is in the way it leaves; writeAll reports it.
func (r *run) deleteAll(ctx context.Context) error {
	index := newCursor(r.Index)
	defer index.stop()
	tree := newFolders(r.FS, r.Root)
	tree.left = r.removeEmptied
	for c, err := range r.changes {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if !vacates(c) {
			continue
		}
		parent, err := tree.above(c.Path)
		if err != nil {
			return err
		}
		if parent.standing != standsReal {
			tree.touchReal()
			continue
		}
		known, err := index.find(c.Path)
		if err != nil {
			return err
		}
		if err := r.deleteOne(ctx, c, known, parent); err != nil {
			return err
		}
	}
	return tree.close()
}

// vacates reports whether the file or folder of the change goes before
// anything else comes.
func vacates(c Change) bool {
	return c.New == nil || c.New.Mode == objects.ModeDir && isLeaf(c.Old)
}

func (r *run) deleteOne(ctx context.Context, c Change, known *Record, parent *place) error {
	disk := parent.join(baseName(c.Path))
	f, err := r.examine(ctx, c, known, disk)
	if err != nil {
		return err
	}
	forced := r.Force && f.verdict == inWay
	switch {
	case f.verdict == absent:
		parent.touched = true // an interrupted run may have left it empty
		return nil
	case f.verdict != clean && !forced:
		return nil
	case f.stat.Type == vfs.TypeDir:
		gone, err := r.removeIfEmpty(parent.disk, disk)
		parent.touched = parent.touched || gone
		return err
	}
	if !forced {
		now, err := r.FS.Lstat(disk)
		if err != nil && !isAbsent(err) {
			return err
		}
		if err != nil || !sameStat(now, f.stat) {
			return nil
		}
	}
	parent.touched = true
	return r.remove(parent.disk, disk)
}

// touchReal notes a deletion in the innermost folder that is there: an
// interrupted run may have come this far.
func (f *folders) touchReal() {
	for i := len(f.stack) - 1; i >= 0; i-- {
		if f.stack[i].standing == standsReal {
			f.stack[i].touched = true
			return
		}
	}
}

// removeEmptied removes a folder that something was deleted in, if nothing is
// left in it. One that the target has as an empty folder is made again.
func (r *run) removeEmptied(parent, p *place) error {
	if parent == nil || p.standing != standsReal || !p.touched {
		return nil
	}
	gone, err := r.removeIfEmpty(parent.disk, p.disk)
	parent.touched = parent.touched || gone
	return err
}
