package worktree

import (
	"path/filepath"
	"strings"

	"github.com/mlvc/mlvc/objects/vfs"
)

// standing is how a folder of the tree stands on disk.
type standing uint8

const (
	standsReal    standing = iota // a real folder, not reached through any link
	standsAbsent                  // nothing is there
	standsBlocked                 // something else is there, or above it
	standsFresh                   // made by this run: holds only what the run put there
)

// place is a folder of the tree and where it lies on disk.
type place struct {
	path     string // in the tree; "" is the root
	disk     string
	standing standing
	found    vfs.Type // what stands there when blocked; 0 if the block is above
	stage    *stage   // that it is built in, when fresh
	touched  bool     // something in it was deleted
	told     bool     // its being in the way was reported
}

// join is the operating-system path of a name in the place.
func (p *place) join(name string) string { return p.disk + string(filepath.Separator) + name }

// folders follows a sorted stream of paths and knows the folders above the
// current one. Each folder is looked at once, when the stream enters it, and
// nothing is ever reached through something that is not a real folder.
type folders struct {
	fs    vfs.FS
	stack []*place
	// entered may change how a folder stands, by making it; nil does nothing.
	entered func(parent, p *place) error
	// left is told when the stream has left a folder, inner ones first; nil
	// does nothing. The parent is nil for the root.
	left func(parent, p *place) error
}

func newFolders(fsys vfs.FS, root string) *folders {
	return &folders{fs: fsys, stack: []*place{{disk: filepath.Clean(root)}}}
}

func (f *folders) top() *place { return f.stack[len(f.stack)-1] }

// above returns the folder that path lies in.
func (f *folders) above(path string) (*place, error) {
	if err := f.leave(path); err != nil {
		return nil, err
	}
	for {
		parent := f.top()
		name, _, more := strings.Cut(strings.TrimPrefix(path[len(parent.path):], "/"), "/")
		if !more {
			return parent, nil
		}
		if err := f.enter(parent, name); err != nil {
			return nil, err
		}
	}
}

// leave pops the folders that path does not lie in.
func (f *folders) leave(path string) error {
	for !below(path, f.top().path) {
		if err := f.pop(); err != nil {
			return err
		}
	}
	return nil
}

// close leaves every folder.
func (f *folders) close() error {
	for len(f.stack) > 0 {
		if err := f.pop(); err != nil {
			return err
		}
	}
	return nil
}

func (f *folders) pop() error {
	p := f.top()
	f.stack = f.stack[:len(f.stack)-1]
	if f.left == nil {
		return nil
	}
	var parent *place
	if len(f.stack) > 0 {
		parent = f.top()
	}
	return f.left(parent, p)
}

// enter pushes a folder of parent.
func (f *folders) enter(parent *place, name string) error {
	p := &place{path: name, disk: parent.join(name), standing: parent.standing}
	if parent.path != "" {
		p.path = parent.path + "/" + name
	}
	switch parent.standing {
	case standsReal:
		if err := f.look(p); err != nil {
			return err
		}
	case standsFresh:
		p.standing = standsAbsent
	}
	if f.entered != nil {
		if err := f.entered(parent, p); err != nil {
			return err
		}
	}
	f.stack = append(f.stack, p)
	return nil
}

func (f *folders) look(p *place) error {
	st, err := f.fs.Lstat(p.disk)
	switch {
	case isAbsent(err):
		p.standing = standsAbsent
		return nil
	case err != nil:
		return err
	case st.Type != vfs.TypeDir:
		p.standing, p.found = standsBlocked, st.Type
	}
	return nil
}

// blocker returns what stands where a folder above the current path belongs.
func (f *folders) blocker() *place {
	i := len(f.stack) - 1
	for f.stack[i].found == 0 && i > 0 {
		i--
	}
	return f.stack[i]
}

// blockedBy is the reason of a place that something else stands at.
func (p *place) blockedBy() Reason {
	if p.found == vfs.TypeSymlink {
		return LinkAbove
	}
	return FileAbove
}
