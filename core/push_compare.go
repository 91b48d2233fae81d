package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// RejectedName is a name that a push may not move.
type RejectedName struct {
	Name   string     `json:"name"`
	Kind   string     `json:"kind"` // branch, tag, model or git
	Why    string     `json:"why"`  // parted, unrelated, exists, stale
	Local  objects.ID `json:"local,omitzero"`
	Remote objects.ID `json:"remote,omitzero"`
	// Known: the remote's commit is in this repository already.
	Known bool `json:"known"`
}

// Why a name is rejected.
const (
	WhyParted    = "parted"    // the remote has commits that this one does not contain
	WhyUnrelated = "unrelated" // the histories have no commit in common
	WhyExists    = "exists"    // a tag or model there is another
	WhyStale     = "stale"     // the remote is not where the lease says
)

// RejectedError refuses a push: nothing at the remote has changed.
type RejectedError struct {
	Remote string
	Names  []RejectedName
}

func (e *RejectedError) Error() string {
	names := make([]string, 0, len(e.Names))
	for _, n := range e.Names {
		names = append(names, n.Name)
	}
	return fmt.Sprintf("remote %s refuses %s", e.Remote, quoteSome(names))
}

// compare finds how the names must move at the remote, and refuses what does
// not go forward.
func (p *pushing) compare(ctx context.Context) ([]refs.Move, error) {
	view, err := p.place.depot.View(ctx)
	if err != nil {
		return nil, p.place.failed(err)
	}
	if p.tips, err = p.held(ctx, view); err != nil {
		return nil, p.place.failed(err)
	}
	var moves []refs.Move
	refused := &RejectedError{Remote: p.res.Remote}
	p.res.Moves = []NameMove{}
	for _, name := range sortedNames(p.wanted) {
		old, err := view.Get(ctx, name)
		if err != nil {
			return nil, p.place.failed(err)
		}
		change, why, err := p.judge(ctx, name, old.Commit)
		switch {
		case err != nil:
			return nil, err
		case why == WhyExists && p.along[name]:
			p.keep(name, old.Commit)
		case why != "":
			known, err := p.holds(ctx, old.Commit)
			if err != nil {
				return nil, err
			}
			refused.Names = append(refused.Names, RejectedName{Name: name.Short(), Kind: kindOf(name), Why: why, Local: p.wanted[name], Remote: old.Commit, Known: known})
		case change != "":
			p.res.Moves = append(p.res.Moves, nameMove(name, change, old.Commit, p.wanted[name]))
			moves = append(moves, refs.Move{Name: name, Old: old, New: refs.Value{Commit: p.wanted[name]}})
		}
	}
	if len(refused.Names) > 0 {
		return nil, refused
	}
	return p.withHead(ctx, view, moves)
}

// keep leaves a name that nobody asked for as the remote has it: that one tag
// differs does not keep a branch from being pushed.
func (p *pushing) keep(name refs.Name, theirs objects.ID) {
	p.env.Events.Warn(Warning{Code: "name_kept", Message: fmt.Sprintf("%s is at %s here and at %s at %s; it stays as it is there%s", name, p.wanted[name].Short(), theirs.Short(), p.res.Remote, otherModel(name))})
	p.res.Kept = append(p.res.Kept, name.Short())
	delete(p.wanted, name) // the next try does not ask again
}

// withHead lets the first push say which branch a clone checks out.
func (p *pushing) withHead(ctx context.Context, view refs.View, moves []refs.Move) ([]refs.Move, error) {
	value, err := view.Get(ctx, refs.HEAD)
	if err != nil || !value.IsZero() {
		return moves, err
	}
	var branch refs.Name
	for _, m := range moves {
		if m.Name.IsBranch() && !m.New.IsZero() && (branch == "" || m.Name == p.head.Branch) {
			branch = m.Name
		}
	}
	if branch != "" {
		moves = append(moves, refs.Move{Name: refs.HEAD, New: refs.Value{Branch: branch}})
	}
	return moves, nil
}

// judge says how a name changes at the remote that stands for old there: no
// change and no reason against one means that nothing is to be done.
func (p *pushing) judge(ctx context.Context, name refs.Name, old objects.ID) (change, why string, err error) {
	want := p.wanted[name]
	at, leased := p.leases[name]
	switch {
	case old.IsZero() && want.IsZero() && p.res.Tries == 1:
		// As a deletion that is repeated finds it, or one of a wrong name.
		p.env.Events.Warn(Warning{Code: "not_there", Message: (&NotThereError{Remote: p.res.Remote, Name: name.Short()}).Error()})
		return "", "", nil
	case old == want:
		return "", "", nil
	case leased && !at.allows(old):
		return "", WhyStale, nil
	case want.IsZero():
		return NameDeleted, "", nil
	case old.IsZero():
		return NameNew, "", nil
	}
	forward := false
	if known, err := p.holds(ctx, old); err != nil {
		return "", "", err
	} else if known && !name.IsTag() && !name.IsModel() {
		// A commit that is not here is no ancestor of one that is.
		if forward, err = history.IsAncestor(ctx, p.store, old, want); err != nil {
			return "", "", err
		}
	}
	switch {
	case forward:
		return NameForward, "", nil
	case leased:
		return NameForced, "", nil
	case !name.IsBranch():
		return "", WhyExists, nil
	}
	_, related, err := history.MergeBase(ctx, either{p.store, p.place.depot}, want, old)
	if err != nil {
		return "", "", p.place.failed(err)
	}
	if !related {
		return "", WhyUnrelated, nil
	}
	return "", WhyParted, nil
}

// either reads what is here, and from elsewhere what is not.
type either struct{ here, there objects.Getter }

// Get implements objects.Getter.
func (e either) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	o, err := e.here.Get(ctx, id)
	if errors.Is(err, objects.ErrNotFound) {
		return e.there.Get(ctx, id)
	}
	return o, err
}
