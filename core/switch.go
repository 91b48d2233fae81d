package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// SwitchOptions say which branch to go to.
type SwitchOptions struct {
	Branch string
	// Create makes the branch, at Start or where HEAD is.
	Create bool
	Start  string
	// Force replaces and deletes also what no commit holds.
	Force       bool
	SkipDamaged bool
}

// Switch makes the working tree hold a branch and attaches HEAD to it, as
// Checkout does; it goes to branches alone. One that was only fetched from a
// remote is made.
func (r *Repo) Switch(ctx context.Context, opt SwitchOptions) (res CheckoutResult, err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, s.end()) }()
	name := refs.Branch(opt.Branch)
	if err := name.Validate(); err != nil {
		return res, err
	}
	commit, moves, err := s.switchMoves(ctx, name, opt)
	if err != nil {
		return res, err
	}
	head, err := s.headMove(ctx, refs.Value{Branch: name})
	if err != nil {
		return res, err
	}
	return s.takeTo(ctx, taking{
		verb: "switch", goal: fmt.Sprintf("HEAD on %s at %s", name, commit),
		commit: commit, moves: append(moves, head...),
		carryOptions: carryOptions{force: opt.Force, skipDamaged: opt.SkipDamaged},
	})
}

// switchMoves returns the commit that the branch is at, and the move that
// makes the branch.
func (s *session) switchMoves(ctx context.Context, name refs.Name, opt SwitchOptions) (objects.ID, []refs.Move, error) {
	value, err := s.view.Get(ctx, name)
	if err != nil {
		return objects.ID{}, nil, err
	}
	switch {
	case !opt.Create && value.IsZero():
		return s.fromRemote(ctx, name)
	case !opt.Create:
		return value.Commit, nil, nil
	case !value.IsZero():
		return objects.ID{}, nil, &NameExistsError{Name: name}
	}
	start, err := s.resolveCommit(ctx, orHead(opt.Start))
	if errors.Is(err, revision.ErrUnborn) && opt.Start == "" {
		return objects.ID{}, nil, nil // HEAD alone moves: there is no commit yet
	}
	if err != nil {
		return objects.ID{}, nil, err
	}
	return start.ID, []refs.Move{{Name: name, New: refs.Value{Commit: start.ID}}}, nil
}

// fromRemote makes a branch that only remotes have: where the one that verbs
// mean without a word has it, or the only one that does.
func (s *session) fromRemote(ctx context.Context, name refs.Name) (objects.ID, []refs.Move, error) {
	var found []objects.ID
	for _, info := range s.Remotes() {
		commit, err := s.view.Commit(ctx, tracking(info.Name, name))
		if err != nil {
			return objects.ID{}, nil, err
		}
		if commit.IsZero() {
			continue
		}
		if found = append(found, commit); info.Default {
			found = []objects.ID{commit}
			break
		}
	}
	if len(found) != 1 {
		return objects.ID{}, nil, s.unknownBranch(ctx, name.Short())
	}
	return found[0], []refs.Move{{Name: name, New: refs.Value{Commit: found[0]}}}, nil
}
