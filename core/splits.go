package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset/facts"
	"github.com/mlvc/mlvc/core/dataset/label"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
)

// SplitScheme is a scheme of a commit, with what its splits hold.
type SplitScheme struct {
	SchemeResult
	// Counted: what the splits hold is known. It is not where tables are not
	// here, or where the rule is one of a later mlvc.
	Counted bool `json:"counted"`
	// Uncovered are the samples that are in no split.
	Uncovered int64  `json:"uncovered"`
	Rule      string `json:"rule"` // the canonical text of the scheme

	// Parsed is the scheme that Rule says; nil: a later mlvc wrote it.
	Parsed *split.Scheme `json:"-"`
}

// SplitsResult is what the splits of a commit are.
type SplitsResult struct {
	Commit  objects.ID    `json:"commit,omitzero"` // zero: there is none yet
	Schemes []SplitScheme `json:"schemes"`
	// Working is how the schemes in the working mlvc.toml differ from these,
	// where those of HEAD were asked for.
	Working []SchemeChange `json:"working,omitempty"`
}

// SplitsOptions say what of splits is wanted.
type SplitsOptions struct {
	Rev string // empty: HEAD
	// Classes counts the samples of each class also where the scheme does not
	// say how a class is read: by the labels of the dataset.
	Classes bool
}

// Splits says what the splits of a commit hold. It takes no lock.
func (r *Repo) Splits(ctx context.Context, opt SplitsOptions) (SplitsResult, error) {
	res := SplitsResult{Schemes: []SplitScheme{}}
	_, _, h, err := r.current(ctx)
	if err != nil {
		return res, err
	}
	if opt.Rev == "" && h.Commit.IsZero() {
		res.Working, err = r.splitRulesChanged(nil)
		return res, err
	}
	at, err := r.splitsOf(ctx, opt.Rev)
	if err != nil {
		return res, err
	}
	at.facts = r.openFacts()
	defer at.facts.Close() //nolint:errcheck // facts may be lost
	res.Commit = at.id
	for _, s := range at.Splits {
		scheme, err := at.scheme(ctx, s, opt.Classes)
		if err != nil {
			return res, err
		}
		res.Schemes = append(res.Schemes, scheme)
	}
	if opt.Rev == "" {
		res.Working, err = r.splitRulesChanged(at.Splits)
	}
	return res, err
}

// splitting is a commit whose splits are looked at.
type splitting struct {
	*examining
	objects.Commit
	id objects.ID
}

// splitsOf opens the splits of a commit; empty is HEAD.
func (r *Repo) splitsOf(ctx context.Context, rev string) (*splitting, error) {
	t, err := r.Resolve(ctx, orHead(rev))
	if err != nil {
		return nil, err
	}
	if t.HasPath {
		return nil, &UsageError{What: fmt.Sprintf("%q names a path; a commit has splits", rev), Hint: "leave out the colon and what follows it"}
	}
	return r.splitsAtCommit(ctx, t.ID)
}

func (r *Repo) splitsAtCommit(ctx context.Context, id objects.ID) (*splitting, error) {
	c, err := r.commit(ctx, id)
	if err != nil {
		return nil, err
	}
	return &splitting{examining: &examining{Repo: r, tree: c.Tree, files: r.samplesOf(c.Tree)}, Commit: c, id: id}, nil
}

// input is what a scheme of the commit is looked at with.
func (p *splitting) input() split.Input { return split.Input{Files: p.files, Rows: splitRows} }

// where is how messages name the commit.
func (p *splitting) where() string { return commitText(p.id) }

func commitText(id objects.ID) string { return "commit " + id.Short() }

// named finds a scheme of the commit. It fails with a *NoSplitError.
func (p *splitting) named(name string) (objects.Split, split.Scheme, error) {
	s := splitOf(p.Splits, name)
	if s == nil {
		return objects.Split{}, split.Scheme{}, &NoSplitError{Where: p.where(), Scheme: name, Have: splitNames(p.Splits)}
	}
	scheme, err := split.ParseRule(s.Scheme, s.Rule)
	if err != nil {
		err = fmt.Errorf("commit %s: %w", p.id.Short(), err)
	}
	return *s, scheme, err
}

