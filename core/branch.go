package core

import (
	"context"
	"fmt"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// NameExistsError is for a name that there is already.
type NameExistsError struct{ Name refs.Name }

func (e *NameExistsError) Error() string { return fmt.Sprintf("%s exists already", e.Name) }

// NoNameError is for a branch or a tag that there is not.
type NoNameError struct {
	Name refs.Name
	Near []string // names that look like it
}

func (e *NoNameError) Error() string { return fmt.Sprintf("there is no %s", e.Name) }

// CurrentBranchError refuses to delete the branch that HEAD is on.
type CurrentBranchError struct{ Branch string }

func (e *CurrentBranchError) Error() string {
	return fmt.Sprintf("branch %s cannot be deleted: HEAD is on it", e.Branch)
}

// UnmergedError refuses to delete a branch whose commits no other name
// reaches.
type UnmergedError struct {
	Branch string
	Commit objects.ID
}

func (e *UnmergedError) Error() string {
	return fmt.Sprintf("branch %s at %s is in no other branch or tag", e.Branch, e.Commit.Short())
}

// NameInfo is a branch or a tag, and the commit that it stands for.
type NameInfo struct {
	Name    string     `json:"name"` // as one writes it
	Commit  objects.ID `json:"commit"`
	Current bool       `json:"current,omitempty"` // HEAD is on it
}

// Branches lists the branches, sorted. It takes no lock.
func (r *Repo) Branches(ctx context.Context) ([]NameInfo, error) {
	return r.names(ctx, refs.Branches)
}

func (r *Repo) names(ctx context.Context, space string) ([]NameInfo, error) {
	_, view, h, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	list := []NameInfo{}
	for ref, err := range view.List(ctx, space) {
		if err != nil {
			return nil, err
		}
		list = append(list, NameInfo{Name: ref.Name.Short(), Commit: ref.Value.Commit, Current: ref.Name == h.Branch})
	}
	return list, nil
}

// CreateBranch makes a branch at a revision (empty: HEAD). With force one that
// exists moves there, unless HEAD is on it.
func (r *Repo) CreateBranch(ctx context.Context, branch, rev string, force bool) (NameInfo, error) {
	return r.createName(ctx, refs.Branch(branch), rev, force)
}

func (r *Repo) createName(ctx context.Context, name refs.Name, rev string, force bool) (info NameInfo, err error) {
	if err := name.Validate(); err != nil {
		return NameInfo{}, err
	}
	s, err := r.begin(ctx)
	if err != nil {
		return NameInfo{}, err
	}
	defer func() { err = firstError(err, s.end()) }()
	target, err := s.resolveCommit(ctx, orHead(rev))
	if err != nil {
		return NameInfo{}, err
	}
	info = NameInfo{Name: name.Short(), Commit: target.ID}
	old, err := s.view.Get(ctx, name)
	switch {
	case err != nil:
		return info, err
	case old.Commit == target.ID:
		return info, nil
	case !old.IsZero() && !force:
		return info, &NameExistsError{Name: name}
	case !old.IsZero() && name == s.head.Branch:
		return info, &UsageError{
			What: fmt.Sprintf("HEAD is on %s, so moving it would leave the files behind", name.Short()),
			Hint: "use \"mlvc undo\", or switch to another branch first",
		}
	}
	return info, s.move(ctx, refs.Op{Moves: []refs.Move{{Name: name, Old: old, New: refs.Value{Commit: target.ID}}}})
}

// DeleteBranch deletes a branch and returns the commit that it stood for. One
// whose commits no other name reaches is refused without force.
func (r *Repo) DeleteBranch(ctx context.Context, branch string, force bool) (info NameInfo, err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return NameInfo{}, err
	}
	defer func() { err = firstError(err, s.end()) }()
	name := refs.Branch(branch)
	if name == s.head.Branch {
		return NameInfo{}, &CurrentBranchError{Branch: branch}
	}
	old, err := s.view.Get(ctx, name)
	if err != nil {
		return NameInfo{}, err
	}
	if old.IsZero() {
		return NameInfo{}, s.unknownBranch(ctx, branch)
	}
	info = NameInfo{Name: branch, Commit: old.Commit}
	if !force {
		held, err := s.heldElsewhere(ctx, name, old.Commit)
		if err != nil {
			return info, err
		}
		if !held {
			return info, &UnmergedError{Branch: branch, Commit: old.Commit}
		}
	}
	return info, s.move(ctx, refs.Op{Moves: []refs.Move{{Name: name, Old: old}}})
}

// unknownBranch is the error for a branch that there is not, with those that
// look like it.
func (s *session) unknownBranch(ctx context.Context, branch string) error {
	_, err := s.resolveAt(ctx, s.op, branch)
	e := &NoNameError{Name: refs.Branch(branch)}
	if unknown, ok := err.(*revision.UnknownError); ok { //nolint:errorlint // only as it is
		e.Near = unknown.Near
	}
	return e
}

// heldElsewhere reports whether another name than the given one reaches a
// commit.
func (s *session) heldElsewhere(ctx context.Context, name refs.Name, commit objects.ID) (bool, error) {
	tips := []objects.ID{s.head.Commit}
	for ref, err := range s.view.List(ctx, "") {
		if err != nil {
			return false, err
		}
		if ref.Name != name && ref.Name != refs.HEAD {
			tips = append(tips, ref.Value.Commit)
		}
	}
	for _, tip := range tips {
		if tip.IsZero() {
			continue
		}
		if ok, err := history.IsAncestor(ctx, s.store, commit, tip); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// RenameBranch gives a branch another name; HEAD stays on it. It works on a
// branch without commits too.
func (r *Repo) RenameBranch(ctx context.Context, from, to string) (info NameInfo, err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return NameInfo{}, err
	}
	defer func() { err = firstError(err, s.end()) }()
	old, name := refs.Branch(from), refs.Branch(to)
	if err := name.Validate(); err != nil {
		return NameInfo{}, err
	}
	value, err := s.view.Get(ctx, old)
	if err != nil {
		return NameInfo{}, err
	}
	current := old == s.head.Branch
	if value.IsZero() && !current {
		return NameInfo{}, s.unknownBranch(ctx, from)
	}
	if there, err := s.view.Get(ctx, name); err != nil || !there.IsZero() {
		return NameInfo{}, firstError(err, &NameExistsError{Name: name})
	}
	var moves []refs.Move
	if !value.IsZero() {
		moves = []refs.Move{{Name: old, Old: value}, {Name: name, New: value}}
	}
	if current {
		head, err := s.headMove(ctx, refs.Value{Branch: name})
		if err != nil {
			return NameInfo{}, err
		}
		moves = append(moves, head...)
	}
	return NameInfo{Name: to, Commit: value.Commit, Current: current}, s.move(ctx, refs.Op{Moves: moves})
}
