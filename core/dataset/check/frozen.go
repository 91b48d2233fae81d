package check

import (
	"context"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// frozen: a frozen or sealed split is what it was in the first parent.
func (w *walk) frozen(ctx context.Context, s *Scheme) (looked, error) {
	names := slices.Clone(s.Frozen)
	if len(names) == 0 {
		if w.Config.set(dataset.RuleFrozen) {
			return looked{skipped: "no split is frozen or sealed"}, nil
		}
		return looked{}, errNotAsked{}
	}
	if s.Before == nil {
		return looked{skipped: "there is no earlier commit with this scheme"}, nil
	}
	slices.Sort(names)
	saw := looked{}
	for _, name := range slices.Compact(names) {
		was, ok := s.Before.Fingerprints[name]
		if !ok {
			continue // it is new: there was nothing to keep
		}
		saw.samples += s.Before.Counts[name].Samples()
		if was == s.Fingerprints[name] {
			continue
		}
		if err := w.thaw(ctx, s, name, was); err != nil {
			return looked{}, err
		}
	}
	return saw, nil
}

// thaw reports what changed in a split.
func (w *walk) thaw(ctx context.Context, s *Scheme, name string, was objects.ID) error {
	told := false
	for c, err := range w.since(ctx) {
		if err != nil {
			return err
		}
		if f, ok := thawed(s.Name, name, c); ok {
			told = true
			w.out.add(f)
		}
	}
	rows, err := w.thawedRows(ctx, s, name, was)
	if err != nil || rows || told {
		return err
	}
	w.out.add(dataset.Finding{ // its samples cannot be told, but it is another
		ID:   dataset.FindingID(dataset.RuleFrozen, s.Name, name, was.String(), s.Fingerprints[name].String()),
		Rule: dataset.RuleFrozen, Scheme: s.Name,
		Message: fmt.Sprintf("frozen split %s has another fingerprint than in the parent commit", name),
		Samples: []dataset.Sample{},
	})
	return nil
}

// thawed tells what a change does to a frozen split.
func thawed(scheme, name string, c change) (dataset.Finding, bool) {
	was := c.old != nil && slices.Contains(dataset.SplitNames(c.was), name)
	is := c.new != nil && slices.Contains(dataset.SplitNames(c.value), name)
	f := dataset.Finding{Rule: dataset.RuleFrozen, Scheme: scheme}
	sample := func(e *objects.Entry) dataset.Sample {
		return dataset.Sample{Path: c.path, Split: name, Content: e.Content}
	}
	var verb string
	about := []string{name}
	switch {
	case was && is && c.old.Content != c.new.Content:
		verb = "changed in"
		f.Samples = []dataset.Sample{sample(c.old), sample(c.new)}
		about = append(about, c.old.Content.String(), c.new.Content.String())
	case was && !is:
		verb = "removed from"
		f.Samples = []dataset.Sample{sample(c.old)}
		about = append(about, "removed", subject(c.path, c.old))
	case is && !was:
		verb = "added to"
		f.Samples = []dataset.Sample{sample(c.new)}
		about = append(about, "added", subject(c.path, c.new))
	default:
		return f, false
	}
	f.ID = dataset.FindingID(dataset.RuleFrozen, scheme, about...)
	f.Message = fmt.Sprintf("%s was %s frozen split %s", c.path, verb, name)
	return f, true
}
