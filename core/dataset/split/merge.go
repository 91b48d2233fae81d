package split

import (
	"context"
	"fmt"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// Conflict is a path that two sides put into different splits.
type Conflict struct {
	Path               string
	Base, Ours, Theirs string // the value of the table; empty: not in it
}

// RuleConflictError is for a rule that both sides changed, and differently.
type RuleConflictError struct{ Scheme, Base, Ours, Theirs string }

func (e *RuleConflictError) Error() string {
	return fmt.Sprintf("the rule of the scheme %s was changed differently on both sides", e.Scheme)
}

// Merge returns ours with what theirs changed: the split that is Before when
// the merged tree is assigned. It has no fingerprints, since the merged tree
// makes them. A nil side has no such scheme; the outcome is nil if no side
// that counts has it.
//
// Conflicts stay as ours has them, and if ours no longer has the path as theirs
// does. A rule that both changed is a *RuleConflictError; the rule that holds
// then is that of the merged mlvc.toml.
func Merge(ctx context.Context, store objects.Store, base, ours, theirs *objects.Split) (*objects.Split, []Conflict, error) {
	switch {
	case ours == nil || theirs == nil:
		return oneSide(base, ours, theirs), nil, nil
	case base == nil:
		base = &objects.Split{Scheme: ours.Scheme, Table: prolly.Map{}.Root()}
	}
	rule := ours.Rule
	switch {
	case ours.Rule == base.Rule:
		rule = theirs.Rule
	case theirs.Rule != base.Rule && theirs.Rule != ours.Rule:
		return nil, nil, &RuleConflictError{ours.Scheme, base.Rule, ours.Rule, theirs.Rule}
	}
	var conflicts []Conflict
	resolve := func(c prolly.Conflict) ([]byte, error) {
		conflicts = append(conflicts, Conflict{string(c.Key), string(c.Base), string(c.Ours), string(c.Theirs)})
		if c.Ours == nil {
			return c.Theirs, nil
		}
		return c.Ours, nil
	}
	m, err := prolly.Merge(ctx, store, prolly.Open(base.Table), prolly.Open(ours.Table), prolly.Open(theirs.Table), resolve)
	if err != nil {
		return nil, nil, fmt.Errorf("merge the split tables of the scheme %s: %w", ours.Scheme, err)
	}
	return &objects.Split{Scheme: ours.Scheme, Table: m.Root(), Rule: rule}, conflicts, nil
}

// oneSide merges where a side does not have the scheme: it is gone if the
// other left it alone, else it is what the other made of it.
func oneSide(base, ours, theirs *objects.Split) *objects.Split {
	side := ours
	if side == nil {
		side = theirs
	}
	if side == nil || base != nil && side.Table == base.Table && side.Rule == base.Rule {
		return nil
	}
	return &objects.Split{Scheme: side.Scheme, Table: side.Table, Rule: side.Rule}
}
