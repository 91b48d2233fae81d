package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	// At most one of them; none keeps the part. Splits make it what these splits
	// have ("train", "folds:fold-1,fold-2"), of what Part selects; with Into they
	// say what is written.
	All     bool
	Part    []string
	AddPart []string
	Splits  []string
	// Unseal is why sealed splits are read; empty: they are left out.
	Unseal string
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
	// Sealed are the sealed splits that were left out.
	Sealed []SealedSplit `json:"sealed,omitempty"`
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
	case opt.changesPart() && (opt.Abort || len(opt.Paths) > 0), opt.countParts() > 0 && opt.Into != "":
		return res, &UsageError{What: "the part that the working tree holds changes for the whole of it", Hint: "leave out the paths, --into and --abort"}
	case len(opt.Splits) > 0 && (opt.All || len(opt.AddPart) > 0):
		return res, &UsageError{What: "splits are chosen anew, and everything is all splits", Hint: "with --split go --path and --into"}
	case opt.Abort && (opt.Rev != "" || opt.Into != "" || opt.Unseal != "" || len(opt.Paths) > 0):
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
		return s.restore(ctx, RestoreOptions{Rev: opt.Rev, Paths: opt.Paths, Force: opt.Force, SkipDamaged: opt.SkipDamaged, Unseal: opt.Unseal})
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

// changesPart reports whether the working tree is to hold another part.
func (opt *CheckoutOptions) changesPart() bool {
	return opt.countParts() > 0 || len(opt.Splits) > 0 && opt.Into == ""
}

// newPart is the part that the options ask for of a commit, its filters not
// bound to that yet; nil: no other.
func (s *session) newPart(ctx context.Context, opt CheckoutOptions, at objects.ID) (*Part, error) {
	filters, err := parseFilters(opt.Splits)
	if err != nil {
		return nil, err
	}
	if len(filters) > 0 {
		c, err := s.commit(ctx, at)
		if err != nil {
			return nil, err
		}
		if filters, err = (binding{splits: c.Splits}).named(at.Short(), filters); err != nil {
			return nil, err
		}
	}
	patterns := opt.Part
	if len(opt.AddPart) > 0 {
		now, err := s.readPart()
		if err != nil || len(now.Paths) == 0 && !now.None {
			return nil, err // of paths it has all
		}
		patterns, filters = append(slices.Clone(now.Paths), opt.AddPart...), now.Splits
	}
	p := Part{All: true}
	switch {
	case opt.All:
		return &p, nil
	case len(patterns) == 0 && len(filters) == 0:
		return nil, nil
	case len(patterns) > 0:
		if p, err = selectPart(patterns); err != nil {
			return nil, err
		}
	}
	p = p.filtered(filters)
	return &p, nil
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
	part, err := s.newPart(ctx, opt, target.ID)
	if err != nil {
		return CheckoutResult{}, err
	}
	return s.takeTo(ctx, taking{
		verb: "checkout", goal: checkoutGoal(to, target.ID, part, opt.Unseal), commit: target.ID, moves: moves, part: part, unseal: opt.Unseal,
		carryOptions: carryOptions{force: opt.Force, skipDamaged: opt.SkipDamaged},
	})
}

func checkoutGoal(to refs.Value, commit objects.ID, part *Part, unseal string) string {
	goal := fmt.Sprintf("HEAD on %s at %s", headText(to), commit)
	if part != nil {
		goal += fmt.Sprintf(", with the part %q", part.Paths)
		for _, f := range part.Splits {
			goal += fmt.Sprintf(" of %s:%s", f.Scheme, strings.Join(f.Only, ","))
		}
	}
	if unseal != "" {
		goal += ", unsealed"
	}
	return goal
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
	unseal     string     // why sealed splits are read, too; empty: they are not
	moves      []refs.Move
	undoes     objects.ID
	carryOptions
}

// takeTo carries the whole working tree to a commit.
func (s *session) takeTo(ctx context.Context, t taking) (CheckoutResult, error) {
	res := CheckoutResult{Previous: s.head.Commit, PreviousBranch: s.head.Branch.Short()}
	var target objects.Commit
	var err error
	if !t.commit.IsZero() {
		if target, err = s.commit(ctx, t.commit); err != nil {
			return res, err
		}
	}
	if err := s.checkTaking(ctx, t, target); err != nil {
		return res, err
	}
	t.carryOptions.commit, t.carryOptions.unseal = t.commit, t.unseal != ""
	res.Carried, err = s.carry(ctx, Unfinished{
		Verb: t.verb, Goal: t.goal, From: s.head.Tree, To: target.Tree, Part: t.part,
		Moves: unfinishedMoves(t.moves), Undoes: t.undoes,
	}, t.carryOptions)
	res.setHead(s.head)
	if err != nil {
		return res, err
	}
	part, err := s.Part(ctx)
	if !part.All {
		res.Part = &part
	}
	res.Sealed = part.sealedOut()
	return res, err
}

// checkTaking fails for a part that the commit has nothing of, and logs what is
// unsealed.
func (s *session) checkTaking(ctx context.Context, t taking, target objects.Commit) error {
	b := binding{splits: target.Splits, unseal: t.unseal != ""}
	var filters []SplitFilter
	if t.part != nil {
		filters = t.part.Splits
		if err := s.checkPart(ctx, t.commit.Short(), *t.part, target.Tree); err != nil {
			return err
		}
		if err := b.check(t.commit.Short(), filters); err != nil {
			return err
		}
	} else if now, err := s.readPart(); err != nil {
		return err
	} else {
		filters = now.Splits
	}
	if t.unseal == "" {
		return nil
	}
	if work, err := s.earlierWork(ctx); err != nil || work != nil && work.Goal != t.goal {
		return err // which is refused
	}
	return s.logUnseal(ctx, t.commit, b.unseals(filters), t.unseal)
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
