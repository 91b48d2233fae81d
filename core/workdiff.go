package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/core/internal/ordered"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// workChange is one path in which the working tree differs from a tree. Of a
// file above objects.SingleChunk, New has no List: it was hashed, not stored.
type workChange struct {
	worktree.Change
	Skip worktree.Skip // the path is special or unreadable: Change says nothing
	Err  error         // why, if unreadable
	Left bool          // the path left the dataset; New is nil
	// Outside: the path is on the disk and outside of the part that the
	// working tree holds: Change says nothing. Folder: it is one.
	Outside, Folder bool
}

// workDiff compares the working tree with the tree of the head, in path
// order. What differs by stat is hashed. Nothing is written but, where the
// lock is free, the stat cache, so that the next look need not hash again.
type workDiff struct {
	repo  *Repo
	head  head
	part  Part
	rules Rules
	paths []string
	// What is unchanged by stat, and by what was read. The first is counted
	// while files are read for the second.
	clean, same worktree.Tally

	index   *worktree.Index
	refresh []worktree.Update
}

// workDiff prepares a comparison; the caller closes it. Whether there are such
// paths at all is for the caller to check.
func (r *Repo) workDiff(ctx context.Context, h head, paths []string) (*workDiff, error) {
	rules, err := readRules(r.env.FS, r.root)
	if err != nil {
		var bad *RulesError
		if !errors.As(err, &bad) {
			return nil, err
		}
		// A broken mlvc.toml stops commit, not looking.
		r.env.Events.Warn(Warning{Code: "rules", Path: RulesFile, Message: err.Error()})
		rules = DefaultRules()
	}
	part, err := r.Part(ctx)
	if err != nil {
		return nil, err
	}
	index, err := r.loadIndex(ctx, h.Tree)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		paths = nil // for package worktree, which takes an empty list at its word
	}
	return &workDiff{repo: r, head: h, part: part, rules: rules, paths: paths, index: index}, nil
}

// unchanged is what does not differ, when all changes were yielded.
func (d *workDiff) unchanged() worktree.Tally {
	return worktree.Tally{Files: d.clean.Files + d.same.Files, Bytes: d.clean.Bytes + d.same.Bytes}
}

func (d *workDiff) close() { d.index.Close() } //nolint:errcheck // it was only read

