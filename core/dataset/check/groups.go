package check

import (
	"context"
	"fmt"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

const groupContext = "mlvc 2026-11-26 group v1"

func groupID(group string) objects.ID { return objects.Derive(groupContext, []byte(group)) }

// byGroup: two samples are the same if their group is.
func byGroup(g *Groups) keyed {
	return keyed{kind: "group", more: g.Key, of: func(path string, _ *objects.Entry) (objects.ID, bool) {
		group := g.Of(path)
		return groupID(group), group != ""
	}}
}

// groups: no group is in two splits.
func (w *walk) groups(ctx context.Context, s *Scheme) (looked, error) {
	switch {
	case s.Groups == nil && w.Config.set(dataset.RuleGroups):
		return looked{skipped: "the scheme declares no group"}, nil
	case s.Groups == nil:
		return looked{}, errNotAsked{}
	case s.Groups.Drawn:
		return looked{samples: s.countedRows()}, nil
	case s.Groups.Of == nil:
		return w.groupsOfAll(ctx, s)
	}
	k := byGroup(s.Groups)
	m, err := w.member(ctx, k)
	if err != nil {
		return looked{}, err
	}
	err = w.crossings(ctx, k, m, func(string) bool { return false }, func(c shared) error {
		w.crossing(s.Groups.Of(c.samples[0].Path), c.samples, len(c.samples))
		return nil
	})
	return looked{samples: int64(m.len())}, err
}

// crossing reports one group.
func (w *walk) crossing(group string, samples []dataset.Sample, all int) {
	some, names := named(samples)
	w.out.add(dataset.Finding{
		ID:   dataset.FindingID(dataset.RuleGroups, w.scheme.Name, append([]string{groupID(group).String()}, names...)...),
		Rule: dataset.RuleGroups, Scheme: w.scheme.Name,
		Message: fmt.Sprintf("group %q is in %s: %s", group, and(names), places(some, all)),
		Samples: some,
	})
}

// groupsOfAll looks at every sample: where the group is not told by the path,
// as for rows. The groups that cross are named by a second look.
func (w *walk) groupsOfAll(ctx context.Context, s *Scheme) (looked, error) {
	m := &membership{}
	var all []entry
	for g, err := range s.Groups.All(ctx) {
		if err != nil {
			if w.outUnread(err) {
				continue
			}
			return looked{}, err
		}
		for _, name := range dataset.SplitNames(g.Split) {
			number, err := m.number(name)
			if err != nil {
				return looked{}, err
			}
			all = append(all, entry{short(groupID(g.Group)), number})
		}
	}
	m.fill(all)
	saw := looked{samples: int64(len(all))}
	candidates := m.crossing()
	if len(candidates) > dataset.MaxFindings {
		w.out.more(dataset.RuleGroups, s.Name, int64(len(candidates)-dataset.MaxFindings))
		candidates = candidates[:dataset.MaxFindings]
	}
	if len(candidates) == 0 {
		return saw, nil
	}
	return saw, w.nameGroups(ctx, s, candidates)
}

// grouping is the samples of one group: some of each split, and their number.
type grouping struct {
	samples []dataset.Sample
	of      map[string]int // by split
	all     int
	paths   map[place0]bool // at most two
}

type place0 struct {
	path string
	row  int64
}

func (w *walk) nameGroups(ctx context.Context, s *Scheme, candidates []uint64) error {
	wanted := make(map[uint64]bool, len(candidates))
	for _, key := range candidates {
		wanted[key] = true
	}
	groups := map[string]*grouping{}
	var order []string
	for g, err := range s.Groups.All(ctx) {
		if err != nil {
			if w.outUnread(err) {
				continue
			}
			return err
		}
		if !wanted[short(groupID(g.Group))] {
			continue
		}
		if groups[g.Group] == nil {
			groups[g.Group] = &grouping{of: map[string]int{}, paths: map[place0]bool{}}
			order = append(order, g.Group)
		}
		groups[g.Group].add(g.Sample)
	}
	for _, name := range order {
		if g := groups[name]; len(g.of) > 1 && len(g.paths) > 1 {
			w.crossing(name, g.samples, g.all)
		}
	}
	return nil
}

// add takes a sample in, holding no more than can be named.
func (g *grouping) add(sample dataset.Sample) {
	if len(g.paths) < 2 {
		g.paths[place0{sample.Path, sample.Row}] = true
	}
	for _, name := range dataset.SplitNames(sample.Split) {
		g.all++
		if g.of[name]++; g.of[name] <= maxNamed {
			sample.Split = name
			g.samples = append(g.samples, sample)
		}
	}
}
