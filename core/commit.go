package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/refs"
)

// CommitOptions say what a commit records and how.
type CommitOptions struct {
	Message string
	// Paths limits the commit to these files and folders, relative to the
	// root, '/'-separated; empty: everything.
	Paths []string
	Kind  objects.CommitKind // KindAuto or one of the three
	Meta  map[string]string
	// Models are IDs that are linked to the commit in the same operation.
	Models []string
	// AllowEmpty makes a commit even if nothing changed.
	AllowEmpty bool
	// SkipUnreadable keeps the parent's entry of what cannot be read.
	SkipUnreadable bool
	// AllowMoving records paths that change all the while, and marks them.
	AllowMoving bool
	// Accept names paths whose bytes differ though their stat does not:
	// suspected damage that the user says is meant.
	Accept []string
	// Waive lets findings of the checks stand.
	Waive []Waive
}

// CommitResult is what a commit did.
type CommitResult struct {
	ID      objects.ID         `json:"id,omitzero"` // zero: nothing changed, no commit
	Parents []objects.ID       `json:"parents"`
	Branch  string             `json:"branch,omitempty"`
	Kind    objects.CommitKind `json:"kind,omitempty"`
	Base    objects.ID         `json:"base,omitzero"`
	Why     string             `json:"why,omitempty"`
	Changes objects.Delta      `json:"changes"` // beyond the first parent
	// Read is what was read and hashed, Stored what the packs grew by.
	FilesRead int64         `json:"files_read"`
	BytesRead int64         `json:"bytes_read"`
	Stored    int64         `json:"bytes_stored"`
	Took      time.Duration `json:"took_ns"`
	// Consistency is what the commit says of splits, and what the checks found;
	// nil: mlvc.toml speaks of neither.
	*Consistency
	// Pointers are the files that name the commit for git, absolute.
	Pointers []string `json:"pointers,omitempty"`
}

// Commit records the dataset. Before the pointer moves nothing is visible;
// when it returns nil the commit is durable.
func (r *Repo) Commit(ctx context.Context, opt CommitOptions) (res CommitResult, err error) {
	started := r.env.Now()
	if err := checkWaives(opt.Waive); err != nil {
		return CommitResult{}, err
	}
	rules, err := r.commitRules()
	if err != nil {
		return CommitResult{}, err
	}
	s, err := r.begin(ctx)
	if err != nil {
		return CommitResult{}, err
	}
	defer func() { err = firstError(err, s.end()) }()
	if err := s.refuseUnfinished(ctx, "commit"); err != nil {
		return CommitResult{}, err
	}
	c := &committing{session: s, opt: opt, rules: rules}
	res, err = c.run(ctx)
	if errors.Is(err, kv.ErrDamaged) {
		if err = s.rebuildDamaged(ctx, err); err == nil {
			c = &committing{session: s, opt: opt, rules: rules}
			res, err = c.run(ctx)
		}
	}
	res.Took = r.env.Now().Sub(started)
	return res, err
}

