package worktree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// The bounds of a slot, which one worker takes: large enough that each worker
// has a folder of its own, for two that create files in one folder wait for
// each other; and of a batch of contents within it.
const (
	slotItems  = 1024
	slotBytes  = 64 << 20
	slotEnough = 128 // from here on a slot ends with its folder
	batchItems = 64
	batchBytes = 4 << 20
)

// slot is a run of changes that one worker carries out. When all before it
// and it are done, the stages in after are complete.
type slot struct {
	items []writeItem
	bytes int64
	after []*stage
}

// writeItem is a change, where it goes, and what came of it.
type writeItem struct {
	change Change
	known  *Record
	dir    string // the folder on disk
	disk   string
	stage  *stage // the folder is a fresh one
	done   bool   // nothing is left to do; the rest says what came of it

	found   finding
	stat    vfs.Stat
	written bool
	reason  Reason // not done: in the way
	repeats bool   // the reason was told before
	damaged error  // not done: no content
}

// stage is a folder that is built under a reserved name.
type stage struct {
	place *place
	dir   string // the real folder that it is built in
	disk  string
	final string
	// resumed: an interrupted run began it, so names may be there already.
	resumed bool
}

// writeAll carries out every change in path order and tells what came of it.
func (r *run) writeAll(ctx context.Context) error {
	w := &writer{run: r, index: newCursor(r.Index), tree: newFolders(r.FS, r.Root)}
	defer w.index.stop()
	w.tree.left = w.left
	return ordered(ctx, r.Workers, func(emit func(*slot) error) error {
		w.emit = emit
		return w.plan(ctx)
	}, r.work, r.finish)
}

// writer plans the slots.
type writer struct {
	*run
	emit  func(*slot) error
	index *cursor
	tree  *folders
	slot  *slot
	last  *place // the folder of the slot's last item
}

func (w *writer) plan(ctx context.Context) error {
	for c, err := range w.changes {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		item, parent, err := w.place(ctx, c)
		if err != nil {
			return err
		}
		if err := w.push(item, parent); err != nil {
			return err
		}
	}
	if err := w.tree.close(); err != nil {
		return err
	}
	return w.flush()
}

// place decides where a change goes, and makes the folders above it.
func (w *writer) place(ctx context.Context, c Change) (writeItem, *place, error) {
	item := writeItem{change: c}
	var err error
	if item.known, err = w.index.find(c.Path); err != nil {
		return item, nil, err
	}
	if c.New != nil && !w.Disk.Holds(c.Path) {
		item.done, item.reason = true, NameRefused
		return item, w.tree.top(), nil
	}
	isFolder := c.New != nil && c.New.Mode == objects.ModeDir
	inner := c.Path
	if isFolder {
		inner += "/" // the folder itself is one to be entered
	}
	parent, err := w.tree.above(inner)
	if err == nil && c.New != nil {
		err = w.makeFolders(ctx, isFolder)
	}
	if err != nil {
		return item, nil, err
	}
	item.dir, item.disk, item.stage = parent.disk, parent.join(baseName(c.Path)), parent.stage
	switch {
	case isFolder && parent.found != 0:
		item.done, item.reason = true, w.reason(c, vfs.Stat{Type: parent.found})
	case c.New != nil && parent.standing == standsBlocked:
		p := w.tree.blocker()
		item.done, item.reason, item.repeats = true, p.blockedBy(), p.told
		item.change = Change{Path: p.path}
		p.told = true
	case isFolder:
		item.done, item.stat, item.written = true, vfs.Stat{Type: vfs.TypeDir}, parent.standing == standsFresh
	case c.New == nil && parent.standing != standsReal:
		item.done = true // gone with its folder
	}
	return item, parent, nil
}

// makeFolders makes those folders above the current path that are not there.
// With self the innermost one is the change itself.
func (w *writer) makeFolders(ctx context.Context, self bool) error {
	for i := 1; i < len(w.tree.stack); i++ {
		parent, p := w.tree.stack[i-1], w.tree.stack[i]
		if p.standing == standsReal || p.standing == standsFresh || parent.standing == standsBlocked {
			continue
		}
		if p.found != 0 {
			innermost := self && i == len(w.tree.stack)-1
			if !w.Force || p.found == vfs.TypeSymlink && !innermost {
				continue
			}
			if err := w.remove(parent.disk, p.disk); err != nil {
				return err
			}
			p.found = 0
		}
		if err := w.makeFolder(parent, p); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// makeFolder makes p: in a fresh folder as it is, in a real one as a stage.
func (w *writer) makeFolder(parent, p *place) error {
	name := baseName(p.path)
	p.disk, p.stage = parent.join(name), parent.stage
	if parent.standing == standsReal {
		p.stage = &stage{place: p, dir: parent.disk, disk: parent.join(w.stageName(name)), final: p.disk}
		p.disk = p.stage.disk
	}
	p.standing = standsFresh
	err := w.writable(parent.disk, func() error { return w.FS.Mkdir(p.disk, 0o777) })
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if p.stage.place == p && w.Token != "" && !w.Disk.Folds {
		p.stage.resumed = true
	}
	if p.stage.resumed {
		return nil
	}
	return fmt.Errorf("%q %s", p.path, NameFolds)
}

// stageName is the reserved name that a folder is built under. It follows
// from the run's token, so that a repeated run finds it. Where names fold, a
// file that is there already could be another one: there it begins anew.
func (w *writer) stageName(name string) string {
	if w.Token == "" || w.Disk.Folds {
		return randomName()
	}
	sum := blake3.Sum256([]byte(w.Token + "\x00" + name))
	return fmt.Sprintf("%s%x", vfs.TempPrefix, sum[:8])
}

// left notes that a stage has all that it is to hold.
func (w *writer) left(_, p *place) error {
	if p.stage == nil || p.stage.place != p {
		return nil
	}
	if w.slot == nil {
		w.slot = &slot{}
	}
	w.slot.after = append(w.slot.after, p.stage)
	return nil
}

func (w *writer) push(item writeItem, parent *place) error {
	if s := w.slot; s != nil {
		full := len(s.items) >= slotItems || s.bytes >= slotBytes
		if full || len(s.items) >= slotEnough && parent != w.last {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	if w.slot == nil {
		w.slot = &slot{}
	}
	w.last = parent
	w.slot.items = append(w.slot.items, item)
	if item.change.New != nil {
		w.slot.bytes += item.change.New.Size
	}
	return nil
}

func (w *writer) flush() error {
	if w.slot == nil {
		return nil
	}
	s := w.slot
	w.slot = nil
	return w.emit(s)
}

// finish tells what came of a slot and gives complete stages their names.
func (r *run) finish(s *slot) error {
	for i := range s.items {
		item := &s.items[i]
		switch {
		case item.repeats:
			continue
		case item.reason != "":
			r.obstacles.add(item.change.Path, item.reason)
			continue
		case item.damaged != nil:
			if err := r.Damaged(item.change.Path, item.damaged); err != nil {
				return err
			}
			continue
		}
		if item.written && item.stage == nil {
			r.disks[item.stat.Dev] = item.dir
		}
		if item.written {
			r.wrote(item.change.New.Size)
		}
		if r.Done == nil {
			continue
		}
		err := r.Done(Result{item.change.Path, item.change.New, item.stat, item.written})
		if err != nil {
			return err
		}
	}
	for _, st := range s.after {
		err := r.writable(st.dir, func() error { return r.FS.Rename(st.disk, st.final) })
		if err != nil {
			return fmt.Errorf("the new folder %s: %w", filepath.Base(st.final), err)
		}
	}
	return nil
}
