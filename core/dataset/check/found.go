package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

const (
	// maxNamed is how many samples a finding names.
	maxNamed = 20
	// atOnce is how many candidates are looked up in one walk.
	atOnce = 50_000
)

func (m *membership) forget(key uint64, path string) {
	if paths, ok := m.found[key]; ok {
		set := pathSet(paths)
		set.put(path, false)
		m.found[key] = set
	}
}

func (m *membership) remember(key uint64, path string) {
	if paths, ok := m.found[key]; ok {
		set := pathSet(paths)
		set.put(path, true)
		m.found[key] = set
	}
}

// find lists the paths of the candidates: those not known from before are
// looked up in one walk over the files. Where they are more than can be
// listed, none are.
func (w *walk) find(ctx context.Context, k keyed, m *membership) error {
	candidates := m.crossing()
	known := m.found
	m.found = map[uint64][]string{}
	if len(candidates) > maxListed/2 {
		return nil
	}
	var missing []uint64
	for _, key := range candidates {
		if paths, ok := known[key]; ok {
			m.found[key] = paths
		} else {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	found, err := w.lookUp(ctx, k, missing)
	for key, paths := range found {
		m.found[key] = paths
	}
	return err
}

// lookUp returns the paths of each of the keys.
func (w *walk) lookUp(ctx context.Context, k keyed, keys []uint64) (map[uint64][]string, error) {
	found := make(map[uint64][]string, len(keys))
	for _, key := range keys {
		found[key] = nil
	}
	for f, err := range w.placed(ctx) {
		if err != nil {
			return nil, err
		}
		if len(dataset.SplitNames(f.value)) == 0 {
			continue
		}
		id, ok := k.of(f.Path, &f.Entry)
		if !ok {
			continue
		}
		if paths, ok := found[short(id)]; ok {
			found[short(id)] = append(paths, f.Path)
		}
	}
	return found, nil
}

// shared is a key and the samples that have it.
type shared struct {
	id      objects.ID
	samples []dataset.Sample // one for each split of each path
}

// crossings calls do with every key that samples of two splits share. skip
// leaves samples out that only now show as none.
func (w *walk) crossings(ctx context.Context, k keyed, m *membership, skip func(path string) bool, do func(shared) error) error {
	candidates := m.crossing()
	for len(candidates) > 0 {
		part := candidates[:min(atOnce, len(candidates))]
		candidates = candidates[len(part):]
		found := m.found
		if _, ok := found[part[0]]; !ok {
			var err error
			if found, err = w.lookUp(ctx, k, part); err != nil {
				return err
			}
		}
		for _, key := range part {
			if err := w.share(ctx, k, found[key], skip, do); err != nil {
				return err
			}
		}
	}
	return nil
}

// share tells the paths of one candidate apart by their whole keys.
func (w *walk) share(ctx context.Context, k keyed, paths []string, skip func(string) bool, do func(shared) error) error {
	byKey := map[objects.ID][]dataset.Sample{}
	var order []objects.ID
	for _, path := range paths {
		if skip(path) {
			continue
		}
		e, err := w.entry(ctx, path)
		if err != nil {
			return err
		}
		value, err := w.value(ctx, path)
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		id, ok := k.of(path, e)
		if !ok {
			continue
		}
		if byKey[id] == nil {
			order = append(order, id)
		}
		for _, split := range dataset.SplitNames(value) {
			byKey[id] = append(byKey[id], dataset.Sample{Path: path, Split: split, Content: e.Content})
		}
	}
	for _, id := range order {
		if !apart(byKey[id]) {
			continue
		}
		if err := do(shared{id, byKey[id]}); err != nil {
			return err
		}
	}
	return nil
}

// apart reports whether two different samples are in two different splits; one
// sample in two splits is for the rule overlap. That is so unless all are in
// one split or all are one sample.
func apart(samples []dataset.Sample) bool {
	splits, places := false, false
	for _, s := range samples {
		splits = splits || s.Split != samples[0].Split
		places = places || s.Path != samples[0].Path || s.Row != samples[0].Row
	}
	return splits && places
}

// named returns at most maxNamed of the samples, the first of each split
// before the second of any, and the names of all splits.
func named(samples []dataset.Sample) ([]dataset.Sample, []string) {
	by := map[string][]dataset.Sample{}
	var names []string
	for _, s := range samples {
		if by[s.Split] == nil {
			names = append(names, s.Split)
		}
		by[s.Split] = append(by[s.Split], s)
	}
	slices.Sort(names)
	want := min(maxNamed, len(samples))
	var out []dataset.Sample
	for round := 0; len(out) < want; round++ {
		for _, name := range names {
			if round < len(by[name]) && len(out) < want {
				out = append(out, by[name][round])
			}
		}
	}
	return out, names
}

// and joins names as speech does.
func and(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// plural returns "1 file" or "3 files".
func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// clean takes out what a finding's ID cannot have.
func clean(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }
