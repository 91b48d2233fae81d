package check

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// tallies count, by the first bytes of their hashes, how often rows occur.
type tallies map[uint64]int

// changedTables returns the row tables that differ from an earlier commit's:
// as they were, and as they are. Under another rule all of them differ.
func (w *walk) changedTables(ctx context.Context, s *Scheme, b *Before, since iter.Seq2[change, error]) (were, are []table, err error) {
	if b.Files == nil || b.Rows == nil || s.Rows == nil {
		return nil, nil, nil
	}
	was := func(f dataset.File) table { return table{f, dataset.AllRows, b.Rows, b.Rule} }
	is := func(f dataset.File) table { return table{f, dataset.AllRows, s.Rows, s.Rule} }
	if b.Rule != s.Rule {
		if were, err = rowTables(ctx, w.Getter, b.Files, b, was); err != nil {
			return nil, nil, err
		}
		now := Before{Table: s.Table}
		are, err = rowTables(ctx, w.Getter, w.Files, &now, is)
		return were, are, err
	}
	for c, err := range since {
		if err != nil {
			return nil, nil, err
		}
		if c.old != nil && c.was == dataset.AllRows {
			were = append(were, was(dataset.File{Path: c.path, Entry: *c.old}))
		}
		if c.new != nil && c.value == dataset.AllRows {
			are = append(are, is(dataset.File{Path: c.path, Entry: *c.new}))
		}
	}
	return were, are, nil
}

// rowTables returns the tables whose rows are samples.
func rowTables(ctx context.Context, g objects.Getter, files dataset.Files, b *Before, as func(dataset.File) table) ([]table, error) {
	var list []table
	for item, err := range b.Table.All(ctx, g) {
		if err != nil {
			return nil, err
		}
		if string(item.Value) != dataset.AllRows {
			continue
		}
		f, err := files.Lookup(ctx, string(item.Key))
		if err != nil {
			return nil, err
		}
		if f != nil {
			list = append(list, as(*f))
		}
	}
	return list, nil
}

// tally counts the rows of tables that are in one of the splits.
func (w *walk) tally(ctx context.Context, tables []table, names []string) (tallies, error) {
	counts := tallies{}
	err := w.load(ctx, tables, func(_ int, rows *tableRows) error {
		for key, split := range rows.all() {
			if slices.Contains(names, split) {
				counts[key]++
			}
		}
		return nil
	})
	return counts, err
}

// pick yields the rows of tables that are in one of the splits and wanted.
func (w *walk) pick(ctx context.Context, tables []table, names []string, wanted func(Row) bool, do func(dataset.Sample)) error {
	for _, t := range tables {
		for row, err := range t.read(ctx, t.File) {
			var unread *UnreadError
			if errors.As(err, &unread) {
				continue // told by the rule rows, where it is of now
			}
			if err != nil {
				return err
			}
			if !row.Hash.IsZero() && slices.Contains(names, row.Split) && wanted(row) {
				do(dataset.Sample{Path: t.Path, Row: row.Number, Split: row.Split, Content: row.Hash})
			}
		}
	}
	return nil
}

// thawedRows reports, in one finding, the rows that came into a frozen split
// or left it.
func (w *walk) thawedRows(ctx context.Context, s *Scheme, name string, was objects.ID) (bool, error) {
	were, are, err := w.changedTables(ctx, s, s.Before, w.since(ctx))
	if err != nil || len(were)+len(are) == 0 {
		return false, err
	}
	split := []string{name}
	before, err := w.tally(ctx, were, split)
	if err != nil {
		return false, err
	}
	now, err := w.tally(ctx, are, split)
	if err != nil {
		return false, err
	}
	removed, added := less(before, now), less(now, before)
	var samples []dataset.Sample
	take := func(some tallies) (func(Row) bool, func(dataset.Sample)) {
		left := maps.Clone(some)
		n := 0
		return func(row Row) bool { left[short(row.Hash)]--; return left[short(row.Hash)] >= 0 && n < maxNamed/2 },
			func(sample dataset.Sample) { n++; samples = append(samples, sample) }
	}
	wanted, do := take(removed)
	if err := w.pick(ctx, were, split, wanted, do); err != nil {
		return false, err
	}
	wanted, do = take(added)
	if err := w.pick(ctx, are, split, wanted, do); err != nil {
		return false, err
	}
	if len(samples) == 0 {
		return false, nil
	}
	w.out.add(dataset.Finding{
		ID:   dataset.FindingID(dataset.RuleFrozen, s.Name, name, was.String(), s.Fingerprints[name].String()),
		Rule: dataset.RuleFrozen, Scheme: s.Name,
		Message: fmt.Sprintf("frozen split %s changed: %s removed, %s added", name, plural(removed.sum(), "row"), plural(added.sum(), "row")),
		Samples: samples,
	})
	return true, nil
}

// less returns what a has more of than b.
func less(a, b tallies) tallies {
	out := tallies{}
	for key, n := range a {
		if n > b[key] {
			out[key] = n - b[key]
		}
	}
	return out
}

func (t tallies) sum() int64 {
	var n int64
	for _, v := range t {
		n += int64(v)
	}
	return n
}

// movedRows reports rows that were for evaluation, and not for training too,
// and are for training now.
func (w *walk) movedRows(ctx context.Context, s *Scheme, b *Before, sides sides, since func(context.Context) iter.Seq2[change, error]) error {
	were, are, err := w.changedTables(ctx, s, b, since(ctx))
	if err != nil || len(were) == 0 || len(are) == 0 {
		return err
	}
	from, err := w.tally(ctx, were, sides.from)
	if err != nil {
		return err
	}
	trained, err := w.tally(ctx, were, sides.to)
	if err != nil {
		return err
	}
	now, err := w.tally(ctx, are, sides.to)
	if err != nil {
		return err
	}
	hits := map[uint64]bool{}
	for key := range now {
		if from[key] > 0 && trained[key] == 0 {
			hits[key] = true
		}
	}
	if len(hits) == 0 {
		return nil
	}
	return w.nameMovedRows(ctx, s, sides, were, are, hits)
}

func (w *walk) nameMovedRows(ctx context.Context, s *Scheme, sides sides, were, are []table, hits map[uint64]bool) error {
	wanted := func(row Row) bool { return hits[short(row.Hash)] }
	origins := map[objects.ID]dataset.Sample{}
	err := w.pick(ctx, were, sides.from, wanted, func(sample dataset.Sample) {
		if _, ok := origins[sample.Content]; !ok {
			origins[sample.Content] = sample
		}
	})
	if err != nil {
		return err
	}
	return w.pick(ctx, are, sides.to, wanted, func(sample dataset.Sample) {
		if was, ok := origins[sample.Content]; ok {
			w.out.add(movedFinding(s.Name, sample.Content.String(), was, sample, ""))
		}
	})
}
