package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/mlvc/mlvc/objects"
)

// StagedError refuses a git commit whose index does not go with the data: the
// files named say something else there.
type StagedError struct {
	Files []string // relative to git's root
	Head  objects.ID
	Why   string
	Gone  bool // a pointer is not in the work tree either
}

func (e *StagedError) Error() string {
	return fmt.Sprintf("what is committed to git does not go with the data, which are at commit %s: %s", e.Head.Short(), e.Why)
}

// PendingError refuses a git commit while the data have not followed git.
type PendingError struct {
	Wanted, Head objects.ID
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("the data have not followed git yet: it wants commit %s and they are at %s", e.Wanted.Short(), e.Head.Short())
}

// preCommit makes sure that the pointers, mlvc.toml and .mlvcignore that are
// committed name the commit that the data are at.
func (h *hook) preCommit(ctx context.Context) error {
	mode := h.repo.config.Git.Commit
	if mode == "off" {
		return nil
	}
	standing, err := h.repo.gitStanding(ctx)
	if err != nil {
		return err
	}
	switch standing.State {
	case StandingBehind:
		return &PendingError{Wanted: standing.Wanted, Head: standing.Head}
	case StandingUnreadable:
		return standing.err
	case StandingNone:
		rules, err := readRules(h.env.FS, h.root)
		if err != nil || rules.Away {
			return err // a revision without the dataset: there is nothing to go with
		}
	case StandingAhead:
		h.sign()
		if _, err := h.repo.Follow(ctx, FollowOptions{}); err != nil {
			return err
		}
	}
	if work, err := h.repo.Unfinished(); err != nil || work != nil {
		return firstError(err, &UnfinishedError{Verb: "commit to git", Work: *work})
	}
	if err := h.uncommitted(ctx, mode == "auto"); err != nil {
		return err
	}
	return h.checkStaged(ctx, mode == "auto")
}

// uncommitted tells of changes of the data that are in no commit, or commits
// them.
func (h *hook) uncommitted(ctx context.Context, auto bool) error {
	st, err := h.repo.Status(ctx, nil, func(StatusEntry) error { return nil })
	if err != nil || st.Clean {
		return err
	}
	if !auto {
		h.report.Note = fmt.Sprintf(`%s in no commit yet ("mlvc commit" makes one)`,
			count(int(st.Changes.Added+st.Changes.Changed+st.Changes.Removed), "change of the data is", "changes of the data are"))
		return nil
	}
	at, err := h.git.Head(ctx)
	if err != nil {
		return err
	}
	// git has looked before whether there is anything to commit.
	if dirty, err := h.git.Dirty(ctx); err == nil && len(dirty) == 0 {
		h.report.Note = `the pointer is added only now: if git says that there is nothing to commit, call it once more`
	}
	message := "data of the first git commit"
	if at.Commit != "" {
		message = "data of the git commit after " + at.Commit[:min(12, len(at.Commit))]
	}
	h.sign()
	res, err := h.repo.Commit(ctx, CommitOptions{Message: message, Kind: KindAuto})
	h.report.Commit = &res
	return err
}

// checkStaged compares the index with HEAD of the data; with auto what is
// behind is added first.
func (h *hook) checkStaged(ctx context.Context, auto bool) error {
	_, _, head, err := h.repo.current(ctx)
	if err != nil || head.Commit.IsZero() {
		return err
	}
	e, err := h.staged(ctx, head)
	if err != nil || e == nil || !auto {
		return staged(e, err)
	}
	files, err := h.repo.pairedFiles()
	if err != nil {
		return err
	}
	if err := h.git.stage(ctx, files); err != nil {
		return err
	}
	return staged(h.staged(ctx, head))
}

func staged(e *StagedError, err error) error {
	if err != nil || e == nil {
		return err
	}
	return e
}

// staged says what in the index does not go with HEAD of the data; nil: all
// does.
func (h *hook) staged(ctx context.Context, head head) (*StagedError, error) {
	places, err := pointerPlaces(h.env.FS, h.root)
	if err != nil {
		return nil, err
	}
	e := &StagedError{Head: head.Commit}
	pointers, err := h.git.indexPointers(ctx)
	if err != nil {
		return nil, err
	}
	for _, place := range places {
		name, err := h.git.rel(place.name)
		if err != nil {
			return nil, err
		}
		p, ok := pointers[name]
		switch {
		case !ok:
			if _, err := h.env.FS.Lstat(place.name); errors.Is(err, fs.ErrNotExist) {
				e.Gone = true
				e.add(name, name+" is missing")
				continue
			}
			e.add(name, name+" is not added")
		case p.Err != nil:
			return nil, p.Err
		case p.Pointer.Commit != head.Commit:
			e.add(name, fmt.Sprintf("%s names commit %s", name, p.Pointer.Commit.Short()))
		}
	}
	for _, file := range []string{RulesFile, IgnoreFile} {
		if err := h.stagedFile(ctx, head, file, e); err != nil {
			return nil, err
		}
	}
	if len(e.Files) == 0 {
		return nil, nil
	}
	return e, nil
}

func (e *StagedError) add(file, why string) {
	e.Files = append(e.Files, file)
	if e.Why == "" {
		e.Why = why
	}
}

// stagedFile compares a file that git has as well as the tree.
func (h *hook) stagedFile(ctx context.Context, head head, file string, e *StagedError) error {
	name, err := h.git.rel(filepath.Join(h.root, file))
	if err != nil {
		return err
	}
	files, err := h.git.FilesInIndex(ctx, name)
	if err != nil {
		return err
	}
	text, inIndex := files[name]
	entry, inTree, err := h.repo.lookUp(ctx, head.Tree, file)
	if err != nil {
		return err
	}
	switch {
	case inTree && !inIndex:
		e.add(name, name+" is not added")
	case inIndex && !inTree:
		e.add(name, name+" is in no commit of the data")
	case inIndex && objects.Sum(objects.KindChunk, text) != entry.Content:
		e.add(name, name+" is another there")
	}
	return nil
}
