package split

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"github.com/mlvc/mlvc/objects/prolly"
)

// maxChanges bounds the changes that are held at once; beyond, it is quicker
// to look at everything.
const maxChanges = 200_000

// changed is a change of a file that is a sample.
type changed struct {
	Change
	at    place
	order groupID // of a group that is drawn
	was   string  // the value in the table before
	value string
}

// changeFiles brings the table, the sums and the counts of a scheme of files
// from before to now.
func (a *assigner) changeFiles(ctx context.Context) (prolly.Map, error) {
	if a.s.Draws() && !slices.ContainsFunc(a.s.Ratios, func(r Ratio) bool { return !slices.Contains(a.s.Frozen, r.Split) }) {
		return prolly.Map{}, errWhole // what no split was open for may find one
	}
	list, named, err := a.changes()
	if err != nil {
		return prolly.Map{}, err
	}
	pl := placer{s: a.s}
	if named {
		if pl.l, err = a.listed(ctx, a.in.Files); err != nil {
			return prolly.Map{}, err
		}
	}
	before := prolly.Open(a.in.Before.Table)
	for i := range list {
		c := &list[i]
		value, _, err := before.Get(ctx, a.store, []byte(c.Path()))
		if err != nil {
			return prolly.Map{}, err
		}
		c.was, c.value = string(value), string(value)
		if c.Old == nil || c.New == nil {
			a.place(pl, c)
		}
	}
	if a.s.Draws() {
		a.drawChanges(list)
	}
	for _, c := range list {
		if !a.count(pl, c) {
			return prolly.Map{}, errWhole
		}
	}
	return prolly.Apply(ctx, a.store, before, edits(list))
}

// changes returns the changes of samples, and whether files came or went. It
// fails with errWhole if what the scheme reads has changed, or what its lists
// mean may have.
func (a *assigner) changes() (list []changed, named bool, err error) {
	for c, err := range a.in.Changes {
		switch {
		case err != nil:
			return nil, false, err
		case a.s.Reads(c.Path()), len(list) == maxChanges, (c.Old == nil || c.New == nil) && a.s.renames(c.Path()):
			return nil, false, errWhole
		case a.s.isSample(c.Path()):
			list = append(list, changed{Change: c})
			named = named || c.Old == nil || c.New == nil
		}
	}
	return list, named, nil
}

// place says where a file belongs that came, or belonged that went.
func (a *assigner) place(pl placer, c *changed) {
	c.at = pl.place(c.Path())
	if c.at.drawn {
		c.order = a.s.order(c.Path(), c.at)
	}
	if c.New == nil {
		c.value = ""
	} else {
		c.value = c.at.value
	}
}

// count counts one change, and reports whether the gaps are still whole.
func (a *assigner) count(pl placer, c changed) bool {
	path, whole := c.Path(), true
	if c.Old != nil && c.New != nil {
		a.resize(c)
	} else {
		a.recount(c)
	}
	why := c.at.why
	if c.Old != nil {
		if c.New != nil {
			why = a.uncovered.text(path)
		}
		whole = a.dropGap(path, c.was)
	}
	if c.New != nil {
		a.gap(c.New, c.value, why)
	}
	return whole && a.recheckMissing(pl, c)
}

// resize counts new content of a file that stays where it is.
func (a *assigner) resize(c changed) {
	splits := a.tallies.numbers(c.was)
	a.sums.add(splits, true, ofFile, c.Old.Path, c.Old.Content)
	a.sums.add(splits, false, ofFile, c.New.Path, c.New.Content)
	for _, n := range splits {
		a.tallies.of[n].bytes += c.New.Size - c.Old.Size
	}
}

func (a *assigner) recount(c changed) {
	if c.Old != nil {
		a.file(c.Old, c.was, c.at.label, -1)
	}
	if c.New != nil {
		a.file(c.New, c.value, c.at.label, 1)
	}
}

func (a *assigner) dropGap(path, was string) bool {
	switch {
	case was == "":
		return a.uncovered.remove(path, 1)
	case len(a.tallies.numbers(was)) > 1:
		return a.overlap.remove(path, 1)
	}
	return true
}

// recheckMissing keeps the list of names without a file. A file that is
// listed and goes needs its place, which only reading all tells.
func (a *assigner) recheckMissing(pl placer, c changed) bool {
	if pl.l == nil || c.Old != nil && c.New != nil || pl.l.find(c.Path()) == nil {
		return true
	}
	if c.New == nil {
		return false
	}
	return a.missing.remove(c.Path(), 1)
}

func edits(list []changed) iter.Seq2[prolly.Edit, error] {
	return func(yield func(prolly.Edit, error) bool) {
		for _, c := range list {
			if c.was == c.value {
				continue
			}
			if !yield(prolly.Edit{Key: []byte(c.Path()), Value: []byte(c.value), Delete: c.value == ""}, nil) {
				return
			}
		}
	}
}

