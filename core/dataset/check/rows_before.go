package check

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// tallies count, by the first bytes of their hashes, how often rows occur.
type tallies map[uint64]int

// keysAtOnce is how many rows are counted at once; of more, parts by their
// hashes are counted one after the other, so that memory is bounded.
var keysAtOnce int64 = 1 << 20 // tests set less

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

// inParts calls do for each of as many parts of all hashes as the rows of tables
// in the splits need.
func (w *walk) inParts(ctx context.Context, tables []table, names []string, do func(part, parts uint64) error) error {
	n := int64(0)
	err := w.keys(ctx, tables, names, 0, 1, func(uint64) { n++ })
	parts := uint64(n/keysAtOnce + 1)
	for part := uint64(0); part < parts && err == nil; part++ {
		err = do(part, parts)
	}
	return err
}

// keys tells the rows of tables that are in one of the splits and whose hashes
// fall into the part.
func (w *walk) keys(ctx context.Context, tables []table, names []string, part, parts uint64, do func(key uint64)) error {
	return w.load(ctx, tables, func(_ int, rows *tableRows) error {
		for key, split := range rows.all() {
			if key%parts == part && slices.Contains(names, split) {
				do(key)
			}
		}
		return nil
	})
}

// pick yields the rows of tables that are in one of the splits and wanted.
func (w *walk) pick(ctx context.Context, tables []table, names []string, wanted func(Row) bool, do func(dataset.Sample) error) error {
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
				if err := do(dataset.Sample{Path: t.Path, Row: row.Number, Split: row.Split, Content: row.Hash}); err != nil {
					return err
				}
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
	removed, added, err := w.net(ctx, were, are, []string{name})
	if err != nil {
		return false, err
	}
	var samples []dataset.Sample
	for _, side := range []struct {
		tables []table
		of     netRows
	}{{were, removed}, {are, added}} {
		some, err := w.first(ctx, side.tables, name, side.of.named)
		if err != nil {
			return false, err
		}
		samples = append(samples, some...)
	}
	if len(samples) == 0 {
		return false, nil
	}
	w.out.add(dataset.Finding{
		ID:   dataset.FindingID(dataset.RuleFrozen, s.Name, name, was.String(), s.Fingerprints[name].String()),
		Rule: dataset.RuleFrozen, Scheme: s.Name,
		Message: fmt.Sprintf("frozen split %s changed: %s removed, %s added", name, plural(removed.n, "row"), plural(added.n, "row")),
		Samples: samples,
	})
	return true, nil
}

// netRows are the rows that tables have more of than others.
type netRows struct {
	n     int64
	named tallies // no more than can be told
}

func (r *netRows) add(key uint64, n int) {
	r.n += int64(n)
	if int64(len(r.named)) < keysAtOnce {
		r.named[key] = n
	}
}

// net returns the rows of splits that tables had more of, and those that tables
// have more of now.
func (w *walk) net(ctx context.Context, were, are []table, names []string) (removed, added netRows, err error) {
	removed, added = netRows{named: tallies{}}, netRows{named: tallies{}}
	err = w.inParts(ctx, slices.Concat(were, are), names, func(part, parts uint64) error {
		counts := tallies{}
		err := w.keys(ctx, were, names, part, parts, func(key uint64) { counts[key]++ })
		if err == nil {
			err = w.keys(ctx, are, names, part, parts, func(key uint64) { counts[key]-- })
		}
		for key, n := range counts {
			switch {
			case n > 0:
				removed.add(key, n)
			case n < 0:
				added.add(key, -n)
			}
		}
		return err
	})
	return removed, added, err
}

// errEnough ends a reading of which enough is known.
var errEnough = errors.New("enough is known")

// first returns the first rows of a split in tables that are among those of some,
// at most half of what a finding names.
func (w *walk) first(ctx context.Context, tables []table, name string, some tallies) ([]dataset.Sample, error) {
	if len(some) == 0 {
		return nil, nil
	}
	var samples []dataset.Sample
	wanted := func(row Row) bool {
		key := short(row.Hash)
		some[key]--
		return some[key] >= 0
	}
	err := w.pick(ctx, tables, []string{name}, wanted, func(sample dataset.Sample) error {
		if samples = append(samples, sample); len(samples) == maxNamed/2 {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return samples, err
}

// movedRows reports rows that were for evaluation, and not for training too,
// and are for training now.
func (w *walk) movedRows(ctx context.Context, s *Scheme, b *Before, sides sides, since func(context.Context) iter.Seq2[change, error]) error {
	were, are, err := w.changedTables(ctx, s, b, since(ctx))
	if err != nil || len(were) == 0 || len(are) == 0 {
		return err
	}
	hits, err := w.crossed(ctx, were, are, sides)
	if err != nil || len(hits) == 0 {
		return err
	}
	if more := len(hits) - dataset.MaxFindings; more > 0 {
		w.out.more(dataset.RuleMoved, s.Name, int64(more))
		hits = hits[:dataset.MaxFindings]
	}
	return w.nameMovedRows(ctx, s, sides, were, are, hits)
}

// sieve says of most keys that are not in a set that they are not, by their first
// 24 bits, which is ten times as quick as to look for them: 2 MiB.
type sieve [1 << 18]uint64

func (s *sieve) add(key uint64)      { s[key>>46] |= 1 << (key >> 40 & 63) }
func (s *sieve) has(key uint64) bool { return s[key>>46]>>(key>>40&63)&1 == 1 }

// crossed returns, in order, the rows that were for evaluation alone and are for
// training now. As the sides are looked at one after the other, only those for
// evaluation are in memory.
func (w *walk) crossed(ctx context.Context, were, are []table, sides sides) ([]uint64, error) {
	var hits []uint64
	err := w.inParts(ctx, were, sides.from, func(part, parts uint64) error {
		from := map[uint64]bool{} // of evaluation; true: in training now
		var some sieve
		err := w.keys(ctx, were, sides.from, part, parts, func(key uint64) { from[key] = false; some.add(key) })
		if err == nil {
			err = w.keys(ctx, were, sides.to, part, parts, func(key uint64) {
				if some.has(key) {
					delete(from, key)
				}
			})
		}
		if err == nil {
			err = w.keys(ctx, are, sides.to, part, parts, func(key uint64) {
				if !some.has(key) {
					return
				}
				if _, ok := from[key]; ok {
					from[key] = true
				}
			})
		}
		for key, moved := range from {
			if moved {
				hits = append(hits, key)
			}
		}
		return err
	})
	slices.Sort(hits)
	return hits, err
}

func (w *walk) nameMovedRows(ctx context.Context, s *Scheme, sides sides, were, are []table, hits []uint64) error {
	wanted := func(row Row) bool { _, ok := slices.BinarySearch(hits, short(row.Hash)); return ok }
	origins := map[objects.ID]dataset.Sample{}
	err := w.pick(ctx, were, sides.from, wanted, func(sample dataset.Sample) error {
		if _, ok := origins[sample.Content]; !ok {
			origins[sample.Content] = sample
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.pick(ctx, are, sides.to, wanted, func(sample dataset.Sample) error {
		if was, ok := origins[sample.Content]; ok {
			w.out.add(movedFinding(s.Name, sample.Content.String(), was, sample, ""))
		}
		return nil
	})
}
