package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// AssignOptions say which schemes are assigned.
type AssignOptions struct {
	Scheme string // empty: all, or with an edit the default one
	// Edit is made in mlvc.toml before.
	Edit SchemeEdit
}

// AssignedScheme is what the next commit would record of a scheme.
type AssignedScheme struct {
	SplitScheme
	Diff SchemeDiff `json:"diff"` // from the last commit
	// Broken are frozen splits that would change: the commit is refused.
	Broken []string         `json:"broken,omitempty"`
	Unread []dataset.Unread `json:"unread,omitempty"`
}

// AssignResult is what the next commit would record of splits.
type AssignResult struct {
	Head    objects.ID       `json:"head,omitzero"`    // zero: no commit yet
	Edited  string           `json:"edited,omitempty"` // the scheme that was changed in mlvc.toml
	Schemes []AssignedScheme `json:"schemes"`
}

// AssignSplits says what the next commit would record of the splits of the
// working tree, as mlvc.toml has them, after an edit of it if one is given. It
// stores what it reads, so that the commit need not, and takes the writer lock.
// Nothing else changes: drawn samples are drawn the same way by the commit.
func (r *Repo) AssignSplits(ctx context.Context, opt AssignOptions) (AssignResult, error) {
	res := AssignResult{Schemes: []AssignedScheme{}}
	if !opt.Edit.isZero() {
		if opt.Scheme == "" {
			opt.Scheme = split.Default
		}
		changed, err := r.editScheme(opt.Scheme, opt.Edit)
		if err != nil {
			return res, err
		}
		if changed {
			res.Edited = opt.Scheme
		}
	}
	rules, err := r.commitRules()
	if err != nil {
		return res, err
	}
	if err := r.hasScheme(rules, opt.Scheme); err != nil {
		return res, err
	}
	err = r.onWorking(ctx, "split assign", rules, func(c *committing, commit *objects.Commit) error {
		res.Head = c.head.Commit
		return c.assignSchemes(ctx, commit, rules, opt.Scheme, &res)
	})
	return res, err
}

// hasScheme fails where there are no schemes, or not that one.
func (r *Repo) hasScheme(rules Rules, name string) error {
	schemes, err := rules.schemes()
	if err != nil {
		return err
	}
	if len(schemes) == 0 {
		return &NoSplitRulesError{}
	}
	e := &NoSplitError{Where: RulesFile, Scheme: name}
	for _, s := range schemes {
		if name == "" || s.Name == name {
			return nil
		}
		e.Have = append(e.Have, SplitName{Scheme: s.Name})
	}
	return e
}

// NoSplitRulesError is for a working mlvc.toml without [splits].
type NoSplitRulesError struct{}

func (e *NoSplitRulesError) Error() string { return RulesFile + " has no [splits]" }

// editScheme changes one scheme in the working mlvc.toml, and reports whether
// that made a difference.
func (r *Repo) editScheme(scheme string, e SchemeEdit) (bool, error) {
	rules, err := r.Rules()
	if err != nil {
		return false, err
	}
	if rules.Away {
		return false, &RulesAwayError{Root: r.root}
	}
	file := filepath.Join(r.root, RulesFile)
	text, err := vfs.ReadFile(r.env.FS, file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if e.Redraw {
		if err := redraws(rules, scheme, e); err != nil {
			return false, err
		}
	}
	edited, err := EditScheme(text, scheme, e)
	if err != nil || string(edited) == string(text) {
		return false, err
	}
	return true, vfs.WriteFile(r.env.FS, file, edited, 0o666)
}

// redraws refuses to draw anew what is not drawn.
func redraws(rules Rules, scheme string, e SchemeEdit) error {
	schemes, err := rules.schemes()
	if err != nil || len(e.Ratios) > 0 || e.Folds > 0 {
		return err
	}
	for _, s := range schemes {
		if s.Name == scheme && s.Draws() {
			return nil
		}
	}
	return &UsageError{
		What: fmt.Sprintf("the scheme %s of %s does not draw its samples", scheme, RulesFile),
		Hint: "--redraw is for schemes with ratios or folds; leave it out",
	}
}

// assignSchemes applies the schemes to a tree that is about to be committed.
func (c *committing) assignSchemes(ctx context.Context, commit *objects.Commit, rules Rules, only string, res *AssignResult) error {
	e := &examining{
		Repo: c.Repo, nodes: c.store, rules: rules, tree: commit.Tree, parents: commit.Parents,
		files: samples{c.Repo, commit.Tree, c.linksOver(c.store)}, facts: c.openFacts(),
	}
	defer e.facts.Close() //nolint:errcheck // facts may be lost
	if err := e.inherit(ctx, c.session); err != nil {
		return err
	}
	var err error
	if e.schemes, err = rules.schemes(); err != nil {
		return err
	}
	for _, s := range e.schemes {
		if only != "" && s.Name != only {
			continue
		}
		one, err := e.assigned(ctx, s)
		if err != nil {
			return err
		}
		res.Schemes = append(res.Schemes, one)
	}
	return nil
}

// assigned applies one scheme, and compares it with the parent's.
func (e *examining) assigned(ctx context.Context, s split.Scheme) (AssignedScheme, error) {
	a, err := e.assign(ctx, s)
	if err != nil {
		return AssignedScheme{}, err
	}
	counts := splitCounts{Counts: a.Counts, Samples: a.Samples, Uncovered: a.Found[dataset.RuleCovered]}
	one := AssignedScheme{SplitScheme: counts.scheme(s, a.Split), Unread: a.Unread}
	before := schemeSide{e.files.of(e.priorTree), splitOf(e.prior, s.Name)}
	one.Diff, err = diffScheme(ctx, before, schemeSide{e.files, &a.Split})
	if before.split != nil {
		for _, name := range one.Diff.Fingerprints {
			if was, held := before.split.Fingerprints[name]; held && slices.Contains(s.Frozen, name) && was != (&split.Sum{}).Fingerprint() {
				one.Broken = append(one.Broken, name)
			}
		}
	}
	return one, err
}
