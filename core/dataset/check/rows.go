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
const rowsAtOnce = 4 << 20

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
	total := int64(0)
	unread := make([][]dataset.Unread, len(tables))
	err = w.load(ctx, tables, func(i int, rows *tableRows) error {
		total += int64(rows.len())
		unread[i] = rows.unread
		return nil
	})
	if err != nil {
		return looked{}, err
	}
	w.out.unread(slices.Concat(unread...)...)
	parts := uint64(total/rowsAtOnce + 1)
	for part := range parts {
		if err := w.rowPart(ctx, s, tables, part, parts); err != nil {
			return looked{}, err
		}
	}
	return looked{samples: total}, nil
}

// rowPart compares the rows whose hashes fall into one of several parts.
func (w *walk) rowPart(ctx context.Context, s *Scheme, tables []table, part, parts uint64) error {
	m := &membership{}
	var all []entry
	each := func(i int, rows *tableRows, do func(uint64, uint16)) error {
		for key, name := range rows.all() {
			if parts > 1 && key%parts != part {
				continue
			}
			for _, split := range rowSplits(tables[i], name) {
				number, err := m.number(split)
				if err != nil {
					return err
				}
				do(key, number)
			}
		}
		return nil
	}
	err := w.load(ctx, tables, func(i int, rows *tableRows) error {
		return each(i, rows, func(key uint64, split uint16) { all = append(all, entry{key, split}) })
	})
	if err != nil {
		return err
	}
	m.fill(all)
	candidates := map[uint64]bool{}
	for _, key := range m.crossing() {
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
	if t.value == RowsMark {
		return []string{own}
	}
	return splits(t.value)
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
