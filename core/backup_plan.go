package core

import (
	"context"
	"slices"
	"time"

	"github.com/mlvc/mlvc/core/backupplan"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
)

// BackupPlanOptions say which history is planned for, and with what.
type BackupPlanOptions struct {
	// Rev is the commit whose first-parent history is backed up; empty: HEAD.
	Rev string
	// Horizon is how many commits are to come.
	Horizon int
	// FullEvery begins a new chain after so many sets. 0: after max_chain of
	// mlvc.toml.
	FullEvery int
	// KeepFull keeps the newest fulls and what stands on them; 0: everything.
	KeepFull int
	// Parity is as in "10+1", or ParityOff; empty: the default.
	Parity string
	// Rate is that of the destination, bytes a second. 0: it is measured at
	// Place, or assumed.
	Rate float64
	// Place is a URL or an absolute path.
	Place string
}

// AssumedRate is what a plan takes where nothing is said, in bytes a second:
// that of a hard disk, or of a network of 1 Gbit/s.
const AssumedRate = 100e6

// BackupPlan computes what each strategy of backup would have cost over a
// history. It takes no lock. It reads what every commit changed, and holds at
// most about a million IDs: with more than that it goes through the history
// several times, each time for a part of all IDs. Contents that are not here
// count as what they are before compression.
func (r *Repo) BackupPlan(ctx context.Context, opt BackupPlanOptions) (backupplan.Plan, error) {
	parity, name, err := parityShare(opt.Parity)
	if err != nil {
		return backupplan.Plan{}, err
	}
	if opt.Horizon < 0 || opt.FullEvery < 0 || opt.KeepFull < 0 || opt.Rate < 0 {
		return backupplan.Plan{}, &UsageError{What: "a plan is made of numbers that are not negative", Hint: "mlvc backup plan --help"}
	}
	rules, err := r.Rules()
	if err != nil {
		return backupplan.Plan{}, err
	}
	line, err := r.firstParentLine(ctx, opt.Rev)
	if err != nil {
		return backupplan.Plan{}, err
	}
	rate, rateIs, err := r.planRate(ctx, opt)
	if err != nil {
		return backupplan.Plan{}, err
	}
	if opt.FullEvery == 0 {
		opt.FullEvery = rules.Kinds.MaxChain
	}
	commits, err := r.weighLine(ctx, line)
	if err != nil {
		return backupplan.Plan{}, err
	}
	plan, err := backupplan.Make(backupplan.History{Commits: commits, Differs: r.differing(ctx, line)}, backupplan.Options{
		Horizon: opt.Horizon, FullEvery: opt.FullEvery, KeepFull: opt.KeepFull, Rate: rate, Parity: parity,
		Choose: func(f backupplan.Facts) objects.CommitKind { return chooseSet(rules.Kinds, f) },
	})
	plan.RateIs, plan.Parity = rateIs, name
	return plan, err
}

// parityShare reads a parity: the bytes of it for a byte of a pack.
func parityShare(word string) (share float64, name string, err error) {
	scheme, err := parseParity(word)
	if err != nil {
		return 0, "", &UsageError{What: err.Error(), Hint: "mlvc backup plan --parity 10+2"}
	}
	if scheme == nil {
		return 0, ParityOff, nil
	}
	return float64(scheme.Parity) / float64(scheme.Data), scheme.String(), nil
}

// chooseSet decides as a commit does.
func chooseSet(rules KindRules, f backupplan.Facts) objects.CommitKind {
	// Of the IDs only whether they are there and the same is looked at.
	full, parent := objects.ID{1}, objects.ID{1}
	if f.ChainLen > 0 {
		parent = objects.ID{2}
	}
	return chooseKind(KindAuto, kindFacts{
		Rules: rules, Now: f.Now, Parent: parent, Full: full, FullBytes: f.FullBytes, FullTime: f.FullTime,
		ChainLen: f.ChainLen, ChainBytes: f.ChainBytes, Incremental: f.Incremental, Differential: f.Differential,
	}).Kind
}

// lineCommit is a commit of a first-parent history: what a plan needs of it.
type lineCommit struct {
	id, tree objects.ID
	parents  []objects.ID
	time     time.Time
	files    int64
	bytes    int64
}

// firstParentLine reads a history by first parents, oldest first.
func (r *Repo) firstParentLine(ctx context.Context, rev string) ([]lineCommit, error) {
	if rev == "" {
		rev = "HEAD"
	}
	t, err := r.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	var line []lineCommit
	for c, err := range history.FirstParents(ctx, r.store, t.ID) {
		if err != nil {
			return nil, err
		}
		line = append(line, lineCommit{
			id: c.ID, tree: c.Tree, parents: c.Parents, time: c.Time,
			files: c.Delta.Files, bytes: c.Delta.Bytes,
		})
	}
	slices.Reverse(line)
	return line, nil
}

// differing says how much one commit of a line has beyond another. It remembers
// what it said: commits to come are asked about by the same few pairs.
func (r *Repo) differing(ctx context.Context, line []lineCommit) func(full, i int) (int64, error) {
	known := make(map[[2]int]int64)
	return func(full, i int) (int64, error) {
		if n, ok := known[[2]int{full, i}]; ok || full == i {
			return n, nil
		}
		d, err := r.summary(ctx, line[full].tree, line[i].tree)
		if err != nil {
			return 0, err
		}
		known[[2]int{full, i}] = d.AddedBytes + d.ChangedBytes
		return known[[2]int{full, i}], nil
	}
}
