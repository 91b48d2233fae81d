package core

import (
	"context"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
)

// StatusKind is how a path of the working tree differs from the head.
type StatusKind string

// The kinds. Left is a path that is no longer part of the dataset; it will
// leave the next commit and stays on the disk. Outside is a path on the disk,
// or a folder of such, that lies outside of the part of the dataset that the
// working tree holds: it is not recorded.
const (
	StatusNew        StatusKind = "new"
	StatusChanged    StatusKind = "changed"
	StatusRemoved    StatusKind = "removed"
	StatusLeft       StatusKind = "left"
	StatusSpecial    StatusKind = "special"
	StatusUnreadable StatusKind = "unreadable"
	StatusOutside    StatusKind = "outside"
)

// StatusEntry is one path that differs.
type StatusEntry struct {
	Path    string     `json:"path"`
	Status  StatusKind `json:"status"`
	Mode    string     `json:"mode,omitempty"`
	OldMode string     `json:"old_mode,omitempty"`
	Size    int64      `json:"size"`
	OldSize int64      `json:"old_size"`
	Content objects.ID `json:"content,omitzero"`
	Old     objects.ID `json:"old_content,omitzero"`
	Error   string     `json:"error,omitempty"`
}

// Status is how the working tree stands to the head, all in all.
type Status struct {
	Root       string        `json:"root"`
	Branch     string        `json:"branch,omitempty"` // empty: detached
	Head       objects.ID    `json:"head,omitzero"`    // zero: no commit yet
	Unfinished *Unfinished   `json:"unfinished,omitempty"`
	Part       *PartStatus   `json:"part,omitempty"` // nil: everything is here
	Changes    objects.Delta `json:"changes"`        // what a commit would change; Files and Bytes are the totals
	Skipped    int64         `json:"skipped"`        // special and unreadable paths
	Outside    int64         `json:"outside"`        // paths outside of the part
	Clean      bool          `json:"clean"`
	// SplitRules are the schemes of mlvc.toml that the next commit would record
	// otherwise than the last one.
	SplitRules []SchemeChange `json:"split_rules,omitempty"`
	// Git is how the data stand to git; nil if they are not paired.
	Git *Standing `json:"git,omitempty"`
}

// PartStatus is which part of the head's tree the working tree holds.
type PartStatus struct {
	Part
	Files int64 `json:"files"` // of the part; 0 where only some paths were looked at
	Bytes int64 `json:"bytes"`
	// The totals are of the whole dataset.
	TotalFiles int64 `json:"total_files"`
	TotalBytes int64 `json:"total_bytes"`
}

// Status compares the working tree, or the given paths of it, with the head,
// and calls each for every path that differs, in path order. It takes no lock.
func (r *Repo) Status(ctx context.Context, paths []string, each func(StatusEntry) error) (Status, error) {
	if err := r.attachIfFree(ctx); err != nil {
		return Status{}, err
	}
	_, _, h, err := r.current(ctx)
	if err != nil {
		return Status{}, err
	}
	st := Status{Root: r.root, Branch: h.Branch.Short(), Head: h.Commit}
	if st.Unfinished, err = r.Unfinished(); err != nil {
		return st, err
	}
	if st.Git, err = r.gitStanding(ctx); err != nil {
		return st, err
	}
	if st.SplitRules, err = r.splitRulesOf(ctx, h); err != nil {
		return st, err
	}
	if err := r.checkPaths(ctx, h.Tree, paths); err != nil {
		return st, err
	}
	d, err := r.workDiff(ctx, h, paths)
	if err != nil {
		return st, err
	}
	defer d.close()
	if st.Part, err = r.partStatus(ctx, d.part, h); err != nil {
		return st, err
	}
	for c, err := range d.changes(ctx) {
		if err != nil {
			return st, err
		}
		switch {
		case c.Outside:
			st.Outside++
		case c.Skip != worktree.SkipNone:
			st.Skipped++
		default:
			addChange(&st.Changes, c.Change)
		}
		if st.Part != nil && c.Old != nil {
			st.Part.Files++
			st.Part.Bytes += c.Old.Size
		}
		if err := each(statusEntry(c)); err != nil {
			return st, err
		}
	}
	ch := &st.Changes
	same := d.unchanged()
	ch.Files = same.Files + ch.Added + ch.Changed
	ch.Bytes = same.Bytes + ch.AddedBytes + ch.ChangedBytes
	if p := st.Part; p != nil {
		p.Files, p.Bytes = p.Files+same.Files, p.Bytes+same.Bytes
		if len(paths) > 0 {
			p.Files, p.Bytes = 0, 0
		}
	}
	st.Clean = ch.Added+ch.Changed+ch.Removed == 0
	return st, d.save(ctx)
}

// splitRulesOf compares the working rules of splits with the head's.
func (r *Repo) splitRulesOf(ctx context.Context, h head) ([]SchemeChange, error) {
	if h.Commit.IsZero() {
		return nil, nil
	}
	c, err := r.commit(ctx, h.Commit)
	if err != nil {
		return nil, err
	}
	return r.splitRulesChanged(c.Splits)
}

// partStatus is the status of a part before anything is counted; nil where
// there is nothing to say.
func (r *Repo) partStatus(ctx context.Context, part Part, h head) (*PartStatus, error) {
	if part.isWhole() {
		return nil, nil
	}
	p := &PartStatus{Part: part}
	if h.Commit.IsZero() {
		return p, nil
	}
	c, err := r.commit(ctx, h.Commit)
	p.TotalFiles, p.TotalBytes = c.Delta.Files, c.Delta.Bytes
	return p, err
}

func statusEntry(c workChange) StatusEntry {
	e := StatusEntry{Path: c.Path}
	switch {
	case c.Outside:
		e.Status = StatusOutside
		if c.Folder {
			e.Mode = objects.ModeDir.String()
		}
	case c.Skip == worktree.SkipSpecial:
		e.Status = StatusSpecial
	case c.Skip == worktree.SkipUnreadable:
		e.Status, e.Error = StatusUnreadable, c.Err.Error()
	case c.Left:
		e.Status = StatusLeft
	case c.Old == nil:
		e.Status = StatusNew
	case c.New == nil:
		e.Status = StatusRemoved
	default:
		e.Status = StatusChanged
	}
	if c.Old != nil {
		e.OldMode, e.OldSize, e.Old = c.Old.Mode.String(), c.Old.Size, c.Old.Content
	}
	if c.New != nil {
		e.Mode, e.Size, e.Content = c.New.Mode.String(), c.New.Size, c.New.Content
	}
	return e
}
