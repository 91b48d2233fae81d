package core

import (
	"context"
	"fmt"
	"iter"

	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
)

// DiffOptions say what is compared with what.
type DiffOptions struct {
	// From and To are revisions. An empty To is the working tree, an empty
	// From HEAD; "A..B" as From, with an empty To, is From A and To B.
	From, To string
	// Paths limits the comparison to these files and folders, relative to the
	// root, '/'-separated; empty: everything.
	Paths []string
	// Renames finds renames and copies by their content.
	Renames bool
}

// ChangeKind is how a file differs.
type ChangeKind string

// The kinds of change. A mode change leaves the content as it is; what became
// another of file, link and empty folder is changed.
const (
	ChangeAdded   ChangeKind = "added"
	ChangeChanged ChangeKind = "changed"
	ChangeRemoved ChangeKind = "removed"
	ChangeRenamed ChangeKind = "renamed"
	ChangeCopied  ChangeKind = "copied"
	ChangeMode    ChangeKind = "mode"
)

// FileChange is one path that differs. What is of the old side is empty for
// an added path, what is of the new side for a removed one; of a rename or a
// copy the old side is what From was.
type FileChange struct {
	Path       string     `json:"path"`
	From       string     `json:"from,omitempty"` // of a rename or a copy
	Change     ChangeKind `json:"change"`
	Mode       string     `json:"mode,omitempty"`
	OldMode    string     `json:"old_mode,omitempty"`
	Size       int64      `json:"size"`
	OldSize    int64      `json:"old_size"`
	Content    objects.ID `json:"content,omitzero"`
	OldContent objects.ID `json:"old_content,omitzero"`
}

// DiffSummary counts changes, and bytes: of what was added, renames and copies
// left out, of what was changed as it is now, and of what was removed.
type DiffSummary struct {
	Added        int64 `json:"added"`
	Changed      int64 `json:"changed"`
	Removed      int64 `json:"removed"`
	Renamed      int64 `json:"renamed"`
	Copied       int64 `json:"copied"`
	Mode         int64 `json:"mode"`
	AddedBytes   int64 `json:"added_bytes"`
	ChangedBytes int64 `json:"changed_bytes"`
	RemovedBytes int64 `json:"removed_bytes"`
	// RenamesLeftOut says that there were too many changes to look for renames.
	RenamesLeftOut bool `json:"renames_left_out,omitempty"`
}

// DiffSide is one side of a comparison.
type DiffSide struct {
	Name   string     `json:"name"` // the revision as given; empty: the working tree, or nothing
	Commit objects.ID `json:"commit,omitzero"`

	tree objects.ID
}

// Difference is a comparison of two commits, or of one and the working tree.
type Difference struct {
	From DiffSide
	To   DiffSide
	// Working says that the new side is the working tree.
	Working bool

	repo    *Repo
	head    head // of Working
	opt     DiffOptions
	ranges  ranges
	summary DiffSummary
}

// Diff prepares a comparison; Changes makes it. It takes no lock.
func (r *Repo) Diff(ctx context.Context, opt DiffOptions) (*Difference, error) {
	d := &Difference{repo: r, opt: opt}
	var err error
	if d.ranges, err = rangesOf(opt.Paths); err != nil {
		return nil, err
	}
	op, _, h, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	from, to := opt.From, opt.To
	if to == "" {
		a, b, isRange, err := revision.ParseRange(from)
		if err != nil {
			return nil, err
		}
		if isRange {
			from, to = a.String(), b.String()
		}
	}
	if from == "" {
		d.From = DiffSide{Name: "HEAD", Commit: h.Commit, tree: h.Tree}
	} else if d.From, err = r.side(ctx, op, from); err != nil {
		return nil, err
	}
	if to == "" {
		d.Working, d.head = true, h
		return d, nil
	}
	d.To, err = r.side(ctx, op, to)
	return d, err
}

// side resolves a revision in the view of an operation.
func (r *Repo) side(ctx context.Context, op objects.ID, rev string) (DiffSide, error) {
	t, err := r.resolveAt(ctx, op, rev)
	if err != nil {
		return DiffSide{}, err
	}
	if t.HasPath {
		return DiffSide{}, &UsageError{
			What: fmt.Sprintf("%q names a path; commits are compared here", rev),
			Hint: "give the path by itself, after --",
		}
	}
	tree, err := r.treeOf(ctx, t.ID)
	return DiffSide{Name: rev, Commit: t.ID, tree: tree}, err
}

// between compares two trees whose commits are known.
func (r *Repo) between(from, to DiffSide, opt DiffOptions) (*Difference, error) {
	rs, err := rangesOf(opt.Paths)
	return &Difference{From: from, To: to, repo: r, opt: opt, ranges: rs}, err
}

