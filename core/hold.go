package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
)

// hold holds a commit that is about to be made to the rules, whatever makes it,
// and notes its splits and waivers in it. A *RefusedError refuses it.
func (s *session) hold(ctx context.Context, c *objects.Commit, rules Rules, wishes []Waive) (*Consistency, error) {
	if rules.Splits == nil && rules.Checks == nil {
		if len(wishes) > 0 {
			return nil, &UsageError{What: RulesFile + " has no [splits], so nothing is checked", Hint: "leave out --waive"}
		}
		return nil, nil
	}
	res, err := s.examine(ctx, c, rules)
	if err != nil {
		return nil, err
	}
	if err := res.waive(wishes); err != nil {
		return res, err
	}
	c.Splits, c.Waivers = res.splits, res.waivers
	if res.Report.Refused() {
		return res, &RefusedError{res}
	}
	s.warnOf(res.Report)
	return res, nil
}

// note notes in a commit that history already made what its own mlvc.toml says
// of splits. Nothing is checked; rules that cannot be followed are warned of.
func (s *session) note(ctx context.Context, c *objects.Commit) error {
	rules, err := s.rulesOf(ctx, c.Tree)
	if err == nil && rules.Splits != nil {
		e := &examining{Repo: s.Repo, nodes: s.store, rules: rules, tree: c.Tree, parents: c.Parents}
		c.Splits, err = e.divide(ctx, s)
	}
	return s.unruled(err)
}

// unruled makes a warning of rules that cannot be followed.
func (s *session) unruled(err error) error {
	bad, ok := errors.AsType[*RulesError](err)
	if !ok {
		return err
	}
	s.env.Events.Warn(Warning{Code: "rules", Message: "splits are not recorded: " + bad.Error()})
	return nil
}

// divide applies the schemes alone.
func (e *examining) divide(ctx context.Context, s *session) ([]objects.Split, error) {
	if err := e.inherit(ctx, s); err != nil {
		return nil, err
	}
	if err := e.open(); err != nil {
		return nil, err
	}
	defer e.facts.Close() //nolint:errcheck // facts may be lost
	for _, scheme := range e.schemes {
		if _, err := e.apply(ctx, scheme); err != nil {
			return nil, err
		}
	}
	return e.res.splits, nil
}

// report tells what the checks find in a commit that was made without them.
func (s *session) report(ctx context.Context, c *objects.Commit) error {
	rules, err := s.rulesOf(ctx, c.Tree)
	if err != nil || rules.Splits == nil && rules.Checks == nil {
		return s.unruled(err)
	}
	res, err := s.examine(ctx, c, rules)
	if err == nil {
		s.warnOf(res.Report)
	}
	return s.unruled(err)
}

// examine holds a commit that is about to be made to the rules, and says what
// was found.
func (s *session) examine(ctx context.Context, c *objects.Commit, rules Rules) (*Consistency, error) {
	e := &examining{Repo: s.Repo, nodes: s.store, rules: rules, tree: c.Tree, parents: c.Parents}
	if err := e.inherit(ctx, s); err != nil {
		return nil, err
	}
	res, err := e.run(ctx)
	if err == nil {
		err = e.warnings(ctx)
	}
	return res, err
}

// inherit makes the splits of the parents the prior; of two parents they are
// merged.
func (e *examining) inherit(ctx context.Context, s *session) error {
	if len(e.parents) == 0 {
		return nil
	}
	ours, err := e.commit(ctx, e.parents[0])
	if err != nil {
		return err
	}
	e.prior, e.priorTree = ours.Splits, ours.Tree
	for _, id := range e.parents[1:] {
		if e.prior, err = s.mergeSplits(ctx, e.parents[0], id, e.prior); err != nil {
			return err
		}
		// What was derived belongs to the table of one side.
		e.priorTree = objects.ID{}
	}
	return nil
}

