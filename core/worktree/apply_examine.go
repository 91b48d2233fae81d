package worktree

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"syscall"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// verdict is what stands at a path, as seen by a change of it.
type verdict uint8

const (
	absent verdict = iota // nothing is there
	wanted                // it is as New says
	clean                 // a commit holds it: it may be replaced or deleted
	folder                // a folder where New has a file
	inWay                 // it would be lost
)

// finding is a verdict and what it rests on.
type finding struct {
	verdict verdict
	reason  Reason   // of inWay
	stat    vfs.Stat // but for absent
	// same: the file holds New's bytes and only its executable bit differs.
	same bool
}

// examine looks at the file at disk, which lies in a real folder.
func (o *Options) examine(ctx context.Context, c Change, known *Record, disk string) (finding, error) {
	st, err := o.FS.Lstat(disk)
	if isAbsent(err) {
		return finding{verdict: absent}, nil
	}
	if err != nil {
		return finding{}, err
	}
	f := finding{stat: st, verdict: inWay, reason: o.reason(c, st)}
	switch {
	case st.Type == vfs.TypeDir:
		f.verdict = folderVerdict(c)
		return f, nil
	case c.New == nil && c.Old.Mode == objects.ModeDir:
		f.verdict = wanted // a file of the user's, which nothing wants to replace
		return f, nil
	case st.Type == vfs.TypeOther:
		return f, nil
	}
	held, err := o.held(ctx, c, known, disk, st)
	if err != nil || held.Mode == 0 {
		return f, err
	}
	switch {
	case c.New != nil && sameContent(held, *c.New):
		f.verdict = wanted
	case c.New != nil && c.New.Mode == objects.ModeDir && !vacates(c):
		// Nothing of the trees is to go from here, whatever the file holds.
		if held.isInTree {
			f.reason = FileAbove
		}
	case c.Old != nil && sameContent(held, *c.Old), held.isInTree:
		f.verdict = clean
		f.same = c.New != nil && c.New.Mode.IsRegular() && held.Mode.IsRegular() && held.Content == c.New.Content
	}
	return f, nil
}

func folderVerdict(c Change) verdict {
	switch {
	case c.New == nil && c.Old.Mode != objects.ModeDir:
		return wanted // the file is gone; nothing wants to replace the folder
	case c.New == nil:
		return clean // removed if it is empty
	case c.New.Mode == objects.ModeDir:
		return wanted
	}
	return folder
}

func (o *Options) reason(c Change, st vfs.Stat) Reason {
	switch {
	case c.Old != nil:
		return Modified
	case o.Ignored != nil && o.Ignored(c.Path, st.Type == vfs.TypeDir):
		return Ignored
	}
	return Untracked
}

// held is the entry that a file on disk is worth.
type held struct {
	objects.Entry
	isInTree bool
}

// held returns the entry that the file holds, from the index or by reading
// it; mode 0 if it can be neither Old nor New.
func (o *Options) held(ctx context.Context, c Change, known *Record, disk string, st vfs.Stat) (held, error) {
	if known != nil && known.Holds(st) {
		if o.Reread {
			return o.reread(ctx, known, disk, st)
		}
		return held{known.Entry, known.InTree}, nil
	}
	mode := modeOf(st, c)
	plausible := func(e *objects.Entry) bool {
		return e != nil && e.Mode == mode && (e.Size == st.Size || mode == objects.ModeSymlink)
	}
	inTree := known != nil && known.InTree && plausible(&known.Entry)
	if !plausible(c.Old) && !plausible(c.New) && !inTree {
		return held{}, nil
	}
	id, stable, err := o.contentID(ctx, disk, st)
	if err != nil || !stable {
		return held{}, err
	}
	h := held{Entry: objects.Entry{Mode: mode, Size: st.Size, Content: id}}
	h.isInTree = inTree && known.Entry.Content == id
	return h, nil
}

// reread reads a file that the index says holds its record's entry. If it does
// not, nobody has written to it: it is damaged, and may go.
func (o *Options) reread(ctx context.Context, known *Record, disk string, st vfs.Stat) (held, error) {
	id, stable, err := o.contentID(ctx, disk, st)
	if err != nil || !stable {
		return held{}, err
	}
	h := held{known.Entry, known.InTree}
	if id != known.Entry.Content {
		h.Content, h.isInTree = id, true
	}
	return h, nil
}

// contentID hashes a file or a link's target; stable is false if it changed
// or vanished under the reading.
func (o *Options) contentID(ctx context.Context, disk string, st vfs.Stat) (id objects.ID, stable bool, err error) {
	if st.Type == vfs.TypeSymlink {
		target, err := o.FS.Readlink(disk)
		return objects.Sum(objects.KindChunk, []byte(target)), err == nil, err
	}
	f, err := o.FS.Open(disk)
	if isAbsent(err) {
		return id, false, nil
	}
	if err != nil {
		return id, false, err
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil || !sameStat(opened, st) {
		return id, false, err
	}
	if id, err = o.Hash(ctx, f); err != nil {
		return id, false, err
	}
	after, err := o.FS.Lstat(disk)
	if isAbsent(err) {
		return id, false, nil
	}
	return id, err == nil && sameStat(after, st), err
}

// modeOf is the mode that a file on disk has. Windows has no executable bit:
// there the file has whichever its entry says.
func modeOf(st vfs.Stat, c Change) objects.Mode {
	if st.Type == vfs.TypeSymlink {
		return objects.ModeSymlink
	}
	if !hasExecBit {
		for _, e := range []*objects.Entry{c.New, c.Old} {
			if e != nil && e.Mode.IsRegular() {
				return e.Mode
			}
		}
	}
	if isExec(st.Perm) {
		return objects.ModeExec
	}
	return objects.ModeFile
}

const hasExecBit = runtime.GOOS != "windows"

// isExec: the owner's bit decides, as in git.
func isExec(perm fs.FileMode) bool { return perm&0o100 != 0 }

// sameContent ignores the list, which follows from the content.
func sameContent(h held, e objects.Entry) bool {
	return h.Mode == e.Mode && h.Content == e.Content
}

// sameStat reports whether a file was not touched between two looks at it.
func sameStat(a, b vfs.Stat) bool {
	return a.Type == b.Type && a.Perm == b.Perm && a.Size == b.Size &&
		a.Mtime == b.Mtime && a.Ctime == b.Ctime && a.Ino == b.Ino
}

// isAbsent reports whether an error says that nothing has that name.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
