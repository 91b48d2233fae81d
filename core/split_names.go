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

// NoSplitError is for a scheme or a split that is not there.
type NoSplitError struct {
	Where string // "commit 3f9c12…", mlvc.toml
	// Scheme and Split are what was asked for. An empty Split: the scheme is not
	// there. An empty Scheme: none was named.
	Scheme, Split string
	Have          []SplitName // what is there
}

func (e *NoSplitError) Error() string {
	switch {
	case len(e.Have) == 0:
		return e.Where + " has no splits"
	case e.Split == "":
		return fmt.Sprintf("%s has no scheme %q", e.Where, e.Scheme)
	case e.Scheme == "":
		return fmt.Sprintf("%s has no split %q", e.Where, e.Split)
	}
	return fmt.Sprintf("%s has no split %q in the scheme %s", e.Where, e.Split, e.Scheme)
}

// Names are those that could have been meant: schemes, or splits as they are
// chosen.
func (e *NoSplitError) Names() []string {
	var names []string
	for _, n := range e.Have {
		name := n.String()
		if e.Split == "" {
			name = n.Scheme
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Near are the names that look like what was asked for.
func (e *NoSplitError) Near() []string {
	if e.Split == "" {
		return revision.Nearest(e.Scheme, e.Names())
	}
	text := e.Split
	if e.Scheme != "" {
		text = splitText(e.Scheme, e.Split)
	}
	near := revision.Nearest(text, e.Names())
	for _, n := range e.Have {
		// The right name in another scheme, or nearly so.
		if len(revision.Nearest(e.Split, []string{n.Split})) > 0 && !slices.Contains(near, n.String()) && (n.Split == e.Split || len(near) == 0) {
			near = append(near, n.String())
		}
	}
	return near
}

// RowSplitError is for a split of rows where files are needed.
type RowSplitError struct{ Scheme string }

func (e *RowSplitError) Error() string {
	return fmt.Sprintf("the scheme %s divides the rows of tables, not files", e.Scheme)
}

// splitsAt are the splits of a commit, to choose from.
type splitsAt struct {
	where  string // how messages name the commit
	splits []objects.Split
	files  bool // only schemes that divide files are meant, where names can be theirs
}

// schemeOf finds the scheme of splits that are chosen together. Where none is
// named (empty), it is the default one, or the only one, that has all of them.
// It fails with a *NoSplitError, and where several schemes have them.
func (h splitsAt) schemeOf(scheme string, names []string) (string, error) {
	have := splitNames(h.splits)
	if len(have) == 0 {
		return "", &NoSplitError{Where: h.where, Scheme: scheme, Split: strings.Join(names, ",")}
	}
	if scheme != "" {
		if !slices.ContainsFunc(have, func(n SplitName) bool { return n.Scheme == scheme }) {
			return "", &NoSplitError{Where: h.where, Scheme: scheme, Have: have}
		}
		if missing := missingIn(have, scheme, names); missing != "" {
			return "", &NoSplitError{Where: h.where, Scheme: scheme, Split: missing, Have: have}
		}
		return scheme, nil
	}
	having := h.having(have, names)
	switch {
	case slices.Contains(having, split.Default):
		return split.Default, nil
	case len(having) == 1:
		return having[0], nil
	case len(having) > 1:
		chosen := strings.Join(names, ",")
		return "", &UsageError{
			What: fmt.Sprintf("the schemes %s have a split %s each", strings.Join(having, ", "), chosen),
			Hint: fmt.Sprintf("write SCHEME:%s, as in %s", chosen, splitText(having[0], chosen)),
		}
	}
	return "", h.inNone(have, names)
}

// having are the schemes that have all of the splits.
func (h splitsAt) having(have []SplitName, names []string) []string {
	var all, files []string
	for _, n := range have {
		if slices.Contains(all, n.Scheme) || missingIn(have, n.Scheme, names) != "" {
			continue
		}
		if all = append(all, n.Scheme); !n.Rows {
			files = append(files, n.Scheme)
		}
	}
	if h.files && len(files) > 0 {
		return files
	}
	return all
}

// inNone is the error for splits that no scheme has together.
func (h splitsAt) inNone(have []SplitName, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(have, func(n SplitName) bool { return n.Split == name }) {
			return &NoSplitError{Where: h.where, Split: name, Have: have}
		}
	}
	return &UsageError{
		What: "no scheme has all of the splits " + strings.Join(names, ", "),
		Hint: "choose those of each scheme by themselves: SCHEME:NAME[,NAME…]",
	}
}

// missingIn is the first of names that a scheme does not have; empty: it has
// all.
func missingIn(have []SplitName, scheme string, names []string) string {
	for _, name := range names {
		if !slices.ContainsFunc(have, func(n SplitName) bool { return n.Scheme == scheme && n.Split == name }) {
			return name
		}
	}
	return ""
}

// named finds the schemes of filters that name none, as the commit has them. It
// fails for what the commit does not have.
func (b binding) named(where string, filters []SplitFilter) ([]SplitFilter, error) {
	at := splitsAt{where: where, splits: b.splits, files: true}
	list := slices.Clone(filters)
	for i, f := range list {
		scheme, err := at.schemeOf(f.Scheme, f.Only)
		if err != nil {
			return nil, err
		}
		list[i].Scheme = scheme
	}
	slices.SortFunc(list, func(a, b SplitFilter) int { return strings.Compare(a.Scheme, b.Scheme) })
	for i := range list {
		if i > 0 && list[i].Scheme == list[i-1].Scheme {
			return nil, &UsageError{What: "splits of the scheme " + list[i].Scheme + " are chosen twice", Hint: "write them with commas between"}
		}
	}
	return list, nil
}

// checkFilters fails for filters that choose what a commit does not have, or
// has as rows.
func (b binding) checkFilters(where string, filters []SplitFilter) error {
	have := splitNames(b.splits)
	for _, f := range filters {
		if _, err := (splitsAt{where: where, splits: b.splits}).schemeOf(f.Scheme, f.Only); err != nil {
			return err
		}
		if slices.ContainsFunc(have, func(n SplitName) bool { return n.Scheme == f.Scheme && n.Rows }) {
			return &RowSplitError{Scheme: f.Scheme}
		}
	}
	return nil
}

// choose is named, and fails for what cannot be, too.
func (b binding) choose(where string, filters []SplitFilter) ([]SplitFilter, error) {
	list, err := b.named(where, filters)
	if err != nil {
		return nil, err
	}
	return list, b.check(where, list)
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
