package core

import (
	"context"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// CheckResult is what the checks found.
type CheckResult struct {
	// Commit is what was looked at; zero: the working tree as a commit would
	// record it.
	Commit objects.ID `json:"commit,omitzero"`
	*Consistency
	// Waivers are those that hold.
	Waivers []WaiverInfo `json:"waivers,omitempty"`
	tree    objects.ID
}

// WaiverInfo is a waiver that holds.
type WaiverInfo struct {
	Rule     dataset.Rule `json:"rule"`
	Reason   string       `json:"reason"`
	Findings []string     `json:"findings"` // their IDs
}

// NoRulesError is for a dataset without [splits] and [checks].
type NoRulesError struct{ Rev string } // empty: the working tree

func (e *NoRulesError) Error() string {
	if e.Rev == "" {
		return RulesFile + " has neither [splits] nor [checks]"
	}
	return RulesFile + " of " + e.Rev + " has neither [splits] nor [checks]"
}

// Check holds a commit to its own rules or, with an empty revision, the working
// tree to what its mlvc.toml says, as the next commit would. That stores what
// it reads, so that the commit need not, and takes the writer lock. Findings
// are no error.
func (r *Repo) Check(ctx context.Context, rev string) (CheckResult, error) {
	if rev == "" {
		return r.checkWorking(ctx)
	}
	t, err := r.Resolve(ctx, rev)
	if err != nil {
		return CheckResult{}, err
	}
	c, err := r.commit(ctx, t.ID)
	if err != nil {
		return CheckResult{}, err
	}
	res := CheckResult{Commit: t.ID, tree: c.Tree}
	e, err := r.examineCommit(ctx, c)
	if err != nil {
		return res, err
	}
	if e.rules.Splits == nil && e.rules.Checks == nil {
		return res, &NoRulesError{Rev: rev}
	}
	e.waivers = c.Waivers
	res.Consistency, err = e.run(ctx)
	res.setWaivers()
	return res, err
}

// examineCommit prepares to hold a commit to its own rules. What it says of
// drawn samples stands.
func (r *Repo) examineCommit(ctx context.Context, c objects.Commit) (*examining, error) {
	rules, err := r.rulesOf(ctx, c.Tree)
	return &examining{
		Repo: r, nodes: newOverlay(r.store), rules: rules, tree: c.Tree,
		prior: c.Splits, priorTree: c.Tree, parents: c.Parents,
	}, err
}

func (res *CheckResult) setWaivers() {
	if res.Consistency == nil {
		return
	}
	res.Waivers = waiverInfos(res.waivers)
}

func waiverInfos(waivers []objects.Waiver) []WaiverInfo {
	var list []WaiverInfo
	for _, w := range waivers {
		list = append(list, WaiverInfo{dataset.Rule(w.Rule), w.Reason, w.Findings})
	}
	return list
}

// checkWorking does what a commit does, up to where it would be made.
func (r *Repo) checkWorking(ctx context.Context) (res CheckResult, err error) {
	rules, err := r.commitRules()
	if err != nil {
		return res, err
	}
	if rules.Splits == nil && rules.Checks == nil {
		return res, &NoRulesError{}
	}
	err = r.onWorking(ctx, "check", rules, func(c *committing, commit *objects.Commit) (err error) {
		res.tree = commit.Tree
		res.Consistency, err = c.examine(ctx, commit, rules)
		return err
	})
	res.setWaivers()
	return res, err
}

// onWorking reads the working tree as a commit does, and calls do with what
// the commit would be so far: its tree and its parents. What was read is kept.
func (r *Repo) onWorking(ctx context.Context, verb string, rules Rules, do func(c *committing, commit *objects.Commit) error) (err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, s.end()) }()
	if err := s.refuseUnfinished(ctx, verb); err != nil {
		return err
	}
	c := &committing{session: s, rules: rules, opt: CommitOptions{SkipUnreadable: true, AllowMoving: true}}
	return c.look(ctx, do)
}

// look reads the working tree into a tree.
func (c *committing) look(ctx context.Context, do func(c *committing, commit *objects.Commit) error) error {
	snap, err := c.openSnapshot(ctx, snapshotOptions{Rules: c.rules, SkipUnreadable: true, AllowMoving: true})
	if err != nil {
		return err
	}
	c.snap = snap
	defer snap.close()
	if !c.head.Commit.IsZero() {
		if err := snap.scan(ctx); err != nil {
			return err
		}
	}
	choice := kindChoice{Kind: objects.Incremental, Base: c.head.Commit}
	if c.head.Commit.IsZero() {
		choice = kindChoice{Kind: objects.Full}
	}
	if err := c.read(ctx, choice); err != nil {
		return err
	}
	commit := objects.Commit{Tree: snap.tree}
	if !c.head.Commit.IsZero() {
		commit.Parents = []objects.ID{c.head.Commit}
	}
	if err := do(c, &commit); err != nil {
		return err
	}
	if err := c.store.Sync(ctx); err != nil {
		return err
	}
	snap.keep()
	return nil
}
