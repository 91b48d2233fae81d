package core

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// MergeOptions say what is merged, and how conflicts are settled.
type MergeOptions struct {
	Rev     string
	Message string // empty: "merge REV"
	// KeepBoth keeps ours under its name and writes theirs as NAME.theirs.EXT.
	KeepBoth bool
	// Ours and Theirs are files and folders whose conflicts that side wins.
	Ours, Theirs []string
	// FFOnly refuses anything but moving forward, NoFF makes a merge commit
	// even where moving forward would do.
	FFOnly, NoFF bool
	// Base, if not empty, brings only what Rev has beyond it: the commit that is
	// made has one parent, as that of git's cherry-pick.
	Base string
	// Unrelated allows histories that have no commit in common.
	Unrelated   bool
	Force       bool
	SkipDamaged bool
	// Waive lets findings of the checks on the merge commit stand.
	Waive []Waive
}

// MergeResult is what a merge did.
type MergeResult struct {
	Base        objects.ID `json:"base,omitzero"` // the common ancestor
	Theirs      objects.ID `json:"theirs"`
	UpToDate    bool       `json:"up_to_date,omitempty"`
	FastForward bool       `json:"fast_forward,omitempty"`
	Merge       objects.ID `json:"merge,omitzero"` // the merge commit
	// Settled are the first conflicts that the options settled.
	Settled []Conflict    `json:"settled,omitempty"`
	Changes objects.Delta `json:"changes"` // beyond the first parent
	CheckoutResult
}

var (
	// ErrUnrelated is for two histories without a common commit.
	ErrUnrelated = errors.New("the histories have no commit in common")
	// ErrNotForward is for a merge that may only move forward and cannot.
	ErrNotForward = errors.New("the histories have parted, so the branch cannot simply move forward")
)

// Merge brings what another commit has into the current branch. Where HEAD is
// an ancestor the branch moves forward; else the trees are merged three-way
// against the newest common ancestor, and a commit with both as parents is
// made. Conflicts that the options do not settle are a *ConflictError, and
// nothing has changed. The working tree follows under the rules of a checkout.
func (r *Repo) Merge(ctx context.Context, opt MergeOptions) (res MergeResult, err error) {
	if err := checkWaives(opt.Waive); err != nil {
		return res, err
	}
	s, err := r.begin(ctx)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, s.end()) }()
	target, err := s.resolveCommit(ctx, opt.Rev)
	if err != nil {
		return res, err
	}
	m := &merging{session: s, opt: opt, theirs: target.ID, goal: mergeGoal + target.ID.String()}
	m.res.Theirs = target.ID
	if opt.Base != "" {
		base, err := s.resolveCommit(ctx, opt.Base)
		if err != nil {
			return res, err
		}
		m.base, m.goal, s.settles = base.ID, m.goal+" beyond "+base.ID.String(), true
	}
	err = m.run(ctx)
	return m.res, err
}

// mergeGoal and the commit merged are the goal of a merge.
const mergeGoal = "merge of "

// merging is one merge.
type merging struct {
	*session
	opt    MergeOptions
	theirs objects.ID
	base   objects.ID // of opt.Base
	goal   string
	res    MergeResult
}

func (m *merging) run(ctx context.Context) error {
	earlier, err := m.earlierWork(ctx)
	if err != nil {
		return err
	}
	if earlier != nil && earlier.Goal != m.goal {
		return &UnfinishedError{Verb: "merge", Work: *earlier}
	}
	if earlier != nil {
		return m.resume(ctx, earlier)
	}
	if m.head.Commit.IsZero() {
		return m.forward(ctx)
	}
	if !m.base.IsZero() {
		m.res.Base = m.base
		tree, err := m.treeOf(ctx, m.base)
		if err != nil {
			return err
		}
		return m.merge(ctx, tree)
	}
	base, related, err := history.MergeBase(ctx, m.store, m.head.Commit, m.theirs)
	switch {
	case err != nil:
		return err
	case !related && !m.opt.Unrelated:
		return ErrUnrelated
	case related && base.ID == m.theirs:
		m.res.Base, m.res.UpToDate = base.ID, true
		m.res.setHead(m.head)
		return nil
	case related && base.ID == m.head.Commit && !m.opt.NoFF:
		m.res.Base = base.ID
		return m.forward(ctx)
	case m.opt.FFOnly:
		return ErrNotForward
	}
	m.res.Base = base.ID
	return m.merge(ctx, base.Tree)
}

// resume finishes a merge that was interrupted when all was decided.
func (m *merging) resume(ctx context.Context, earlier *Unfinished) error {
	for _, move := range earlier.Moves {
		if move.New == m.theirs {
			m.res.FastForward = true
		} else if !move.New.IsZero() {
			m.res.Merge = move.New
		}
	}
	return m.take(ctx, *earlier, objects.ID{}) // what it leads to was decided
}

func (m *merging) forward(ctx context.Context) error {
	if len(m.opt.Waive) > 0 {
		return &UsageError{
			What: "moving forward makes no commit that a waiver could be kept with",
			Hint: "leave out --waive, or make a merge commit by --no-ff",
		}
	}
	m.res.FastForward = true
	return m.advance(ctx, m.theirs)
}

// advance carries files and names to a commit.
func (m *merging) advance(ctx context.Context, id objects.ID) error {
	c, err := m.commit(ctx, id)
	if err != nil {
		return err
	}
	moves, err := m.advanceTo(ctx, id)
	if err != nil {
		return err
	}
	if m.res.Changes, err = m.summary(ctx, m.head.Tree, c.Tree); err != nil {
		return err
	}
	return m.take(ctx, Unfinished{
		Verb: "merge", Goal: m.goal, From: m.head.Tree, To: c.Tree, Moves: unfinishedMoves(moves),
	}, id)
}

