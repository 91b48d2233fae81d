package worktree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/objects/vfs"
)

// Skip says why a walk leaves a path out.
type Skip uint8

// The reasons.
const (
	SkipNone       Skip = iota // not left out
	SkipIgnored                // an ignore file names it; nothing below it is looked at
	SkipSpecial                // a FIFO, socket or device
	SkipUnreadable             // Err says why; of a folder, nothing below it is known
	SkipOutside                // WalkOptions.Outside says so; nothing below it is looked at
)

// Found is one path that a walk comes by: a file, a symbolic link or an empty
// folder; or one that it leaves out.
type Found struct {
	Path string   // relative to the root, '/'-separated, any bytes
	Stat vfs.Stat // zero for what is left out, but for its Type where known
	Skip Skip
	Err  error // of SkipUnreadable
}

// WalkOptions is what to walk and whom to tell.
type WalkOptions struct {
	FS vfs.FS
	// Root is the working tree's folder, not a symbolic link.
	Root string
	// Track are the files and folders that make up the dataset, "." for all.
	// The root's configuration and ignore file are part of it always.
	Track []string
	// Paths, if there are any, limits the walk to these and what lies below them.
	Paths []string
	// Outside, if not nil, says of files and folders that they are none of the
	// working tree's, although the dataset may have them. What it says of a
	// folder must hold for all that lies below. Called from several goroutines.
	Outside func(path string, folder bool) bool
	// Folder, if not nil, is told of every folder that is listed, in the
	// order of listing, with its stat from directly before; the root is "".
	// When the walk has ended, a folder whose mtime or ctime is another now
	// has other names than those found. Called from another goroutine.
	Folder func(path string, st vfs.Stat)
	// Problem, if not nil, is told of lines of ignore files that match
	// nothing. Called from another goroutine.
	Problem func(file string, p Problem)
}

const (
	walkWorkers = 2  // a stat waits for a core, not for a disk, when warm
	walkSlots   = 16 // so that neither lister nor workers wait for the consumer
	slotSize    = 512
	slotFolders = 16 // bounds open folders: at most walkSlots × slotFolders + maxHeld
	maxHeld     = 64 // folders that the lister itself keeps open
	maxIgnore   = 4 << 20
)

// Walk yields what lies in the working tree in tree order: by the bytes of
// the whole path, so that "a.txt" comes before "a/x", and that before "a0".
//
// A folder is an entry of its own if nothing in it is taken: an empty one, or
// one that holds but ignored or special files, since programs that fill it
// want it to be there after a checkout. Names of mlvc and git (.mlvc, .git, temporary
// files) are passed by in silence, and so is what vanishes while the walk is under way.
//
// An error ends the walk; it is of the root, of an ignore file that could not
// be read (one would take what it names), or of ctx. Memory is bounded by the
// names in the folders that lead to the current one.
//
// One goroutine lists and sorts the folders and hands out slots of names in
// order, others fill in their stats, and the consumer gets the slots in order.
func Walk(ctx context.Context, opt WalkOptions) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		w, err := newWalker(opt)
		if err != nil {
			yield(Found{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return w.list(ctx) })
		for range walkWorkers {
			group.Go(func() error { return w.fill(ctx) })
		}
		if !w.drain(yield) {
			cancel()
			for range w.order { //nolint:revive // the lister may wait to be rid of one
			}
			group.Wait() //nolint:errcheck // nobody wants to know any more
			return
		}
		if err := group.Wait(); err != nil {
			yield(Found{}, err)
		}
	}
}

// walker is one walk under way.
type walker struct {
	WalkOptions
	selected *selection

	free  chan *walkSlot // bounds the slots
	work  chan *walkSlot
	order chan *walkSlot

	// The lister's own.
	slot *walkSlot
	held int
}

func newWalker(opt WalkOptions) (*walker, error) {
	selected, err := newTracked(opt.Track)
	if err != nil {
		return nil, err
	}
	if len(opt.Paths) > 0 {
		limit, err := newSelection(opt.Paths)
		if err != nil {
			return nil, err
		}
		selected = selected.and(limit)
	}
	w := &walker{
		WalkOptions: opt, selected: selected,
		free: make(chan *walkSlot, walkSlots), work: make(chan *walkSlot, walkSlots), order: make(chan *walkSlot, walkSlots),
	}
	for range walkSlots {
		w.free <- &walkSlot{items: make([]slotItem, 0, slotSize), filled: make(chan struct{}, 1)}
	}
	return w, nil
}

// list is the lister: it walks, and closes the channels when it ends.
func (w *walker) list(ctx context.Context) error {
	defer close(w.order)
	defer close(w.work)
	root, err := w.open("", nil, w.selected.all)
	if err != nil {
		return fmt.Errorf("walk %s: %w", w.Root, err)
	}
	err = w.visit(ctx, root)
	if err == nil {
		err = w.flush(ctx)
	}
	w.slot.release()
	return err
}

