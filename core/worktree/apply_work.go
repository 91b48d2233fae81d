package worktree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// work carries out a slot: first what needs no content, then the rest, a
// batch of contents at a time.
func (r *run) work(ctx context.Context, s *slot) error {
	var batch []*writeItem
	var size int64
	flush := func() error {
		err := r.writeBatch(ctx, batch)
		batch, size = batch[:0], 0
		return err
	}
	for i := range s.items {
		item := &s.items[i]
		if item.done {
			continue
		}
		if err := r.prepare(ctx, item); err != nil {
			return fmt.Errorf("%q: %w", item.change.Path, err)
		}
		if item.done {
			continue
		}
		next := item.change.New.Size
		if len(batch) == batchItems || len(batch) > 0 && size+next > batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		batch, size = append(batch, item), size+next
	}
	return flush()
}

// prepare looks at the item's place. It leaves it undone if it is to get a
// content.
func (r *run) prepare(ctx context.Context, item *writeItem) error {
	c := item.change
	if item.stage != nil {
		if !item.stage.resumed {
			return nil
		}
		return r.prepareResumed(ctx, item)
	}
	f, err := r.examine(ctx, c, item.known, item.disk)
	if err != nil {
		return err
	}
	item.found = f
	switch {
	case f.verdict == wanted, c.New == nil && f.verdict == absent:
		item.done = true
		if c.New != nil {
			item.stat = f.stat
		}
	case c.New == nil && f.stat.Type == vfs.TypeDir:
		item.done = true // an empty folder that now holds something
	case c.New == nil:
		item.done, item.reason = true, f.reason
	case f.verdict == inWay && !r.Force:
		item.done, item.reason = true, f.reason
	case f.same && f.stat.Nlink <= 1 && hasExecBit:
		return r.setExec(item)
	}
	return nil
}

// prepareResumed keeps what an interrupted run wrote into a fresh folder, if
// it is what was wanted, and else removes it.
func (r *run) prepareResumed(ctx context.Context, item *writeItem) error {
	f, err := r.examine(ctx, Change{Path: item.change.Path, New: item.change.New}, nil, item.disk)
	switch {
	case err != nil || f.verdict == absent:
		return err
	case f.verdict == wanted:
		item.done, item.stat = true, f.stat
		return nil
	case f.verdict == folder:
		return r.removeTree(ctx, item.disk, true)
	}
	return r.remove(item.dir, item.disk)
}

// setExec changes the executable bit of a file in place. The file is opened
// and compared first, so that no link is followed.
func (r *run) setExec(item *writeItem) error {
	f, err := r.FS.Open(item.disk)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	item.done = true
	if !sameStat(st, item.found.stat) {
		item.reason = ChangedSince
		return nil
	}
	if err := f.Chmod(withExec(st.Perm, item.change.New.Mode)); err != nil {
		return err
	}
	item.written = true
	item.stat, err = f.Stat()
	return err
}

// withExec gives permissions the executable bits of a mode: whoever may read
// may execute.
func withExec(perm fs.FileMode, mode objects.Mode) fs.FileMode {
	if mode == objects.ModeExec {
		return perm | perm&0o444>>2
	}
	return perm &^ 0o111
}

// writeBatch writes the files of a few items.
func (r *run) writeBatch(ctx context.Context, items []*writeItem) (err error) {
	if len(items) == 0 {
		return nil
	}
	entries := make([]objects.Entry, len(items))
	for i, item := range items {
		entries[i] = *item.change.New
	}
	batch, err := r.Source.Batch(ctx, entries)
	if err != nil {
		return fmt.Errorf("contents from %q on: %w", items[0].change.Path, err)
	}
	defer func() { err = errors.Join(err, batch.Close()) }()
	for i, item := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := r.writeItem(ctx, item, func(w io.Writer) error { return batch.WriteContent(ctx, i, w) })
		if err != nil && unavailable(err) && r.Damaged != nil {
			item.damaged, err = err, nil
		}
		if err != nil {
			return fmt.Errorf("%q: %w", item.change.Path, err)
		}
	}
	return nil
}

// writeItem writes one file or link: in a fresh folder under its own name,
// else under a reserved one beside it that is renamed.
func (r *run) writeItem(ctx context.Context, item *writeItem, content func(io.Writer) error) error {
	if item.stage != nil {
		st, err := r.create(item, item.disk, content)
		if errors.Is(err, fs.ErrExist) {
			item.reason = NameFolds
			return nil
		}
		item.stat, item.written = st, err == nil
		return err
	}
	temp := vfs.TempName(item.dir)
	if _, err := r.create(item, temp, content); err != nil {
		return err
	}
	err := r.replace(ctx, item, temp)
	if err != nil || item.reason != "" {
		return errors.Join(err, r.remove(item.dir, temp))
	}
	item.written = true
	item.stat, err = r.FS.Lstat(item.disk)
	return err
}

