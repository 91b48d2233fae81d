package core

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
)

// How a part is chosen by splits
//
//  1. A filter says of one scheme which splits the working tree holds, and
//     which it leaves out. A path is outside if the split table gives it
//     splits, and none of them is wanted, or one is left out.
//  2. The table is that of the commit that the part was checked out at. A commit
//     keeps it, so that a new file stays on the disk whatever split it gets; what
//     takes the files to another commit takes that one's.
//  3. What no table assigns belongs to the part: new files, shared metadata, the
//     rules. So does every folder.
//  4. Sealed splits are left out wherever files are taken to a commit that
//     seals them, unless they are unsealed by that very call.

// SplitFilter chooses by the splits of one scheme.
type SplitFilter struct {
	Scheme string `json:"scheme"`
	// Only are the splits that are wanted, sorted; empty: all.
	Only []string `json:"only,omitempty"`
	// Without are sealed splits that are left out, sorted.
	Without []string `json:"without,omitempty"`
	// Table is the split table that says what is in which split; zero where the
	// commit has no such scheme, so that nothing is outside.
	Table objects.ID `json:"table,omitzero"`
}

// Sealed are the splits that are left out for their seal alone.
func (f SplitFilter) Sealed() []string {
	if len(f.Only) == 0 {
		return f.Without
	}
	return slices.DeleteFunc(slices.Clone(f.Without), func(n string) bool { return !slices.Contains(f.Only, n) })
}

// leaves reports whether a path in these splits is outside.
func (f SplitFilter) leaves(names []string) bool {
	if slices.ContainsFunc(names, func(n string) bool { return slices.Contains(f.Without, n) }) {
		return true
	}
	return len(f.Only) > 0 && !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(f.Only, n) })
}

func (f SplitFilter) equal(g SplitFilter) bool {
	return f.Scheme == g.Scheme && f.Table == g.Table && slices.Equal(f.Only, g.Only) && slices.Equal(f.Without, g.Without)
}

// check fails for a filter that says nothing, or not in its one form.
func (f SplitFilter) check() error {
	switch {
	case f.Scheme == "" || len(f.Only)+len(f.Without) == 0:
		return errors.New("a filter names a scheme and splits")
	case !isSet(f.Only) || !isSet(f.Without):
		return errors.New("splits are sorted, each once")
	case len(f.Without) > 0 && f.Table.IsZero():
		return errors.New("what is left out needs a split table")
	}
	return nil
}

// isSet reports whether names are sorted, each once, and none is empty.
func isSet(names []string) bool {
	for i, n := range names {
		if n == "" || i > 0 && names[i-1] >= n {
			return false
		}
	}
	return true
}

// checkFilters fails unless each is right and schemes are sorted, each once.
func checkFilters(filters []SplitFilter) error {
	for i, f := range filters {
		if err := f.check(); err != nil {
			return err
		}
		if i > 0 && filters[i-1].Scheme >= f.Scheme {
			return errors.New("schemes are sorted, each once")
		}
	}
	return nil
}

// parseFilters reads choices like "train", "folds:fold-1,fold-2", one a scheme.
// What names no scheme has none until a binding finds it in a commit.
func parseFilters(choices []string) ([]SplitFilter, error) {
	var list []SplitFilter
	for _, text := range choices {
		f := SplitFilter{}
		scheme, names, named := strings.Cut(text, ":")
		if f.Scheme = scheme; !named {
			f.Scheme, names = "", text
		}
		f.Only = strings.Split(names, ",")
		slices.Sort(f.Only)
		f.Only = slices.Compact(f.Only)
		if named && scheme == "" || !isSet(f.Only) {
			return nil, &UsageError{What: "splits are chosen as [SCHEME:]NAME[,NAME…], not " + quoteSome([]string{text}), Hint: `"mlvc split" lists them`}
		}
		list = append(list, f)
	}
	return list, nil
}

