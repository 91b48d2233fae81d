package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/facts"
	"github.com/mlvc/mlvc/core/dataset/similar"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// How a tree is held to its rules
//
//  1. Each scheme of [splits] is applied to the tree: what an earlier commit
//     assigned is the prior, and with an unchanged rule the cost follows the
//     difference between the trees.
//  2. Labels and annotations are told from samples.
//  3. Each rule of [checks] is looked at. What was derived from contents and
//     from trees is kept in the cache of facts, which may be lost.
//  4. Waivers of the parents cover what they name, as long as it is there.

// Consistency is a tree held to its rules: its splits, and what the checks
// found.
type Consistency struct {
	Schemes []SchemeResult  `json:"schemes"`
	Report  *dataset.Report `json:"report"`
	// Hashed is how many images and texts were read to be compared: those whose
	// hashes were not kept from before.
	Hashed int64 `json:"hashed,omitempty"`

	splits  []objects.Split
	waivers []objects.Waiver
}

// SchemeResult is one scheme applied.
type SchemeResult struct {
	Scheme string `json:"scheme"`
	// Rows: the samples are rows of tables, else files.
	Rows    bool          `json:"rows"`
	Samples int64         `json:"samples"` // in a split or not
	Splits  []SplitResult `json:"splits"`
}

// SplitResult is what one split holds.
type SplitResult struct {
	Name string `json:"name"`
	split.Count
	Fingerprint objects.ID `json:"fingerprint"`
	Frozen      bool       `json:"frozen,omitempty"`
	Sealed      bool       `json:"sealed,omitempty"`
}

// schemes reads [splits]; errors name the key in mlvc.toml.
func (r Rules) schemes() ([]split.Scheme, error) {
	schemes, err := split.Parse(r.Splits)
	if key, ok := errors.AsType[*split.KeyError](err); ok {
		return nil, &RulesError{RulesFile, key.Error() + meantOption(r.Splits, key.Key)}
	}
	return schemes, err
}

// checks reads [checks]; errors name the key in mlvc.toml.
func (r Rules) checks() (check.Config, error) {
	config, err := check.Parse(r.Checks)
	if key, ok := errors.AsType[*check.ConfigError](err); ok {
		return config, &RulesError{RulesFile, fmt.Sprintf("%s (%s)%s", key, key.Hint, meant(key.Key[strings.LastIndexByte(key.Key, '.')+1:], key.Known))}
	}
	return config, err
}

// examining is one tree being held to its rules.
type examining struct {
	*Repo
	nodes objects.Store // gets what is new of split tables
	rules Rules
	tree  objects.ID
	// prior are the splits that drawn samples stay in, and those of priorTree:
	// the parent's, or the commit's own.
	prior     []objects.Split
	priorTree objects.ID
	// parents are the commits before; of the first one splits are compared.
	parents []objects.ID
	waivers []objects.Waiver // beside those of the parents

	schemes []split.Scheme
	config  check.Config
	files   samples
	facts   *facts.Cache
	res     *Consistency
}

// factsPath is the folder of the cache of facts.
func (r *Repo) factsPath() string { return filepath.Join(r.cachePath(), "facts") }

// openFacts opens the cache of facts. What it keeps is lost without harm, so
// that an error of closing it says nothing.
func (r *Repo) openFacts() *facts.Cache { return facts.Open(r.env.FS, r.factsPath()) }

// run applies the schemes and looks at the rules. Split tables are put into the
// store, and are durable when it is next synced.
func (e *examining) run(ctx context.Context) (*Consistency, error) {
	if err := e.open(); err != nil {
		return nil, err
	}
	defer e.facts.Close() //nolint:errcheck // facts may be lost
	if len(e.schemes) == 0 && e.rules.Checks == nil {
		return e.res, nil
	}
	seen, err := e.see(ctx)
	if err != nil {
		return nil, err
	}
	in := check.Input{
		Files: e.files, Getter: e.files.links, Tree: seen.Root(), Config: e.config, Facts: e.facts,
		Rows: e.tableRows, IsTable: isTable, Near: e.near, NearVersion: similar.Version, Now: e.env.Now, Workers: e.env.workers(),
		Progress: func(_ dataset.Rule, _ string, n int64) {
			e.env.Events.Progress(Progress{Phase: PhaseCheck, Files: n})
		},
	}
	if err := e.label(ctx, &in); err != nil {
		return nil, err
	}
	for _, s := range e.schemes {
		if err := e.scheme(ctx, s, &in); err != nil {
			return nil, err
		}
	}
	if in.Waivers, err = e.inherited(ctx); err != nil {
		return nil, err
	}
	if e.res.Report, err = check.Run(ctx, in); err != nil {
		return nil, err
	}
	if err := e.ungrouped(); err != nil {
		return nil, err
	}
	e.res.waivers = check.Inherit(e.res.Report, in.Waivers)
	return e.res, nil
}