// drawChanges assigns the files that came.
func (a *assigner) drawChanges(list []changed) {
	if a.s.Group != nil {
		a.drawGroups(list)
		return
	}
	q := newQuotas(a.s)
	for n := range a.s.Ratios {
		for label, count := range a.tallies.of[n].classes {
			if count != 0 {
				q.hold(uint32(label), n, count)
			}
		}
	}
	a.renamedOf(list).each(func(at, split int) {
		c := &list[at]
		c.value = a.splitName(split)
		q.hold(a.tallies.labels.number(c.at.label), split, 1)
	})
	var fresh []group
	var of []int
	for i, c := range list {
		switch label := a.tallies.labels.number(c.at.label); {
		case !c.at.drawn || c.Old != nil && c.New != nil || c.New != nil && c.value != "": // it stays
		case c.New == nil:
			if n, ok := a.tallies.splits.of[c.was]; ok {
				q.hold(label, int(n), -1)
			}
		default:
			fresh = append(fresh, group{id: c.order, split: -1, label: label, count: 1})
			of = append(of, i)
		}
	}
	q.open(a.s)
	q.assignNew(fresh)
	for k, g := range fresh {
		list[of[k]].value = a.splitName(int(g.split))
	}
}

func (a *assigner) splitName(n int) string {
	if n < 0 {
		return ""
	}
	return a.tallies.splits.texts[n]
}

// touched is a group that files came to or went from.
type touched struct {
	id     groupID
	split  int
	labels classes
}

// drawGroups is drawChanges with groups, which a.groups has in order.
func (a *assigner) drawGroups(list []changed) {
	groups := a.touch(list)
	if len(groups) == 0 {
		return
	}
	q := newQuotas(a.s)
	a.hold(q, groups)
	var fresh []group
	var of []int
	for i, g := range groups {
		label, size := a.tallies.most(g.labels), g.labels.sum()
		switch {
		case size == 0:
		case g.split >= 0:
			q.hold(label, g.split, size)
		default:
			fresh = append(fresh, group{id: g.id, split: -1, label: label, count: uint32(size)})
			of = append(of, i)
		}
	}
	q.open(a.s)
	q.assignNew(fresh)
	for k, g := range fresh {
		groups[of[k]].split = int(g.split)
	}
	a.groups = a.groups.merge(groups)
	for i, c := range list {
		if c.New != nil && c.Old == nil && c.at.drawn {
			at, _ := slices.BinarySearchFunc(groups, c.order, func(g touched, id groupID) int { return bytes.Compare(g.id[:], id[:]) })
			list[i].value = a.splitName(groups[at].split)
		}
	}
}

func (c classes) sum() int64 {
	n := int64(0)
	for _, count := range c {
		n += int64(count)
	}
	return n
}

// touch returns the groups of the files that came and went, counted as they
// are now, sorted by ID.
func (a *assigner) touch(list []changed) []touched {
	byID := make(map[groupID]*touched)
	a.renamedOf(list).each(func(at, split int) {
		id := list[at].order
		byID[id] = &touched{id, split, classes{}}
	})
	for _, c := range list {
		if !c.at.drawn || c.Old != nil && c.New != nil {
			continue
		}
		g := byID[c.order]
		if g == nil {
			g = &touched{c.order, -1, classes{}}
			if i := a.groups.search(c.order); i < a.groups.len() && a.groups.id(i) == c.order {
				_, g.split, g.labels, _ = a.groups.group(i)
			}
			byID[c.order] = g
		}
		if label := a.tallies.labels.number(c.at.label); c.New != nil {
			g.labels[label]++
		} else if g.labels[label]--; g.labels[label] == 0 {
			delete(g.labels, label)
		}
	}
	groups := make([]touched, 0, len(byID))
	for _, g := range byID {
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(x, y touched) int { return bytes.Compare(x.id[:], y.id[:]) })
	return groups
}

// hold counts what the groups hold that were not touched.
func (a *assigner) hold(q *quotas, groups []touched) {
	for i := 0; i < a.groups.len(); {
		e := a.groups.at(i)
		for len(groups) > 0 && bytes.Compare(groups[0].id[:], e.id[:]) < 0 {
			groups = groups[1:]
		}
		skip := len(groups) > 0 && groups[0].id == e.id || e.split == noSplit
		if i+1 == a.groups.len() || a.groups.id(i+1) != e.id {
			if !skip {
				q.hold(e.label, int(e.split), int64(e.count))
			}
			i++
			continue
		}
		_, split, labels, next := a.groups.group(i)
		if !skip {
			q.hold(a.tallies.most(labels), split, labels.sum())
		}
		i = next
	}
}

// merge returns the records with these groups in place of what they were.
func (r records) merge(groups []touched) records {
	out := make(records, 0, len(r)+recordSize*len(groups))
	from := 0
	for _, g := range groups {
		at := r.search(g.id)
		out = append(out, r[from*recordSize:at*recordSize]...)
		for from = at; from < r.len() && r.id(from) == g.id; from++ {
			continue
		}
		out = out.appendGroup(g.id, g.split, g.labels)
	}
	return append(out, r[from*recordSize:]...)
}