// mergeSplits merges the split tables of two commits against their base.
// Where both sides assigned the same new sample differently ours stands: the
// checks look at the outcome as at any other.
func (s *session) mergeSplits(ctx context.Context, oursID, theirsID objects.ID, ours []objects.Split) ([]objects.Split, error) {
	theirs, err := s.commit(ctx, theirsID)
	if err != nil {
		return nil, err
	}
	base, _, err := history.MergeBase(ctx, s.store, oursID, theirsID)
	if err != nil {
		return nil, err
	}
	var merged []objects.Split
	for _, scheme := range schemeNames(ours, theirs.Splits) {
		mine := splitOf(ours, scheme)
		one, _, err := split.Merge(ctx, s.store, splitOf(base.Splits, scheme), mine, splitOf(theirs.Splits, scheme))
		if _, both := errors.AsType[*split.RuleConflictError](err); both {
			one, err = mine, nil // the rule of the merged mlvc.toml assigns what is not in it
		}
		if err != nil {
			return nil, err
		}
		if one != nil {
			merged = append(merged, *one)
		}
	}
	return merged, nil
}

// schemeNames are the schemes of some lists of splits, each once.
func schemeNames(lists ...[]objects.Split) []string {
	var names []string
	seen := map[string]bool{}
	for _, list := range lists {
		for _, s := range list {
			if !seen[s.Scheme] {
				seen[s.Scheme] = true
				names = append(names, s.Scheme)
			}
		}
	}
	return names
}

// warnOf tells what rules found that does not refuse the commit.
func (r *Repo) warnOf(report *dataset.Report) {
	for _, c := range report.Rules {
		if open := c.Findings - c.Waived; open > 0 {
			scheme := ""
			if c.Scheme != "" && c.Scheme != split.Default {
				scheme = " of scheme " + c.Scheme
			}
			r.env.Events.Warn(Warning{Code: "check_" + string(c.Rule), Message: fmt.Sprintf("%s%s: %s%s", c.Rule, scheme, unreadText[c.Rule], firstOf(report, c))})
		}
	}
	if n := len(report.Unread); n > 0 && !told(report, dataset.RuleReadable) {
		u := report.Unread[0]
		text := u.Path + ": " + u.Why
		if u.Place != "" {
			text = u.Path + ": " + u.Place + ": " + u.Why
		}
		if n > 1 {
			text += fmt.Sprintf(" (and %d more)", n-1)
		}
		r.env.Events.Warn(Warning{Code: "check_unread", Message: unreadText[dataset.RuleReadable] + text})
	}
}

// unreadText introduces what cannot be read: its findings name it alone.
var unreadText = map[dataset.Rule]string{dataset.RuleReadable: "not checked, for it cannot be read: "}

// told reports whether a rule was looked at and found something: it is told of,
// or a waiver lets it stand.
func told(report *dataset.Report, rule dataset.Rule) bool {
	return slices.ContainsFunc(report.Rules, func(c dataset.Checked) bool { return c.Rule == rule && c.Findings > 0 })
}

// firstOf is the first finding of a rule that no waiver covers, and how many
// there are.
func firstOf(report *dataset.Report, c dataset.Checked) string {
	for _, f := range report.Findings {
		if f.Rule == c.Rule && f.Scheme == c.Scheme && f.Waived == "" {
			if more := c.Findings - c.Waived - 1; more > 0 {
				return fmt.Sprintf("%s (and %d more)", f.Message, more)
			}
			return f.Message
		}
	}
	return count(int(c.Findings-c.Waived), "finding", "findings")
}

// rulesOf reads the mlvc.toml of a tree, for a verb that holds no lock.
func (r *Repo) rulesOf(ctx context.Context, tree objects.ID) (Rules, error) {
	return r.readRulesOf(ctx, tree, r.bring)
}

// rulesOf reads the mlvc.toml of a tree.
func (s *session) rulesOf(ctx context.Context, tree objects.ID) (Rules, error) {
	return s.readRulesOf(ctx, tree, s.bring)
}

func (r *Repo) readRulesOf(ctx context.Context, tree objects.ID, bring func(context.Context, entries) error) (Rules, error) {
	e, ok, err := r.lookUp(ctx, tree, RulesFile)
	if err != nil || !ok {
		return DefaultRules(), err
	}
	if err := bring(ctx, oneEntry(e)); err != nil {
		return Rules{}, err
	}
	var text bytes.Buffer
	if err := content.Read(ctx, r.store, e, &text, 1); err != nil {
		return Rules{}, err
	}
	return ParseRules(text.Bytes())
}
