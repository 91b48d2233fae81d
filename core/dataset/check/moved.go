package check

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// moved: nothing that was for evaluation in an earlier commit is for training
// now, whether by path, content, group or row. A file whose content, path or
// group is for evaluation still did not move: that it is for both is told by
// other rules, and may be waived there.
func (w *walk) moved(ctx context.Context, s *Scheme) (looked, error) {
	sides := w.sides(s)
	earlier := s.Earlier
	switch {
	case len(sides.to) == 0 || len(sides.from) == 0:
		if !w.Config.set(dataset.RuleMoved) {
			return looked{}, errNotAsked{}
		}
		return looked{skipped: "no splits of evaluation and of training are known by name; set checks.moved.from and checks.moved.to"}, nil
	case s.Before == nil && len(earlier) == 0:
		return looked{skipped: "there is no earlier commit with this scheme"}, nil
	}
	var saw looked
	if s.Before != nil {
		saw = looked{samples: samplesOf(s.Before, sides.from)}
		if err := w.movedSince(ctx, s, s.Before, sides, w.since); err != nil {
			return looked{}, err
		}
	}
	q, err := w.newQuiet(ctx, s, sides)
	if err != nil {
		return looked{}, err
	}
	for i := range earlier {
		if nothing, err := q.is(ctx, &earlier[i]); nothing || err != nil {
			if err != nil {
				return looked{}, err
			}
			continue
		}
		var list changeList // it is gone through several times
		since := func(ctx context.Context) iter.Seq2[change, error] { return w.between(ctx, &earlier[i], &list) }
		if err := w.movedSince(ctx, s, &earlier[i], sides, since); err != nil {
			return looked{}, err
		}
	}
	return saw, nil
}

func samplesOf(b *Before, names []string) int64 {
	var n int64
	for _, name := range names {
		n += b.Counts[name].Samples()
	}
	return n
}

// sides are the names of the splits for evaluation, and for training.
type sides struct{ from, to []string }

func (w *walk) sides(s *Scheme) sides {
	m := w.Config.Moved
	if m.To == nil {
		m.To = DefaultMoved.To
	}
	held := s.Frozen
	if m.From == nil {
		m.From = DefaultMoved.From
	} else {
		held = nil
	}
	all := map[string]bool{}
	for name := range s.Fingerprints {
		all[name] = true
	}
	for _, b := range append(s.Earlier[:len(s.Earlier):len(s.Earlier)], before(s)...) {
		for name := range b.Fingerprints {
			all[name] = true
		}
	}
	var out sides
	for _, name := range slices.Sorted(maps.Keys(all)) {
		switch {
		case matches(m.To, name):
			out.to = append(out.to, name)
		case matches(m.From, name) || slices.Contains(held, name):
			out.from = append(out.from, name)
		}
	}
	return out
}

func before(s *Scheme) []Before {
	if s.Before == nil {
		return nil
	}
	return []Before{*s.Before}
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, name); return ok })
}

// in returns the first of a sample's splits that is one of the names.
func in(value string, names []string) string {
	for _, name := range dataset.SplitNames(value) {
		if slices.Contains(names, name) {
			return name
		}
	}
	return ""
}

// movedSince compares with one earlier commit. Only changes can move, so the
// keys of what left evaluation are gathered from them, and then looked for in
// what came into training.
func (w *walk) movedSince(ctx context.Context, s *Scheme, b *Before, sides sides, since func(context.Context) iter.Seq2[change, error]) error {
	left := map[uint64]bool{}
	for c, err := range since(ctx) {
		if err != nil {
			return err
		}
		if c.old != nil && in(c.was, sides.from) != "" {
			for _, key := range w.movable(s, c.path, c.old) {
				left[short(key.id)] = true
			}
		}
	}
	hits := map[uint64]bool{}
	for c, err := range since(ctx) {
		if err != nil {
			return err
		}
		if c.arrives(sides) {
			for _, key := range w.movable(s, c.path, c.new) {
				if left[short(key.id)] {
					hits[short(key.id)] = true
				}
			}
		}
	}
	if err := w.dropHeld(ctx, s, sides, hits); err != nil {
		return err
	}
	if len(hits) > 0 {
		if err := w.nameMoved(ctx, s, sides, hits, since); err != nil {
			return err
		}
	}
	return w.movedRows(ctx, s, b, sides, since)
}

