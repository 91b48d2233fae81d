package check

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
)

// near: no near-duplicates are in two splits. The same content is for the rule
// content; labels and empty files are no samples.
func (w *walk) near(ctx context.Context, s *Scheme) (looked, error) {
	if w.Near == nil {
		return looked{}, errNotAsked{}
	}
	var saw looked
	files := func(yield func(NearFile, error) bool) {
		for f, err := range w.placed(ctx) {
			if err != nil {
				yield(NearFile{}, err)
				return
			}
			names := splits(f.value)
			if len(names) == 0 || f.Size == 0 || w.Labels.isLabel(f.Path) {
				continue
			}
			saw.samples++
			for _, name := range names {
				if !yield(NearFile{f.File, name}, nil) {
					return
				}
			}
		}
	}
	pairs := w.Near(ctx, files, w.Config.Near, func(u dataset.Unread) { w.out.unread(u) })
	return saw, w.pairs(s, pairs)
}

// pairs reports the pairs that are of two samples and two splits.
func (w *walk) pairs(s *Scheme, pairs iter.Seq2[NearPair, error]) error {
	for p, err := range pairs {
		if err != nil {
			return err
		}
		if p.A.Path == p.B.Path && p.A.Row == p.B.Row || p.A.Split == p.B.Split || p.A.Content == p.B.Content {
			continue
		}
		if p.B.Split < p.A.Split || p.B.Split == p.A.Split && p.B.Path < p.A.Path {
			p.A, p.B = p.B, p.A
		}
		names := []string{p.A.Split, p.B.Split}
		slices.Sort(names)
		w.out.add(dataset.Finding{
			ID:   dataset.FindingID(dataset.RuleNear, s.Name, append(names, p.A.Content.String(), p.B.Content.String())...),
			Rule: dataset.RuleNear, Scheme: s.Name,
			Message:  fmt.Sprintf("%s in %s is nearly %s in %s", place1(p.A), p.A.Split, place1(p.B), p.B.Split),
			Samples:  []dataset.Sample{p.A, p.B},
			Distance: p.Distance, Measure: p.Measure,
		})
	}
	return nil
}
