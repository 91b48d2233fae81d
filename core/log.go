package core

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/mlvc/mlvc/core/dataset/facts"
	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// LogOptions say which commits are listed.
type LogOptions struct {
	// Revs are where the log begins; "A..B" is B without what A reaches, "^A"
	// leaves out what A reaches. Empty: HEAD.
	Revs []string
	// All begins at every branch, tag, remote branch and model, and HEAD.
	All bool
	// Paths lists only commits that changed one of these files and folders,
	// relative to the root, beyond every parent.
	Paths []string
	// Limit is the most commits that are listed; 0: all.
	Limit int
	// Since and Until, if not zero, list commits of that time alone.
	Since, Until time.Time
	FirstParent  bool
	// Graph draws the lines beside the log.
	Graph bool
	// Git finds the git commit that goes with each commit: the first whose
	// pointer names it.
	Git bool
}

// Person is who made a commit.
type Person struct {
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
}

// LogEntry is one commit of a log. Delta is what it changed beyond its first
// parent, with the totals of its tree.
type LogEntry struct {
	ID      objects.ID         `json:"id"`
	Parents []objects.ID       `json:"parents"`
	Kind    objects.CommitKind `json:"kind"`
	Base    objects.ID         `json:"base,omitzero"`
	Tree    objects.ID         `json:"tree"`
	Author  Person             `json:"author"`
	Time    time.Time          `json:"time"`
	Message string             `json:"message"`
	Meta    map[string]string  `json:"meta"`
	objects.Delta
	// Held is what the commit holds beyond its base; of a full, everything.
	Held objects.Delta `json:"held"`
	// Moving are paths that were changing while they were recorded.
	Moving []string `json:"moving,omitempty"`
	// Git is the state of git beside which the commit was made.
	Git *GitRecord `json:"git,omitempty"`
	// GitCommit is the git commit that goes with it, where that was asked for
	// (log --git): the first whose pointer names it.
	GitCommit string `json:"git_commit,omitempty"`
	// Models are those that the commit was made with (commit --model).
	Models []string `json:"models,omitempty"`
	// Waivers are what lets findings of the checks stand in the commit, its own
	// and those that it inherited.
	Waivers []WaiverInfo `json:"waivers,omitempty"`
	// Splits are those that the commit has, with their sizes where these are
	// at hand.
	Splits []CommitScheme `json:"splits,omitempty"`
	// Names are the branches, tags and remote branches that stand here, the
	// models whose data it is, and HEAD before all others.
	Names []refs.Name `json:"names,omitempty"`
	// HeadBranch is the branch that HEAD is attached to, where HEAD is here.
	HeadBranch refs.Name `json:"head_branch,omitempty"`

	Graph  LogGraph       `json:"-"`
	Commit objects.Commit `json:"-"` // as it is stored
}

// GitRecord is the state of a git repository when a commit was made.
type GitRecord struct {
	Revision string `json:"revision"` // the parent of the git commit to come; empty: there was none
	Branch   string `json:"branch,omitempty"`
	Remote   string `json:"remote,omitempty"`
	Dirty    bool   `json:"dirty"` // tracked files differed from it
}

func gitRecord(g *objects.Git) *GitRecord {
	if g == nil {
		return nil
	}
	return &GitRecord{g.Revision, g.Branch, g.Remote, g.Dirty}
}

// LogGraph is what is drawn beside one commit.
type LogGraph struct {
	Before []string // lines of their own, before the commit
	history.Rows
}

// Log lists commits, children before parents and otherwise newest first. It
// takes no lock, and reads commits as they are asked for. On a branch without
// commits there are none.
func (r *Repo) Log(ctx context.Context, opt LogOptions) iter.Seq2[LogEntry, error] {
	return func(yield func(LogEntry, error) bool) {
		l, err := r.newLog(ctx, opt)
		if err == nil {
			err = l.each(ctx, func(e LogEntry) bool { return yield(e, nil) })
		}
		if err != nil {
			yield(LogEntry{}, err)
		}
	}
}

// logging is one log being made.
type logging struct {
	repo   *Repo
	opt    LogOptions
	ranges ranges
	tips   []objects.ID
	hide   []objects.ID
	names  *decorations
	graph  history.Graph
	git    *gitpair.History // nil: not asked for
	before []string         // rows to draw before the next entry
	facts  *facts.Cache
}

func (r *Repo) newLog(ctx context.Context, opt LogOptions) (*logging, error) {
	op, view, h, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	l := &logging{repo: r, opt: opt, facts: r.openFacts()}
	if opt.Git {
		if l.git, err = r.gitHistory(ctx); err != nil {
			return nil, err
		}
	}
	if l.names, err = r.decorate(ctx, view, h); err != nil {
		return nil, err
	}
	if l.ranges, err = rangesOf(opt.Paths); err != nil {
		return nil, err
	}
	for _, rev := range opt.Revs {
		if err := l.begin(ctx, op, rev); err != nil {
			return nil, err
		}
	}
	if opt.All {
		l.tips = append(l.tips, l.names.commits...)
	}
	if len(l.tips) == 0 && !opt.All && !h.Commit.IsZero() {
		l.tips = []objects.ID{h.Commit}
	}
	return l, nil
}