// dropHeld takes out of hits the contents and groups that are for evaluation
// still, under whatever path.
func (w *walk) dropHeld(ctx context.Context, s *Scheme, sides sides, hits map[uint64]bool) error {
	if len(hits) == 0 {
		return nil
	}
	m, err := w.contents(ctx)
	if err != nil {
		return err
	}
	held := func(key uint64, _ bool) bool { return m.has(key, sides.from) }
	maps.DeleteFunc(hits, held)
	if len(hits) == 0 || s.Groups == nil || s.Groups.Of == nil {
		return nil
	}
	if m, err = w.member(ctx, byGroup(s.Groups)); err != nil {
		return err
	}
	maps.DeleteFunc(hits, held)
	return nil
}

// arrives reports whether the change brings a sample, or another content, into
// training, and not into evaluation too.
func (c change) arrives(sides sides) bool {
	if c.new == nil || in(c.value, sides.to) == "" || in(c.value, sides.from) != "" {
		return false
	}
	return c.old == nil || in(c.was, sides.to) == "" || c.old.Content != c.new.Content
}

// sameness is one way in which a sample is the same as before.
type sameness struct {
	id  objects.ID
	how string
}

const pathContext = "mlvc 2026-11-26 path of a sample v1"

// movable returns the keys by which a sample is known again, the surest first.
func (w *walk) movable(s *Scheme, path string, e *objects.Entry) []sameness {
	if w.Labels.isLabel(path) {
		return nil // it goes with its sample
	}
	var keys []sameness
	if e.Size > 0 {
		keys = append(keys, sameness{e.Content, ""})
	}
	keys = append(keys, sameness{objects.Derive(pathContext, []byte(path)), ", by its path"})
	if s.Groups != nil && s.Groups.Of != nil {
		if group := s.Groups.Of(path); group != "" {
			keys = append(keys, sameness{groupID(group), fmt.Sprintf(", as one of the group %q", group)})
		}
	}
	return keys
}

// origin is where a sample was.
type origin struct {
	id objects.ID
	dataset.Sample
}

// nameMoved reports the arrivals among the hits, each with where it was.
func (w *walk) nameMoved(ctx context.Context, s *Scheme, sides sides, hits map[uint64]bool, since func(context.Context) iter.Seq2[change, error]) error {
	origins := map[uint64][]origin{}
	for c, err := range since(ctx) {
		if err != nil {
			return err
		}
		split := in(c.was, sides.from)
		if c.old == nil || split == "" {
			continue
		}
		for _, key := range w.movable(s, c.path, c.old) {
			at := short(key.id)
			if hits[at] && !slices.ContainsFunc(origins[at], func(o origin) bool { return o.id == key.id }) {
				origins[at] = append(origins[at], origin{key.id, dataset.Sample{Path: c.path, Split: split, Content: c.old.Content}})
			}
		}
	}
	for c, err := range since(ctx) {
		if err != nil {
			return err
		}
		if c.arrives(sides) {
			w.arrival(s, sides, c, origins)
		}
	}
	return nil
}

func (w *walk) arrival(s *Scheme, sides sides, c change, origins map[uint64][]origin) {
	for _, key := range w.movable(s, c.path, c.new) {
		for _, o := range origins[short(key.id)] {
			if o.id != key.id {
				continue
			}
			now := dataset.Sample{Path: c.path, Split: in(c.value, sides.to), Content: c.new.Content}
			w.out.add(movedFinding(s.Name, subject(c.path, c.new), o.Sample, now, key.how))
			return
		}
	}
}

func movedFinding(scheme, about string, was, now dataset.Sample, how string) dataset.Finding {
	message := fmt.Sprintf("%s was in %s and is now in %s%s", place1(now), was.Split, now.Split, how)
	if was.Path != now.Path || was.Row != now.Row {
		message = fmt.Sprintf("%s was in %s (%s) and is now in %s%s", place1(now), was.Split, place1(was), now.Split, how)
	}
	return dataset.Finding{
		ID:   dataset.FindingID(dataset.RuleMoved, scheme, about, was.Split, now.Split),
		Rule: dataset.RuleMoved, Scheme: scheme, Message: message, Samples: []dataset.Sample{was, now},
	}
}