// open reads the rules and opens what they are applied to. Facts are to be
// closed; those that are open already are used.
func (e *examining) open() (err error) {
	if e.schemes, err = e.rules.schemes(); err != nil {
		return err
	}
	if e.config, err = e.rules.checks(); err != nil {
		return err
	}
	e.res = &Consistency{Report: &dataset.Report{}}
	e.files = samples{e.Repo, e.tree, e.linksOver(e.nodes)}
	if e.facts == nil {
		e.facts = e.openFacts()
	}
	return nil
}

// see finds what is to be seen of the tree.
func (e *examining) see(ctx context.Context) (prolly.Map, error) {
	if len(e.parents) > 0 {
		before, err := e.treeOf(ctx, e.parents[0])
		if err == nil {
			// First, so that of links only those are read that it has not.
			_, err = e.files.of(before).seen(ctx)
		}
		if err != nil && !errors.Is(err, objects.ErrNotFound) { // gc may have cut the history
			return prolly.Map{}, err
		}
	}
	return e.files.seen(ctx)
}

// apply applies one scheme, and notes what comes of it.
func (e *examining) apply(ctx context.Context, s split.Scheme) (split.Assigned, error) {
	assigned, err := e.assign(ctx, s)
	if err == nil {
		err = misread(s, assigned)
	}
	if err != nil {
		return assigned, err
	}
	e.res.splits = append(e.res.splits, assigned.Split)
	e.res.Schemes = append(e.res.Schemes, schemeResult(s, assigned))
	return assigned, nil
}

// scheme applies one scheme and prepares its checks.
func (e *examining) scheme(ctx context.Context, s split.Scheme, in *check.Input) error {
	assigned, err := e.apply(ctx, s)
	if err != nil {
		return err
	}
	in.Given = append(in.Given, given(s, assigned.Findings)...)
	in.Beyond = append(in.Beyond, beyond(s, assigned)...)
	in.Unread = append(in.Unread, assigned.Unread...)
	cs := check.Scheme{
		Name: s.Name, Rule: e.ruleOf(assigned.Rule, e.schemes), Frozen: s.Frozen,
		Table: treeMap(assigned.Table), Fingerprints: assigned.Fingerprints, Counts: assigned.Counts,
		Sample: e.sampleOf(s), Groups: e.groups(s, assigned.Split),
		Rows: e.schemeRows(s, e.files),
	}
	if cs.Before, err = e.before(ctx, s); err != nil {
		return err
	}
	if cs.Earlier, err = e.earlier(ctx, s, assigned.Table); err != nil {
		return err
	}
	in.Schemes = append(in.Schemes, cs)
	return nil
}

// misread refuses a scheme that assigns nothing because what it is read from
// cannot be read: a slip in mlvc.toml would empty all its splits.
func misread(s split.Scheme, a split.Assigned) error {
	if len(s.Table) == 0 || len(a.Unread) == 0 {
		return nil
	}
	for _, c := range a.Counts {
		if c.Files+c.Rows > 0 {
			return nil
		}
	}
	u := a.Unread[0]
	where := u.Path
	if u.Place != "" {
		where += ": " + u.Place
	}
	return &RulesError{RulesFile, fmt.Sprintf("scheme %s of [splits] can assign nothing: %s: %s", s.Name, where, u.Why)}
}

// ungrouped refuses an expression that finds the group of no sample: it would
// look like a check that holds.
func (e *examining) ungrouped() error {
	for i, s := range e.schemes {
		if s.Group == nil || s.Group.Path == "" || e.res.Schemes[i].Samples == 0 {
			continue
		}
		for _, c := range e.res.Report.Rules {
			if c.Rule == dataset.RuleGroups && c.Scheme == s.Name && c.Skipped == "" && c.Level != dataset.Off && c.Samples == 0 {
				return &RulesError{RulesFile, fmt.Sprintf("group of the scheme %s of [splits]: %q matches the path of no sample", s.Name, s.Group.Path)}
			}
		}
	}
	return nil
}

