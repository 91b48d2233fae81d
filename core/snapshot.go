package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/core/internal/ordered"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/vfs"
)

// snapshotOptions say what of the working tree is recorded.
type snapshotOptions struct {
	Rules          Rules
	Paths          []string
	SkipUnreadable bool
	Accept         []string
	AllowMoving    bool
	// Heal stores again what the store should hold of a file and does not.
	Heal bool
}

// snapshot turns the working tree into a tree, in one or more rounds. After
// each round tree and index go together: the index says by which stats the
// files are known to be what the tree says.
type snapshot struct {
	*session
	opt  snapshotOptions
	part Part

	tree  objects.ID      // begins as the head's
	index *worktree.Index // what is known so far
	round int             // names the index files under .mlvc/tmp

	// What scan found; items only while there are at most maxItems.
	scanned    bool
	items      []worktree.Item
	overflow   bool
	dirty      int64
	dirtyBytes int64
	newBytes   int64 // of these, of paths that had no file
	folders    []folderStat

	// What was read: the stats under which files were read whose record may
	// not keep them, and of few files all.
	stamps map[string]worktree.Stamp
	again_ []worktree.Item

	reader    *reader
	filesRead atomic.Int64
	bytesRead atomic.Int64
}

type folderStat struct {
	path  string
	mtime int64
	ctime int64
}

// maxItems bounds the paths held in memory; with more than that changed, the
// working tree is scanned again where they are needed again.
const maxItems = 100_000

func (s *session) openSnapshot(ctx context.Context, opt snapshotOptions) (*snapshot, error) {
	if err := s.checkPaths(ctx, s.head.Tree, opt.Paths); err != nil {
		return nil, err
	}
	part, err := s.Part(ctx)
	if err != nil {
		return nil, err
	}
	index, err := s.loadIndex(ctx, s.head.Tree)
	if err != nil {
		return nil, err
	}
	if len(opt.Paths) == 0 {
		opt.Paths = nil // for package worktree, which takes an empty list at its word
	}
	p := &snapshot{session: s, opt: opt, part: part, tree: s.head.Tree, index: index, stamps: make(map[string]worktree.Stamp)}
	p.reader = newReader(p)
	return p, nil
}

func (p *snapshot) close() {
	if p.index != nil {
		p.index.Close() //nolint:errcheck // it was only read
	}
}

// scanTree scans the part; what lies outside of it stays as in the head's tree.
func (p *snapshot) scanTree(ctx context.Context, opt worktree.ScanOptions) iter.Seq2[worktree.Item, error] {
	return p.session.scan(ctx, p.part, p.head.Tree, opt)
}

func (p *snapshot) scanOptions() worktree.ScanOptions {
	return worktree.ScanOptions{
		WalkOptions: worktree.WalkOptions{
			FS: p.env.FS, Root: p.root, Track: p.opt.Rules.Track, Paths: p.opt.Paths,
			Problem: func(file string, pr worktree.Problem) {
				p.env.Events.Warn(Warning{Code: "ignore_pattern", Path: file, Message: fmt.Sprintf("line %d: %s", pr.Line, pr.Reason)})
			},
		},
		Index: p.index,
	}
}

// scan finds what differs from the index by stat, and holds it while it is
// little.
func (p *snapshot) scan(ctx context.Context) error {
	opt := p.scanOptions()
	opt.Folder = func(path string, st vfs.Stat) {
		p.folders = append(p.folders, folderStat{path, st.Mtime, st.Ctime})
	}
	for item, err := range p.scanTree(ctx, opt) {
		if err != nil {
			return err
		}
		if item.Kind == worktree.KindOutside {
			p.warnOutside(item.Path)
			continue
		}
		if item.Kind == worktree.KindSkipped && item.Skip == worktree.SkipSpecial && item.Record == nil {
			p.warnSpecial(item.Path)
			continue
		}
		p.dirty++
		p.dirtyBytes += item.Stat.Size
		if item.Record == nil || !item.Record.InTree {
			p.newBytes += item.Stat.Size
		}
		if len(p.items) < maxItems {
			p.items = append(p.items, item)
		} else {
			p.overflow = true
		}
	}
	p.scanned = true
	return nil
}

func (p *snapshot) warnOutside(path string) {
	p.env.Events.Warn(Warning{Code: "outside_part", Path: path, Message: "outside of the part of the dataset that the working tree holds: not recorded"})
}

