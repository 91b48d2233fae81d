package core

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mlvc/mlvc/refs"
)

// PullOptions say what is pulled.
type PullOptions struct {
	Remote string // empty: origin, or the only one
	Branch string // of the remote; empty: the one that HEAD is on
	// Force replaces and deletes also what no commit holds.
	Force bool
}

// PullResult is what a pull did.
type PullResult struct {
	Fetch FetchResult `json:"fetch"`
	Merge MergeResult `json:"merge"`
}

// PartedError says that a branch cannot simply move forward to what was
// fetched, which is here now under Tracking.
type PartedError struct {
	Branch, Tracking string
	Err              error // ErrNotForward or ErrUnrelated
}

func (e *PartedError) Error() string {
	return fmt.Sprintf("%s and %s: %v", e.Branch, e.Tracking, e.Err)
}

func (e *PartedError) Unwrap() error { return e.Err }

// Pull fetches, and moves the current branch forward to the remote's, the
// files with it by the rules of a checkout. Where both have commits of their
// own it fails with a *PartedError; what was fetched stays. It finishes a pull
// that was interrupted.
func (r *Repo) Pull(ctx context.Context, opt PullOptions) (res PullResult, err error) {
	info, err := r.remote(opt.Remote)
	if err != nil {
		return res, err
	}
	if err := r.finishMerge(ctx, opt); err != nil {
		return res, err
	}
	_, _, head, err := r.current(ctx)
	if err != nil {
		return res, err
	}
	branch := opt.Branch
	if branch == "" {
		if branch = head.Branch.Short(); branch == "" {
			return res, &UsageError{What: "HEAD is on no branch, so there is none to move forward", Hint: `go to one with "mlvc switch NAME", or name the branch to pull`}
		}
	}
	if res.Fetch, err = r.Fetch(ctx, FetchOptions{Remote: info.Name}); err != nil {
		return res, err
	}
	name := tracking(info.Name, refs.Branch(branch))
	target, err := r.trackedCommit(ctx, name)
	if err != nil {
		return res, err
	}
	if target == "" {
		return res, &NotThereError{Remote: info.Name, Name: branch}
	}
	res.Merge, err = r.Merge(ctx, MergeOptions{Rev: target, FFOnly: true, Force: opt.Force})
	if errors.Is(err, ErrNotForward) || errors.Is(err, ErrUnrelated) {
		err = &PartedError{Branch: nameOr(head.Branch.Short(), "HEAD"), Tracking: name.Short(), Err: err}
	}
	return res, err
}

func nameOr(name, other string) string {
	if name == "" {
		return other
	}
	return name
}

// trackedCommit returns the commit of a name as text; empty if there is no
// such name.
func (r *Repo) trackedCommit(ctx context.Context, name refs.Name) (string, error) {
	_, view, _, err := r.current(ctx)
	if err != nil {
		return "", err
	}
	value, err := view.Get(ctx, name)
	if err != nil || value.IsZero() {
		return "", err
	}
	return value.Commit.String(), nil
}

// finishMerge ends an interrupted move forward: what is fetched now may lead
// elsewhere.
func (r *Repo) finishMerge(ctx context.Context, opt PullOptions) error {
	u, err := r.Unfinished()
	if err != nil || u == nil {
		return err
	}
	target, ok := strings.CutPrefix(u.Goal, mergeGoal)
	if !ok || u.Command != r.env.Command {
		return &UnfinishedError{Verb: "pull", Work: *u}
	}
	_, err = r.Merge(ctx, MergeOptions{Rev: target, FFOnly: true, Force: opt.Force})
	return err
}