// warnings tells what in mlvc.toml is allowed, and may be a slip.
func (e *examining) warnings(ctx context.Context) error {
	warn := func(code, format string, args ...any) {
		e.env.Events.Warn(Warning{Code: code, Message: fmt.Sprintf(format, args...)})
	}
	for _, s := range e.res.Schemes {
		for _, one := range s.Splits {
			if s.Samples > 0 && one.Files+one.Rows == 0 {
				warn("split_empty", "split %s of the scheme %s is empty: nothing is assigned to it", one.Name, s.Scheme)
			}
		}
	}
	e.lostLinks(warn)
	if len(e.parents) == 0 {
		return nil
	}
	c, err := e.commit(ctx, e.parents[0])
	if err != nil {
		return err
	}
	for _, old := range c.Splits {
		was, err := split.ParseRule(old.Scheme, old.Rule)
		if err == nil && splitOf(e.res.splits, old.Scheme) == nil && len(was.Frozen) > 0 {
			warn("frozen_gone", "the scheme %s is gone from mlvc.toml, and with it that %s must not change", old.Scheme, strings.Join(was.Frozen, ", "))
		}
	}
	return nil
}

// lostLinks tells of symbolic links that would be samples if they led to a file of
// the dataset.
func (e *examining) lostLinks(warn func(code, format string, args ...any)) {
	if e.config.Level(dataset.RuleCovered) == dataset.Off {
		return
	}
	var lost []string
	for _, link := range e.files.links.lost[e.tree] {
		if slices.ContainsFunc(e.schemes, func(s split.Scheme) bool { return s.Claims(link) }) {
			lost = append(lost, link)
		}
	}
	if len(lost) == 0 {
		return
	}
	more := ""
	if len(lost) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(lost)-1)
	}
	warn("links", "%s is in no split: the symbolic link leads to no file of the dataset%s", lost[0], more)
}

// sampleOf tells the files that a scheme should put into a split: not what
// describes the dataset, nor what it or another scheme is read from, unless it
// says which files are samples.
func (e *examining) sampleOf(s split.Scheme) func(path string) bool {
	return func(path string) bool {
		if dataset.IsAbout(path) {
			return false
		}
		if !s.IsSample(path) || len(s.Of) > 0 {
			return s.IsSample(path)
		}
		return !slices.ContainsFunc(e.schemes, func(other split.Scheme) bool { return other.Reads(path) })
	}
}

// ruleOf is what decides about a file by its path: the rule of a scheme, and
// those of all schemes, for sampleOf asks them too.
func (e *examining) ruleOf(rule string, schemes []split.Scheme) string {
	rules := []string{rule, "samples v3"}
	for _, s := range schemes {
		rules = append(rules, s.Name, s.Rule())
	}
	return strings.Join(rules, "\n")
}

func isGiven(s split.Scheme, rule dataset.Rule) bool {
	return s.OfRows() || rule == dataset.RuleReadable
}

// beyond counts what given would return if an assignment listed all.
func beyond(s split.Scheme, a split.Assigned) []check.Beyond {
	left := maps.Clone(a.Found)
	for _, f := range a.Findings {
		left[f.Rule]--
	}
	var list []check.Beyond
	for _, rule := range slices.Sorted(maps.Keys(left)) {
		if isGiven(s, rule) && left[rule] > 0 {
			list = append(list, check.Beyond{Rule: rule, Scheme: s.Name, N: left[rule]})
		}
	}
	return list
}

// given are the findings of an assignment that the checks do not make
// themselves. Of files they do, and know which are labels.
func given(s split.Scheme, findings []dataset.Finding) []dataset.Finding {
	var list []dataset.Finding
	for _, f := range findings {
		if !isGiven(s, f.Rule) {
			continue
		}
		at := f.Samples[0]
		where := at.Path
		if at.Row > 0 {
			where += fmt.Sprintf(" row %d", at.Row)
		}
		f.Message = where + ": " + f.Message
		list = append(list, f)
	}
	return list
}

