package core

import (
	"context"
	"errors"
	"io/fs"

	"github.com/mlvc/mlvc/objects"
)

// StandingState is how the data stand to the pointers that git has put there.
type StandingState string

// The states.
const (
	StandingAgreed     StandingState = "agreed"
	StandingBehind     StandingState = "behind"     // the data must follow
	StandingAhead      StandingState = "ahead"      // the pointers were left behind
	StandingNone       StandingState = "none"       // there is no pointer
	StandingUnreadable StandingState = "unreadable" // the pointers cannot be followed
)

// Standing is how a paired dataset stands to git.
type Standing struct {
	State StandingState `json:"state"`
	// Wanted is the commit that the pointers name.
	Wanted objects.ID `json:"wanted,omitzero"`
	Head   objects.ID `json:"head,omitzero"`
	// Problem says why the pointers cannot be followed.
	Problem string `json:"problem,omitempty"`

	err error
}

// gitStanding compares pointers and HEAD. It takes no lock.
func (r *Repo) gitStanding(ctx context.Context) (*Standing, error) {
	p, err := r.readPairing()
	if err != nil || p == nil {
		return nil, err
	}
	_, _, h, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	s := &Standing{Head: h.Commit}
	there, err := r.readPointers()
	s.Wanted = there.Commit
	switch {
	case err != nil:
		s.State, s.Problem, s.err = StandingUnreadable, err.Error(), err
	case there.file == "":
		s.State = StandingNone
	case p.leftBehind(there.Commit, h.Commit):
		s.State = StandingAhead
	case there.Commit == h.Commit:
		s.State = StandingAgreed
	default:
		s.State = StandingBehind
	}
	return s, nil
}

// attachIfFree puts HEAD on git's branch where that was left to do, if nobody
// is writing: reading verbs wait for nothing.
func (r *Repo) attachIfFree(ctx context.Context) error {
	if attaches, err := r.attaches(ctx); err != nil || !attaches {
		return err
	}
	quiet := *r
	quiet.env.Wait, quiet.env.Events = 0, NoEvents{}
	defer func() { r.generation = quiet.generation }() // a place among the readers that is taken now
	s, err := quiet.begin(ctx)
	var locked *LockedError
	if errors.As(err, &locked) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.end()
}

// attaches reports whether HEAD is to be put on git's branch before anything
// else.
func (r *Repo) attaches(ctx context.Context) (bool, error) {
	p, err := r.readPairing()
	if err != nil || p == nil {
		return false, err
	}
	git, _ := r.toAttach(ctx, *p)
	if git == nil {
		return false, nil
	}
	git.close()
	return true, nil
}
