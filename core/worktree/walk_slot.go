package worktree

import (
	"sync/atomic"

	"github.com/mlvc/mlvc/objects/vfs"
)

// walkSlot is a run of paths in tree order, of one folder or several, whose stats
// one worker fills in.
type walkSlot struct {
	items   []slotItem
	folders []*openFolder // that items refer to, each once in a run
	found   []Found
	filled  chan struct{}
	paths   []byte
}

type slotItem struct {
	folder *openFolder // nil: look it up by its path
	prefix string
	name   string
	typ    vfs.Type
	skip   Skip
	err    error
}

func (s *walkSlot) add(item slotItem) {
	if n := len(s.folders); item.folder != nil && (n == 0 || s.folders[n-1] != item.folder) {
		item.folder.users.Add(1)
		s.folders = append(s.folders, item.folder)
	}
	s.items = append(s.items, item)
}

func (s *walkSlot) isFull() bool {
	return len(s.items) >= slotSize || len(s.folders) >= slotFolders
}

// release lets go of the folders.
func (s *walkSlot) release() {
	if s == nil {
		return
	}
	for _, f := range s.folders {
		f.release()
	}
	clear(s.folders)
	s.folders = s.folders[:0]
}

// fill turns the items into what was found. What vanished since its folder
// was listed, or is something else now, is left out.
func (s *walkSlot) fill(fsys vfs.FS, root string) {
	s.paths = s.paths[:0]
	for i := range s.items {
		s.paths = append(append(s.paths, s.items[i].prefix...), s.items[i].name...)
	}
	paths := string(s.paths) // one allocation for all
	for i := range s.items {
		item := &s.items[i]
		size := len(item.prefix) + len(item.name)
		f := Found{Path: paths[:size], Skip: item.skip, Err: item.err, Stat: vfs.Stat{Type: item.typ}}
		paths = paths[size:]
		if f.Skip == SkipNone && !f.look(fsys, root, item) {
			continue
		}
		s.found = append(s.found, f)
	}
	clear(s.items)
}

// look fills in the stat, and returns false for what is no longer there.
func (f *Found) look(fsys vfs.FS, root string, item *slotItem) bool {
	var st vfs.Stat
	var err error
	if item.folder != nil {
		st, err = item.folder.dir.Lstat(item.name)
	} else {
		st, err = fsys.Lstat(diskPath(root, f.Path))
	}
	switch {
	case isGone(err):
		return false
	case err != nil:
		f.Skip, f.Err = SkipUnreadable, err
		return true
	}
	f.Stat = st
	return st.Type == item.typ
}

// openFolder is a folder that several goroutines use; the last one to
// release it closes it.
type openFolder struct {
	dir   vfs.Dir
	users atomic.Int32
}

func openedFolder(dir vfs.Dir) *openFolder {
	f := &openFolder{dir: dir}
	f.users.Store(1)
	return f
}

func (f *openFolder) release() {
	if f.users.Add(-1) == 0 {
		f.dir.Close() //nolint:errcheck // it was only read
	}
}
