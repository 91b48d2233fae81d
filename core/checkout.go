package core

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// CheckoutOptions say what is checked out, and where.
type CheckoutOptions struct {
	Rev string // empty: HEAD
	// Paths limits it to these files and folders, relative to the root: the
	// names stay where they are.
	Paths []string
	// All makes the working tree hold everything, Part what these patterns
	// select (relative to the root), AddPart that and what it holds already.
	// At most one of them; none keeps the part.
	All     bool
	Part    []string
	AddPart []string
	// Into is an absolute folder that gets the files instead of the working
	// tree. It must be empty, or every file in it equal to the commit's.
	Into string
	// Force replaces and deletes also what no commit holds.
	Force bool
	// SkipDamaged leaves out, and names, files whose content is damaged.
	SkipDamaged bool
	// Abort takes unfinished work back instead.
	Abort bool
}

// CheckoutResult is what a checkout or a switch did.
type CheckoutResult struct {
	Commit   objects.ID `json:"commit,omitzero"`
	Branch   string     `json:"branch,omitempty"` // that HEAD is on
	Detached bool       `json:"detached"`         // HEAD is on no branch
	Previous objects.ID `json:"previous,omitzero"`
	// PreviousBranch is the branch that HEAD was on; empty if on none.
	PreviousBranch string `json:"previous_branch,omitempty"`
	Into           string `json:"into,omitempty"`
	// Part is what the working tree holds of the dataset; nil: everything.
	Part *Part `json:"part,omitempty"`
	Carried
	// Aborted is the command that was taken back, and Kept the paths that
	// were edited since it was interrupted, and stayed as they are.
	Aborted string              `json:"aborted,omitempty"`
	Kept    []worktree.Obstacle `json:"kept,omitempty"`
}

// ErrNothingUnfinished is for taking back where nothing is unfinished.
var ErrNothingUnfinished = errors.New("nothing is unfinished, so there is nothing to take back")

// Checkout makes the working tree hold a commit. A branch name attaches HEAD
// to the branch, anything else detaches it. Local changes that are not in the
// way are carried along; an *ObstaclesError names those that are, and nothing
// is touched. Interrupted, the same call finishes it.
//
// The part of the dataset that the working tree holds is kept, unless options
// change it: then what leaves it is deleted, and what enters it written, under
// the same rules.
func (r *Repo) Checkout(ctx context.Context, opt CheckoutOptions) (res CheckoutResult, err error) {
	switch {
	case opt.countParts() > 1:
		return res, &UsageError{What: "everything, a part, or more of it: one of them at a time"}
	case opt.countParts() > 0 && (opt.Abort || opt.Into != "" || len(opt.Paths) > 0):
		return res, &UsageError{What: "the part that the working tree holds changes for the whole of it", Hint: "leave out the paths, --into and --abort"}
	case opt.Abort && (opt.Rev != "" || opt.Into != "" || len(opt.Paths) > 0):
		return res, &UsageError{What: "--abort takes back what is unfinished and goes with nothing else"}
	case opt.Into != "" && opt.Force:
		return res, &UsageError{What: "--into never replaces files, so --force does not go with it", Hint: "choose an empty folder"}
	case opt.Into != "":
		return r.checkoutInto(ctx, opt)
	}
	s, err := r.begin(ctx)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, s.end()) }()
	switch {
	case opt.Abort:
		return s.abortWork(ctx)
	case len(opt.Paths) > 0:
		return s.restore(ctx, RestoreOptions{Rev: opt.Rev, Paths: opt.Paths, Force: opt.Force, SkipDamaged: opt.SkipDamaged})
	}
	return s.checkout(ctx, opt)
}

func (opt *CheckoutOptions) countParts() int {
	n := 0
	for _, is := range []bool{opt.All, len(opt.Part) > 0, len(opt.AddPart) > 0} {
		if is {
			n++
		}
	}
	return n
}

