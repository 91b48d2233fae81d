package split

import (
	"context"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects/prolly"
)

// RowSplit returns the split of a row of a scheme of rows, whose values are
// those of Columns: it depends on the row alone. The error says why the row is
// in none.
func (s Scheme) RowSplit(row Row) (string, error) {
	if s.Draws() {
		kind, key := s.rowGroup(row)
		return s.Ratios[rendezvous(s.Ratios, s.Seed, kind, key)].Split, nil
	}
	split, err := s.rowMethod(row)
	if err == nil && split == "" {
		err = fmt.Errorf("its row names no split")
	}
	return split, err
}

// rowGroup returns what the row's group is named by. A row without a group is
// one with its equals.
func (s Scheme) rowGroup(row Row) (kind byte, key string) {
	if at := s.match.groupC; at >= 0 && row.Values[at] != "" {
		return byKey, row.Values[at]
	}
	whole := row.whole()
	return byRow, string(whole[:])
}

// RowClass returns the class of a row.
func (s Scheme) RowClass(row Row) string {
	if at := s.match.labelC; at >= 0 {
		return row.Values[at]
	}
	return ""
}

// wholeRows reads every table of a scheme of rows.
func (a *assigner) wholeRows(ctx context.Context) (prolly.Map, error) {
	return prolly.Build(ctx, a.store, func(yield func(prolly.Item, error) bool) {
		for f, err := range a.s.tables(ctx, a.in.Files, &a.unread) {
			if err == nil {
				err = a.table(ctx, a.in.Files, f, 1)
			}
			if !yield(prolly.Item{Key: []byte(f.Path), Value: []byte(AllRows)}, err) || err != nil {
				return
			}
		}
	})
}

// table counts the rows of a table, or with sign -1 takes them out.
func (a *assigner) table(ctx context.Context, files dataset.Files, f dataset.File, sign int64) error {
	a.tableBytes += sign * f.Size
	if sign < 0 {
		a.forget(f.Path)
	}
	some := make(map[int]bool)
	watch := a.watch(f, sign)
	for row, err := range a.in.Rows(ctx, files, f, a.s.Columns()) {
		if err != nil {
			return fmt.Errorf("table %s: %w", f.Path, err)
		}
		switch {
		case row.Unread != nil && sign > 0:
			watch.Row(row, "")
			a.unread.add(*row.Unread)
		case row.Unread != nil:
			a.unread.total--
		default:
			watch.Row(row, a.row(f, row, sign, some))
		}
	}
	watch.Done()
	for n := range some {
		a.tallies.of[n].files += sign
	}
	return nil
}

// forget drops what is told of a table; what is counted goes as its rows are
// read.
func (a *assigner) forget(path string) {
	a.uncovered.settle()
	a.uncovered.list = slices.DeleteFunc(a.uncovered.list, func(g gap) bool { return g.path == path })
	a.unread.list = slices.DeleteFunc(a.unread.list, func(u dataset.Unread) bool { return u.Path == path })
}

// watch is who looks on while a table is read as it is now.
func (a *assigner) watch(f dataset.File, sign int64) TableWatcher {
	if sign > 0 && a.in.Watch != nil {
		if w := a.in.Watch(f); w != nil {
			return w
		}
	}
	return nobody{}
}

type nobody struct{}

func (nobody) Row(Row, string) {}
func (nobody) Done()           {}

// row counts a row, and returns its split; empty: it is in none.
func (a *assigner) row(f dataset.File, row Row, sign int64, some map[int]bool) string {
	a.samples += sign
	split, err := a.s.RowSplit(row)
	switch {
	case err == nil:
		splits := a.tallies.numbers(split)
		some[splits[0]] = true
		a.tallies.row(splits[0], a.tallies.labels.number(a.s.RowClass(row)), sign)
		a.sums.add(splits, sign < 0, ofRow, f.Path, row.whole())
	case sign > 0:
		a.uncovered.add(gap{path: f.Path, row: row.Number, content: row.whole(), text: err.Error()})
	default:
		a.uncovered.total--
	}
	return split
}

// changeRows reads the tables that changed, as they were and as they are,
// unless reading all of what is now is less.
func (a *assigner) changeRows(ctx context.Context) (prolly.Map, error) {
	list, err := a.tableChanges()
	if err != nil {
		return prolly.Map{}, err
	}
	var changes []prolly.Edit
	for _, c := range list {
		if c.Old != nil {
			if err := a.table(ctx, a.in.BeforeFiles, *c.Old, -1); err != nil {
				return prolly.Map{}, err
			}
		}
		if c.New != nil {
			if err := a.table(ctx, a.in.Files, *c.New, 1); err != nil {
				return prolly.Map{}, err
			}
		}
		changes = append(changes, prolly.Edit{Key: []byte(c.Path()), Value: []byte(AllRows), Delete: c.New == nil})
	}
	if a.told() != nil {
		return prolly.Map{}, errWhole
	}
	return prolly.Apply(ctx, a.store, prolly.Open(a.in.Before.Table), func(yield func(prolly.Edit, error) bool) {
		for _, e := range changes {
			if !yield(e, nil) {
				return
			}
		}
	})
}

// tableChanges returns the changes of tables, or errWhole if reading all is
// less, or the tables before are not at hand.
func (a *assigner) tableChanges() ([]Change, error) {
	var list []Change
	now, read := a.tableBytes, int64(0)
	for c, err := range a.in.Changes {
		if err != nil {
			return nil, err
		}
		if !a.s.match.table.match(c.Path()) {
			continue
		}
		list = append(list, c)
		if c.Old != nil {
			now, read = now-c.Old.Size, read+c.Old.Size
		}
		if c.New != nil {
			now, read = now+c.New.Size, read+c.New.Size
		}
	}
	if len(list) > 0 && (read >= now || a.in.BeforeFiles == nil) {
		return nil, errWhole
	}
	return list, nil
}

// told fails with errWhole if the first gaps and unread places are not all
// that there are, so that after a change others could be the first.
func (a *assigner) told() error {
	a.uncovered.settle()
	if a.uncovered.total != int64(len(a.uncovered.list)) || a.unread.total != int64(len(a.unread.list)) {
		return errWhole
	}
	return nil
}
