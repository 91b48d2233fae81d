package core

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// How trees are merged
//
//  1. What each side changed since the base is streamed side by side. A path
//     that both changed differently is a conflict. So is a file of one side
//     where the other side has a path below it; an empty folder there is none,
//     it only goes.
//  2. Each conflict is settled by the options. If one is not, nothing is
//     written.
//  3. The map is merged, each conflict as settled; then, as sorted edits, what
//     lies on the losing side of a file against a folder goes, and what is kept
//     beside ours comes under another name.

// treeMerge merges two trees against a base.
type treeMerge struct {
	*Repo
	base, ours, theirs objects.ID
	keepBoth           bool
	forOurs, forTheirs []string

	// texts merges the lines of mlvc.toml and .mlvcignore as git does it, which
	// has them too; nil: what both sides changed is a conflict. False: it is one
	// all the same.
	texts func(ctx context.Context, base, ours, theirs []byte) ([]byte, bool, error)
	lines map[string][]byte // entries of such files by their paths

	settled   []Conflict
	unsettled ConflictError
	choice    map[string]string // path of a conflict → how it is settled
	clashes   []Conflict        // settled ones with Below
	markers   []string          // empty folders with something of the other side in them

	beside map[string][]byte // what theirs has for a path that is kept twice
	extra  map[string][]byte // edits after the merge; nil deletes
}

func (t *treeMerge) run(ctx context.Context) (objects.ID, error) {
	t.choice, t.beside, t.extra = make(map[string]string), make(map[string][]byte), make(map[string][]byte)
	t.lines = make(map[string][]byte)
	if err := t.findConflicts(ctx); err != nil {
		return objects.ID{}, err
	}
	if t.unsettled.Count > 0 {
		return objects.ID{}, &t.unsettled
	}
	merged, err := prolly.Merge(ctx, t.store, treeMap(t.base), treeMap(t.ours), treeMap(t.theirs), t.resolve)
	if err != nil {
		return objects.ID{}, err
	}
	if err := t.settleExtra(ctx, merged); err != nil {
		return objects.ID{}, err
	}
	merged, err = prolly.Apply(ctx, t.store, merged, t.extraEdits())
	return merged.Root(), err
}

// settleExtra gathers the edits that the merged map needs.
func (t *treeMerge) settleExtra(ctx context.Context, merged prolly.Map) error {
	for _, p := range t.markers {
		filled, err := t.hasAny(ctx, merged, span{p + "/", p + "0"})
		if err != nil {
			return err
		}
		if filled {
			t.extra[p] = nil
		}
	}
	for _, c := range t.clashes {
		if err := t.separate(ctx, merged, c); err != nil {
			return err
		}
	}
	for _, p := range slices.Sorted(maps.Keys(t.beside)) {
		name, err := t.freeName(ctx, merged, p)
		if err != nil {
			return err
		}
		t.extra[name] = t.beside[p]
	}
	return nil
}

// hasAny reports whether a map has anything in a span.
func (t *treeMerge) hasAny(ctx context.Context, m prolly.Map, s span) (bool, error) {
	for _, err := range s.items(ctx, t.store, m) {
		return err == nil, err
	}
	return false, nil
}

// sideChange is a change of one side since the base.
type sideChange struct {
	worktree.Change
	isOurs bool
}

// findConflicts settles or lists every conflict.
func (t *treeMerge) findConflicts(ctx context.Context) error {
	var open openLeaves
	ours, theirs := t.treeDiff(ctx, t.base, t.ours), t.treeDiff(ctx, t.base, t.theirs)
	for both, err := range joined(ours, theirs, func(c worktree.Change) string { return c.Path }) {
		if err != nil {
			return err
		}
		if both.a != nil && both.b != nil && !sameEntry(both.a.New, both.b.New) {
			if merged, err := t.mergeLines(ctx, *both.a, *both.b); err != nil {
				return err
			} else if merged {
				continue
			}
			t.settle(Conflict{Path: both.key, Ours: did(*both.a), Theirs: did(*both.b)})
		}
		t.look(&open, both.a, true)
		t.look(&open, both.b, false)
	}
	return nil
}