// commitRules are the rules of what is committed: while paired with git, such
// that pointers can stand for it.
func (r *Repo) commitRules() (Rules, error) {
	rules, err := readRules(r.env.FS, r.root)
	if err == nil && rules.Away {
		err = &RulesAwayError{Root: r.root}
	}
	if err != nil {
		return Rules{}, err
	}
	// Before anything is read: it can take hours.
	if _, err := rules.schemes(); err != nil {
		return Rules{}, err
	}
	if _, err := rules.checks(); err != nil {
		return Rules{}, err
	}
	if paired, err := r.Paired(); err != nil || !paired {
		return rules, err
	}
	_, err = pointerPlaces(r.env.FS, r.root)
	return rules, err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// committing is one commit being made.
type committing struct {
	*session
	opt    CommitOptions
	rules  Rules
	snap   *snapshot
	moving []string // paths recorded while they were changing
	rate   storeRate
	before store.Stats
}

// run does the work in the order that keeps rule 1:
//
//  1. Scan: what differs from the stat cache, by stat alone.
//  2. Decide the kind, which says what else is read.
//  3. Read, hash and store; the tree is the parent's with sorted edits.
//  4. Check that nothing moved meanwhile; what did is read again.
//  5. Commit, view and operation go into the store; Sync makes packs and
//     database durable; the pointer moves; the stat cache is replaced.
func (c *committing) run(ctx context.Context) (CommitResult, error) {
	if err := c.checkOptions(); err != nil {
		return CommitResult{}, err
	}
	if err := c.checkModels(ctx); err != nil {
		return CommitResult{}, err
	}
	snap, err := c.openSnapshot(ctx, snapshotOptions{
		Rules: c.rules, Paths: c.opt.Paths,
		SkipUnreadable: c.opt.SkipUnreadable, Accept: c.opt.Accept, AllowMoving: c.opt.AllowMoving,
	})
	if err != nil {
		return CommitResult{}, err
	}
	c.snap, c.before = snap, c.store.Stats()
	defer snap.close()

	facts, err := c.facts(ctx)
	if err != nil {
		return CommitResult{}, err
	}
	choice, err := c.choose(ctx, facts)
	if err != nil {
		return CommitResult{}, err
	}
	if choice.Kind != "" {
		if err := c.read(ctx, choice); err != nil {
			return CommitResult{}, err
		}
	}
	return c.publish(ctx, choice, facts)
}

func (c *committing) checkOptions() error {
	if !utf8.ValidString(c.opt.Message) {
		return &UsageError{What: "the message is not text in UTF-8"}
	}
	for key, value := range c.opt.Meta {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return &UsageError{What: fmt.Sprintf("the key or value of %q is not text in UTF-8", key)}
		}
		if key == metaModel || strings.HasPrefix(key, metaModel+".") {
			return &UsageError{What: fmt.Sprintf("the key %q is kept for links of models", key), Hint: "use --model, or another key"}
		}
	}
	whole := c.opt.Kind == objects.Full || c.opt.Kind == objects.Differential
	if len(c.opt.Paths) > 0 && whole && !c.head.Commit.IsZero() {
		return &UsageError{
			What: fmt.Sprintf("a %s commit reads the whole dataset and cannot be limited to paths", c.opt.Kind),
			Hint: "leave out the paths, or --type",
		}
	}
	return nil
}

// choose scans and decides the kind; an empty kind means that nothing changed
// and nothing was asked to be read again.
func (c *committing) choose(ctx context.Context, facts kindFacts) (kindChoice, error) {
	asked := c.opt.Kind
	if facts.Parent.IsZero() || asked == objects.Full {
		return c.warned(chooseKind(asked, facts)), nil // everything is read: no scan first
	}
	if err := c.snap.scan(ctx); err != nil {
		return kindChoice{}, err
	}
	if c.snap.dirty == 0 && asked != objects.Differential && !c.opt.AllowEmpty {
		return kindChoice{}, nil
	}
	if asked == KindAuto {
		differs, err := c.differentialBytes(ctx, facts.Full)
		if err != nil {
			return kindChoice{}, err
		}
		facts.expect(c.rate, c.snap.newBytes, c.snap.dirtyBytes-c.snap.newBytes, differs)
	}
	choice := chooseKind(asked, facts)
	if len(c.opt.Paths) > 0 && choice.Kind != objects.Incremental {
		// Of some paths alone only an incremental can be said to hold.
		choice = kindChoice{Kind: objects.Incremental, Base: facts.Parent, Why: "only some paths are recorded"}
	}
	return c.warned(choice), nil
}

func (c *committing) warned(choice kindChoice) kindChoice {
	if choice.Instead != "" {
		c.env.Events.Warn(Warning{
			Code:    "full_instead",
			Message: fmt.Sprintf("a full commit instead of %s: %s", article(choice.Instead), choice.Why),
		})
	}
	return choice
}

func article(k objects.CommitKind) string {
	if k == objects.Incremental {
		return "an " + string(k)
	}
	return "a " + string(k)
}

// maxRounds is how often what moved while it was read is read again.
const maxRounds = 3

// read makes the new tree, reading as the kind demands, until a round finds
// that nothing moved.
func (c *committing) read(ctx context.Context, choice kindChoice) error {
	reread, err := c.reread(ctx, choice)
	if err != nil {
		return err
	}
	c.snap.opt.Heal = choice.Kind == objects.Full
	if choice.Kind == objects.Full && !c.snap.part.All {
		c.env.Events.Warn(Warning{
			Code:    "part_read",
			Message: "a full commit of the part that the working tree holds: what lies outside of it stays as recorded, and was not read again",
		})
	}
	if err := c.snap.record(ctx, c.snap.differences(ctx, reread)); err != nil {
		return err
	}
	for range maxRounds {
		moved, err := c.snap.moved(ctx)
		if c.moving = moved; err != nil || len(moved) == 0 {
			return err
		}
		if err := c.snap.record(ctx, c.snap.again(ctx)); err != nil {
			return err
		}
	}
	moved, err := c.snap.moved(ctx)
	if err != nil || len(moved) == 0 || c.opt.AllowMoving {
		c.moving = moved
		return err
	}
	return &MovingError{Paths: moved}
}

