package split

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// Assigned is a scheme applied to a tree.
type Assigned struct {
	objects.Split
	// State is derived: given back with the next Input it saves looking at
	// what did not change. It may be lost.
	State []byte
	// Findings are samples in several splits (overlap) or in none (covered),
	// and names in lists and tables without a file (readable): of each rule the
	// first dataset.MaxFindings by path, without a level. Found counts all.
	Findings []dataset.Finding
	Found    map[dataset.Rule]int64
	Unread   []dataset.Unread // the first; Unreadable counts all
	// Unreadable is the number of rows and lists that could not be read.
	Unreadable int64
	Counts     map[string]Count
	Samples    int64 // files or rows that are samples, in a split or not
}

// Assign says where every sample is, and puts the split table into the store.
//
// Schemes by globs, columns and time, and all schemes of rows, depend on the
// files alone. Ratios and folds over files keep what Before says: a group
// stays in its split, and so does a file without one whatever its name, and
// only a rule that changed moves groups, as few as bring every split to within
// the largest group of its quota; another seed draws everything anew. With Changes and State the cost follows the changes,
// and the outcome is the same as without.
func Assign(ctx context.Context, store objects.Store, s Scheme, in Input) (Assigned, error) {
	out, err := assignChanges(ctx, store, s, in)
	if errors.Is(err, errWhole) {
		out, err = assignWhole(ctx, store, s, in)
	}
	if err != nil {
		return Assigned{}, fmt.Errorf("splits of the scheme %s: %w", s.Name, err)
	}
	return out, nil
}

// errWhole says that changes alone cannot tell the outcome.
var errWhole = errors.New("everything must be looked at")

// assigner is one run of Assign.
type assigner struct {
	s     Scheme
	in    Input
	store objects.Store

	sums    *summer
	tallies *tallies
	samples int64
	overlap, uncovered,
	missing gaps
	unread     unreads
	groups     records // of a scheme that draws groups
	tableBytes int64   // of a scheme of rows
}

func newAssigner(store objects.Store, s Scheme, in Input) *assigner {
	return &assigner{s: s, in: in, store: store, sums: newSummer(), tallies: newTallies(s)}
}

func assignWhole(ctx context.Context, store objects.Store, s Scheme, in Input) (Assigned, error) {
	a := newAssigner(store, s, in)
	defer a.sums.stop()
	whole := a.wholeFiles
	if s.OfRows() {
		whole = a.wholeRows
	}
	m, err := whole(ctx)
	if err != nil {
		return Assigned{}, err
	}
	return a.finish(m)
}

func assignChanges(ctx context.Context, store objects.Store, s Scheme, in Input) (Assigned, error) {
	if in.Before == nil || in.Changes == nil || in.Before.Rule != s.Rule() {
		return Assigned{}, errWhole
	}
	a := newAssigner(store, s, in)
	defer a.sums.stop()
	if err := a.load(in.State); err != nil {
		return Assigned{}, errWhole // derived: what is wrong with it does not matter
	}
	change := a.changeFiles
	if s.OfRows() {
		change = a.changeRows
	}
	m, err := change(ctx)
	if err != nil {
		return Assigned{}, err
	}
	return a.finish(m)
}

// finish makes the outcome of the table and what was counted.
func (a *assigner) finish(m prolly.Map) (Assigned, error) {
	for _, g := range []*gaps{&a.overlap, &a.uncovered, &a.missing} {
		g.settle()
	}
	slices.SortStableFunc(a.unread.list, func(x, y dataset.Unread) int { return strings.Compare(x.Path, y.Path) })
	out := Assigned{
		Split:    objects.Split{Scheme: a.s.Name, Table: m.Root(), Rule: a.s.Rule()},
		Findings: a.findings(),
		Found: map[dataset.Rule]int64{
			dataset.RuleOverlap: a.overlap.total, dataset.RuleCovered: a.uncovered.total, dataset.RuleReadable: a.missing.total,
		},
		Unread: a.unread.list, Unreadable: a.unread.total,
		Counts: a.tallies.counts(a.s), Samples: a.samples,
	}
	if len(out.Unread) == 0 {
		out.Unread = nil
	}
	sums := a.sums.finish()
	out.Fingerprints = a.fingerprints(sums)
	out.State = a.save(out.Split, sums)
	return out, nil
}

// fingerprints returns those of every split that the scheme names or that has
// samples.
func (a *assigner) fingerprints(sums []*Sum) map[string]objects.ID {
	prints := make(map[string]objects.ID)
	for _, name := range a.s.Names() {
		prints[name] = (&Sum{}).Fingerprint()
	}
	for n, sum := range sums {
		if sum != nil && sum.count > 0 {
			prints[a.tallies.splits.texts[n]] = sum.Fingerprint()
		}
	}
	return prints
}

// file counts a file that is a sample and stands in the table as value, or
// with sign -1 takes it out.
func (a *assigner) file(f *dataset.File, value, label string, sign int64) {
	splits := a.tallies.numbers(value)
	a.sums.add(splits, sign < 0, ofFile, f.Path, f.Content)
	a.tallies.file(splits, a.tallies.labels.number(label), f.Size, sign)
	a.samples += sign
}

// gap notes a file that is in no split, or in several.
func (a *assigner) gap(f *dataset.File, value, why string) {
	switch {
	case value == "":
		a.uncovered.add(gap{path: f.Path, content: f.Content, text: why})
	case len(a.tallies.numbers(value)) > 1:
		a.overlap.add(gap{path: f.Path, content: f.Content, text: value})
	}
}

// listed reads the lists and tables of a scheme of files that has some.
func (a *assigner) listed(ctx context.Context, files dataset.Files) (*listed, error) {
	if len(a.s.Table) == 0 && len(a.s.listFiles()) == 0 {
		return nil, nil
	}
	return readListed(ctx, a.s, files, a.in.Rows)
}
