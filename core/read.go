package core

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/vfs"
)

// reading is what became of one item of a scan.
type reading struct {
	item  worktree.Item
	entry *objects.Entry // nil: the path is not in the tree
	stat  vfs.Stat       // under which entry was read
	keeps bool           // the stat may stand in the index
	// One of these, or none:
	unread  bool  // could not be read, or is to be left as it was
	err     error // why
	damaged bool  // other bytes under an unchanged stat
	// moving: it went on changing while it was read. entry is what was read, if
	// anything was.
	moving bool
}

// reader reads and stores files, in several goroutines.
type reader struct {
	*snapshot
	accept map[string]bool

	mu    sync.Mutex
	noted int64     // the file system's time
	since time.Time // when it was noted
}

func newReader(p *snapshot) *reader {
	r := &reader{snapshot: p, accept: make(map[string]bool)}
	for _, path := range p.opt.Accept {
		r.accept[path] = true
	}
	return r
}

// notedEvery is how long a noted time serves. An older one trusts fewer files,
// never more.
const notedEvery = 200 * time.Millisecond

// clock returns a time of the file system that holds the working tree, noted
// before now.
func (r *reader) clock() (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.since.IsZero() || time.Since(r.since) > notedEvery {
		since := time.Now()
		noted, err := worktree.Clock(r.env.FS, r.tempPath())
		if err != nil {
			return 0, err
		}
		r.noted, r.since = noted, since
	}
	return r.noted, nil
}

// maxTries is how often a file that changes while it is read is read again at
// once; the rounds of a commit come on top.
const maxTries = 3

// read decides what the tree says of an item, reading and storing the file if
// need be.
func (r *reader) read(ctx context.Context, item worktree.Item) (reading, error) {
	res := reading{item: item}
	switch item.Kind {
	case worktree.KindMissing, worktree.KindLeft:
		return res, nil
	case worktree.KindSkipped:
		res.unread, res.err = item.Skip == worktree.SkipUnreadable, item.Err
		return res, nil
	case worktree.KindNoted:
		// No tree that must be kept names it, so gc may have removed it.
		entry := item.Record.Entry
		held, err := r.stored(ctx, entry)
		if err != nil {
			return res, err
		}
		if held {
			res.entry, res.stat, res.keeps = &entry, item.Stat, true
			return res, nil
		}
	}
	if err := worktree.CheckPath(item.Path); err != nil {
		// No checkout would ever write this name.
		res.unread, res.err = true, err
		return res, nil
	}
	for range maxTries {
		noted, err := r.clock()
		if err != nil {
			return res, err
		}
		again, err := r.readOnce(ctx, &res, noted)
		switch {
		case errors.Is(err, fs.ErrNotExist), err != nil && r.becameOther(item):
			res.entry = nil // it vanished; what came in its place the next round finds
			return res, nil
		case errors.Is(err, fs.ErrPermission), errors.Is(err, errNotFile):
			res.unread, res.err = true, err
			return res, nil
		case err != nil:
			return res, err
		case !again:
			r.judge(&res)
			return res, nil
		}
	}
	res.moving = true
	return res, nil
}

// becameOther reports whether a path is no longer of the type that the walk saw.
func (r *reader) becameOther(item worktree.Item) bool {
	st, err := r.env.FS.Lstat(filepath.Join(r.root, filepath.FromSlash(item.Path)))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	}
	return st.Type != item.Stat.Type
}

var errNotFile = errors.New("is no longer a file")

// readOnce reads what is at the path now. It says true if that changed while
// it was read; res then has what was read and the newer stat.
func (r *reader) readOnce(ctx context.Context, res *reading, noted int64) (again bool, err error) {
	name := filepath.Join(r.root, filepath.FromSlash(res.item.Path))
	st := res.item.Stat
	entry := objects.Entry{Mode: res.item.Mode}
	var after vfs.Stat
	switch res.item.Mode {
	case objects.ModeDir:
		after = st
	case objects.ModeSymlink:
		entry, after, err = r.readLink(ctx, name)
	default:
		entry, after, err = r.readFile(ctx, name, res, st)
	}
	if errors.Is(err, content.ErrChanged) {
		res.entry = nil // nothing was read as a whole
		res.item.Stat, err = r.env.FS.Lstat(name)
		return true, err
	}
	if err != nil {
		return false, err
	}
	again = again || worktree.StampOf(after) != worktree.StampOf(st)
	entry.Mode = res.item.Mode
	res.entry, res.stat, res.item.Stat = &entry, after, after
	res.keeps = !again && worktree.Trust(after, noted)
	return again, nil
}

func (r *reader) readLink(ctx context.Context, name string) (objects.Entry, vfs.Stat, error) {
	target, err := r.env.FS.Readlink(name)
	if err != nil {
		return objects.Entry{}, vfs.Stat{}, err
	}
	id, err := r.store.Put(ctx, objects.Object{Kind: objects.KindChunk, Data: []byte(target)})
	if err != nil {
		return objects.Entry{}, vfs.Stat{}, err
	}
	st, err := r.env.FS.Lstat(name)
	return objects.Entry{Size: int64(len(target)), Content: id}, st, err
}

// readFile stores a file. Its stat is taken after it was read: if that is
// what the walk saw, nothing was written in between.
func (r *reader) readFile(ctx context.Context, name string, res *reading, st vfs.Stat) (objects.Entry, vfs.Stat, error) {
	f, err := r.env.FS.OpenFile(name, os.O_RDONLY|vfs.NoFollow, 0)
	if err != nil {
		return objects.Entry{}, vfs.Stat{}, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	var prev objects.Entry
	if rec := res.item.Record; rec != nil && rec.InTree && rec.Entry.Mode.IsRegular() {
		prev = rec.Entry
	}
	var file content.File = f
	if r.opt.AllowMoving {
		file = upTo{f, st.Size} // of a file that grows all the while, what was there
	}
	entry, stats, err := content.Write(ctx, r.store, content.Sized(file, st.Size), prev, r.env.workers())
	if err == nil && r.opt.Heal && stats.Reused > 0 {
		var stored bool
		if stored, err = r.stored(ctx, entry); err == nil && !stored {
			// The chunks of prev were not put again, and some are lost.
			entry, _, err = content.Write(ctx, r.store, content.Sized(file, st.Size), objects.Entry{}, r.env.workers())
		}
	}
	if err != nil {
		return objects.Entry{}, vfs.Stat{}, err
	}
	r.filesRead.Add(1)
	read := r.bytesRead.Add(entry.Size)
	r.env.Events.Progress(Progress{
		Phase: PhaseRead, Files: r.filesRead.Load(), Bytes: read,
		TotalFiles: r.dirty, TotalBytes: r.dirtyBytes,
	})
	after, err := f.Stat()
	if err == nil && after.Type != vfs.TypeRegular {
		err = errNotFile
	}
	return entry, after, err
}

// upTo is the beginning of a file.
type upTo struct {
	content.File
	size int64
}

// ReadAt implements io.ReaderAt.
func (f upTo) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	if n := f.size - off; int64(len(p)) > n {
		n, err := f.File.ReadAt(p[:n], off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return f.File.ReadAt(p, off)
}

// judge finds suspected damage: a file that was read again although its stat
// said that it did not change, and has other bytes.
func (r *reader) judge(res *reading) {
	rec := res.item.Record
	if res.item.Kind == worktree.KindClean && res.entry != nil && rec != nil &&
		res.entry.Content != rec.Entry.Content && !r.accept[res.item.Path] {
		res.damaged = true
	}
}
