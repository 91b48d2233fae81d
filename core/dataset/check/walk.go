package check

import (
	"cmp"
	"context"
	"iter"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// maxChanges is how many changes are held at once; with more, everything is
// looked at.
const maxChanges = 100_000

// walk is the check of one scheme. What several rules need is found once.
type walk struct {
	*run
	scheme *Scheme

	changeList             // since the parent
	files      *membership // by content
}

// changeList keeps what changed since a commit, once someone asked.
type changeList struct {
	asked   bool
	listed  []change // unless there are too many
	tooMany bool
}

// since yields what changed since the parent commit.
func (w *walk) since(ctx context.Context) iter.Seq2[change, error] {
	return w.between(ctx, w.scheme.Before, &w.changeList)
}

// between yields what changed since a commit, whose list it keeps.
func (w *walk) between(ctx context.Context, b *Before, l *changeList) iter.Seq2[change, error] {
	return func(yield func(change, error) bool) {
		if err := l.fill(w.changes(ctx, b)); err != nil {
			yield(change{}, err)
			return
		}
		if l.tooMany {
			w.changes(ctx, b)(yield)
			return
		}
		for _, c := range l.listed {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// list lists the changes since the parent commit, unless they are too many.
func (w *walk) list(ctx context.Context) error {
	return w.fill(w.changes(ctx, w.scheme.Before))
}

// fill lists changes, unless that was done or they are too many.
func (l *changeList) fill(changes iter.Seq2[change, error]) error {
	if l.asked {
		return nil
	}
	l.asked = true
	for c, err := range changes {
		if err != nil {
			return err
		}
		if len(l.listed) == maxChanges {
			l.listed, l.tooMany = nil, true
			return nil
		}
		l.listed = append(l.listed, c)
	}
	return nil
}

// keyed says what two samples must share to be reported.
type keyed struct {
	kind string     // of what is kept
	more objects.ID // what else decides
	// of returns the whole key of a file; false: it is no sample.
	of func(path string, e *objects.Entry) (objects.ID, bool)
	// sets: the walk also finds what is in two splits, or in none.
	sets bool
}

const (
	membershipContext = "mlvc 2026-11-26 membership v1"
	membershipKind    = "membership-v1"
)

// TreeKinds are the kinds of facts that are of one tree, and as large as it: of
// use until the next commit.
var TreeKinds = []string{membershipKind, nearKind}

// name is the name under which a membership is kept: of all that decides it.
func (w *walk) name(k keyed, rule string, tree objects.ID, table objects.ID) objects.ID {
	var text []byte
	for _, part := range []string{k.kind, rule} {
		text = appendTexts(text, []string{part})
	}
	return objects.Derive(membershipContext, text, k.more[:], tree[:], table[:])
}

// member returns the membership of the files as they are, with the paths of
// all its candidates, unless these are too many to be listed.
func (w *walk) member(ctx context.Context, k keyed) (*membership, error) {
	name := w.name(k, w.scheme.Rule, w.Tree, w.scheme.Table.Root())
	if !w.Tree.IsZero() {
		if m := w.kept(name); m != nil {
			return m, nil
		}
	}
	m, err := w.updated(ctx, k)
	if err == nil && m == nil {
		m, err = w.built(ctx, k)
	}
	if err == nil {
		err = w.find(ctx, k, m)
	}
	if err != nil {
		return nil, err
	}
	if w.Facts != nil && !w.Tree.IsZero() && m.listed() <= maxListed {
		w.Facts.Put(membershipKind, name, m.encode())
	}
	return m, nil
}

func (w *walk) kept(name objects.ID) *membership {
	if w.Facts == nil {
		return nil
	}
	b, ok := w.Facts.Get(membershipKind, name)
	if !ok {
		return nil
	}
	m, err := decodeMembership(b)
	if err != nil {
		return nil
	}
	return m
}

// updated returns the parent's membership with what changed; nil where that is
// not to be had.
func (w *walk) updated(ctx context.Context, k keyed) (*membership, error) {
	b := w.scheme.Before
	if b == nil || b.Rule != w.scheme.Rule {
		return nil, nil
	}
	m := w.kept(w.name(k, b.Rule, b.Tree, b.Table.Root()))
	if m == nil {
		return nil, nil
	}
	if err := w.list(ctx); err != nil || w.tooMany {
		return nil, err
	}
	var out, in []entry
	for _, c := range w.listed {
		gone, come, err := w.edit(k, m, c)
		if err != nil {
			return nil, err
		}
		out, in = append(out, gone...), append(in, come...)
	}
	if m.merge(out, in) != nil {
		return nil, nil // what was kept is not the parent's: all files say
	}
	return m, nil
}

// edit returns the entries that a change takes out and puts in, and brings the
// lists of paths up to date.
func (w *walk) edit(k keyed, m *membership, c change) (out, in []entry, err error) {
	if out, err = w.entries(k, m, c.path, c.old, c.was); err != nil {
		return nil, nil, err
	}
	for _, e := range out {
		m.forget(e.key, c.path)
	}
	if in, err = w.entries(k, m, c.path, c.new, c.value); err != nil {
		return nil, nil, err
	}
	for _, e := range in {
		m.remember(e.key, c.path)
	}
	if k.sets {
		w.sets(m, c.path, c.new, c.value)
	}
	return out, in, nil
}

// entries are those of one file.
func (w *walk) entries(k keyed, m *membership, path string, e *objects.Entry, value string) ([]entry, error) {
	names := dataset.SplitNames(value)
	if len(names) == 0 {
		return nil, nil
	}
	id, ok := k.of(path, e)
	if !ok {
		return nil, nil
	}
	list := make([]entry, len(names))
	for i, name := range names {
		number, err := m.number(name)
		if err != nil {
			return nil, err
		}
		list[i] = entry{short(id), number}
	}
	return list, nil
}

// sets puts a path in the sets that it belongs to, and takes it out of others.
func (w *walk) sets(m *membership, path string, e *objects.Entry, value string) {
	m.overlap.put(path, e != nil && len(dataset.SplitNames(value)) > 1)
	m.bare.put(path, e != nil && value == "" && w.covers(path))
	m.tables.put(path, e != nil && value != "" && (value == dataset.AllRows || w.IsTable != nil && w.IsTable(path)))
}

// covers reports whether a file is to be in a split, unless it is a label.
func (w *walk) covers(path string) bool {
	return w.Config.Level(dataset.RuleCovered) != dataset.Off && (w.scheme.Sample == nil || w.scheme.Sample(path))
}

// built returns the membership of all files.
func (w *walk) built(ctx context.Context, k keyed) (*membership, error) {
	m := &membership{found: map[uint64][]string{}}
	var all []entry
	for f, err := range w.placed(ctx) {
		if err != nil {
			return nil, err
		}
		list, err := w.entries(k, m, f.Path, &f.Entry, f.value)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if k.sets {
			w.sets(m, f.Path, &f.Entry, f.value)
		}
	}
	m.fill(all)
	return m, nil
}

// placed is a file and what the split table says of it.
type placed struct {
	dataset.File
	value string
}

// placed yields every file with its splits, in path order.
func (w *walk) placed(ctx context.Context) iter.Seq2[placed, error] {
	return func(yield func(placed, error) bool) {
		table, stop := pull(asChanges(w.scheme.Table.All(ctx, w.Getter)))
		defer stop()
		for f, err := range w.Files.All(ctx) {
			for err == nil && table.at != nil && string(table.at.Key) < f.Path {
				table.step()
			}
			p := placed{File: f}
			if table.at != nil && string(table.at.Key) == f.Path {
				p.value = string(table.at.New)
			}
			if err = cmp.Or(err, table.err); !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// short is the part of a key that entries have.
func short(id objects.ID) uint64 {
	var n uint64
	for _, b := range id[:8] {
		n = n<<8 | uint64(b)
	}
	return n
}
