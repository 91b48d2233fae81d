package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
)

// SplitName is a split that a commit has.
type SplitName struct {
	Scheme string `json:"scheme"`
	Split  string `json:"split"`
	Rows   bool   `json:"rows,omitempty"` // of rows of tables, not of files
	Sealed bool   `json:"sealed,omitempty"`
}

// String is the form in which splits are chosen: those of the default scheme
// need no name of a scheme.
func (n SplitName) String() string { return splitText(n.Scheme, n.Split) }

func splitText(scheme, name string) string {
	if scheme == split.Default {
		return name
	}
	return scheme + ":" + name
}

// SplitNames lists the splits of a commit (empty: HEAD) by scheme and name.
func (r *Repo) SplitNames(ctx context.Context, rev string) ([]SplitName, error) {
	t, err := r.Resolve(ctx, orHead(rev))
	if errors.Is(err, revision.ErrUnborn) && rev == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := r.commit(ctx, t.ID)
	return splitNames(c.Splits), err
}

// SchemeNames lists the schemes of the last commit, and those that the working
// mlvc.toml has beside them.
func (r *Repo) SchemeNames(ctx context.Context) ([]string, error) {
	_, _, h, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	var splits []objects.Split
	if !h.Commit.IsZero() {
		c, err := r.commit(ctx, h.Commit)
		if err != nil {
			return nil, err
		}
		splits = c.Splits
	}
	names := schemeNames(splits)
	changes, err := r.splitRulesChanged(splits)
	for _, c := range changes {
		if c.Change == SchemeNew {
			names = append(names, c.Scheme)
		}
	}
	return names, err
}

func splitNames(splits []objects.Split) []SplitName {
	var list []SplitName
	for _, s := range splits {
		scheme, _ := split.ParseRule(s.Scheme, s.Rule) // one of a later version: what the commit says itself
		names := slices.Concat(scheme.Names(), slices.Collect(maps.Keys(s.Fingerprints)))
		slices.Sort(names)
		for _, n := range slices.Compact(names) {
			list = append(list, SplitName{s.Scheme, n, scheme.OfRows(), slices.Contains(scheme.Sealed, n)})
		}
	}
	slices.SortStableFunc(list, func(a, b SplitName) int { return strings.Compare(a.Scheme, b.Scheme) })
	return list
}

// UnknownSplitError is for a scheme or a split that a commit does not have.
type UnknownSplitError struct {
	Rev           string
	Scheme, Split string // an empty Split: the scheme is not there
	Have          []SplitName
}

func (e *UnknownSplitError) Error() string {
	if e.Split == "" {
		return fmt.Sprintf("%s has no scheme %q", e.Rev, e.Scheme)
	}
	return fmt.Sprintf("%s has no split %q in the scheme %s", e.Rev, e.Split, e.Scheme)
}

// RowSplitError is for a split of rows where files are needed.
type RowSplitError struct{ Scheme string }

func (e *RowSplitError) Error() string {
	return fmt.Sprintf("the scheme %s divides the rows of tables, not files", e.Scheme)
}

// checkFilters fails for filters that choose what a commit does not have, or
// has as rows.
func (b binding) checkFilters(rev string, filters []SplitFilter) error {
	have := splitNames(b.splits)
	for _, f := range filters {
		at := slices.IndexFunc(b.splits, func(s objects.Split) bool { return s.Scheme == f.Scheme })
		if at < 0 {
			e := &UnknownSplitError{Rev: rev, Scheme: f.Scheme, Have: have}
			if f.Scheme == split.Default && len(f.Only) > 0 {
				e.Split = f.Only[0] // nobody wrote "default"
			}
			return e
		}
		for _, name := range f.Only {
			i := slices.IndexFunc(have, func(n SplitName) bool { return n.Scheme == f.Scheme && n.Split == name })
			switch {
			case i < 0:
				return &UnknownSplitError{Rev: rev, Scheme: f.Scheme, Split: name, Have: have}
			case have[i].Rows:
				return &RowSplitError{Scheme: f.Scheme}
			}
		}
	}
	return nil
}

// check fails for filters that cannot be.
func (b binding) check(rev string, filters []SplitFilter) error {
	if err := b.checkFilters(rev, filters); err != nil {
		return err
	}
	return b.checkSealed(rev, filters)
}

// checkSealed fails for filters that choose a split that the commit seals.
func (b binding) checkSealed(rev string, filters []SplitFilter) error {
	for _, n := range splitNames(b.splits) {
		for _, f := range filters {
			if !b.unseal && n.Sealed && n.Scheme == f.Scheme && slices.Contains(f.Only, n.Split) {
				return &SealedError{Rev: rev, Scheme: n.Scheme, Split: n.Split}
			}
		}
	}
	return nil
}

// unseals are what unsealing reads where the filters choose: all that is sealed.
func (b binding) unseals(filters []SplitFilter) []SplitName {
	var list []SplitName
	for _, n := range splitNames(b.splits) {
		wanted := !slices.ContainsFunc(filters, func(f SplitFilter) bool {
			return f.Scheme == n.Scheme && len(f.Only) > 0 && !slices.Contains(f.Only, n.Split)
		})
		if n.Sealed && !n.Rows && wanted {
			list = append(list, n)
		}
	}
	return list
}