// publish writes the commit and moves the names.
func (c *committing) publish(ctx context.Context, choice kindChoice, facts kindFacts) (CommitResult, error) {
	res := CommitResult{Branch: c.head.Branch.Short(), FilesRead: c.snap.filesRead.Load(), BytesRead: c.snap.bytesRead.Load()}
	unchanged := !c.head.Commit.IsZero() && c.snap.tree == c.head.Tree
	if unchanged && !c.opt.AllowEmpty && c.opt.Kind != objects.Full {
		// What was read and found equal need not be read again.
		c.snap.keep()
		return res, c.modelsUnlinked()
	}
	commit, err := c.describe(ctx, choice)
	if err == nil {
		commit.Stored, err = c.stored(ctx, commit, facts)
	}
	if err != nil {
		return res, err
	}
	if res.Consistency, err = c.hold(ctx, &commit, c.rules, c.opt.Waive); err != nil {
		return res, c.refused(ctx, err)
	}
	o, err := objects.EncodeCommit(commit)
	if err != nil {
		return res, err
	}
	id, err := c.store.Put(ctx, o)
	if err != nil {
		return res, err
	}
	c.env.Events.Progress(Progress{Phase: PhaseRecord})
	if err := c.move(ctx, refs.Op{Moves: append(c.advance(id), c.modelMoves(id)...)}); err != nil {
		return res, err
	}
	res.ID, res.Parents, res.Kind, res.Base, res.Why = id, append([]objects.ID{}, commit.Parents...), commit.Kind, commit.Base, choice.Why
	res.Changes, res.Stored, res.Pointers = commit.Changes(), c.store.Stats().Stored, c.pointers
	c.snap.keep()
	return res, nil
}

// refused makes what was read for a commit that the checks refuse count for the
// next one.
func (c *committing) refused(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*RefusedError](err); !ok {
		return err
	}
	if serr := c.store.Sync(ctx); serr != nil {
		return errors.Join(err, serr)
	}
	c.snap.keep()
	return err
}

// advance returns the moves that make a new commit the head.
func (c *committing) advance(id objects.ID) []refs.Move {
	if c.head.Branch == "" {
		return []refs.Move{{Name: refs.HEAD, Old: refs.Value{Commit: c.head.Commit}, New: refs.Value{Commit: id}}}
	}
	moves := []refs.Move{{Name: c.head.Branch, Old: refs.Value{Commit: c.head.Commit}, New: refs.Value{Commit: id}}}
	if c.op.IsZero() {
		moves = append(moves, refs.Move{Name: refs.HEAD, New: refs.Value{Branch: c.head.Branch}})
	}
	return moves
}

// describe fills in the commit.
func (c *committing) describe(ctx context.Context, choice kindChoice) (objects.Commit, error) {
	if err := c.checkSound(ctx); err != nil {
		return objects.Commit{}, err
	}
	change, err := c.summary(ctx, c.head.Tree, c.snap.tree)
	if err != nil {
		return objects.Commit{}, err
	}
	commit := objects.Commit{
		Tree: c.snap.tree, Kind: choice.Kind, Base: choice.Base, Delta: change,
		Author: c.env.Who, Time: c.env.Now(), Message: c.opt.Message, Meta: c.opt.Meta,
		Models: c.opt.Models, Generation: 1,
	}
	if commit.Git, err = c.gitState(ctx); err != nil {
		return objects.Commit{}, err
	}
	for _, path := range c.moving {
		commit.Moving = append(commit.Moving, cbor.ByteString(path))
	}
	if !c.head.Commit.IsZero() {
		parent, err := c.commit(ctx, c.head.Commit)
		if err != nil {
			return objects.Commit{}, err
		}
		commit.Parents = []objects.ID{c.head.Commit}
		commit.Generation = history.Generation(parent)
		change.Files += parent.Delta.Files
		change.Bytes += parent.Delta.Bytes
	}
	commit.Delta, err = c.held(ctx, choice, change)
	if commit.Delta != change {
		commit.Change = &change
	}
	return commit, err
}

