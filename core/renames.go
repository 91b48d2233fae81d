package core

import (
	"context"
	"fmt"
	"iter"
	"path"

	"github.com/mlvc/mlvc/objects"
)

const (
	// maxRenames is how many changes are held to look for renames among them.
	maxRenames = 200_000
	// maxCopySources is how many entries the old side may have for copies of
	// unchanged files to be looked for: that reads it whole.
	maxCopySources = 100_000
)

// sameness is what two files must have in common for one to be a rename or a
// copy of the other.
type sameness struct {
	content objects.ID
	link    bool
	base    string // the file's name; empty where that may differ
}

// renaming finds renames and copies among changes.
//
//  1. An added file takes a removed one with its content and its name, else
//     one with its content: a rename. Each removed file is taken once.
//  2. An added file that finds none, and has the content of a file that was
//     there before, is a copy of the first such.
//
// Empty files are left out: they have nothing to be known by.
type renaming struct {
	changes []FileChange
	removed map[sameness][]int
	taken   map[int]bool
}

// withRenames yields changes with renames and copies put together, in path
// order. More than maxRenames changes are yielded as they come, and said so.
func (d *Difference) withRenames(ctx context.Context, in iter.Seq2[FileChange, error]) iter.Seq2[FileChange, error] {
	return func(yield func(FileChange, error) bool) {
		n := &renaming{removed: make(map[sameness][]int), taken: make(map[int]bool)}
		for c, err := range in {
			if err != nil {
				yield(FileChange{}, err)
				return
			}
			n.changes = append(n.changes, c)
			if len(n.changes) <= maxRenames {
				continue
			}
			if !d.summary.RenamesLeftOut {
				d.summary.RenamesLeftOut = true
				d.repo.env.Events.Warn(Warning{
					Code:    "renames_left_out",
					Message: fmt.Sprintf("more than %d changes: renames are shown as removed and added", maxRenames),
				})
			}
			if !n.flush(yield) {
				return
			}
		}
		if !d.summary.RenamesLeftOut {
			n.findRenames()
			if err := d.findCopies(ctx, n); err != nil {
				yield(FileChange{}, err)
				return
			}
		}
		n.flush(yield)
	}
}

// flush yields what is held, without the removals that were taken.
func (n *renaming) flush(yield func(FileChange, error) bool) bool {
	changes := n.changes
	n.changes = n.changes[:0]
	for i, c := range changes {
		if !n.taken[i] && !yield(c, nil) {
			return false
		}
	}
	return true
}

func (n *renaming) findRenames() {
	for i, c := range n.changes {
		if c.Change == ChangeRemoved && c.OldSize > 0 {
			key := c.oldSameness()
			named := key
			named.base = path.Base(c.Path)
			n.removed[key] = append(n.removed[key], i)
			n.removed[named] = append(n.removed[named], i)
		}
	}
	for _, byName := range []bool{true, false} {
		for i := range n.changes {
			c := &n.changes[i]
			if c.Change != ChangeAdded || c.Size == 0 {
				continue
			}
			key := c.sameness()
			if byName {
				key.base = path.Base(c.Path)
			}
			if from, ok := n.take(key); ok {
				c.comeFrom(ChangeRenamed, from)
			}
		}
	}
}

// take takes the first removed file that is not taken yet.
func (n *renaming) take(key sameness) (FileChange, bool) {
	list := n.removed[key]
	for len(list) > 0 && n.taken[list[0]] {
		list = list[1:]
	}
	if len(list) == 0 {
		delete(n.removed, key)
		return FileChange{}, false
	}
	n.taken[list[0]] = true
	n.removed[key] = list[1:]
	return n.changes[list[0]], true
}

// findCopies finds what added files are copies of: of files that changed, and
// where the old side is not too large also of those that did not.
func (d *Difference) findCopies(ctx context.Context, n *renaming) error {
	source := make(map[sameness]*FileChange) // nil: wanted, not found
	for _, c := range n.changes {
		if c.Change == ChangeAdded && c.Size > 0 {
			source[c.sameness()] = nil
		}
	}
	if len(source) == 0 {
		return nil
	}
	for i := range n.changes {
		c := n.changes[i]
		key := c.oldSameness()
		if from, wanted := source[key]; wanted && from == nil && c.OldSize > 0 && c.Change != ChangeRenamed {
			source[key] = &c
		}
	}
	if err := d.findSources(ctx, source); err != nil {
		return err
	}
	for i := range n.changes {
		c := &n.changes[i]
		if c.Change == ChangeAdded && c.Size > 0 && source[c.sameness()] != nil {
			c.comeFrom(ChangeCopied, *source[c.sameness()])
		}
	}
	return nil
}

// findSources looks through the old side for what is wanted.
func (d *Difference) findSources(ctx context.Context, source map[sameness]*FileChange) error {
	entries, err := treeMap(d.From.tree).Count(ctx, d.repo.store)
	if err != nil || entries > maxCopySources {
		return err
	}
	for e, err := range d.repo.treeEntries(ctx, d.From.tree) {
		if err != nil {
			return err
		}
		key := sameness{content: e.Entry.Content, link: e.Entry.Mode == objects.ModeSymlink}
		if from, wanted := source[key]; wanted && from == nil {
			source[key] = &FileChange{Path: e.Path, OldMode: e.Entry.Mode.String(), OldSize: e.Entry.Size, OldContent: e.Entry.Content}
		}
	}
	return nil
}

func (c *FileChange) comeFrom(kind ChangeKind, from FileChange) {
	c.Change, c.From = kind, from.Path
	c.OldMode, c.OldSize, c.OldContent = from.OldMode, from.OldSize, from.OldContent
}

func (c *FileChange) sameness() sameness {
	return sameness{content: c.Content, link: c.Mode == objects.ModeSymlink.String()}
}

func (c *FileChange) oldSameness() sameness {
	return sameness{content: c.OldContent, link: c.OldMode == objects.ModeSymlink.String()}
}
