package check

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/mlvc/mlvc/core/dataset"
)

// DefaultDrift are the limits where the check is asked for without any.
var DefaultDrift = Drift{Classes: 0.1, Size: 0.2}

// drift: classes and sizes of the splits stay within limits of the parent's.
func (w *walk) drift(_ context.Context, s *Scheme) (looked, error) {
	limits := w.Config.Drift
	switch {
	case !w.Config.set(dataset.RuleDrift):
		return looked{}, errNotAsked{}
	case s.Before == nil:
		return looked{skipped: "there is no earlier commit with this scheme"}, nil
	case s.Counts == nil || s.Before.Counts == nil:
		return looked{skipped: "the splits were not counted"}, nil
	case limits == Drift{}:
		limits = DefaultDrift
	}
	var saw looked
	for _, name := range slices.Sorted(maps.Keys(s.Before.Counts)) {
		was, is := s.Before.Counts[name], s.Counts[name]
		saw.samples += is.Samples()
		if was.Samples() == 0 {
			continue
		}
		w.grown(s.Name, name, was, is, limits.Size)
		w.shifted(s.Name, name, was.Classes, is.Classes, limits.Classes)
	}
	return saw, nil
}

// grown reports a split whose size left the limit.
func (w *walk) grown(scheme, name string, was, is dataset.Count, limit float64) {
	by := float64(is.Samples()-was.Samples()) / float64(was.Samples())
	if limit == 0 || math.Abs(by) <= limit {
		return
	}
	w.out.add(dataset.Finding{
		ID:   dataset.FindingID(dataset.RuleDrift, scheme, name, "size", decimal(was.Samples()), decimal(is.Samples())),
		Rule: dataset.RuleDrift, Scheme: scheme,
		Message: fmt.Sprintf("%s went from %s to %d: %+.1f %%, where %g %% is the limit",
			name, plural(was.Samples(), "sample"), is.Samples(), 100*by, 100*limit),
		Distance: math.Abs(by), Measure: "part of the former size",
	})
}

// shifted reports a split whose shares of classes left the limit.
func (w *walk) shifted(scheme, name string, was, is map[string]int64, limit float64) {
	distance, most := variation(was, is)
	if limit == 0 || distance <= limit {
		return
	}
	about := []string{name, "classes"}
	for _, class := range classes(was, is) {
		about = append(about, clean(fmt.Sprintf("%s: %d to %d", class, was[class], is[class])))
	}
	w.out.add(dataset.Finding{
		ID:   dataset.FindingID(dataset.RuleDrift, scheme, about...),
		Rule: dataset.RuleDrift, Scheme: scheme,
		Message: fmt.Sprintf("classes of %s shifted by %.3f, where %g is the limit; most of all %q, from %.1f %% to %.1f %%",
			name, distance, limit, most, 100*share(was, most), 100*share(is, most)),
		Distance: distance, Measure: "total variation",
	})
}

// variation returns the total variation distance of two distributions, half
// the sum of the differences of shares, and the class that differs most.
// Without classes on a side there is nothing to compare.
func variation(was, is map[string]int64) (distance float64, most string) {
	if sum(was) == 0 || sum(is) == 0 {
		return 0, ""
	}
	far := -1.0
	for _, class := range classes(was, is) {
		d := math.Abs(share(was, class) - share(is, class))
		distance += d / 2
		if d > far {
			far, most = d, class
		}
	}
	return distance, most
}

func classes(a, b map[string]int64) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

func sum(m map[string]int64) int64 {
	var n int64
	for _, v := range m {
		n += v
	}
	return n
}

func share(m map[string]int64, class string) float64 {
	if total := sum(m); total > 0 {
		return float64(m[class]) / float64(total)
	}
	return 0
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