func (p *snapshot) warnSpecial(path string) {
	p.env.Events.Warn(Warning{Code: "skipped_special", Path: path, Message: "neither file, link nor folder: not recorded"})
}

// differences yields what is to be read: what scan found, and with reread also
// paths that look unchanged.
func (p *snapshot) differences(ctx context.Context, reread func(string) bool) iter.Seq2[worktree.Item, error] {
	if p.scanned && !p.overflow && reread == nil {
		return func(yield func(worktree.Item, error) bool) {
			for _, item := range p.items {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
	p.overflow = true
	opt := p.scanOptions()
	opt.All = reread != nil
	return func(yield func(worktree.Item, error) bool) {
		for item, err := range p.scanTree(ctx, opt) {
			if err == nil && item.Kind == worktree.KindOutside {
				if !p.scanned {
					p.warnOutside(item.Path)
				}
				continue
			}
			if err == nil && item.Kind == worktree.KindClean && !reread(item.Path) {
				continue
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// record reads items and makes the next tree and index of them.
func (p *snapshot) record(ctx context.Context, items iter.Seq2[worktree.Item, error]) error {
	p.round++
	name := filepath.Join(p.tempPath(), fmt.Sprintf("index-%d", p.round))
	w, err := worktree.CreateIndex(p.env.FS, name, p.tempPath())
	if err != nil {
		return err
	}
	settle := &settling{snapshot: p, updates: make(chan worktree.Update, 512)}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return worktree.Merge(w, p.index.Records(), settle.stream(gctx))
	})
	var tree prolly.Map
	group.Go(func() error {
		defer close(settle.updates)
		read := ordered.Map(gctx, items, p.env.workers(), toRead, p.reader.read)
		var err error
		tree, err = prolly.Apply(gctx, p.store, treeMap(p.tree), settle.edits(gctx, read))
		return err
	})
	err = group.Wait()
	if err == nil {
		err = settle.refusal()
	}
	if err != nil {
		return errors.Join(err, w.Abort())
	}
	if err := w.Commit(tree.Root()); err != nil {
		return err
	}
	return p.adopt(name, tree.Root())
}

// adopt makes a round's tree and index the current ones.
func (p *snapshot) adopt(name string, tree objects.ID) error {
	index, err := worktree.OpenIndex(p.env.FS, name)
	if err != nil {
		return err
	}
	p.close()
	p.index, p.tree = index, tree
	return nil
}

// keep makes the last round's index the repository's. It may be lost at any
// time, so its bytes need not be durable, and that it cannot be kept does not
// undo what was recorded.
func (p *snapshot) keep() {
	if p.round == 0 {
		return
	}
	err := p.env.FS.Rename(filepath.Join(p.tempPath(), fmt.Sprintf("index-%d", p.round)), p.indexPath())
	if err != nil {
		p.env.Events.Warn(Warning{Code: "index", Message: fmt.Sprintf("the stat cache is not kept, so the next look reads files again: %v", err)})
	}
}

// moved returns the paths that are not what they were when they were read, or
// that appeared or vanished meanwhile; the first maxNamed of them.
func (p *snapshot) moved(ctx context.Context) ([]string, error) {
	if !p.overflow {
		still, err := p.still()
		if err != nil || still {
			return nil, err
		}
	}
	var paths []string
	p.again_ = nil
	for item, err := range p.scanTree(ctx, p.scanOptions()) {
		if err != nil {
			return nil, err
		}
		if !p.hasMoved(item) {
			continue
		}
		if len(paths) < maxNamed {
			paths = append(paths, item.Path)
		}
		if len(p.again_) < maxItems {
			p.again_ = append(p.again_, item)
		}
	}
	return paths, nil
}

// hasMoved says whether what a scan against the round's own index found is
// news. A file whose stat may not be kept is not: its stamp tells.
func (p *snapshot) hasMoved(item worktree.Item) bool {
	switch item.Kind {
	case worktree.KindSkipped, worktree.KindOutside:
		return false // as it was: it is not recorded
	case worktree.KindModified, worktree.KindNoted:
		stamp, ok := p.stamps[item.Path]
		return !ok || stamp != worktree.StampOf(item.Stat) || item.Mode != item.Record.Entry.Mode
	}
	return true
}

// still reports whether the files read and every folder are what they were;
// it costs a stat of each and no walk.
func (p *snapshot) still() (bool, error) {
	for path, stamp := range p.stamps {
		st, err := p.env.FS.Lstat(filepath.Join(p.root, filepath.FromSlash(path)))
		if errors.Is(err, fs.ErrNotExist) || err == nil && worktree.StampOf(st) != stamp {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	for _, f := range p.folders {
		st, err := p.env.FS.Lstat(filepath.Join(p.root, filepath.FromSlash(f.path)))
		if err != nil || st.Mtime != f.mtime || st.Ctime != f.ctime {
			return false, nil
		}
	}
	return true, nil
}

// again yields what moved found. Should that be more than is held, a later
// round finds the rest.
func (p *snapshot) again(context.Context) iter.Seq2[worktree.Item, error] {
	items := p.again_
	p.overflow = true // folders were noted before the first round
	return func(yield func(worktree.Item, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// loadIndex opens an index whose base is the given tree. One that is lost or
// belongs to another tree is made anew under .mlvc/tmp: lost records are
// those of the tree, with nothing known of the files.
func (r *Repo) loadIndex(ctx context.Context, tree objects.ID) (*worktree.Index, error) {
	index, err := worktree.OpenIndex(r.env.FS, r.indexPath())
	switch {
	case err == nil && index.Base() == treeMap(tree).Root():
		return index, nil
	case err == nil:
		defer index.Close() //nolint:errcheck // it was only read
		rebased, err := r.rebaseIndex(ctx, index, tree)
		if !errors.Is(err, worktree.ErrIndexLost) {
			return rebased, err
		}
	case !errors.Is(err, worktree.ErrIndexLost):
		return nil, err
	}
	return r.writeIndex(tree, func(w *worktree.IndexWriter) error {
		return addRecords(w, worktree.FromTree(r.treeEntries(ctx, tree)))
	})
}

// rebaseIndex makes an index of another base: what differs between the trees
// changes what is known to be in the tree, not what is known of the files.
func (r *Repo) rebaseIndex(ctx context.Context, index *worktree.Index, tree objects.ID) (*worktree.Index, error) {
	return r.writeIndex(tree, func(w *worktree.IndexWriter) error {
		next, stop := iter.Pull2(r.treeDiff(ctx, index.Base(), tree))
		defer stop()
		c, err, more := next()
		for rec, rerr := range index.Records() {
			if rerr != nil {
				return rerr
			}
			for ; more && err == nil && c.Path < rec.Path; c, err, more = next() {
				if aerr := addFromTree(w, c); aerr != nil {
					return aerr
				}
			}
			if err != nil {
				return err
			}
			if more && c.Path == rec.Path {
				rec.InTree = c.New != nil && *c.New == rec.Entry
				if c.New != nil && !rec.InTree && rec.Stamp.IsZero() {
					rec.Entry, rec.InTree = *c.New, true
				}
				c, err, more = next()
			}
			if aerr := w.Add(rec); aerr != nil {
				return aerr
			}
		}
		for ; more && err == nil; c, err, more = next() {
			if aerr := addFromTree(w, c); aerr != nil {
				return aerr
			}
		}
		return err
	})
}

func addFromTree(w *worktree.IndexWriter, c worktree.Change) error {
	if c.New == nil {
		return nil
	}
	return w.Add(worktree.Record{Path: c.Path, Entry: *c.New, InTree: true})
}

func addRecords(w *worktree.IndexWriter, records iter.Seq2[worktree.Record, error]) error {
	for rec, err := range records {
		if err != nil {
			return err
		}
		if err := w.Add(rec); err != nil {
			return err
		}
	}
	return nil
}

// writeIndex makes an index file in a folder of its own under .mlvc/tmp and
// opens it; closing it removes both.
func (r *Repo) writeIndex(tree objects.ID, fill func(*worktree.IndexWriter) error) (*worktree.Index, error) {
	dir := filepath.Join(r.tempPath(), lookPrefix+filepath.Base(vfs.TempName("")))
	if err := r.env.FS.Mkdir(dir, 0o777); err != nil {
		return nil, err
	}
	remove := func() error { return removeAll(r.env.FS, dir) }
	index, err := r.fillIndex(dir, tree, fill)
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	index.AfterClose(remove)
	return index, nil
}

func (r *Repo) fillIndex(dir string, tree objects.ID, fill func(*worktree.IndexWriter) error) (*worktree.Index, error) {
	name := filepath.Join(dir, "index")
	w, err := worktree.CreateIndex(r.env.FS, name, dir)
	if err != nil {
		return nil, err
	}
	if err := fill(w); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	if err := w.Commit(treeMap(tree).Root()); err != nil {
		return nil, err
	}
	return worktree.OpenIndex(r.env.FS, name)
}
