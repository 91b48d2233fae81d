package split

import (
	"context"
	"iter"

	"github.com/mlvc/mlvc/objects/prolly"
)

// draw is the groups of a scheme with ratios, and their splits.
type draw struct {
	tallies *tallies
	grouped bool
	groups  []group
	at      int               // the next group, if each sample is one
	of      map[groupID]int32 // the group of that ID, if not
	labels  map[int32]classes // of groups with several
	votes   map[int32]classes // splits that members of a group were in, if several
}

// classes counts by number.
type classes map[uint32]uint32

// drawWhole assigns all groups, keeping what the table before says.
func (a *assigner) drawWhole(ctx context.Context, pl placer) (*draw, error) {
	d := &draw{tallies: a.tallies, grouped: a.s.Group != nil}
	if d.grouped {
		d.of, d.labels, d.votes = make(map[groupID]int32), make(map[int32]classes), make(map[int32]classes)
	}
	keeps, changed := a.prior()
	if err := d.gather(ctx, a, pl, keeps); err != nil {
		return nil, err
	}
	d.settle()
	q := newQuotas(a.s)
	for _, g := range d.groups {
		if g.split >= 0 && g.count > 0 {
			q.hold(g.label, int(g.split), int64(g.count))
		}
	}
	q.open(a.s)
	q.assignNew(d.groups)
	if keeps && changed {
		q.rebalance(d.groups)
	}
	return d, nil
}

// prior reports whether what was assigned before counts, and whether the rule
// has changed since.
func (a *assigner) prior() (keeps, changed bool) {
	if a.in.Before == nil {
		return false, false
	}
	before, err := ParseRule(a.in.Before.Scheme, a.in.Before.Rule)
	if err != nil {
		return true, true
	}
	return !before.OfRows() && (!before.Draws() || before.Seed == a.s.Seed), before.draw() != a.s.draw()
}

// gather counts every group and finds the split that it was in.
func (d *draw) gather(ctx context.Context, a *assigner, pl placer, keeps bool) error {
	var table prolly.Map
	if keeps {
		table = prolly.Open(a.in.Before.Table)
	}
	next, stop := iter.Pull2(table.All(ctx, a.store))
	defer stop()
	old, err, more := next()
	left := leavers{draw: d, a: a}
	for f, fileErr := range a.files(ctx) {
		if fileErr != nil {
			return fileErr
		}
		for more && err == nil && string(old.Key) < f.Path {
			if err = left.add(ctx, old); err == nil {
				old, err, more = next()
			}
		}
		if err != nil {
			return err
		}
		at := pl.place(f.Path)
		if !at.drawn {
			continue
		}
		i := d.member(a.s, f.Path, at)
		switch {
		case more && string(old.Key) == f.Path:
			d.vote(i, string(old.Value))
			left.stayed = f.Path
		case keeps && at.group == "":
			left.comes(&f, int(i))
		}
	}
	for more && err == nil {
		if err = left.add(ctx, old); err == nil {
			old, err, more = next()
		}
	}
	if err != nil {
		return err
	}
	left.each(func(at, split int) { d.groups[at].split = int16(split) })
	return d.goneVotes(ctx, a, pl, left.items)
}

// leavers are the samples that a table had and that are gone; of a draw of
// groups, those that stayed as well.
type leavers struct {
	*draw
	a *assigner
	renames
	stayed string        // the last that is not gone
	items  []prolly.Item // of a draw of groups
}

func (l *leavers) add(ctx context.Context, it prolly.Item) error {
	if l.grouped {
		l.items = append(l.items, it)
	}
	if string(it.Key) == l.stayed {
		return nil
	}
	f, err := l.a.fileBefore(ctx, string(it.Key))
	l.went(f, l.splitNumber(string(it.Value)))
	return err
}

// goneVotes lets files that are gone say where their groups were: a file that
// was renamed is still of its group.
func (d *draw) goneVotes(ctx context.Context, a *assigner, pl placer, gone []prolly.Item) error {
	if len(gone) == 0 {
		return nil
	}
	if a.s.Group.Column != "" {
		if a.in.BeforeFiles == nil {
			return nil
		}
		l, err := a.listed(ctx, a.in.BeforeFiles)
		if err != nil {
			return err
		}
		pl = placer{a.s, l}
	}
	for _, it := range gone {
		path := string(it.Key)
		if at := pl.place(path); at.group != "" {
			if i, ok := d.of[a.s.order(path, at)]; ok {
				d.vote(i, string(it.Value))
			}
		}
	}
	return nil
}

// member counts a sample in its group, and returns the group.
func (d *draw) member(s Scheme, path string, at place) int32 {
	id, label := s.order(path, at), d.tallies.labels.number(at.label)
	if d.grouped {
		if i, ok := d.of[id]; ok {
			d.another(i, label)
			return i
		}
		d.of[id] = int32(len(d.groups))
	}
	d.groups = append(d.groups, group{id: id, split: -1, label: label, count: 1})
	return int32(len(d.groups) - 1)
}

// another counts one more sample of a group.
func (d *draw) another(i int32, label uint32) {
	g := &d.groups[i]
	several := d.labels[i]
	if several == nil && label != g.label {
		several = classes{g.label: g.count}
		d.labels[i] = several
	}
	if several != nil {
		several[label]++
	}
	g.count++
}

// vote notes that a member of the group was in a split.
func (d *draw) vote(i int32, value string) {
	n := d.splitNumber(value)
	if n < 0 {
		return
	}
	g := &d.groups[i]
	votes := d.votes[i]
	if g.split < 0 {
		g.split = int16(n)
	} else if votes == nil && g.split != int16(n) {
		votes = classes{uint32(g.split): g.votes}
		d.votes[i] = votes
	}
	if votes != nil {
		votes[uint32(n)]++
	}
	g.votes++
}

// splitNumber returns the number of a split of the scheme, or -1.
func (d *draw) splitNumber(value string) int {
	if n, ok := d.tallies.splits.of[value]; ok {
		return int(n)
	}
	return -1
}

// settle gives each group with several labels, or several splits before, the
// most frequent one.
func (d *draw) settle() {
	for i, several := range d.labels {
		d.groups[i].label = d.tallies.most(several)
	}
	for i, votes := range d.votes {
		best := -1
		for n := range d.tallies.splits.texts {
			if best < 0 || votes[uint32(n)] > votes[uint32(best)] {
				best = n
			}
		}
		d.groups[i].split = int16(best)
	}
}

// most returns the most frequent label; of equals the first by text.
func (t *tallies) most(of classes) uint32 {
	best, found := uint32(0), false
	for label, n := range of {
		if !found || n > of[best] || n == of[best] && t.labels.texts[label] < t.labels.texts[best] {
			best, found = label, true
		}
	}
	return best
}

// next returns the split of a sample; samples come in the order in which they
// were counted.
func (d *draw) next(s Scheme, path string, at place) string {
	i := d.at
	if d.grouped {
		i = int(d.of[s.order(path, at)])
	}
	d.at++
	if split := d.groups[i].split; split >= 0 {
		return d.tallies.splits.texts[split]
	}
	return ""
}
