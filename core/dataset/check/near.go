package check

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// near: no near-duplicates are in two splits. The same content is for the rule
// content; labels and empty files are no samples.
//
//  1. What was found in the same tree and split table is found again.
//  2. Else the files that are compared, images and texts, are the parent's with
//     what changed. Where none of these changed, neither did what is found, so
//     that the cost follows the change however many files are of other kinds.
//  3. Without the parent's, all files are looked at.
func (w *walk) near(ctx context.Context, s *Scheme) (looked, error) {
	if w.Near == nil {
		return looked{}, errNotAsked{}
	}
	name := w.nearName(w.Tree, s.Table.Root())
	n := w.recallNear(name)
	if n == nil {
		var err error
		if n, err = w.updatedNear(ctx); err != nil {
			return looked{}, err
		}
	}
	switch {
	case n == nil:
		n = &compared{}
		if err := w.compareAll(ctx, s, n); err != nil {
			return looked{}, err
		}
	case n.told:
		for _, p := range n.pairs {
			w.pair(s, p)
		}
	default:
		if err := w.compare(ctx, s, n, n.files()); err != nil {
			return looked{}, err
		}
	}
	w.rememberNear(name, n)
	return looked{samples: n.samples}, nil
}

// isNear reports whether a file is a sample that may be compared.
func (w *walk) isNear(path string, e *objects.Entry, value string) bool {
	return e != nil && e.Size > 0 && len(dataset.SplitNames(value)) > 0 && !w.Labels.isLabel(path)
}

// compareAll looks at all files, and lists those that are compared.
func (w *walk) compareAll(ctx context.Context, s *Scheme, n *compared) error {
	n.whole = true
	return w.compare(ctx, s, n, func(yield func(NearFile, error) bool) {
		for f, err := range w.placed(ctx) {
			if err != nil {
				yield(NearFile{}, err)
				return
			}
			if !w.isNear(f.Path, &f.Entry, f.value) {
				continue
			}
			n.samples++
			for _, name := range dataset.SplitNames(f.value) {
				if !yield(NearFile{f.File, name}, nil) {
					return
				}
			}
		}
	})
}

// compare compares files and reports what is found; what it comes to is told
// next time if all could be read.
func (w *walk) compare(ctx context.Context, s *Scheme, n *compared, files iter.Seq2[NearFile, error]) error {
	n.told, n.pairs = true, nil
	listed := &compared{whole: n.whole}
	saw := func(f NearSeen) {
		listed.add(f.NearFile)
		if f.Why != "" {
			n.told = false // it may be there next time
			w.out.unread(dataset.Unread{Path: f.Path, Why: f.Why})
		}
	}
	for p, err := range w.Near(ctx, files, w.Config.Near, saw) {
		if err != nil {
			return err
		}
		if p, ok := crossing(p); ok {
			w.pair(s, p)
			n.keep(p)
		}
	}
	n.whole, n.list = listed.whole, listed.list
	return nil
}

// crossing puts a pair of two samples and two splits in order; false: it is
// none.
func crossing(p NearPair) (NearPair, bool) {
	if p.A.Path == p.B.Path && p.A.Row == p.B.Row || p.A.Split == p.B.Split || p.A.Content == p.B.Content {
		return p, false
	}
	if p.B.Split < p.A.Split {
		p.A, p.B = p.B, p.A
	}
	return p, true
}

// pair reports a pair.
func (w *walk) pair(s *Scheme, p NearPair) {
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