// mergeLines merges a file that git has as well; false: that cannot be done.
func (t *treeMerge) mergeLines(ctx context.Context, ours, theirs worktree.Change) (bool, error) {
	if t.texts == nil || ours.Path != RulesFile && ours.Path != IgnoreFile || ours.New == nil || theirs.New == nil {
		return false, nil
	}
	var texts [3][]byte
	for i, e := range []*objects.Entry{ours.Old, ours.New, theirs.New} {
		if e == nil {
			continue // both added it
		}
		if e.Mode != ours.New.Mode || e.Size > objects.SingleChunk {
			return false, nil
		}
		o, err := t.store.Get(ctx, e.Content)
		if err != nil {
			return false, err
		}
		texts[i] = o.Data
	}
	text, clean, err := t.texts(ctx, texts[0], texts[1], texts[2])
	if err != nil || !clean {
		return false, err
	}
	entry := objects.Entry{Mode: ours.New.Mode, Size: int64(len(text))}
	if entry.Content, err = t.store.Put(ctx, objects.Object{Kind: objects.KindChunk, Data: text}); err != nil {
		return false, err
	}
	t.choice[ours.Path], t.lines[ours.Path] = "lines", entry.Append(nil)
	return true, nil
}

// look finds the clashes of what one side has anew.
func (t *treeMerge) look(open *openLeaves, c *worktree.Change, isOurs bool) {
	if c == nil || c.New == nil {
		return
	}
	for _, leaf := range open.above(c.Path, isOurs) {
		t.clash(leaf, c.Path)
	}
	open.push(sideChange{*c, isOurs})
}

func sameEntry(a, b *objects.Entry) bool { return a == b || a != nil && b != nil && *a == *b }

// did says in a word what a change is.
func did(c worktree.Change) string {
	switch {
	case c.Old == nil:
		return "added"
	case c.New == nil:
		return "removed"
	}
	return "changed"
}

// settle settles a conflict by the options and returns how, or lists it.
func (t *treeMerge) settle(c Conflict) string {
	switch {
	case len(t.forOurs) > 0 && selected(t.forOurs, c.Path):
		c.Settled = "ours"
	case len(t.forTheirs) > 0 && selected(t.forTheirs, c.Path):
		c.Settled = "theirs"
	case t.keepBoth && c.Below == "" && c.Ours == "removed":
		c.Settled = "theirs" // what is left of it
	case t.keepBoth && c.Below == "" && c.Theirs == "removed":
		c.Settled = "ours"
	case t.keepBoth:
		c.Settled = "both"
	default:
		t.unsettled.Count++
		if len(t.unsettled.Conflicts) < maxNamed {
			t.unsettled.Conflicts = append(t.unsettled.Conflicts, c)
		}
		return ""
	}
	if c.Below == "" {
		t.choice[c.Path] = c.Settled
	}
	if len(t.settled) < maxNamed {
		t.settled = append(t.settled, c)
	}
	return c.Settled
}

// clash deals with a path of one side below a leaf of the other.
func (t *treeMerge) clash(leaf *openLeaf, below string) {
	if leaf.told {
		return
	}
	leaf.told = true
	if leaf.New.Mode == objects.ModeDir {
		t.markers = append(t.markers, leaf.Path)
		return
	}
	c := Conflict{Path: leaf.Path, Below: below, Ours: "a folder", Theirs: "a file", leafOurs: leaf.isOurs}
	if leaf.isOurs {
		c.Ours, c.Theirs = c.Theirs, c.Ours
	}
	if c.Settled = t.settle(c); c.Settled != "" {
		t.clashes = append(t.clashes, c)
	}
}