// checkSound fails with a *NestedError if the tree is none that a disk can
// hold. Where all of it was seen on the disk, and nothing moved, it is one.
func (c *committing) checkSound(ctx context.Context) error {
	if len(c.opt.Paths) == 0 && c.snap.part.All && !c.opt.SkipUnreadable && len(c.moving) == 0 {
		return nil
	}
	return c.checkNested(ctx, c.head.Tree, c.snap.tree)
}

// held sums up what a commit of the chosen kind holds beyond its base; change
// is what it changed beyond its first parent, with the totals of its tree.
func (c *committing) held(ctx context.Context, choice kindChoice, change objects.Delta) (objects.Delta, error) {
	switch {
	case choice.Kind == objects.Full:
		return objects.Delta{Added: change.Files, AddedBytes: change.Bytes, Files: change.Files, Bytes: change.Bytes}, nil
	case choice.Base == c.head.Commit:
		return change, nil
	}
	base, err := c.treeOf(ctx, choice.Base)
	if err != nil {
		return objects.Delta{}, err
	}
	held, err := c.summary(ctx, base, c.snap.tree)
	held.Files, held.Bytes = change.Files, change.Bytes
	return held, err
}

// stored sums up what the commit takes in packs. A differential holds what the
// chain so far does, at most; the files that differ say so too. Of a full it is
// looked up, unless all of it was put just now; what lies there as a delta a set
// stores whole, at about the rate of the last full.
func (c *committing) stored(ctx context.Context, commit objects.Commit, facts kindFacts) (*objects.Stored, error) {
	now := c.store.Stats()
	s := &objects.Stored{Grown: now.Chunks - c.before.Chunks}
	s.Held = s.Grown
	var err error
	switch commit.Kind {
	case objects.Differential:
		s.Held = min(commit.Held(), facts.ChainBytes+s.Grown)
	case objects.Full:
		if now.Bytes-c.before.Bytes < commit.Delta.Bytes {
			s.Held, err = c.treeStored(ctx, commit.Tree)
			s.Held = max(s.Held, int64(c.rate.whole*float64(commit.Delta.Bytes)))
		}
	}
	return s, err
}

// facts gathers what the kind is decided from.
func (c *committing) facts(ctx context.Context) (kindFacts, error) {
	f := kindFacts{Rules: c.rules.Kinds, Now: c.env.Now(), Parent: c.head.Commit}
	if f.Parent.IsZero() {
		return f, nil
	}
	chain, err := history.ChainOf(ctx, c.store, f.Parent)
	if errors.Is(err, history.ErrNoFull) || errors.Is(err, objects.ErrCorrupt) || errors.Is(err, objects.ErrNotFound) {
		return f, nil // no base that can be used
	}
	f.Full, f.FullBytes, f.FullTime = chain.Full.ID, chain.Full.Held(), chain.Full.Time
	f.ChainLen, f.ChainBytes = chain.Len, chain.Bytes
	c.rate = storeRateOf(chain)
	return f, err
}

// differentialBytes is the sizes of the files that a differential would hold
// already without the new changes: those that differ between the head and the
// last full.
func (c *committing) differentialBytes(ctx context.Context, full objects.ID) (int64, error) {
	if full.IsZero() || full == c.head.Commit {
		return 0, nil
	}
	base, err := c.treeOf(ctx, full)
	if err != nil {
		return 0, err
	}
	d, err := c.summary(ctx, base, c.head.Tree)
	return d.AddedBytes + d.ChangedBytes, err
}

// reread returns which paths are read although their stat did not change; nil
// is none. It is asked in path order.
func (c *committing) reread(ctx context.Context, choice kindChoice) (func(path string) bool, error) {
	switch choice.Kind {
	case objects.Full:
		return func(string) bool { return true }, nil
	case objects.Differential:
		base, err := c.treeOf(ctx, choice.Base)
		if err != nil {
			return nil, err
		}
		paths, err := c.pathsOf(ctx, base, c.head.Tree)
		if err != nil {
			return nil, err
		}
		return paths.has, nil
	}
	return nil, nil
}