func (m *merging) take(ctx context.Context, u Unfinished, commit objects.ID) (err error) {
	m.res.Previous, m.res.PreviousBranch = m.head.Commit, m.head.Branch.Short()
	m.res.Carried, err = m.carry(ctx, u, carryOptions{force: m.opt.Force, skipDamaged: m.opt.SkipDamaged, commit: commit})
	m.res.setHead(m.head)
	return err
}

// advanceTo returns the moves that make a commit the head.
func (s *session) advanceTo(ctx context.Context, id objects.ID) ([]refs.Move, error) {
	to := refs.Value{Commit: id}
	if s.head.Branch == "" {
		return s.headMove(ctx, to)
	}
	moves, err := s.headMove(ctx, refs.Value{Branch: s.head.Branch})
	old := refs.Value{Commit: s.head.Commit}
	return append(moves, refs.Move{Name: s.head.Branch, Old: old, New: to}), err
}

// merge merges the trees, and takes files and names to a merge commit.
func (m *merging) merge(ctx context.Context, base objects.ID) error {
	theirs, err := m.treeOf(ctx, m.theirs)
	if err != nil {
		return err
	}
	t := &treeMerge{Repo: m.Repo, base: base, ours: m.head.Tree, theirs: theirs, keepBoth: m.opt.KeepBoth}
	if t.forOurs, err = cleanPaths(m.opt.Ours); err != nil {
		return err
	}
	if t.forTheirs, err = cleanPaths(m.opt.Theirs); err != nil {
		return err
	}
	tree, err := t.run(ctx)
	m.res.Settled = t.settled
	if err != nil {
		return err
	}
	id, err := m.record(ctx, tree)
	if err != nil {
		return err
	}
	m.res.Merge = id
	return m.advance(ctx, id)
}

// record makes the merge commit.
func (m *merging) record(ctx context.Context, tree objects.ID) (objects.ID, error) {
	w := mergeRecord{tree: tree, ours: m.head.Commit, theirs: m.theirs, message: m.opt.Message, waive: m.opt.Waive}
	if w.message == "" {
		w.message = "merge " + m.opt.Rev
	}
	if m.opt.Base != "" {
		w.theirs = objects.ID{}
	}
	return m.recordMerge(ctx, w)
}

// mergeRecord is a merge commit to be made.
type mergeRecord struct {
	tree, ours objects.ID
	theirs     objects.ID // zero: a change of theirs is applied, and ours is the only parent
	message    string
	waive      []Waive
}

// recordMerge makes a merge commit: incremental against its first parent. It is
// durable before anything names it.
func (s *session) recordMerge(ctx context.Context, w mergeRecord) (objects.ID, error) {
	ours, err := s.commit(ctx, w.ours)
	if err != nil {
		return objects.ID{}, err
	}
	parents, of := []objects.ID{w.ours}, []objects.Commit{ours}
	if !w.theirs.IsZero() {
		theirs, err := s.commit(ctx, w.theirs)
		if err != nil {
			return objects.ID{}, err
		}
		parents, of = append(parents, w.theirs), append(of, theirs)
	}
	if err := s.checkNested(ctx, ours.Tree, w.tree); err != nil {
		return objects.ID{}, err
	}
	change, err := s.summary(ctx, ours.Tree, w.tree)
	if err != nil {
		return objects.ID{}, err
	}
	total := ours.Changes()
	change.Files, change.Bytes = change.Files+total.Files, change.Bytes+total.Bytes
	git, err := s.gitState(ctx)
	if err != nil {
		return objects.ID{}, err
	}
	commit := objects.Commit{
		Tree: w.tree, Parents: parents, Generation: history.Generation(of...),
		Kind: objects.Incremental, Base: w.ours, Delta: change, Git: git,
		Author: s.env.Who, Time: s.env.Now(), Message: w.message,
	}
	rules, err := s.rulesOf(ctx, w.tree)
	if err != nil {
		return objects.ID{}, err
	}
	if _, err := s.hold(ctx, &commit, rules, w.waive); err != nil {
		return objects.ID{}, err
	}
	o, err := objects.EncodeCommit(commit)
	if err != nil {
		return objects.ID{}, err
	}
	id, err := s.store.Put(ctx, o)
	if err != nil {
		return objects.ID{}, err
	}
	return id, s.store.Sync(ctx)
}

// Conflict is a path that both sides changed, and differently. A nil side has
// nothing there.
type Conflict struct {
	Path   string `json:"path"`
	Ours   string `json:"ours"`   // what our side did: added, changed, removed
	Theirs string `json:"theirs"` // likewise
	// Below is set where one side has a file at Path and the other has files
	// below it: a file or folder that it has there.
	Below string `json:"below,omitempty"`
	// Settled says how: ours, theirs, or the name that theirs was kept under.
	Settled string `json:"settled,omitempty"`

	leafOurs bool // of a conflict with Below: the file is ours
}

// ConflictError lists the conflicts that nothing settles; nothing has
// changed.
type ConflictError struct {
	Conflicts []Conflict // the first ones, in path order
	Count     int64
}

func (e *ConflictError) Error() string {
	paths := make([]string, 0, len(e.Conflicts))
	for _, c := range e.Conflicts {
		paths = append(paths, c.Path)
	}
	slices.Sort(paths)
	return fmt.Sprintf("%s both sides changed differently: %s", count(int(e.Count), "path that", "paths that"), quoteSome(slices.Compact(paths)))
}