// begin adds what one revision shows or hides.
func (l *logging) begin(ctx context.Context, op objects.ID, rev string) error {
	from, to, isRange, err := revision.ParseRange(rev)
	if err != nil {
		return err
	}
	shown, hidden := rev, ""
	if isRange {
		shown, hidden = to.String(), from.String()
	} else if not, ok := strings.CutPrefix(rev, "^"); ok {
		shown, hidden = "", not
	}
	if shown != "" {
		s, err := l.repo.side(ctx, op, shown)
		if err != nil {
			return err
		}
		l.tips = append(l.tips, s.Commit)
	}
	if hidden != "" {
		s, err := l.repo.side(ctx, op, hidden)
		if err != nil {
			return err
		}
		l.hide = append(l.hide, s.Commit)
	}
	return nil
}

func (l *logging) each(ctx context.Context, yield func(LogEntry) bool) error {
	n := 0
	opt := history.Options{Hide: l.hide, FirstParent: l.opt.FirstParent}
	for c, err := range history.Walk(ctx, l.repo.store, l.tips, opt) {
		if err != nil {
			return err
		}
		parents := c.Parents
		if l.opt.FirstParent && len(parents) > 1 {
			parents = parents[:1]
		}
		wanted, err := l.wants(ctx, c, parents)
		if err != nil {
			return err
		}
		if !wanted {
			if l.opt.Graph {
				l.before = append(l.before, l.graph.Skip(c.ID, parents)...)
			}
			continue
		}
		e := l.names.entry(c)
		e.Splits = l.repo.knownSplits(c.Commit, l.facts)
		if l.git != nil {
			e.GitCommit, _ = l.git.FirstNaming(c.ID)
		}
		if l.opt.Graph {
			e.Graph = LogGraph{Before: l.before, Rows: l.graph.Next(c.ID, parents)}
			l.before = nil
		}
		if n++; !yield(e) || n == l.opt.Limit {
			return nil
		}
	}
	return nil
}

// wants reports whether a commit is listed.
func (l *logging) wants(ctx context.Context, c history.Commit, parents []objects.ID) (bool, error) {
	if !l.opt.Since.IsZero() && c.Time.Before(l.opt.Since) || !l.opt.Until.IsZero() && c.Time.After(l.opt.Until) {
		return false, nil
	}
	if len(l.opt.Paths) == 0 {
		return true, nil
	}
	if len(parents) == 0 {
		return l.repo.differsIn(ctx, objects.ID{}, c.Tree, l.ranges)
	}
	for _, id := range parents {
		tree, err := l.repo.treeOf(ctx, id)
		if err != nil {
			return false, err
		}
		differs, err := l.repo.differsIn(ctx, tree, c.Tree, l.ranges)
		if err != nil || !differs {
			return false, err
		}
	}
	return true, nil
}

// decorations are the names that stand on commits.
type decorations struct {
	names   map[objects.ID][]refs.Name
	commits []objects.ID // that have names, in the order of those
	head    head
}

// decorate reads the names of a view that people give: those of git's commits
// are left out, and models stand on their data.
func (r *Repo) decorate(ctx context.Context, view refs.View, h head) (*decorations, error) {
	d := &decorations{names: make(map[objects.ID][]refs.Name), head: h}
	if !h.Commit.IsZero() {
		d.add(h.Commit, refs.HEAD)
	}
	for _, space := range []string{refs.Branches, refs.Tags, refs.Remotes} {
		for ref, err := range view.List(ctx, space) {
			if err != nil {
				return nil, err
			}
			d.add(ref.Value.Commit, ref.Name)
		}
	}
	for model, err := range r.peelModels(ctx, view) {
		if err != nil {
			return nil, err
		}
		d.add(model.data, model.Name)
	}
	return d, nil
}

func (d *decorations) add(id objects.ID, name refs.Name) {
	if len(d.names[id]) == 0 {
		d.commits = append(d.commits, id)
	}
	d.names[id] = append(d.names[id], name)
}

// entry makes the entry of a commit.
func (d *decorations) entry(c history.Commit) LogEntry {
	e := LogEntry{
		ID: c.ID, Parents: c.Parents, Kind: c.Kind, Base: c.Base, Tree: c.Tree,
		Author: Person(c.Author), Time: c.Time, Message: c.Message, Meta: c.Meta,
		Delta: c.Changes(), Held: c.Commit.Delta, Moving: paths(c.Moving), Waivers: waiverInfos(c.Waivers),
		Names: d.names[c.ID], Models: c.Models, Commit: c.Commit, Git: gitRecord(c.Git),
	}
	if e.Parents == nil {
		e.Parents = []objects.ID{}
	}
	if e.Meta == nil {
		e.Meta = map[string]string{}
	}
	if c.ID == d.head.Commit {
		e.HeadBranch = d.head.Branch
	}
	return e
}

func paths(list []cbor.ByteString) []string {
	var text []string
	for _, p := range list {
		text = append(text, string(p))
	}
	return text
}
