package core

import (
	"context"
	"errors"
	"strings"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
)

// Shown is what one word names; one of its fields is set, beside Changes and
// Held.
type Shown struct {
	Commit *LogEntry `json:"commit,omitempty"`
	// Changes is what a commit changed beyond its first parent. Held is what
	// it holds beyond its base, where that is another commit; else nil.
	Changes *Difference `json:"-"`
	Held    *Difference `json:"-"`

	// Entry is a path in a commit; a folder comes with its totals.
	Entry *ListEntry `json:"entry,omitempty"`

	// Operation is the ID of an operation.
	Operation objects.ID `json:"operation,omitzero"`
}

// Show finds what a word names: a revision, a path in one (REV:PATH), or, by
// the digits of its ID where they are no revision, an operation. It takes no
// lock.
func (r *Repo) Show(ctx context.Context, what string) (Shown, error) {
	t, err := r.Resolve(ctx, what)
	if errors.Is(err, revision.ErrUnknown) {
		op, found, opErr := r.operationBy(ctx, what)
		if opErr != nil || found {
			return Shown{Operation: op}, opErr
		}
	}
	if err != nil {
		return Shown{}, err
	}
	if t.HasPath {
		e, err := r.showPath(ctx, t)
		return Shown{Entry: &e}, err
	}
	return r.showCommit(ctx, t.ID)
}

// operationBy finds the one operation whose ID begins with those digits.
func (r *Repo) operationBy(ctx context.Context, text string) (objects.ID, bool, error) {
	digits := strings.ToLower(text)
	if len(digits) < 4 || len(digits) > 2*objects.IDSize || strings.Trim(digits, "0123456789abcdef") != "" {
		return objects.ID{}, false, nil
	}
	ids, err := r.store.Find(ctx, digits, objects.KindOperation, 8)
	switch {
	case err != nil || len(ids) == 0:
		return objects.ID{}, false, err
	case len(ids) > 1:
		return objects.ID{}, false, &revision.AmbiguousError{Text: text, Commits: ids}
	}
	return ids[0], true, nil
}

func (r *Repo) showCommit(ctx context.Context, id objects.ID) (Shown, error) {
	_, view, h, err := r.current(ctx)
	if err != nil {
		return Shown{}, err
	}
	names, err := r.decorate(ctx, view, h)
	if err != nil {
		return Shown{}, err
	}
	c, err := history.Read(ctx, r.store, id)
	if err != nil {
		return Shown{}, err
	}
	e := names.entry(c)
	e.Splits = r.knownSplits(c.Commit, r.openFacts())
	shown := Shown{Commit: &e}
	var parent objects.ID
	if len(c.Parents) > 0 {
		parent = c.Parents[0]
	}
	if shown.Changes, err = r.commitBeyond(ctx, parent, c); err != nil {
		return Shown{}, err
	}
	if !c.Base.IsZero() && c.Base != parent {
		shown.Held, err = r.commitBeyond(ctx, c.Base, c)
	}
	return shown, err
}

// commitBeyond compares a commit with an earlier one; zero: with nothing.
func (r *Repo) commitBeyond(ctx context.Context, earlier objects.ID, c history.Commit) (*Difference, error) {
	tree, err := r.treeOf(ctx, earlier)
	if err != nil {
		return nil, err
	}
	from := DiffSide{Commit: earlier, tree: tree}
	if !earlier.IsZero() {
		from.Name = earlier.String()
	}
	return r.between(from, DiffSide{Name: c.ID.String(), Commit: c.ID, tree: c.Tree}, DiffOptions{Renames: true})
}

// showPath describes a file, or a folder with what lies in it.
func (r *Repo) showPath(ctx context.Context, t Target) (ListEntry, error) {
	path, err := cleanPath(t.Path)
	if err != nil {
		return ListEntry{}, err
	}
	tree, err := r.treeOf(ctx, t.ID)
	if err != nil {
		return ListEntry{}, err
	}
	within := everything
	if path != "." {
		e, ok, err := r.lookUp(ctx, tree, path)
		if err != nil || ok {
			return listEntry(worktree.TreeEntry{Path: path, Entry: e}), err
		}
		within = ranges{below(path)}
	}
	folder := ListEntry{Path: path, Mode: objects.ModeDir.String(), Folder: true}
	for e, err := range r.entriesIn(ctx, tree, within) {
		if err != nil {
			return ListEntry{}, err
		}
		folder.Files++
		folder.Size += e.Entry.Size
	}
	if folder.Files == 0 && path != "." {
		return ListEntry{}, &NotInTreeError{Rev: t.ID.Short(), Path: path}
	}
	return folder, nil
}
