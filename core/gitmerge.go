package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// mergedNames hold commits that the merge driver has made until the data
// follow the pointer that names them.
const mergedNames = refs.Gits + "merged/"

// PointerConflictError is for two pointers whose datasets have conflicts. The
// way out is the merge of Theirs into HEAD; with Base set it is a change that
// git applies alone (cherry-pick, rebase, revert), not a whole branch.
type PointerConflictError struct {
	File               string
	Ours, Theirs, Base objects.ID
	Conflicts          *ConflictError
}

func (e *PointerConflictError) Error() string {
	return fmt.Sprintf("%s: the datasets do not merge by themselves: %v", e.File, e.Conflicts)
}

func (e *PointerConflictError) Unwrap() error { return e.Conflicts }

// PointerMerge is the three texts of a pointer that git merges.
type PointerMerge struct {
	File               string // for messages
	Base, Ours, Theirs []byte // an empty Base: both sides added it
}

// MergePointers merges two versions of a pointer by merging the datasets that
// they name, and returns the text of the pointer to the result. No file of the
// working tree changes: the data follow when git has written the pointer.
//
// Where git merges branches the result is a merge commit with both as parents;
// where it applies one change to another place (cherry-pick, rebase, revert),
// that change alone becomes a commit on top of ours. The result is durable,
// and named, before it is returned. A *PointerConflictError comes with the
// text that has conflict markers.
func (r *Repo) MergePointers(ctx context.Context, texts PointerMerge) (text []byte, err error) {
	s, err := r.beginFollow(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = firstError(err, s.end()) }()
	m := &pointerMerge{session: s, file: texts.File}
	if err := m.parse(ctx, texts); err != nil {
		return nil, err
	}
	id, err := m.run(ctx)
	var conflict *ConflictError
	if errors.As(err, &conflict) {
		e := &PointerConflictError{File: texts.File, Ours: m.ours.Commit, Theirs: m.theirs.Commit, Conflicts: conflict}
		if m.pick {
			e.Base = m.base
		}
		return markedText(texts.Ours, texts.Theirs), e
	}
	if err != nil {
		return nil, err
	}
	c, err := m.commit(ctx, id)
	if err != nil {
		return nil, err
	}
	return pointerTo(m.ours.Path, id, c, orElse(m.theirs.Remote, m.ours.Remote)).Format()
}