// Changes yields what differs in path order; an error is the last thing
// yielded. Paths of the working tree that cannot be read are reported as
// warnings. With renames the changes are held until all are known, unless
// there are more than 200,000.
func (d *Difference) Changes(ctx context.Context) iter.Seq2[FileChange, error] {
	changes := fileChanges(d.changes(ctx))
	if d.opt.Renames {
		changes = d.withRenames(ctx, changes)
	}
	return func(yield func(FileChange, error) bool) {
		d.summary = DiffSummary{}
		for c, err := range changes {
			if err == nil {
				d.summary.add(c)
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// Summary sums up what Changes has yielded.
func (d *Difference) Summary() DiffSummary { return d.summary }

func (s *DiffSummary) add(c FileChange) {
	switch c.Change {
	case ChangeAdded:
		s.Added++
		s.AddedBytes += c.Size
	case ChangeChanged:
		s.Changed++
		s.ChangedBytes += c.Size
	case ChangeRemoved:
		s.Removed++
		s.RemovedBytes += c.OldSize
	case ChangeRenamed:
		s.Renamed++
	case ChangeCopied:
		s.Copied++
	case ChangeMode:
		s.Mode++
	}
}

func fileChanges(changes worktree.Changes) iter.Seq2[FileChange, error] {
	return func(yield func(FileChange, error) bool) {
		for c, err := range changes {
			if err != nil {
				yield(FileChange{}, err)
				return
			}
			if !yield(fileChange(c), nil) {
				return
			}
		}
	}
}

func fileChange(c worktree.Change) FileChange {
	f := FileChange{Path: c.Path, Change: ChangeChanged}
	if c.Old != nil {
		f.OldMode, f.OldSize, f.OldContent = c.Old.Mode.String(), c.Old.Size, c.Old.Content
	}
	if c.New != nil {
		f.Mode, f.Size, f.Content = c.New.Mode.String(), c.New.Size, c.New.Content
	}
	switch {
	case c.Old == nil:
		f.Change = ChangeAdded
	case c.New == nil:
		f.Change = ChangeRemoved
	case c.Old.Content == c.New.Content && c.Old.Mode.IsRegular() && c.New.Mode.IsRegular():
		f.Change = ChangeMode
	}
	return f
}

// changes yields what differs between the sides.
func (d *Difference) changes(ctx context.Context) worktree.Changes {
	committed := d.repo.diffIn(ctx, d.From.tree, d.To.tree, d.ranges)
	if !d.Working {
		return committed
	}
	committed = d.repo.diffIn(ctx, d.From.tree, d.head.Tree, d.ranges)
	return func(yield func(worktree.Change, error) bool) {
		w, err := d.openWork(ctx)
		if err != nil {
			yield(worktree.Change{}, err)
			return
		}
		defer w.close()
		for c, err := range through(committed, insidePart(w.changes(ctx))) {
			c, err := d.told(ctx, c, err)
			if err == nil && (c.Old == nil && c.New == nil || c.Old != nil && c.New != nil && sameFile(*c.Old, *c.New)) {
				continue
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
		if err := w.save(ctx); err != nil {
			yield(worktree.Change{}, err)
		}
	}
}

// insidePart leaves out what lies outside of the part: no side speaks of it.
func insidePart(changes iter.Seq2[workChange, error]) iter.Seq2[workChange, error] {
	return func(yield func(workChange, error) bool) {
		for c, err := range changes {
			if !c.Outside && !yield(c, err) {
				return
			}
		}
	}
}

// openWork begins to compare the working tree with the head. It fails with a
// *NoPathError for a path that neither has, nor the old side.
func (d *Difference) openWork(ctx context.Context) (*workDiff, error) {
	paths, err := cleanPaths(d.opt.Paths)
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		old, err := d.repo.inTree(ctx, d.From.tree, p)
		if err == nil && !old {
			err = d.repo.checkPaths(ctx, d.head.Tree, []string{p})
		}
		if err != nil {
			return nil, err
		}
	}
	if len(paths) == 0 {
		paths = nil // everything, where an empty list would be nothing
	}
	return d.repo.workDiff(ctx, d.head, paths)
}

// told is a change of the working tree as a diff tells it: nothing where the
// path cannot be read, and a removal where it is special.
func (d *Difference) told(ctx context.Context, c workChange, err error) (worktree.Change, error) {
	switch {
	case err != nil:
		return worktree.Change{}, err
	case c.Skip == worktree.SkipUnreadable:
		d.repo.env.Events.Warn(Warning{Code: "unreadable", Path: c.Path, Message: c.Err.Error()})
		return worktree.Change{}, nil
	case c.Skip == worktree.SkipSpecial:
		old, ok, err := d.repo.lookUp(ctx, d.From.tree, c.Path)
		if err != nil || !ok {
			return worktree.Change{}, err
		}
		return worktree.Change{Path: c.Path, Old: &old}, nil
	}
	return c.Change, nil
}

// through puts changes from one state to a second, and from that to a third,
// together to changes from the first to the third; all in path order. Of a
// path that the second stream skips only the skipping is told.
func through(first worktree.Changes, second iter.Seq2[workChange, error]) iter.Seq2[workChange, error] {
	return func(yield func(workChange, error) bool) {
		next, stop := iter.Pull2(iter.Seq2[worktree.Change, error](first))
		defer stop()
		a, aerr, more := next()
		for b, berr := range second {
			if berr != nil {
				yield(workChange{}, berr)
				return
			}
			for more && aerr == nil && a.Path < b.Path {
				if !yield(workChange{Change: a}, nil) {
					return
				}
				a, aerr, more = next()
			}
			if aerr != nil {
				break
			}
			if more && a.Path == b.Path {
				b.Old = a.Old
				a, aerr, more = next()
			}
			if !yield(b, nil) {
				return
			}
		}
		for ; more && aerr == nil; a, aerr, more = next() {
			if !yield(workChange{Change: a}, nil) {
				return
			}
		}
		if aerr != nil {
			yield(workChange{}, aerr)
		}
	}
}
