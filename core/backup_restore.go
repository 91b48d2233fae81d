package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/remote/backup"
)

// BackupRestoreOptions say what is restored, and where to.
type BackupRestoreOptions struct {
	// What is a label, or a revision as the newest set knows names; empty: the
	// newest set, or the newest that was begun by Time.
	What string
	Time time.Time
	To   string // absolute; empty, not there yet, or with equal files
	// Paths are files and folders, relative to the root; none: everything.
	Paths []string
	// Splits limits it to splits, as in CheckoutOptions. Sealed splits are left
	// out: there is nothing here to log that they are read.
	Splits      []string
	SkipDamaged bool

	sealed bool // sealed splits, too: nobody gets to see what is written
}

// BackupRestoreResult is what a restore did.
type BackupRestoreResult struct {
	URL    string         `json:"url"`
	To     string         `json:"to"`
	Label  string         `json:"label"`
	Sets   []string       `json:"sets"` // that it was read from
	Commit objects.ID     `json:"commit"`
	Healed []BackupHealed `json:"healed,omitempty"` // for this restore alone
	// Sealed are the sealed splits that were left out.
	Sealed []SealedSplit `json:"sealed,omitempty"`
	Carried
	Took time.Duration `json:"took_ns"`
}

// Restore writes the files of a set, or of another commit that a set has, into a
// folder. It needs nothing but the destination. Every chunk and every file was
// checked; damaged packs are healed by their parity on the way. The same call
// goes on with what an interrupted one has written. It fails with an
// *ObstaclesError, having touched nothing, if the folder has anything else.
func (b *Backups) Restore(ctx context.Context, opt BackupRestoreOptions) (res BackupRestoreResult, err error) {
	started := b.env.Now()
	res.URL, res.To = b.url, opt.To
	chosen, err := b.choose(ctx, opt.What, opt.Time)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, chosen.chain.Close()) }()
	res.Label, res.Commit, res.Sets = string(chosen.label), chosen.commit, chosen.sets()
	res.Healed, err = b.healing(ctx, chosen.chain, func(again bool) error {
		res.Carried = Carried{}
		return b.restoreFiles(ctx, chosen, opt, again, &res)
	})
	if err != nil {
		return res, b.damaged(err)
	}
	b.env.Events.Progress(Progress{Phase: PhaseFinished, Files: res.Written, Bytes: res.Bytes})
	res.Took = b.env.Now().Sub(started)
	return res, nil
}

// restoreFiles writes the files. Damage is skipped only when it was tried to heal
// it.
func (b *Backups) restoreFiles(ctx context.Context, chosen *chosenSet, opt BackupRestoreOptions, again bool, res *BackupRestoreResult) error {
	commit, err := chosen.readCommit(ctx)
	if err != nil {
		return err
	}
	into := &intoFolder{
		env: b.env, from: chosen.chain, files: packed{chosen.chain, b.env.workers()},
		verb: "restore into", dir: opt.To, tree: commit.Tree, res: &res.Carried,
	}
	if into.paths, err = cleanPaths(opt.Paths); err != nil {
		return err
	}
	if err := checkMatchIn(ctx, chosen.chain, "backup set "+string(chosen.label), into.paths, commit.Tree); err != nil {
		return err
	}
	if err := into.choose(ctx, "backup set "+string(chosen.label), commit, opt.Splits, opt.sealed); err != nil {
		if sealed, ok := errors.AsType[*SealedError](err); ok {
			sealed.Backup = true
		}
		return err
	}
	res.Sealed = into.part.sealedOut()
	return into.run(ctx, opt.SkipDamaged && again)
}

// chosenSet is a set and a commit that it has.
type chosenSet struct {
	label  backup.Label
	chain  *backup.Chain
	commit objects.ID
}

func (c *chosenSet) sets() []string {
	list := make([]string, 0, len(c.chain.Manifests))
	for _, m := range c.chain.Manifests {
		list = append(list, string(m.Label))
	}
	return list
}

func (c *chosenSet) readCommit(ctx context.Context) (objects.Commit, error) {
	o, err := c.chain.Get(ctx, c.commit)
	if err != nil {
		return objects.Commit{}, err
	}
	commit, err := objects.DecodeCommit(o)
	if err != nil {
		return commit, &objects.ObjectError{ID: c.commit, Err: err}
	}
	return commit, nil
}