// openLeaf is a file or an empty folder that something may yet come below.
type openLeaf struct {
	sideChange
	told bool
}

// openLeaves are the leaves of both sides whose paths begin the current one:
// each is a prefix of the next.
type openLeaves []*openLeaf

func (o *openLeaves) pop(p string) {
	for n := len(*o); n > 0 && !strings.HasPrefix(p, (*o)[n-1].Path); n-- {
		*o = (*o)[:n-1]
	}
}

// above returns the leaves of the other side that p lies below.
func (o *openLeaves) above(p string, isOurs bool) []*openLeaf {
	o.pop(p)
	var leaves []*openLeaf
	for _, leaf := range *o {
		if leaf.isOurs != isOurs && strings.HasPrefix(p, leaf.Path+"/") {
			leaves = append(leaves, leaf)
		}
	}
	return leaves
}

func (o *openLeaves) push(c sideChange) {
	o.pop(c.Path)
	*o = append(*o, &openLeaf{sideChange: c})
}

// resolve is the merged value of a conflict of one path.
func (t *treeMerge) resolve(c prolly.Conflict) ([]byte, error) {
	switch t.choice[string(c.Key)] {
	case "ours":
		return c.Ours, nil
	case "theirs":
		return c.Theirs, nil
	case "lines":
		return t.lines[string(c.Key)], nil
	case "both":
		t.beside[string(c.Key)] = bytes.Clone(c.Theirs)
		return c.Ours, nil
	}
	return nil, fmt.Errorf("%q: a conflict that was not seen before", c.Key)
}

// separate settles a file against a folder in the merged map.
func (t *treeMerge) separate(ctx context.Context, merged prolly.Map, c Conflict) error {
	oursGoes := c.Settled == "theirs"
	moved := ""
	if c.Settled == "both" {
		name, err := t.freeName(ctx, merged, c.Path)
		if err != nil {
			return err
		}
		moved = name
	}
	// What goes is the leaf if it is on the losing side, else what is below.
	if c.leafOurs == oursGoes {
		value, ok, err := merged.Get(ctx, t.store, []byte(c.Path))
		if err != nil || !ok {
			return err
		}
		t.extra[c.Path] = nil
		if moved != "" {
			t.extra[moved] = bytes.Clone(value)
		}
		return nil
	}
	for it, err := range merged.Prefix(ctx, t.store, []byte(c.Path+"/")) {
		if err != nil {
			return err
		}
		t.extra[string(it.Key)] = nil
		if moved != "" {
			t.extra[moved+strings.TrimPrefix(string(it.Key), c.Path)] = bytes.Clone(it.Value)
		}
	}
	return nil
}

// freeName returns NAME.theirs.EXT, or the first of NAME.theirs-2.EXT and so
// on that nothing has.
func (t *treeMerge) freeName(ctx context.Context, merged prolly.Map, p string) (string, error) {
	ext := path.Ext(p)
	if ext == path.Base(p) {
		ext = "" // a name that begins with its only dot
	}
	stem := strings.TrimSuffix(p, ext)
	for n := 1; ; n++ {
		name := stem + ".theirs" + ext
		if n > 1 {
			name = fmt.Sprintf("%s.theirs-%d%s", stem, n, ext)
		}
		taken := t.extra[name] != nil
		for _, s := range spansOf([]string{name}) {
			any, err := t.hasAny(ctx, merged, s)
			if err != nil {
				return "", err
			}
			taken = taken || any
		}
		if !taken {
			return name, nil
		}
	}
}

// extraEdits yields the edits after the merge in key order.
func (t *treeMerge) extraEdits() iter.Seq2[prolly.Edit, error] {
	keys := slices.Sorted(maps.Keys(t.extra))
	return func(yield func(prolly.Edit, error) bool) {
		for _, k := range keys {
			if !yield(prolly.Edit{Key: []byte(k), Value: t.extra[k], Delete: t.extra[k] == nil}, nil) {
				return
			}
		}
	}
}