// replace renames temp to the item's name, if there is still what was found.
func (r *run) replace(ctx context.Context, item *writeItem, temp string) error {
	now, err := r.FS.Lstat(item.disk)
	gone := isAbsent(err)
	if err != nil && !gone {
		return err
	}
	isDir := !gone && now.Type == vfs.TypeDir
	unchanged := gone == (item.found.verdict == absent) &&
		(gone || isDir && item.found.verdict == folder || sameStat(now, item.found.stat))
	if !unchanged && !r.Force {
		if unchanged, err = r.otherLinkWent(ctx, item, now); err != nil {
			return err
		}
		if !unchanged {
			item.reason = ChangedSince
			return nil
		}
	}
	if isDir {
		reason, err := r.clearFolder(ctx, item.disk)
		if item.reason = reason; err != nil || reason != "" {
			return err
		}
	}
	return r.writable(item.dir, func() error { return r.FS.Rename(temp, item.disk) })
}

// otherLinkWent reports whether all that happened to a file is that another of
// its hard links was replaced, as this very run does: it is read again.
func (r *run) otherLinkWent(ctx context.Context, item *writeItem, now vfs.Stat) (bool, error) {
	was := item.found.stat
	if item.found.verdict == absent || was.Nlink < 2 {
		return false, nil
	}
	was.Ctime, was.Nlink = now.Ctime, now.Nlink
	if was != now {
		return false, nil
	}
	f, err := r.examine(ctx, item.change, nil, item.disk)
	return (f.verdict == clean || f.verdict == wanted) && sameStat(f.stat, now), err
}

// clearFolder removes a folder in whose place a file comes: empty folders in
// it too, files only with Force and outside of other repositories.
func (r *run) clearFolder(ctx context.Context, disk string) (Reason, error) {
	files, reason, err := countFiles(ctx, r.FS, disk)
	switch {
	case err != nil || reason != "":
		return reason, err
	case files > 0 && !r.Force:
		return FolderInWay, nil
	}
	err = r.removeTree(ctx, disk, r.Force)
	if errors.Is(err, errFiles) || errors.Is(err, fs.ErrExist) {
		return FolderInWay, nil // came after counting
	}
	return "", err
}

// create makes a new file or link of the item's content. On an error nothing
// is left of it.
func (r *run) create(item *writeItem, disk string, content func(io.Writer) error) (vfs.Stat, error) {
	if item.change.New.Mode == objects.ModeSymlink {
		return r.createLink(item, disk, content)
	}
	perm, exact := item.perm()
	var f vfs.File
	err := r.writable(item.dir, func() (err error) {
		f, err = r.FS.OpenFile(disk, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		return err
	})
	if err != nil {
		return vfs.Stat{}, err
	}
	st, err := r.fill(f, item.change.New, perm, exact, content)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return vfs.Stat{}, errors.Join(err, r.remove(item.dir, disk))
	}
	return st, nil
}

// perm is what the new file may: as the one that it replaces (exactly), or
// as the umask leaves it.
func (item *writeItem) perm() (perm fs.FileMode, exact bool) {
	perm = 0o666
	if item.found.stat.Type == vfs.TypeRegular {
		perm, exact = item.found.stat.Perm, true
	}
	return withExec(perm, item.change.New.Mode), exact
}

// fill writes the content and the attributes of a new file.
func (r *run) fill(f vfs.File, e *objects.Entry, perm fs.FileMode, exact bool, content func(io.Writer) error) (vfs.Stat, error) {
	sink := newSink(f, e.Size)
	if err := content(sink); err != nil {
		return vfs.Stat{}, err
	}
	if sink.size != e.Size {
		return vfs.Stat{}, sizeError(*e, sink.size)
	}
	if err := sink.finish(); err != nil {
		return vfs.Stat{}, err
	}
	if err := f.Chtimes(r.Mtime); err != nil {
		return vfs.Stat{}, err
	}
	if !hasSyncFS {
		if err := f.Sync(); err != nil {
			return vfs.Stat{}, err
		}
	}
	st, err := f.Stat()
	if err != nil || !hasExecBit || st.Perm == perm || !exact && isExec(st.Perm) == isExec(perm) {
		return st, err
	}
	if err := f.Chmod(perm); err != nil {
		return vfs.Stat{}, err
	}
	return f.Stat()
}

func sizeError(e objects.Entry, got int64) error {
	return &objects.ObjectError{
		ID:  e.Content,
		Err: fmt.Errorf("%w: %d bytes came of %d", objects.ErrCorrupt, got, e.Size),
	}
}

// createLink makes a symbolic link. Where it leads does not matter: nothing
// is written through it.
func (r *run) createLink(item *writeItem, disk string, content func(io.Writer) error) (vfs.Stat, error) {
	var target bytes.Buffer
	if err := content(&target); err != nil {
		return vfs.Stat{}, err
	}
	if e := *item.change.New; int64(target.Len()) != e.Size {
		return vfs.Stat{}, sizeError(e, int64(target.Len()))
	}
	err := r.writable(item.dir, func() error { return r.FS.Symlink(target.String(), disk) })
	if err != nil {
		return vfs.Stat{}, err
	}
	err = r.FS.Chtimes(disk, r.Mtime)
	st, statErr := r.FS.Lstat(disk)
	if err = errors.Join(err, statErr); err != nil {
		return vfs.Stat{}, errors.Join(err, r.remove(item.dir, disk))
	}
	return st, nil
}