// newPart is the part that the options ask for; nil: no other.
func (s *session) newPart(opt CheckoutOptions) (*Part, error) {
	patterns := opt.Part
	if len(opt.AddPart) > 0 {
		now, err := s.Part()
		if err != nil || now.All {
			return nil, err
		}
		patterns = append(slices.Clone(now.Paths), opt.AddPart...)
	}
	switch {
	case opt.All:
		return &Part{All: true}, nil
	case len(patterns) == 0:
		return nil, nil
	}
	p, err := selectPart(patterns)
	return &p, err
}

func orHead(rev string) string {
	if rev == "" {
		return string(refs.HEAD)
	}
	return rev
}

func (s *session) checkout(ctx context.Context, opt CheckoutOptions) (CheckoutResult, error) {
	target, err := s.resolveCommit(ctx, orHead(opt.Rev))
	if err != nil {
		return CheckoutResult{}, err
	}
	to := refs.Value{Commit: target.ID}
	switch {
	case target.Name.IsBranch():
		to = refs.Value{Branch: target.Name}
	case target.Name == refs.HEAD && s.head.Branch != "":
		to = refs.Value{Branch: s.head.Branch}
	}
	moves, err := s.headMove(ctx, to)
	if err != nil {
		return CheckoutResult{}, err
	}
	part, err := s.newPart(opt)
	if err != nil {
		return CheckoutResult{}, err
	}
	goal := fmt.Sprintf("HEAD on %s at %s", headText(to), target.ID)
	if part != nil {
		goal += fmt.Sprintf(", with the part %q", part.Paths)
	}
	return s.takeTo(ctx, taking{
		verb: "checkout", goal: goal, commit: target.ID, moves: moves, part: part,
		carryOptions: carryOptions{force: opt.Force, skipDamaged: opt.SkipDamaged},
	})
}

// headText is a value of HEAD in a goal.
func headText(v refs.Value) string {
	if v.Branch == "" {
		return "no branch"
	}
	return string(v.Branch)
}

// headMove returns the move that makes HEAD hold a value, if it does not.
func (s *session) headMove(ctx context.Context, to refs.Value) ([]refs.Move, error) {
	old, err := s.view.Get(ctx, refs.HEAD)
	if err != nil || old == to {
		return nil, err
	}
	return []refs.Move{{Name: refs.HEAD, Old: old, New: to}}, nil
}

// taking is where files and names are taken.
type taking struct {
	verb, goal string
	commit     objects.ID // whose tree the files become; zero: none
	part       *Part      // of it; nil: as before
	moves      []refs.Move
	undoes     objects.ID
	carryOptions
}

// takeTo carries the whole working tree to a commit.
func (s *session) takeTo(ctx context.Context, t taking) (CheckoutResult, error) {
	res := CheckoutResult{Previous: s.head.Commit, PreviousBranch: s.head.Branch.Short()}
	tree, err := s.treeOf(ctx, t.commit)
	if err != nil {
		return res, err
	}
	if t.part != nil {
		if err := s.checkPart(ctx, t.commit.Short(), *t.part, tree); err != nil {
			return res, err
		}
	}
	res.Carried, err = s.carry(ctx, Unfinished{
		Verb: t.verb, Goal: t.goal, From: s.head.Tree, To: tree, Part: t.part,
		Moves: unfinishedMoves(t.moves), Undoes: t.undoes,
	}, t.carryOptions)
	res.setHead(s.head)
	if err != nil {
		return res, err
	}
	part, err := s.Part()
	if !part.All {
		res.Part = &part
	}
	return res, err
}

func (res *CheckoutResult) setHead(h head) {
	res.Commit, res.Branch, res.Detached = h.Commit, h.Branch.Short(), h.Branch == ""
}

func (s *session) abortWork(ctx context.Context) (CheckoutResult, error) {
	var res CheckoutResult
	work, carried, kept, err := s.abort(ctx)
	if err == nil && work == nil {
		err = ErrNothingUnfinished
	}
	if err != nil {
		return res, err
	}
	res.Previous, res.PreviousBranch = s.head.Commit, s.head.Branch.Short()
	res.Aborted, res.Carried, res.Kept = work.Command, carried, kept.List
	res.setHead(s.head)
	return res, nil
}
