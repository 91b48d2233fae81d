package core

import (
	"context"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
)

// StatusKind is how a path of the working tree differs from the head.
type StatusKind string

// The kinds. Left is a path that is no longer part of the dataset; it will
// leave the next commit and stays on the disk.
const (
	StatusNew        StatusKind = "new"
	StatusChanged    StatusKind = "changed"
	StatusRemoved    StatusKind = "removed"
	StatusLeft       StatusKind = "left"
	StatusSpecial    StatusKind = "special"
	StatusUnreadable StatusKind = "unreadable"
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
	Changes    objects.Delta `json:"changes"` // what a commit would change; Files and Bytes are the totals
	Skipped    int64         `json:"skipped"` // special and unreadable paths
	Clean      bool          `json:"clean"`
	// Git is how the data stand to git; nil if they are not paired.
	Git *Standing `json:"git,omitempty"`
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
	if err := r.checkPaths(ctx, h.Tree, paths); err != nil {
		return st, err
	}
	d, err := r.workDiff(ctx, h, paths)
	if err != nil {
		return st, err
	}
	defer d.close()
	for c, err := range d.changes(ctx) {
		if err != nil {
			return st, err
		}
		if c.Skip != worktree.SkipNone {
			st.Skipped++
		} else {
			addChange(&st.Changes, c.Change)
		}
		if err := each(statusEntry(c)); err != nil {
			return st, err
		}
	}
	ch := &st.Changes
	ch.Files = d.tally.Files + ch.Added + ch.Changed
	ch.Bytes = d.tally.Bytes + ch.AddedBytes + ch.ChangedBytes
	st.Clean = ch.Added+ch.Changed+ch.Removed == 0
	return st, d.save(ctx)
}

func statusEntry(c workChange) StatusEntry {
	e := StatusEntry{Path: c.Path}
	switch {
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