// fill is a worker.
func (w *walker) fill(ctx context.Context) error {
	for s := range w.work {
		if ctx.Err() == nil {
			s.fill(w.FS, w.Root)
		}
		s.release()
		s.filled <- struct{}{}
	}
	return ctx.Err()
}

// drain yields the slots in order. It returns false if the consumer has had
// enough.
func (w *walker) drain(yield func(Found, error) bool) bool {
	for s := range w.order {
		<-s.filled
		for i := range s.found {
			if !yield(s.found[i], nil) {
				return false
			}
		}
		s.items, s.found = s.items[:0], s.found[:0]
		w.free <- s
	}
	return true
}

// add puts a path into the slot that is being made.
func (w *walker) add(ctx context.Context, item slotItem) error {
	if w.slot == nil {
		select {
		case w.slot = <-w.free:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.slot.add(item)
	if w.slot.isFull() {
		return w.flush(ctx)
	}
	return nil
}

// flush hands the slot on. Both channels have room for every slot there is.
func (w *walker) flush(ctx context.Context) error {
	if s := w.slot; s != nil {
		w.slot = nil
		w.work <- s
		w.order <- s
	}
	return ctx.Err()
}

// visit adds what a folder holds, in order, and closes it. Folders below are
// listed where their own name comes, to see whether they are empty, and
// visited where their name with a slash comes: "a" < "a.txt" < "a/x". Those
// that wait in between are nested prefixes of one another, so a stack does.
func (w *walker) visit(ctx context.Context, l *listing) error {
	defer func() { w.close(l) }()
	var waiting []*listing
	defer func() {
		for _, sub := range waiting {
			w.close(sub)
		}
	}()
	visitUpTo := func(path string) error {
		for n := len(waiting); n > 0 && (path == "" || waiting[n-1].prefix < path); n-- {
			sub := waiting[n-1]
			waiting = waiting[:n-1]
			if err := w.visit(ctx, sub); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range l.children {
		c := &l.children[i]
		if len(waiting) > 0 {
			if err := visitUpTo(l.prefix + c.name); err != nil {
				return err
			}
		}
		if !l.whole && w.leadsNowhere(l, c) {
			continue
		}
		sub, err := w.come(ctx, l, c)
		if err != nil {
			return err
		}
		if sub != nil {
			waiting = append(waiting, sub)
		}
	}
	return visitUpTo("")
}

// come adds a name if it is a path of the walk, and returns the listing of a
// folder that is to be visited.
func (w *walker) come(ctx context.Context, l *listing, c *child) (*listing, error) {
	item := slotItem{folder: l.folder, prefix: l.prefix, name: c.name, typ: c.typ, skip: c.skip}
	if c.skip == SkipUnreadable {
		item.err = fmt.Errorf("%s: %w", w.disk(l.prefix+c.name), errLink)
	}
	if c.skip != SkipNone || c.typ != vfs.TypeDir {
		return nil, w.add(ctx, item)
	}
	sub, err := w.enter(l, c)
	switch {
	case isGone(err):
		return nil, nil
	case errors.Is(err, errIgnoreFile):
		return nil, err
	case err != nil:
		item.skip, item.err = SkipUnreadable, err
		return nil, w.add(ctx, item)
	case sub.taken > 0 || !sub.whole:
		return sub, nil
	}
	if err := w.add(ctx, item); err != nil {
		w.close(sub)
		return nil, err
	}
	return sub, nil
}

// leadsNowhere reports whether a name that should be a folder above what is
// selected is a file. A link there is an error: what it leads to is not part
// of the working tree, and to find nothing would be to delete.
func (w *walker) leadsNowhere(l *listing, c *child) bool {
	if c.skip != SkipNone || c.typ == vfs.TypeDir || w.selected.whole[l.prefix+c.name] {
		return false
	}
	if c.typ == vfs.TypeSymlink {
		c.skip = SkipUnreadable
	}
	return c.typ == vfs.TypeRegular
}

// isGone reports whether an error says that a path is no longer what it was
// when its folder was listed. The folder's mtime tells the rest.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// listing is a folder's names, sorted.
type listing struct {
	prefix   string // the folder's path and a slash; "" for the root
	folder   *openFolder
	children []child
	scope    *scope // the ignore files that hold in it
	whole    bool   // all of it is selected, not just some names
	taken    int
}

type child struct {
	name string
	typ  vfs.Type
	skip Skip
}

func (w *walker) enter(l *listing, c *child) (*listing, error) {
	path := l.prefix + c.name
	return w.open(path, l.scope, l.whole || w.selected.whole[path])
}

// open lists a folder.
func (w *walker) open(path string, above *scope, whole bool) (*listing, error) {
	l := &listing{scope: above, whole: whole}
	if path != "" {
		l.prefix = path + "/"
	}
	disk := w.disk(path)
	if w.Folder != nil {
		st, err := w.FS.Lstat(disk)
		if err != nil {
			return nil, err
		}
		w.Folder(path, st)
	}
	dir, err := w.FS.OpenDir(disk)
	if err != nil {
		return nil, err
	}
	l.folder = openedFolder(dir)
	w.held++
	if err := w.read(l); err != nil {
		w.close(l)
		return nil, err
	}
	if w.held > maxHeld {
		w.close(l) // its names are looked up by their paths instead
	}
	return l, nil
}

func (w *walker) close(l *listing) {
	if l.folder != nil {
		l.folder.release()
		l.folder = nil
		w.held--
	}
}

// read fills in the listing's names.
func (w *walker) read(l *listing) error {
	names, err := w.names(l)
	if err != nil {
		return err
	}
	l.children = make([]child, 0, len(names))
	hasRules := false
	for _, n := range names {
		if isReserved(n.Name) {
			continue
		}
		if n.Type == 0 {
			st, err := l.folder.dir.Lstat(n.Name)
			if isGone(err) {
				continue
			}
			n.Type = st.Type
			if err != nil {
				n.Type = vfs.TypeRegular // a worker meets the error again
			}
		}
		hasRules = hasRules || n.Name == IgnoreName && n.Type == vfs.TypeRegular
		l.children = append(l.children, child{name: n.Name, typ: n.Type})
	}
	if hasRules || !l.whole {
		if err := w.readRules(l); err != nil {
			return err
		}
	}
	w.judge(l)
	slices.SortFunc(l.children, func(a, b child) int { return strings.Compare(a.name, b.name) })
	return nil
}

// names returns the folder's names: all, or those that lead to what is
// selected.
func (w *walker) names(l *listing) ([]vfs.Name, error) {
	if l.whole {
		return l.folder.dir.Names()
	}
	steps := w.selected.steps[strings.TrimSuffix(l.prefix, "/")]
	names := make([]vfs.Name, 0, len(steps))
	for _, name := range steps {
		names = append(names, vfs.Name{Name: name})
	}
	return names, nil
}

// isReserved reports whether a name is never data, in whatever folder.
func isReserved(name string) bool {
	return name[0] == '.' && (name == ".mlvc" || name == ".git" || strings.HasPrefix(name, vfs.TempPrefix))
}

// judge decides which names are left out.
func (w *walker) judge(l *listing) {
	asks := !l.scope.empty()
	for i := range l.children {
		c := &l.children[i]
		switch {
		case asks && !l.isForced(c.name) && l.scope.match(l.prefix+c.name, c.typ == vfs.TypeDir):
			c.skip = SkipIgnored
		case w.Outside != nil && w.Outside(l.prefix+c.name, c.typ == vfs.TypeDir):
			c.skip = SkipOutside
		case c.typ == vfs.TypeOther:
			c.skip = SkipSpecial
		default:
			l.taken++
		}
	}
}

// isForced reports whether the name is part of every dataset.
func (l *listing) isForced(name string) bool {
	return l.prefix == "" && (name == ConfigName || name == IgnoreName)
}

var errLink = errors.New("a symbolic link on the way to a tracked path")

var errIgnoreFile = errors.New("cannot read the ignore file")

// readRules reads the folder's ignore file, if there is one.
func (w *walker) readRules(l *listing) error {
	path := l.prefix + IgnoreName
	st, err := l.folder.dir.Lstat(IgnoreName)
	if isGone(err) || err == nil && st.Type != vfs.TypeRegular {
		return nil // as in git, a link is not followed
	}
	var text []byte
	if err == nil {
		text, err = readSmall(w.FS, w.disk(path))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errIgnoreFile, err)
	}
	rules, problems := ParseIgnore(text)
	for _, p := range problems {
		if w.Problem != nil {
			w.Problem(path, p)
		}
	}
	l.scope = l.scope.enter(strings.TrimSuffix(l.prefix, "/"), rules)
	return nil
}

// readSmall reads a file of at most maxIgnore bytes.
func readSmall(fsys vfs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxIgnore+1))
	if err == nil && len(text) > maxIgnore {
		err = fmt.Errorf("%s: more than %d bytes", name, maxIgnore)
	}
	return text, errors.Join(err, f.Close())
}

// disk returns the operating system's name of a path.
func (w *walker) disk(path string) string { return diskPath(w.Root, path) }

func diskPath(root, path string) string {
	return filepath.Join(root, filepath.FromSlash(path))
}