// choose finds the set that words mean, and opens its chain, which the caller
// closes.
func (b *Backups) choose(ctx context.Context, what string, when time.Time) (*chosenSet, error) {
	if _, err := backup.ParseLabel(what); err == nil || what == "" {
		s, err := b.setAt(what, when)
		if err != nil {
			return nil, err
		}
		return b.open(ctx, s, s.Commit)
	}
	if !when.IsZero() {
		return nil, &UsageError{What: "a revision and a time do not go together", Hint: "name one of them, or write REV@{TIME}"}
	}
	return b.chooseRevision(ctx, what)
}

// setAt is the set of a label, or the newest by a time.
func (b *Backups) setAt(label string, when time.Time) (backup.Set, error) {
	if label != "" || when.IsZero() {
		return b.set(label)
	}
	for _, s := range slices.Backward(b.dest.List().Sets) {
		if !s.Label.Time().After(when) {
			return s, nil
		}
	}
	if _, err := b.set(""); err != nil {
		return backup.Set{}, err
	}
	return backup.Set{}, &UsageError{What: "no backup there is as old as " + when.Format(time.RFC3339), Hint: `"mlvc backup list" shows when they were made`}
}

func (b *Backups) open(ctx context.Context, s backup.Set, commit objects.ID) (*chosenSet, error) {
	chain, err := b.dest.Chain(ctx, s.Label)
	if err != nil {
		return nil, b.damaged(err)
	}
	return &chosenSet{label: s.Label, chain: chain, commit: commit}, nil
}

// chooseRevision looks a revision up in the newest set that can be opened, and
// takes the set that is of that commit, or else one whose history has it.
func (b *Backups) chooseRevision(ctx context.Context, rev string) (*chosenSet, error) {
	spec, err := revision.ParseSpec(rev)
	if err != nil {
		return nil, err
	}
	if spec.Scheme != "" || spec.HasPath {
		return nil, &UsageError{What: fmt.Sprintf("%q: a backup knows names and commits", rev), Hint: `name a label, a branch, a tag or a commit; paths come after "--"`}
	}
	sets := b.dest.List().Sets
	if len(sets) == 0 {
		return nil, &NoSetsError{URL: b.url}
	}
	var failed error
	for _, s := range slices.Backward(sets) {
		found, err := b.lookUpIn(ctx, s, spec.Rev)
		if err == nil {
			return b.bestFor(ctx, found)
		}
		if ctx.Err() != nil || !isDamage(err) && !errors.Is(err, revision.ErrUnknown) {
			return nil, b.damaged(err)
		}
		if failed == nil {
			failed = err
		}
	}
	return nil, b.damaged(failed)
}

// lookUpIn looks a revision up in a set.
func (b *Backups) lookUpIn(ctx context.Context, s backup.Set, rev revision.Rev) (*chosenSet, error) {
	c, err := b.open(ctx, s, s.Commit)
	if err != nil {
		return nil, err
	}
	resolver := revision.Resolver{Source: chainRevisions{c.chain}, Op: c.chain.Manifest().Operation, Now: b.env.Now()}
	found, err := resolver.Resolve(ctx, rev)
	if err != nil {
		return nil, errors.Join(err, c.chain.Close())
	}
	c.commit = found.ID
	return c, nil
}

// bestFor prefers a set of the very commit.
func (b *Backups) bestFor(ctx context.Context, found *chosenSet) (*chosenSet, error) {
	for _, s := range slices.Backward(b.dest.List().Sets) {
		if s.Commit != found.commit || s.Damaged() || s.Label == found.label {
			continue
		}
		if own, err := b.open(ctx, s, s.Commit); err == nil {
			return own, found.chain.Close()
		}
	}
	return found, nil
}

// chainRevisions is where revisions are looked up in a set.
type chainRevisions struct{ *backup.Chain }

// Commits implements revision.Source.
func (c chainRevisions) Commits(ctx context.Context, digits string, limit int) ([]objects.ID, error) {
	var found []objects.ID
	metadata := make(map[objects.ID]bool)
	for _, p := range c.Packs() {
		metadata[p.ID] = p.Type == pack.TypeMeta
	}
	err := c.Contents(ctx, func(id objects.ID) bool { return metadata[id] }, func(_, id objects.ID, kind objects.Kind) error {
		if kind == objects.KindCommit && len(found) < limit && strings.HasPrefix(id.String(), digits) && !slices.Contains(found, id) {
			found = append(found, id)
		}
		return nil
	})
	return found, err
}