func orElse(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// markedText is both sides between git's conflict markers.
func markedText(ours, theirs []byte) []byte {
	var b bytes.Buffer
	b.WriteString("<<<<<<< ours\n")
	b.Write(ours)
	b.WriteString("=======\n")
	b.Write(theirs)
	b.WriteString(">>>>>>> theirs\n")
	return b.Bytes()
}

// pointerMerge is one merge of two pointers.
type pointerMerge struct {
	*session
	file         string
	base         objects.ID // zero: both sides added the pointer
	ours, theirs gitpair.Pointer
	pick         bool // git applies a change, and merges no branches
	rebase       bool
}

func (m *pointerMerge) parse(ctx context.Context, texts PointerMerge) (err error) {
	if len(bytes.TrimSpace(texts.Base)) > 0 {
		base, err := gitpair.ParsePointer(m.file, texts.Base)
		if err != nil {
			return err
		}
		m.base = base.Commit
	}
	if m.ours, err = gitpair.ParsePointer(m.file, texts.Ours); err != nil {
		return err
	}
	if m.theirs, err = gitpair.ParsePointer(m.file, texts.Theirs); err != nil {
		return err
	}
	git, err := openGit(ctx, m.env, m.root)
	if err != nil {
		return err
	}
	defer git.close()
	work, err := git.Work()
	if err != nil {
		return err
	}
	m.rebase = work == gitpair.WorkRebase
	f := &following{session: m.session, git: git}
	for _, p := range []gitpair.Pointer{m.ours, m.theirs, {Commit: m.base, Remote: m.theirs.Remote}} {
		if p.Commit.IsZero() {
			continue
		}
		if _, err := f.pointedCommit(ctx, pointed{Pointer: p, file: m.file}); err != nil {
			return err
		}
	}
	return nil
}

// run returns the commit that the merged pointer names.
func (m *pointerMerge) run(ctx context.Context) (objects.ID, error) {
	if m.ours.Commit == m.theirs.Commit {
		return m.ours.Commit, nil
	}
	fork, related, err := history.MergeBase(ctx, m.store, m.ours.Commit, m.theirs.Commit)
	if err != nil {
		return objects.ID{}, err
	}
	// Of branches, git's base is where they parted, or before it; a change
	// that is applied elsewhere begins later, on the side that it comes from,
	// or is the first after the parting: of that a rebase makes a commit of its
	// own too, and for a cherry-pick it is the same.
	whole := m.base.IsZero() && related
	if related && !whole {
		if whole, err = history.IsAncestor(ctx, m.store, m.base, fork.ID); err != nil {
			return objects.ID{}, err
		}
	}
	whole = whole && (!m.rebase || m.base.IsZero())
	switch {
	case m.base.IsZero() && !related:
		return objects.ID{}, ErrUnrelated
	case whole && fork.ID == m.theirs.Commit:
		return m.ours.Commit, nil
	case whole && fork.ID == m.ours.Commit:
		return m.theirs.Commit, nil
	case whole:
		return m.merge(ctx, fork.ID)
	}
	m.pick = true
	return m.merge(ctx, m.base)
}

// merge makes the commit, or finds the one that was made before: each pointer
// of a dataset is merged on its own, and all must name one commit.
func (m *pointerMerge) merge(ctx context.Context, base objects.ID) (objects.ID, error) {
	name := refs.Name(mergedNames + base.String()[:16] + "-" + m.ours.Commit.String()[:16] + "-" + m.theirs.Commit.String()[:16])
	made, err := m.view.Get(ctx, name)
	if err != nil || !made.IsZero() {
		return made.Commit, err
	}
	t := &treeMerge{Repo: m.Repo, texts: m.mergeTexts}
	for _, side := range []struct {
		of   objects.ID
		tree *objects.ID
	}{{base, &t.base}, {m.ours.Commit, &t.ours}, {m.theirs.Commit, &t.theirs}} {
		if *side.tree, err = m.treeOf(ctx, side.of); err != nil {
			return objects.ID{}, err
		}
	}
	tree, err := t.run(ctx)
	if err != nil {
		return objects.ID{}, err
	}
	if m.pick && tree == treeMap(t.ours).Root() {
		return m.ours.Commit, nil // ours has the change already
	}
	id, err := m.record(ctx, tree)
	if err != nil {
		return objects.ID{}, err
	}
	m.quietPointers = true
	return id, m.move(ctx, refs.Op{Moves: []refs.Move{{Name: name, New: refs.Value{Commit: id}}}})
}

// mergeTexts merges lines as git will merge them in the work tree.
func (m *pointerMerge) mergeTexts(ctx context.Context, base, ours, theirs []byte) ([]byte, bool, error) {
	git, err := openGit(ctx, m.env, m.root)
	if err != nil {
		return nil, false, err
	}
	defer git.close()
	var names [3]string
	for i, text := range [][]byte{ours, base, theirs} {
		names[i] = filepath.Join(m.tempPath(), "lines-"+[]string{"ours", "base", "theirs"}[i])
		if err := vfs.WriteFile(m.env.FS, names[i], text, 0o666); err != nil {
			return nil, false, err
		}
		defer m.env.FS.Remove(names[i]) //nolint:errcheck // the next run sweeps what is left
	}
	return git.MergeLines(ctx, names[0], names[1], names[2])
}

func (m *pointerMerge) record(ctx context.Context, tree objects.ID) (objects.ID, error) {
	w := mergeRecord{tree: tree, ours: m.ours.Commit, theirs: m.theirs.Commit}
	w.message = "merge " + m.theirs.Commit.Short() + " with git"
	if m.pick {
		theirs, err := m.commit(ctx, m.theirs.Commit)
		if err != nil {
			return objects.ID{}, err
		}
		w.theirs, w.message = objects.ID{}, theirs.Message
	}
	return m.recordMerge(ctx, w)
}