// assign applies a scheme to the tree.
func (e *examining) assign(ctx context.Context, s split.Scheme) (out split.Assigned, err error) {
	in := split.Input{Files: e.files, Rows: splitRows}
	if before := splitOf(e.prior, s.Name); before != nil {
		in.Before, in.BeforeFiles = before, e.files.of(e.priorTree)
		if state, ok := e.recall(*before, e.priorTree); ok && !e.priorTree.IsZero() {
			in.State = state
			if in.Changes, err = e.files.changes(ctx, e.priorTree); err != nil {
				return split.Assigned{}, err
			}
		}
	}
	out, err = split.Assign(ctx, e.nodes, s, in)
	if err != nil {
		return out, err
	}
	told := e.leaveOut(s, &out)
	e.remember(out, told)
	return out, nil
}

// leaveOut takes out of what is in no split what sampleOf says is no sample. It
// reports whether that is certain: beyond the findings that are told, such files
// count as before.
func (e *examining) leaveOut(s split.Scheme, a *split.Assigned) bool {
	told, sample := int64(0), e.sampleOf(s)
	all := a.Found[dataset.RuleCovered]
	if s.OfRows() {
		return true
	}
	a.Findings = slices.DeleteFunc(a.Findings, func(f dataset.Finding) bool {
		if f.Rule != dataset.RuleCovered {
			return false
		}
		told++
		if sample(f.Samples[0].Path) {
			return false
		}
		a.Found[dataset.RuleCovered]--
		a.Samples--
		return true
	})
	return told == all
}

// parsedSchemes are the schemes of a commit whose rules can be read.
func parsedSchemes(splits []objects.Split) []split.Scheme {
	var schemes []split.Scheme
	for _, s := range splits {
		if scheme, err := split.ParseRule(s.Scheme, s.Rule); err == nil {
			schemes = append(schemes, scheme)
		}
	}
	return schemes
}

// splitOf finds the split of a scheme; nil: there is none.
func splitOf(splits []objects.Split, scheme string) *objects.Split {
	for i := range splits {
		if splits[i].Scheme == scheme {
			return &splits[i]
		}
	}
	return nil
}

func schemeResult(s split.Scheme, a split.Assigned) SchemeResult {
	res := SchemeResult{Scheme: s.Name, Rows: s.OfRows(), Samples: a.Samples}
	names := s.Names()
	for name := range a.Counts {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		res.Splits = append(res.Splits, SplitResult{
			Name: name, Count: a.Counts[name], Fingerprint: a.Fingerprints[name],
			Frozen: slices.Contains(s.Frozen, name), Sealed: slices.Contains(s.Sealed, name),
		})
	}
	return res
}

// groups are those that a scheme declares.
func (e *examining) groups(s split.Scheme, of objects.Split) *check.Groups {
	if s.Group == nil {
		return nil
	}
	g := &check.Groups{Key: splitKey(objects.Split{Scheme: s.Name, Rule: of.Rule}, objects.ID{})}
	if s.Group.Column == "" && !s.OfRows() {
		g.Of = s.GroupOf
		return g
	}
	g.All = func(ctx context.Context) iter.Seq2[check.Grouped, error] {
		return func(yield func(check.Grouped, error) bool) {
			for m, err := range split.Groups(ctx, e.nodes, s, of.Table, split.Input{Files: e.files, Rows: splitRows}) {
				if !yield(check.Grouped{Sample: m.Sample, Group: m.Group}, err) || err != nil {
					return
				}
			}
		}
	}
	return g
}

// before is the scheme as the first parent has it; nil: it has none.
func (e *examining) before(ctx context.Context, s split.Scheme) (*check.Before, error) {
	if len(e.parents) == 0 {
		return nil, nil
	}
	c, err := e.commit(ctx, e.parents[0])
	if err != nil {
		return nil, err
	}
	old := splitOf(c.Splits, s.Name)
	if old == nil {
		return nil, nil
	}
	b, err := e.beforeOf(ctx, c, *old)
	if err == nil && e.config.Drift != (check.Drift{}) {
		b.Counts, err = e.countsOf(ctx, c, *old)
	}
	return &b, err
}

func (e *examining) beforeOf(ctx context.Context, c objects.Commit, old objects.Split) (check.Before, error) {
	files := e.files.of(c.Tree)
	seen, err := files.seen(ctx)
	b := check.Before{Rule: e.ruleOf(old.Rule, parsedSchemes(c.Splits)), Tree: seen.Root(), Table: treeMap(old.Table), Fingerprints: old.Fingerprints, Files: files}
	if was, err := split.ParseRule(old.Scheme, old.Rule); err == nil {
		b.Rows = e.schemeRows(was, files)
	}
	return b, err
}