// filtered returns the part with other filters: without any, and with no paths,
// it is everything.
func (p Part) filtered(filters []SplitFilter) Part {
	if p.None {
		return p
	}
	p.Splits, p.left = filters, nil
	p.All = len(filters) == 0 && len(p.Paths) == 0
	return p
}

// binding is how a part is bound to a commit.
type binding struct {
	splits []objects.Split // of the commit
	unseal bool            // leaves nothing out that is sealed
	warn   func(Warning)
}

// bind returns the part as the splits of a commit make it: filters use its
// tables, and what it seals is left out.
func (b binding) bind(p Part) Part {
	var filters []SplitFilter
	for _, f := range p.Splits {
		if len(f.Only) > 0 && !slices.ContainsFunc(b.splits, func(s objects.Split) bool { return s.Scheme == f.Scheme }) {
			b.warn(Warning{Code: "no_scheme", Message: "there is no scheme " + f.Scheme + " at this commit, so that no file is outside of its splits"})
			filters = append(filters, SplitFilter{Scheme: f.Scheme, Only: f.Only})
		}
	}
	for _, s := range b.splits {
		if f := b.filter(p, s); len(f.Only)+len(f.Without) > 0 {
			filters = append(filters, f)
		}
	}
	slices.SortFunc(filters, func(a, b SplitFilter) int { return strings.Compare(a.Scheme, b.Scheme) })
	return p.filtered(filters)
}

// filter is that of one scheme of the commit.
func (b binding) filter(p Part, s objects.Split) SplitFilter {
	f := SplitFilter{Scheme: s.Scheme, Table: s.Table}
	for _, had := range p.Splits {
		if had.Scheme == s.Scheme {
			f.Only = had.Only
		}
	}
	scheme, err := split.ParseRule(s.Scheme, s.Rule)
	switch {
	case err != nil:
		b.warn(Warning{Code: "scheme", Message: "what the scheme " + s.Scheme + " seals is not known, for " + err.Error()})
	case scheme.OfRows():
		if f.Table = (objects.ID{}); len(f.Only) > 0 {
			b.warn(Warning{Code: "no_scheme", Message: "the scheme " + s.Scheme + " divides rows at this commit, so that no file is outside of its splits"})
		}
	case !b.unseal:
		f.Without = scheme.Sealed
	}
	return f
}

// compile reads the tables, after which Has can be asked.
func (p Part) compile(ctx context.Context, g objects.Getter) (Part, error) {
	p, err := p.compiled()
	if err == nil && len(p.Splits) > 0 {
		p.left, err = leftOutBy(ctx, g, p.Splits)
	}
	return p, err
}

// sealedOut lists the sealed splits that a part leaves out.
func (p Part) sealedOut() []SealedSplit {
	if p.left == nil {
		return nil
	}
	return p.left.sealed
}

// SealedSplit is a sealed split that is left out.
type SealedSplit struct {
	Scheme string `json:"scheme"`
	Split  string `json:"split"`
	Files  int64  `json:"files"` // that it has
}

// leftOut is what filters leave out.
type leftOut struct {
	paths  hashedPaths
	sealed []SealedSplit
}

// leftOutBy reads the tables of filters.
func leftOutBy(ctx context.Context, g objects.Getter, filters []SplitFilter) (*leftOut, error) {
	left := &leftOut{paths: newHashedPaths()}
	for _, f := range filters {
		counts := make(map[string]int64, len(f.Without))
		for item, err := range treeMap(f.Table).All(ctx, g) {
			if err != nil {
				return nil, err
			}
			names := strings.Split(string(item.Value), ",")
			if f.leaves(names) {
				left.paths.add(item.Key)
			}
			for _, n := range names {
				counts[n]++
			}
		}
		for _, n := range f.Sealed() {
			left.sealed = append(left.sealed, SealedSplit{f.Scheme, n, counts[n]})
		}
	}
	left.paths.sort()
	return left, nil
}
