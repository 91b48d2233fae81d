package check

import (
	"context"
	"maps"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// rowsAtOnce is how many rows are sorted at once; more are taken in parts by
// their hashes, so that memory is bounded.
var rowsAtOnce int64 = 4 << 20 // tests set less

// rows: no row is in two splits, whether of tables whose rows are samples or
// of table files in different splits.
//
//  1. The rows of each table are read once a content, and kept as hashes.
//  2. The hashes, with splits, are sorted; one in two splits is a candidate.
//  3. Candidates are read again, from the tables that have one, for their
//     numbers and to tell whole hashes apart.
func (w *walk) rows(ctx context.Context, s *Scheme) (looked, error) {
	tables, err := w.tables(ctx)
	if err != nil {
		return looked{}, err
	}
	if len(tables) == 0 {
		if w.Config.set(dataset.RuleRows) {
			return looked{skipped: "no table is in a split"}, nil
		}
		return looked{}, errNotAsked{}
	}
	total, few := int64(0), rowEntries{part: 0, parts: 1}
	unread := make([][]dataset.Unread, len(tables))
	err = w.load(ctx, tables, func(i int, rows *tableRows) error {
		total += int64(rows.len())
		unread[i] = rows.unread
		if total > rowsAtOnce {
			few.list = nil
			return nil
		}
		return few.add(tables[i], rows)
	})
	if err != nil {
		return looked{}, err
	}
	w.out.unread(slices.Concat(unread...)...)
	if total <= rowsAtOnce {
		return looked{samples: total}, w.sharedRows(ctx, s, tables, &few)
	}
	few = rowEntries{}
	parts := uint64(total/rowsAtOnce + 1)
	for part := range parts {
		some := rowEntries{part: part, parts: parts}
		err := w.load(ctx, tables, func(i int, rows *tableRows) error { return some.add(tables[i], rows) })
		if err == nil {
			err = w.sharedRows(ctx, s, tables, &some)
		}
		if err != nil {
			return looked{}, err
		}
	}
	return looked{samples: total}, nil
}

// rowEntries are the rows of tables whose hashes fall into one of several parts.
type rowEntries struct {
	part, parts uint64
	m           membership // has the numbers of the splits
	list        []entry
}

func (r *rowEntries) add(t table, rows *tableRows) error {
	for key, name := range rows.all() {
		if key%r.parts != r.part {
			continue
		}
		for _, split := range rowSplits(t, name) {
			number, err := r.m.number(split)
			if err != nil {
				return err
			}
			r.list = append(r.list, entry{key, number})
		}
	}
	return nil
}

// sharedRows reports the rows that are in two splits.
func (w *walk) sharedRows(ctx context.Context, s *Scheme, tables []table, rows *rowEntries) error {
	rows.m.fill(rows.list)
	candidates := map[uint64]bool{}
	for _, key := range rows.m.crossing() {
		if len(candidates) < dataset.MaxFindings {
			candidates[key] = true
		} else {
			w.out.more(dataset.RuleRows, s.Name, 1)
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	return w.nameRows(ctx, s, tables, candidates)
}

// rowSplits are the splits of a row: its own, or those of its file.
func rowSplits(t table, own string) []string {
	if t.value == dataset.AllRows {
		return []string{own}
	}
	return dataset.SplitNames(t.value)
}

// nameRows reports the candidates, reading again the tables that have any.
func (w *walk) nameRows(ctx context.Context, s *Scheme, tables []table, candidates map[uint64]bool) error {
	found := map[objects.ID]*grouping{}
	for _, t := range tables {
		rows, err := w.tableRows(ctx, t)
		if err != nil {
			return err
		}
		has := false
		for key := range rows.all() {
			has = has || candidates[key]
		}
		if !has {
			continue
		}
		for row, err := range t.read(ctx, t.File) {
			if err != nil {
				if w.outUnread(err) {
					continue
				}
				return err
			}
			if !candidates[short(row.Hash)] || row.Hash.IsZero() {
				continue
			}
			if found[row.Hash] == nil {
				found[row.Hash] = &grouping{of: map[string]int{}, paths: map[place0]bool{}}
			}
			for _, split := range rowSplits(t, row.Split) {
				found[row.Hash].add(dataset.Sample{Path: t.Path, Row: row.Number, Split: split, Content: row.Hash})
			}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(found), compareIDs) {
		w.sharedRow(s, id, found[id])
	}
	return nil
}

func compareIDs(a, b objects.ID) int { return slices.Compare(a[:], b[:]) }

func (w *walk) sharedRow(s *Scheme, id objects.ID, g *grouping) {
	if len(g.of) < 2 || len(g.paths) < 2 {
		return
	}
	slices.SortStableFunc(g.samples, compareSamples)
	some, names := named(g.samples)
	w.out.add(dataset.Finding{
		ID:   dataset.FindingID(dataset.RuleRows, s.Name, append([]string{id.String()}, names...)...),
		Rule: dataset.RuleRows, Scheme: s.Name,
		Message: "the same row is in " + and(names) + ": " + places(some, g.all),
		Samples: some,
	})
}