// countsOf counts what the splits of a commit hold.
func (e *examining) countsOf(ctx context.Context, c objects.Commit, s objects.Split) (map[string]split.Count, error) {
	scheme, err := split.ParseRule(s.Scheme, s.Rule)
	if err != nil {
		return nil, nil //nolint:nilerr // a rule of a later version cannot be counted by
	}
	at := &examining{Repo: e.Repo, nodes: e.store, tree: c.Tree, files: e.files.of(c.Tree), facts: e.facts}
	counted, err := (&splitting{examining: at, Commit: c}).count(ctx, s, scheme)
	return counted.Counts, err
}

// The most commits that are looked at for what moved out of an evaluation
// split, and the most split tables of them.
const (
	maxEarlier       = 200
	maxEarlierTables = 16
)

// earlier are the tables of a scheme that commits before the first parent have.
func (e *examining) earlier(ctx context.Context, s split.Scheme, table objects.ID) ([]check.Before, error) {
	var list []check.Before
	if e.config.Level(dataset.RuleMoved) == dataset.Off {
		return nil, nil
	}
	seen := map[objects.ID]bool{table: true}
	at := objects.ID{}
	if len(e.parents) > 0 {
		at = e.parents[0]
	}
	for n := 0; n < maxEarlier && !at.IsZero() && len(list) < maxEarlierTables; n++ {
		c, err := e.commit(ctx, at)
		if errors.Is(err, objects.ErrNotFound) {
			break // a history that gc has cut
		}
		if err != nil {
			return nil, err
		}
		if old := splitOf(c.Splits, s.Name); old != nil && !seen[old.Table] {
			seen[old.Table] = true
			if n > 0 {
				b, err := e.beforeOf(ctx, c, *old)
				if err != nil {
					return nil, err
				}
				list = append(list, b)
			}
		}
		if at = (objects.ID{}); len(c.Parents) > 0 {
			at = c.Parents[0]
		}
	}
	return list, nil
}

// inherited are the waivers of all parents.
func (e *examining) inherited(ctx context.Context) ([]objects.Waiver, error) {
	list := slices.Clone(e.waivers)
	for _, id := range e.parents {
		c, err := e.commit(ctx, id)
		if err != nil {
			return nil, err
		}
		list = append(list, c.Waivers...)
	}
	return list, nil
}

// Waive is a wish to let the findings of a rule stand.
type Waive struct {
	Rule   dataset.Rule
	Reason string
}

// checkWaives fails for rules that there are not, before anything is read.
func checkWaives(wishes []Waive) error {
	for _, w := range wishes {
		if !slices.Contains(check.Rules, w.Rule) {
			return &UsageError{What: fmt.Sprintf("there is no rule %q to waive", w.Rule), Hint: "rules are " + ruleNames()}
		}
	}
	return nil
}

// waive covers findings by new waivers. Their rules were checked.
func (c *Consistency) waive(wishes []Waive) error {
	for _, w := range wishes {
		waiver, err := check.Waive(c.Report, w.Rule, w.Reason)
		switch {
		case errors.Is(err, check.ErrNothingToWaive):
			return &UsageError{What: fmt.Sprintf("nothing is found by the rule %s that no waiver covers", w.Rule), Hint: "leave out --waive"}
		case err != nil:
			return err
		}
		c.waivers = append(c.waivers, waiver)
	}
	return nil
}

func ruleNames() string {
	names := make([]string, len(check.Rules))
	for i, rule := range check.Rules {
		names[i] = string(rule)
	}
	return strings.Join(names, ", ")
}

// RefusedError refuses a commit for what the checks found. Nothing moved.
type RefusedError struct{ *Consistency }

func (e *RefusedError) Error() string {
	var parts []string
	for _, c := range e.Report.Rules {
		if open := c.Findings - c.Waived; c.Level == dataset.Error && open > 0 {
			parts = append(parts, fmt.Sprintf("%s (%d)", c.Rule, open))
		}
	}
	slices.Sort(parts)
	return "the data break the rules of mlvc.toml: " + strings.Join(slices.Compact(parts), ", ")
}
