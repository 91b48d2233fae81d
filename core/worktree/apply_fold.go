package worktree

import (
	"context"

	"github.com/mlvc/mlvc/objects/vfs"
)

// foldedNames are the names of one folder that the changes speak of, on a
// disk where names fold. Only the folders above the current path have one:
// memory is bounded by the changed names of the largest folder.
type foldedNames struct {
	wanted map[string]string // folded name → the name that is to be there
	going  map[string]bool   // folded names of files that are deleted
	asked  []checkItem       // new names under which the disk finds something
}

// want notes that name is to be in the folder, and reports whether another
// one that is the same to the disk is to be there too.
func (n *foldedNames) want(name string) (clash bool) {
	folded := fold(name)
	other, taken := n.wanted[folded]
	if taken {
		return other != name
	}
	if n.wanted == nil {
		n.wanted = make(map[string]string)
	}
	n.wanted[folded] = name
	return false
}

func (n *foldedNames) leave(name string) {
	if n.going == nil {
		n.going = make(map[string]bool)
	}
	n.going[fold(name)] = true
}

// pushFolding is push for a disk where names fold: whether a new name's file
// on disk is really another one is seen only when the folder's changes are
// all known.
func (c *checker) pushFolding(item checkItem) error {
	names := &c.names[len(c.names)-1]
	name := baseName(item.change.Path)
	if item.change.New == nil {
		names.leave(name)
		return c.push(item)
	}
	if names.want(name) {
		item.reason = NameFolds
		return c.push(item)
	}
	if item.change.Old != nil || item.disk == "" {
		return c.push(item)
	}
	_, err := c.FS.Lstat(item.disk)
	switch {
	case isAbsent(err):
		return nil
	case err != nil:
		return err
	}
	names.asked = append(names.asked, item)
	return nil
}

// left decides about the new names of a folder under which the disk found
// something: it is that very name, one that is deleted, or another one.
func (c *checker) left(ctx context.Context, p *place) error {
	if !c.Disk.Folds {
		return nil
	}
	names := c.names[len(c.names)-1]
	c.names = c.names[:len(c.names)-1]
	if len(names.asked) == 0 {
		return nil
	}
	listed := make(map[string]bool)
	err := eachName(ctx, c.FS, p.disk, func(name string, _ vfs.Type) error {
		listed[name] = true
		return nil
	})
	if err != nil {
		return err
	}
	for _, item := range names.asked {
		name := baseName(item.change.Path)
		switch {
		case listed[name]:
		case names.going[fold(name)]:
			continue
		default:
			item.reason = NameFolds
		}
		if err := c.push(item); err != nil {
			return err
		}
	}
	return nil
}