// changes yields what differs. It may be used once.
func (d *workDiff) changes(ctx context.Context) iter.Seq2[workChange, error] {
	items := d.repo.scan(ctx, d.part, d.head.Tree, worktree.ScanOptions{
		WalkOptions: worktree.WalkOptions{FS: d.repo.env.FS, Root: d.repo.root, Track: d.rules.Track, Paths: d.paths},
		Index:       d.index,
		Clean:       &d.clean,
	})
	return func(yield func(workChange, error) bool) {
		for h, err := range ordered.Map(ctx, items, d.repo.env.workers(), toRead, d.look) {
			if err != nil {
				yield(workChange{}, err)
				return
			}
			c, differs, err := d.compare(ctx, h)
			if err != nil {
				yield(workChange{}, err)
				return
			}
			if c.Old == nil && c.New == nil && c.Skip == worktree.SkipNone && !c.Outside {
				continue // new, and gone again; or what left the dataset before
			}
			if !differs {
				d.same.Files++
				d.same.Bytes += c.New.Size
				continue
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// toRead is what it takes to read an item.
func toRead(item worktree.Item) int64 { return item.Stat.Size }

// looked is an item and what is there now.
type looked struct {
	item  worktree.Item
	entry *objects.Entry
	keeps bool
	err   error // unreadable
}

// look hashes what an item names, if need be.
func (d *workDiff) look(ctx context.Context, item worktree.Item) (looked, error) {
	l := looked{item: item, err: item.Err}
	switch item.Kind {
	case worktree.KindMissing, worktree.KindLeft, worktree.KindSkipped, worktree.KindOutside:
		return l, nil
	case worktree.KindNoted:
		l.entry = &item.Record.Entry
		return l, nil
	}
	noted, err := worktree.Clock(d.repo.env.FS, d.repo.tempPath())
	if err != nil {
		noted = 0 // a repository that cannot be written to keeps no stats
	}
	entry := objects.Entry{Mode: item.Mode}
	after := item.Stat
	name := filepath.Join(d.repo.root, filepath.FromSlash(item.Path))
	switch item.Mode {
	case objects.ModeDir:
	case objects.ModeSymlink:
		target, err := d.repo.env.FS.Readlink(name)
		l.err = err
		entry.Size, entry.Content = int64(len(target)), objects.Sum(objects.KindChunk, []byte(target))
	default:
		entry.Content, after, l.err = hashFile(ctx, d.repo.env.FS, name)
		entry.Size = after.Size
	}
	if errors.Is(l.err, fs.ErrNotExist) {
		l.err = nil // it vanished
		return l, nil
	}
	l.entry = &entry
	l.item.Stat = after
	l.keeps = worktree.StampOf(after) == worktree.StampOf(item.Stat) && worktree.Trust(after, noted)
	return l, ctx.Err()
}

// hashFile returns a file's content ID, and its stat after it was read.
func hashFile(ctx context.Context, fsys vfs.FS, name string) (objects.ID, vfs.Stat, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY|vfs.NoFollow, 0)
	if err != nil {
		return objects.ID{}, vfs.Stat{}, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	id, err := hashReader(ctx, f)
	if err != nil {
		return objects.ID{}, vfs.Stat{}, err
	}
	st, err := f.Stat()
	return id, st, err
}

// hashReader returns the content ID of what it reads.
func hashReader(ctx context.Context, r io.Reader) (objects.ID, error) {
	h := blake3.New()
	buf := make([]byte, 256<<10)
	for {
		n, err := r.Read(buf)
		h.Write(buf[:n]) //nolint:errcheck // a hash never fails
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return objects.ID{}, err
		}
		if err := ctx.Err(); err != nil {
			return objects.ID{}, err
		}
	}
	var id objects.ID
	h.Sum(id[:0])
	return id, nil
}

// compare decides whether what is there differs from the head's tree.
func (d *workDiff) compare(ctx context.Context, l looked) (workChange, bool, error) {
	rec := l.item.Record
	c := workChange{Change: worktree.Change{Path: l.item.Path}}
	if l.item.Kind == worktree.KindOutside {
		c.Outside, c.Folder = true, l.item.Stat.Type == vfs.TypeDir
		return c, true, nil
	}
	if l.item.Kind == worktree.KindSkipped || l.err != nil {
		c.Skip, c.Err = l.item.Skip, l.err
		if l.err != nil {
			c.Skip = worktree.SkipUnreadable
		}
		return c, true, nil
	}
	if rec != nil {
		old, err := d.inTree(ctx, rec)
		if err != nil {
			return c, false, err
		}
		c.Old = old
	}
	c.New, c.Left = l.entry, l.item.Kind == worktree.KindLeft
	if rec != nil && l.entry != nil && l.keeps && sameFile(*l.entry, rec.Entry) && len(d.refresh) < maxItems {
		kept := *rec
		kept.Stamp = worktree.StampOf(l.item.Stat)
		d.refresh = append(d.refresh, worktree.Update{Path: rec.Path, Record: &kept})
	}
	return c, c.Old == nil || c.New == nil || !sameFile(*c.Old, *c.New), nil
}

// inTree returns the head tree's entry of a record's path.
func (d *workDiff) inTree(ctx context.Context, rec *worktree.Record) (*objects.Entry, error) {
	if rec.InTree {
		return &rec.Entry, nil
	}
	e, ok, err := d.repo.lookUp(ctx, d.head.Tree, rec.Path)
	if err != nil || !ok {
		return nil, err
	}
	return &e, nil
}

// sameFile reports whether two entries are the same but for the list, which
// follows from the content.
func sameFile(a, b objects.Entry) bool {
	return a.Mode == b.Mode && a.Size == b.Size && a.Content == b.Content
}

// save puts what was found unchanged after all into the stat cache, if nobody
// is writing and nothing moved since. It costs no more than speed if it fails.
func (d *workDiff) save(ctx context.Context) error {
	if len(d.refresh) == 0 {
		return nil
	}
	env := d.repo.env
	env.Wait, env.Events = 0, NoEvents{}
	l, err := acquireLock(ctx, env, d.repo.dir)
	var locked *LockedError
	if errors.As(err, &locked) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer l.release() //nolint:errcheck // the process's end releases it too
	_, _, h, err := d.repo.current(ctx)
	if err != nil || h != d.head {
		return err
	}
	if work, err := d.repo.Unfinished(); err != nil || work != nil {
		return err
	}
	w, err := worktree.CreateIndex(env.FS, d.repo.indexPath(), d.repo.tempPath())
	if err != nil {
		return err
	}
	updates := func(yield func(worktree.Update, error) bool) {
		for _, u := range d.refresh {
			if !yield(u, nil) {
				return
			}
		}
	}
	if err := worktree.Merge(w, d.index.Records(), updates); err != nil {
		return fmt.Errorf("refresh the index: %w", errors.Join(err, w.Abort()))
	}
	return w.Commit(d.index.Base())
}
