package core

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"time"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/vfs"
)

// madeCommit is a commit that this import made.
type madeCommit struct {
	revision   string
	base, tree objects.ID // of the revision's first parent, and its own
}

// makeStart makes the tree that every first commit begins with.
func (im *importing) makeStart(ctx context.Context) error {
	var items []prolly.Item
	for _, name := range []string{IgnoreFile, RulesFile} { // in the order of trees
		text, err := vfs.ReadFile(im.env.FS, filepath.Join(im.root, name))
		if err != nil {
			return err
		}
		e, _, err := content.Write(ctx, im.store, content.Bytes(text), objects.Entry{}, 1)
		if err != nil {
			return err
		}
		e.Mode = objects.ModeFile
		items = append(items, prolly.Item{Key: []byte(name), Value: e.Append(nil)})
	}
	tree, err := prolly.Build(ctx, im.store, func(yield func(prolly.Item, error) bool) {
		for _, it := range items {
			if !yield(it, nil) {
				return
			}
		}
	})
	im.start = tree.Root()
	return err
}

// fresh yields the git commits that were not imported before, and how far it
// has come to the progress.
func (im *importing) fresh(ctx context.Context, phase Phase) iter.Seq2[gitpair.RevisionCommit, error] {
	return func(yield func(gitpair.RevisionCommit, error) bool) {
		for i, id := range im.order {
			if _, known := im.known[id]; known {
				continue
			}
			if err := ctx.Err(); err != nil {
				yield(gitpair.RevisionCommit{}, err)
				return
			}
			c, err := im.history.Commit(id)
			if !yield(c, err) || err != nil {
				return
			}
			im.env.Events.Progress(Progress{Phase: phase, Files: int64(i + 1), TotalFiles: int64(len(im.order))})
		}
	}
}

// gather stores every content that is not held yet and reports those that
// cannot be had.
func (im *importing) gather(ctx context.Context) error {
	for c, err := range im.fresh(ctx, PhaseScan) {
		if err != nil {
			return err
		}
		d, err := im.outsOf(ctx, c)
		if err != nil {
			return err
		}
		for ch, err := range im.contents.resolve(ctx, im.changes(ctx, d), true) {
			if err != nil {
				return err
			}
			if ch.new == nil {
				continue
			}
			if ch.new.Wrong == "" {
				im.res.Files++
				continue
			}
			if err := im.gap(ImportGap{ch.path, c.ID, ch.new.Hash, ch.new.Wrong}); err != nil {
				return err
			}
		}
	}
	if im.res.Missing > 0 && !im.opt.AllowMissing {
		im.gaps.From, im.gaps.Count, im.gaps.Looked = im.opt.From, im.res.Missing, im.project.Looked()
		return &im.gaps
	}
	return nil
}

func (im *importing) gap(g ImportGap) error {
	if im.res.Missing++; len(im.gaps.Gaps) < maxNamed {
		im.gaps.Gaps = append(im.gaps.Gaps, g)
	}
	if im.opt.Missing != nil {
		return im.opt.Missing(g)
	}
	return nil
}

// record makes the commits, parents first.
func (im *importing) record(ctx context.Context) error {
	for id, state := range im.known {
		im.states[id] = state
	}
	for _, id := range im.order {
		if _, known := im.known[id]; known {
			im.res.Known++
		}
	}
	for c, err := range im.fresh(ctx, PhaseRecord) {
		if err != nil {
			return err
		}
		if err := im.recordOne(ctx, c); err != nil {
			return fmt.Errorf("git commit %.12s: %w", c.ID, err)
		}
	}
	if im.last != nil {
		if err := im.report(ctx, im.last); err != nil {
			return err
		}
	}
	return im.store.Sync(ctx)
}

// recordOne decides what becomes of one git commit.
//
//  1. Its tree is that of its first parent with what its pointers changed.
//  2. Its parents are what its git parents became, each once. What the first
//     one reaches already is left out.
//  3. If the tree is that of the first parent, and the others bring nothing,
//     it changed no data, and is what its first parent became. So is one whose
//     first parent has no data, and that has those of its only other one.
func (im *importing) recordOne(ctx context.Context, c gitpair.RevisionCommit) error {
	base := imported{tree: im.start}
	if len(c.Parents) > 0 {
		base = im.states[c.Parents[0]]
	}
	d, err := im.outsOf(ctx, c)
	if err != nil {
		return err
	}
	var missing []string
	tree, err := prolly.Apply(ctx, im.store, prolly.Open(base.tree), im.edits(ctx, d, &missing))
	if err != nil {
		return err
	}
	others, err := im.otherParents(ctx, c, base)
	if err != nil {
		return err
	}
	switch {
	case tree.Root() == base.tree && len(others) == 0:
		im.states[c.ID] = base
		return nil
	case base.commit.IsZero() && len(others) == 1 && tree.Root() == others[0].tree:
		im.states[c.ID] = others[0]
		return nil
	}
	var parents []objects.ID
	if !base.commit.IsZero() {
		parents = append(parents, base.commit)
	}
	for _, o := range others {
		parents = append(parents, o.commit)
	}
	commit, err := im.put(ctx, c, tree.Root(), parents, missing)
	if err != nil {
		return err
	}
	im.states[c.ID] = imported{commit, tree.Root()}
	im.made = append(im.made, madeCommit{c.ID, base.tree, tree.Root()})
	im.res.Commits++
	return nil
}