// scheme counts what the splits of one scheme hold.
func (p *splitting) scheme(ctx context.Context, s objects.Split, classes bool) (SplitScheme, error) {
	parsed, err := split.ParseRule(s.Scheme, s.Rule)
	if err != nil {
		return uncounted(s), nil //nolint:nilerr // a rule of a later version: what the commit says is told
	}
	counted, err := p.count(ctx, s, parsed)
	if errors.Is(err, objects.ErrNotFound) {
		return uncounted(s), nil // tables that are not here
	}
	if err == nil && classes && parsed.Label == nil && !parsed.OfRows() {
		err = p.classes(ctx, s, counted)
	}
	if err != nil {
		return SplitScheme{}, err
	}
	return counted.scheme(parsed, s), nil
}

// uncounted is a scheme of which only what the commit says is known.
func uncounted(s objects.Split) SplitScheme {
	out := SplitScheme{SchemeResult: SchemeResult{Scheme: s.Scheme}, Rule: s.Rule}
	parsed, err := split.ParseRule(s.Scheme, s.Rule)
	if err == nil {
		out.Parsed = &parsed
	}
	out.SchemeResult = schemeResult(parsed, split.Assigned{Split: s, Counts: map[string]split.Count{}})
	out.Scheme = s.Scheme
	for name := range s.Fingerprints {
		if !slices.Contains(parsed.Names(), name) {
			out.Splits = append(out.Splits, SplitResult{Name: name, Fingerprint: s.Fingerprints[name]})
		}
	}
	slices.SortFunc(out.Splits, func(a, b SplitResult) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// The kind of facts that the counts of splits of trees are.
const factCounts = "split-counts-v2"

// splitCounts is what the splits of a scheme hold.
type splitCounts struct {
	Counts    map[string]split.Count `json:"counts"`
	Samples   int64                  `json:"samples"`
	Uncovered int64                  `json:"uncovered"`
}

func (c splitCounts) scheme(parsed split.Scheme, s objects.Split) SplitScheme {
	return SplitScheme{
		SchemeResult: schemeResult(parsed, split.Assigned{Split: s, Counts: c.Counts, Samples: c.Samples}),
		Counted:      true, Uncovered: c.Uncovered, Rule: s.Rule, Parsed: &parsed,
	}
}

func (e *examining) rememberCounts(s objects.Split, counts splitCounts) {
	if data, err := json.Marshal(counts); err == nil {
		e.facts.Put(factCounts, splitKey(s, e.tree), data)
	}
}

// recallCounts is what is kept of a scheme of a tree.
func (e *examining) recallCounts(s objects.Split, tree objects.ID) (counts splitCounts, ok bool) {
	data, ok := e.facts.Get(factCounts, splitKey(s, tree))
	return counts, ok && json.Unmarshal(data, &counts) == nil && counts.Counts != nil
}

// count counts what the split table has, unless that is kept.
func (p *splitting) count(ctx context.Context, s objects.Split, parsed split.Scheme) (splitCounts, error) {
	if kept, ok := p.recallCounts(s, p.tree); ok {
		return kept, nil
	}
	counts := splitCounts{Counts: make(map[string]split.Count)}
	for _, name := range parsed.Names() {
		counts.Counts[name] = split.Count{}
	}
	p.schemes = parsedSchemes(p.Splits)
	sample := p.sampleOf(parsed)
	last := make(map[string]string) // the table that a split had a row of
	for g, err := range split.Groups(ctx, p.store, parsed, s.Table, p.input()) {
		if err != nil {
			return counts, err
		}
		if g.Split == "" && g.Row == 0 && !sample(g.Path) {
			continue
		}
		if counts.Samples++; g.Split == "" {
			counts.Uncovered++
			continue
		}
		for name := range strings.SplitSeq(g.Split, ",") {
			counts.Counts[name] = addSample(counts.Counts[name], parsed, g, last[name] != g.Path)
			last[name] = g.Path
		}
	}
	p.rememberCounts(s, counts)
	return counts, nil
}

// addSample counts one sample; first says that it is the first of its file.
func addSample(c split.Count, scheme split.Scheme, g split.Grouped, first bool) split.Count {
	if first {
		c.Files++
	}
	if g.Row > 0 {
		c.Rows++
	} else {
		c.Bytes += g.Size
	}
	if scheme.Label != nil {
		if c.Classes == nil {
			c.Classes = make(map[string]int64)
		}
		c.Classes[g.Class]++
	}
	return c
}

// classes counts the samples of each class by the labels of the dataset.
func (p *splitting) classes(ctx context.Context, s objects.Split, counts splitCounts) error {
	labels, err := p.labels(ctx)
	if err != nil || labels == nil {
		return err
	}
	for item, err := range treeMap(s.Table).All(ctx, p.store) {
		if err != nil {
			return err
		}
		path := string(item.Key)
		for name := range strings.SplitSeq(string(item.Value), ",") {
			c := counts.Counts[name]
			for _, class := range labels.Classes(path) {
				if c.Classes == nil {
					c.Classes = make(map[string]int64)
				}
				c.Classes[class]++
			}
			counts.Counts[name] = c
		}
	}
	return nil
}

// labels reads the labels of the commit, by its own rules; nil: it has none.
func (p *splitting) labels(ctx context.Context) (*label.Labels, error) {
	rules, err := p.rulesOf(ctx, p.tree)
	if err != nil {
		return nil, err
	}
	if p.config, err = rules.checks(); err != nil {
		return nil, err
	}
	return p.readLabels(ctx)
}

// CommitScheme is what a commit says of a scheme.
type CommitScheme struct {
	Scheme string `json:"scheme"`
	Rows   bool   `json:"rows"`
	// Counted: what the splits hold is at hand.
	Counted bool          `json:"counted"`
	Splits  []SplitResult `json:"splits"`
}

// knownSplits are the splits of a commit, with what is kept of their counts:
// nothing is counted.
func (r *Repo) knownSplits(c objects.Commit, facts *facts.Cache) []CommitScheme {
	e := &examining{Repo: r, facts: facts}
	var list []CommitScheme
	for _, s := range c.Splits {
		known := uncounted(s)
		if counts, ok := e.recallCounts(s, c.Tree); ok && known.Parsed != nil {
			known = counts.scheme(*known.Parsed, s)
		}
		list = append(list, CommitScheme{s.Scheme, known.Rows, known.Counted, known.Splits})
	}
	return list
}

// SchemeChange is a scheme that the working mlvc.toml has otherwise than a
// commit.
type SchemeChange struct {
	Scheme string `json:"scheme"`
	Change string `json:"change"` // new, changed, removed
}

// The changes of a scheme.
const (
	SchemeNew     = "new"
	SchemeChanged = "changed"
	SchemeRemoved = "removed"
)

// splitRulesChanged compares the schemes of the working mlvc.toml with those of
// a commit. What is wrong in mlvc.toml is a warning: commit and check fail of it.
func (r *Repo) splitRulesChanged(of []objects.Split) ([]SchemeChange, error) {
	rules, err := r.Rules()
	if err == nil && rules.Away {
		return nil, nil
	}
	var schemes []split.Scheme
	if err == nil {
		schemes, err = rules.schemes()
	}
	if bad, ok := errors.AsType[*RulesError](err); ok {
		r.env.Events.Warn(Warning{Code: "rules", Message: bad.Error() + "; the next commit is refused until that is mended"})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var changes []SchemeChange
	for _, s := range schemes {
		switch old := splitOf(of, s.Name); {
		case old == nil:
			changes = append(changes, SchemeChange{s.Name, SchemeNew})
		case old.Rule != s.Rule():
			changes = append(changes, SchemeChange{s.Name, SchemeChanged})
		}
	}
	for _, old := range of {
		if !slices.ContainsFunc(schemes, func(s split.Scheme) bool { return s.Name == old.Scheme }) {
			changes = append(changes, SchemeChange{old.Scheme, SchemeRemoved})
		}
	}
	return changes, nil
}
