package revision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// Source is what revisions are looked up in.
type Source interface {
	objects.Getter // commits, operations and the nodes of views
	// Commits returns the commits whose ID begins with those lower-case
	// hexadecimal digits, in order, at most limit of them.
	Commits(ctx context.Context, digits string, limit int) ([]objects.ID, error)
}

// Resolver finds the commits that revisions name.
type Resolver struct {
	Source Source
	Op     objects.ID // the operation whose view and log are asked; zero: none
	Now    time.Time  // what words for a time are relative to, in its zone
}

// Resolved is a commit that a revision names.
type Resolved struct {
	ID objects.ID
	// Name is set when the revision is a name and nothing more. HEAD stays
	// HEAD.
	Name refs.Name
}

// minDigits is the fewest digits that name a commit.
const minDigits = 4

// maxCandidates is the most commits that an ambiguity lists.
const maxCandidates = 8

// Resolve finds the commit that a revision names. It fails with an
// *UnknownError, an *AmbiguousError or another error that wraps ErrUnknown or
// ErrUnborn; other errors are those of reading.
func (r Resolver) Resolve(ctx context.Context, rev Rev) (Resolved, error) {
	start, err := r.start(ctx, rev)
	if err != nil || len(rev.Steps) == 0 {
		return start, err
	}
	id := start.ID
	for _, step := range rev.Steps {
		if id, err = r.step(ctx, id, step); err != nil {
			return Resolved{}, fmt.Errorf("%s: %w", rev, err)
		}
	}
	return Resolved{ID: id}, nil
}

// start finds the commit that the steps begin at.
func (r Resolver) start(ctx context.Context, rev Rev) (Resolved, error) {
	if !rev.At.Set {
		view, err := refs.ViewAt(ctx, r.Source, r.Op)
		if err != nil {
			return Resolved{}, err
		}
		return r.base(ctx, view, rev.Base)
	}
	if rev.At.When == "" {
		id, err := r.valuesAgo(ctx, rev)
		return Resolved{ID: id}, err
	}
	t, err := ParseTime(rev.At.When, r.Now)
	if err != nil {
		return Resolved{}, &SyntaxError{rev.String(), err.Error()}
	}
	logged, err := refs.At(ctx, r.Source, r.Op, t)
	if errors.Is(err, refs.ErrNoOperation) {
		return Resolved{}, fmt.Errorf("%s: the operation log begins later: %w", rev, ErrUnknown)
	}
	if err != nil {
		return Resolved{}, err
	}
	found, err := r.name(ctx, refs.OpenView(r.Source, logged.Op.View), rev.Base)
	if err == nil && found.ID.IsZero() {
		err = fmt.Errorf("%s: there was no such name then: %w", rev, ErrUnknown)
	}
	return Resolved{ID: found.ID}, err
}

// base finds a name in the view, or a commit by its digits. All 64 digits are
// always an ID; fewer are a name if there is one, so that no new commit can
// make the name of a branch ambiguous.
func (r Resolver) base(ctx context.Context, view refs.View, base string) (Resolved, error) {
	if id, err := objects.ParseID(base); err == nil {
		o, err := r.Source.Get(ctx, id)
		if errors.Is(err, objects.ErrNotFound) || err == nil && o.Kind != objects.KindCommit {
			err = &UnknownError{Text: base}
		}
		return Resolved{ID: id}, err
	}
	found, err := r.name(ctx, view, base)
	if err != nil || !found.ID.IsZero() {
		return found, err
	}
	digits := strings.ToLower(base)
	if len(digits) >= minDigits && len(digits) < 2*objects.IDSize && strings.Trim(digits, "0123456789abcdef") == "" {
		ids, err := r.Source.Commits(ctx, digits, maxCandidates)
		switch {
		case err != nil:
			return Resolved{}, fmt.Errorf("look up commit %s: %w", digits, err)
		case len(ids) == 1:
			return Resolved{ID: ids[0]}, nil
		case len(ids) > 1:
			return Resolved{}, &AmbiguousError{Text: base, Commits: ids}
		}
	}
	near, err := nearNames(ctx, view, base)
	if err != nil {
		return Resolved{}, err
	}
	return Resolved{}, &UnknownError{Text: base, Near: near}
}

// name finds a name in the view; it returns the zero Resolved if there is none.
func (r Resolver) name(ctx context.Context, view refs.View, base string) (Resolved, error) {
	var found []refs.Name
	var id objects.ID
	for i, name := range readings(base) {
		value, err := view.Get(ctx, name)
		if err != nil {
			return Resolved{}, err
		}
		if value.IsZero() {
			continue
		}
		if id, err = view.Commit(ctx, name); err != nil {
			return Resolved{}, err
		}
		if id.IsZero() {
			return Resolved{}, fmt.Errorf("%s is on %s: %w", name, value.Branch, ErrUnborn)
		}
		found = append(found, name)
		if i == 0 && string(name) == base {
			break // a full name has no other reading
		}
	}
	switch len(found) {
	case 0:
		return Resolved{}, nil
	case 1:
		return Resolved{ID: id, Name: found[0]}, nil
	}
	return Resolved{}, &AmbiguousError{Text: base, Names: found}
}

// readings returns the full names that base may stand for; if it is one itself
// that comes first.
func readings(base string) []refs.Name {
	var names []refs.Name
	for _, space := range []string{"", refs.Branches, refs.Tags, refs.Remotes} {
		if name, err := refs.ParseName(space + base); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// valuesAgo finds an earlier value of a name, which need not exist any more.
func (r Resolver) valuesAgo(ctx context.Context, rev Rev) (objects.ID, error) {
	view, err := refs.ViewAt(ctx, r.Source, r.Op)
	if err != nil {
		return objects.ID{}, err
	}
	names := readings(rev.Base)
	found, err := r.name(ctx, view, rev.Base)
	if err != nil && !errors.Is(err, ErrUnborn) {
		return objects.ID{}, err
	}
	if found.Name != "" {
		names = []refs.Name{found.Name}
	}
	for _, name := range names {
		n := 0
		for id, err := range refs.History(ctx, r.Source, r.Op, name) {
			if err != nil {
				return objects.ID{}, err
			}
			if n == rev.At.Back {
				return id, nil
			}
			n++
		}
		if n > 0 {
			return objects.ID{}, fmt.Errorf("%s: the operation log has %d values of %s: %w", rev, n, name, ErrUnknown)
		}
	}
	return objects.ID{}, fmt.Errorf("%s: the operation log has no such name: %w", rev, ErrUnknown)
}

// step follows one step from a commit.
func (r Resolver) step(ctx context.Context, id objects.ID, step Step) (objects.ID, error) {
	if !step.Ancestor {
		if step.N == 0 {
			return id, nil
		}
		c, err := history.Read(ctx, r.Source, id)
		if err != nil {
			return objects.ID{}, err
		}
		if step.N > len(c.Parents) {
			return objects.ID{}, fmt.Errorf("commit %s has %d parents: %w", id.Short(), len(c.Parents), ErrUnknown)
		}
		return c.Parents[step.N-1], nil
	}
	n := 0
	for c, err := range history.FirstParents(ctx, r.Source, id) {
		if err != nil {
			return objects.ID{}, err
		}
		if n == step.N {
			return c.ID, nil
		}
		n++
	}
	return objects.ID{}, fmt.Errorf("commit %s has %d first parents: %w", id.Short(), n-1, ErrUnknown)
}
