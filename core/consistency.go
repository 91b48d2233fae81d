package core

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/facts"
	"github.com/mlvc/mlvc/core/dataset/similar"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
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

// treeFacts is how many bytes the facts of trees of one kind may take before
// those that no run asks for go. Ten bytes a file are usual, so that a million
// files keep what belongs to the last two or three commits.
const treeFacts = 32 << 20

// openFacts opens the cache of facts. What it keeps is lost without harm, so
// that an error of closing it says nothing.
func (r *Repo) openFacts() *facts.Cache {
	c := facts.Open(r.env.FS, r.factsPath())
	for _, kind := range append([]string{factSplit}, check.TreeKinds...) {
		c.Limit(kind, treeFacts)
	}
	return c
}

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
	if cs.Earlier, err = e.earlier(ctx, s, assigned.Split); err != nil {
		return err
	}
	in.Schemes = append(in.Schemes, cs)
	return nil
}