// otherParents returns what further parents became, if the first one does not
// reach it.
func (im *importing) otherParents(ctx context.Context, c gitpair.RevisionCommit, base imported) ([]imported, error) {
	var others []imported
	for i, id := range c.Parents {
		state := im.states[id]
		if i == 0 || state.commit.IsZero() || state.commit == base.commit {
			continue
		}
		reached := false
		for _, young := range append([]imported{base}, others...) {
			if young.commit.IsZero() {
				continue
			}
			in, err := history.IsAncestor(ctx, im.store, state.commit, young.commit)
			if err != nil {
				return nil, err
			}
			reached = reached || in
		}
		if !reached {
			others = append(others, state)
		}
	}
	return others, nil
}

// edits turns changes into edits of a tree. A content that could not be had
// leaves its path out, and is noted.
func (im *importing) edits(ctx context.Context, d outsChange, missing *[]string) iter.Seq2[prolly.Edit, error] {
	return func(yield func(prolly.Edit, error) bool) {
		for ch, err := range im.contents.resolve(ctx, im.changes(ctx, d), false) {
			if err != nil {
				yield(prolly.Edit{}, err)
				return
			}
			edit := prolly.Edit{Key: []byte(ch.path), Delete: true}
			if ch.new != nil && ch.new.Wrong != "" {
				*missing = append(*missing, ch.path)
			} else if ch.new != nil {
				edit.Delete, edit.Value = false, ch.new.entry.Append(nil)
			}
			if !yield(edit, nil) {
				return
			}
		}
	}
}

// put makes the commit of a git commit: full if it has no parent, else
// incremental against its first one.
func (im *importing) put(ctx context.Context, c gitpair.RevisionCommit, tree objects.ID, parents []objects.ID, missing []string) (objects.ID, error) {
	text := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
	commit := objects.Commit{
		Tree: tree, Parents: parents, Generation: 1, Kind: objects.Full,
		Author: objects.Signature{Name: text(c.Author), Email: text(c.Email)}, Time: plainTime(c.Time),
		Message: strings.TrimRight(text(c.Message), "\n"),
		Meta:    map[string]string{MetaImported: im.opt.From},
		Git:     &objects.Git{Revision: c.ID},
	}
	if len(missing) > 0 {
		commit.Meta[MetaMissing] = text(listed(missing))
	}
	var from objects.ID
	var totals objects.Delta
	if len(parents) > 0 {
		all := make([]objects.Commit, len(parents))
		for i, id := range parents {
			p, err := im.commit(ctx, id)
			if err != nil {
				return objects.ID{}, err
			}
			all[i] = p
		}
		commit.Kind, commit.Base, commit.Generation = objects.Incremental, parents[0], history.Generation(all...)
		from, totals = all[0].Tree, all[0].Delta
	}
	if err := im.checkNested(ctx, from, tree); err != nil {
		return objects.ID{}, err
	}
	change, err := im.summary(ctx, from, tree)
	if err != nil {
		return objects.ID{}, err
	}
	change.Files, change.Bytes = change.Files+totals.Files, change.Bytes+totals.Bytes
	commit.Delta = change
	if err := im.note(ctx, &commit); err != nil {
		return objects.ID{}, err
	}
	im.last = &commit
	o, err := objects.EncodeCommit(commit)
	if err != nil {
		return objects.ID{}, err
	}
	return im.store.Put(ctx, o)
}

// plainTime is a time that depends on what git says alone, not on whether this
// machine's own zone is the same.
func plainTime(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.In(time.FixedZone("", offset))
}

// maxListed bounds the bytes of the missing paths that a commit names.
const maxListed = 64 << 10

// listed joins paths, one a line, and says how many there is no room for.
func listed(paths []string) string {
	var b strings.Builder
	for i, p := range paths {
		if b.Len()+len(p) > maxListed {
			fmt.Fprintf(&b, "\n… and %d more", len(paths)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p)
	}
	return b.String()
}
