package worktree

import (
	"context"
	"fmt"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Check returns what stands in the way of the changes, and changes nothing.
// A path is not in the way if nothing is there, if it is as the change's New
// says, or if what is there is in a commit: it equals Old, or an entry that
// the index knows to be in its tree. With Force only those obstacles remain
// that force does not overcome. The error, for paths that no honest tree
// holds, wraps ErrUnsafePath.
func Check(ctx context.Context, opt Options, changes Changes) (Obstacles, error) {
	if opt.Workers <= 0 {
		opt.Workers = 2
	}
	c := &checker{
		Options: opt, index: newCursor(opt.Index), folders: newFolders(opt.FS, opt.Root),
		names: make([]foldedNames, 1),
	}
	defer c.index.stop()
	c.folders.entered = c.entered
	c.folders.left = func(_, p *place) error { return c.left(ctx, p) }
	err := ordered(ctx, opt.Workers, func(emit func(*checked) error) error {
		c.emit = emit
		return c.plan(guarded(changes))
	}, c.work, c.consume)
	if err != nil {
		return Obstacles{}, fmt.Errorf("check %s: %w", opt.Root, err)
	}
	c.settle("")
	c.obstacles.sort()
	return c.obstacles, nil
}

// checker is one Check. The first group belongs to the planning goroutine,
// the second to the consuming one.
type checker struct {
	Options
	emit    func(*checked) error
	index   *cursor
	folders *folders
	going   prefixes // paths of files that the changes delete
	names   []foldedNames
	batch   *checked

	obstacles Obstacles
	waiting   []crowd
}

// checked is a run of paths on their way through the workers.
type checked struct {
	items []checkItem
}

type checkItem struct {
	change Change
	known  *Record
	disk   string
	reason Reason // set: in the way, whatever is found
	found  finding
	files  int64 // in the folder where New has a file
}

// checkBatch is how many paths a worker takes at once: enough to make the
// hand-over cheap, few enough that hashing spreads over the workers.
const checkBatch = 64

func (c *checker) plan(changes Changes) error {
	for change, err := range changes {
		if err != nil {
			return err
		}
		if err := c.planOne(change); err != nil {
			return err
		}
	}
	if err := c.folders.close(); err != nil {
		return err
	}
	return c.flush()
}

func (c *checker) planOne(change Change) error {
	known, err := c.index.find(change.Path)
	if err != nil {
		return err
	}
	if change.New != nil && !c.Disk.Holds(change.Path) {
		return c.push(checkItem{change: change, reason: NameRefused})
	}
	parent, err := c.folders.above(change.Path)
	if err != nil {
		return err
	}
	if change.New == nil && change.Old.Mode != objects.ModeDir {
		c.going.push(change.Path)
	}
	if parent.standing == standsBlocked && change.New != nil {
		return c.tellBlocked()
	}
	item := checkItem{change: change, known: known}
	if parent.standing == standsReal {
		item.disk = parent.join(baseName(change.Path))
	}
	if c.Disk.Folds {
		return c.pushFolding(item)
	}
	return c.push(item)
}

// entered sees a file where a folder belongs: it is not in the way if the
// changes delete it first.
func (c *checker) entered(_, p *place) error {
	if c.Disk.Folds {
		clash := c.names[len(c.names)-1].want(baseName(p.path))
		c.names = append(c.names, foldedNames{})
		if clash {
			if err := c.push(checkItem{change: Change{Path: p.path}, reason: NameFolds}); err != nil {
				return err
			}
		}
	}
	if p.found != 0 && c.going.has(p.path) {
		p.standing, p.found = standsAbsent, 0
	}
	return nil
}

// tellBlocked reports, once, what stands where a folder belongs.
func (c *checker) tellBlocked() error {
	p := c.folders.blocker()
	if p.told {
		return nil
	}
	p.told = true
	return c.push(checkItem{change: Change{Path: p.path}, reason: p.blockedBy()})
}

// push hands an item to the workers; one without a place on disk has nothing
// to be looked at.
func (c *checker) push(item checkItem) error {
	if item.disk == "" && item.reason == "" {
		return nil
	}
	if c.batch == nil {
		c.batch = &checked{items: make([]checkItem, 0, checkBatch)}
	}
	c.batch.items = append(c.batch.items, item)
	if len(c.batch.items) == checkBatch {
		return c.flush()
	}
	return nil
}

func (c *checker) flush() error {
	if c.batch == nil {
		return nil
	}
	batch := c.batch
	c.batch = nil
	return c.emit(batch)
}

func (c *checker) work(ctx context.Context, batch *checked) error {
	for i := range batch.items {
		item := &batch.items[i]
		if item.reason != "" {
			continue
		}
		var err error
		if item.found, err = c.examine(ctx, item.change, item.known, item.disk); err != nil {
			return err
		}
		if item.found.verdict != folder {
			continue
		}
		if item.files, item.reason, err = countFiles(ctx, c.FS, item.disk); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// crowd is a folder where New has a file: it is in the way unless every file
// in it is one that the changes delete.
type crowd struct {
	path  string
	files int64
}

func (c *checker) consume(batch *checked) error {
	for i := range batch.items {
		item := &batch.items[i]
		c.settle(item.change.Path)
		v := item.found.verdict
		counted := item.found.stat.Type != vfs.TypeDir && (v == clean || v == inWay)
		for k := range c.waiting {
			if counted && below(item.change.Path, c.waiting[k].path) {
				c.waiting[k].files--
			}
		}
		switch {
		case item.reason != "":
			c.tell(item.change.Path, item.reason)
		case item.found.verdict == inWay:
			c.tell(item.change.Path, item.found.reason)
		case item.found.verdict == folder:
			c.waiting = append(c.waiting, crowd{item.change.Path, item.files})
		}
	}
	return nil
}

// settle decides about the folders that the stream has passed; "" is its end.
func (c *checker) settle(path string) {
	kept := c.waiting[:0]
	for _, w := range c.waiting {
		if path != "" && path < w.path+"0" { // '0' follows '/'
			kept = append(kept, w)
		} else if w.files > 0 {
			c.tell(w.path, FolderInWay)
		}
	}
	c.waiting = kept
}

func (c *checker) tell(path string, reason Reason) {
	if !c.Force || !reason.Forced() {
		c.obstacles.add(path, reason)
	}
}
