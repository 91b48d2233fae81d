package check

import (
	"context"
	"fmt"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// byContent: two samples are the same if their bytes are. Empty files are none.
// Labels are left out of what is found, so that what is kept stays of use when
// files become labels.
func (w *walk) byContent() keyed {
	return keyed{kind: "content", sets: true, of: func(path string, e *objects.Entry) (objects.ID, bool) {
		if e == nil || e.Size == 0 {
			return objects.ID{}, false
		}
		return e.Content, true
	}}
}

// contents loads the membership by content once.
func (w *walk) contents(ctx context.Context) (*membership, error) {
	if w.files != nil {
		return w.files, nil
	}
	k := w.byContent()
	if w.Config.Level(dataset.RuleCovered) == dataset.Off {
		k.kind = "content, what is covered not asked"
	}
	m, err := w.member(ctx, k)
	w.files = m
	return m, err
}

// ofFiles is a rule that compares files, which no sample is where rows are.
func (w *walk) ofFiles(rule dataset.Rule, do look) look {
	if w.scheme.Rows == nil {
		return do
	}
	return func(context.Context, *Scheme) (looked, error) {
		if w.Config.set(rule) {
			return looked{skipped: "the samples are rows; see the rule rows"}, nil
		}
		return looked{}, errNotAsked{}
	}
}

// countedRows is how many rows are in the splits, as they were assigned.
func (s *Scheme) countedRows() (n int64) {
	for _, c := range s.Counts {
		n += c.Rows
	}
	return n
}

// overlap: no sample is in two splits. Of rows, those that were are given.
func (w *walk) overlap(ctx context.Context, s *Scheme) (looked, error) {
	if s.Rows != nil {
		return looked{samples: s.countedRows()}, nil
	}
	m, err := w.contents(ctx)
	if err != nil {
		return looked{}, err
	}
	samples, err := s.Table.Count(ctx, w.Getter)
	if err != nil {
		return looked{}, err
	}
	for _, path := range m.overlap {
		if err := w.overlapping(ctx, path); err != nil {
			return looked{}, err
		}
	}
	return looked{samples: samples}, nil
}

func (w *walk) overlapping(ctx context.Context, path string) error {
	e, err := w.entry(ctx, path)
	if err != nil || e == nil {
		return err
	}
	value, err := w.value(ctx, path)
	if err != nil {
		return err
	}
	names := dataset.SplitNames(value)
	f := dataset.Finding{
		ID:   dataset.FindingID(dataset.RuleOverlap, w.scheme.Name, append([]string{subject(path, e)}, names...)...),
		Rule: dataset.RuleOverlap, Scheme: w.scheme.Name,
		Message: fmt.Sprintf("%s is in %s", path, and(names)),
	}
	for _, name := range names {
		f.Samples = append(f.Samples, dataset.Sample{Path: path, Split: name, Content: e.Content})
	}
	w.out.add(f)
	return nil
}

// subject is what tells a file from others whatever its path: its content,
// unless that is empty.
func subject(path string, e *objects.Entry) string {
	if e.Size == 0 {
		return clean(path)
	}
	return e.Content.String()
}

// covered: every sample is in a split. Of rows, those that are in none are given.
func (w *walk) covered(ctx context.Context, s *Scheme) (looked, error) {
	if s.Rows != nil {
		return looked{samples: s.countedRows() + w.out.tally(dataset.RuleCovered, s.Name).all}, nil
	}
	m, err := w.contents(ctx)
	if err != nil {
		return looked{}, err
	}
	for _, path := range m.bare {
		if w.Labels.isLabel(path) {
			continue
		}
		if w.out.full(dataset.RuleCovered, w.scheme.Name) {
			w.out.more(dataset.RuleCovered, w.scheme.Name, 1)
			continue
		}
		e, err := w.entry(ctx, path)
		if err != nil {
			return looked{}, err
		}
		if e == nil {
			continue
		}
		w.out.add(dataset.Finding{
			ID:   dataset.FindingID(dataset.RuleCovered, w.scheme.Name, subject(path, e)),
			Rule: dataset.RuleCovered, Scheme: w.scheme.Name,
			Message: path + " is in no split",
			Samples: []dataset.Sample{{Path: path, Content: e.Content}},
		})
	}
	return looked{samples: int64(m.len() + len(m.bare))}, nil
}

// content: no content is in two splits.
func (w *walk) content(ctx context.Context, s *Scheme) (looked, error) {
	m, err := w.contents(ctx)
	if err != nil {
		return looked{}, err
	}
	err = w.crossings(ctx, w.byContent(), m, w.Labels.isLabel, func(c shared) error {
		some, names := named(c.samples)
		w.out.add(dataset.Finding{
			ID:   dataset.FindingID(dataset.RuleContent, s.Name, append([]string{c.id.String()}, names...)...),
			Rule: dataset.RuleContent, Scheme: s.Name,
			Message: "the same content is in " + and(names) + ": " + places(some, len(c.samples)),
			Samples: some,
		})
		return nil
	})
	return looked{samples: int64(m.len())}, err
}

// places names samples in a line: two of them, and how many more there are.
func places(some []dataset.Sample, all int) string {
	var texts []string
	for _, s := range some[:min(2, len(some))] {
		texts = append(texts, place1(s))
	}
	text := strings.Join(texts, ", ")
	if more := all - len(texts); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// place1 names one sample.
func place1(s dataset.Sample) string {
	if s.Row == 0 {
		return s.Path
	}
	return fmt.Sprintf("%s row %d", s.Path, s.Row)
}
