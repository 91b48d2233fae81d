package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/dataset/table"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// soughtRow is a row that models are asked for, where it can be read.
type soughtRow struct {
	files  dataset.Files
	file   dataset.File
	number int64
	ignore []string // columns that do not count in rows there
}

// SoughtRowAt is a row of the table that is at a path: on the disk, or else in
// HEAD. It fails with a *NoSampleError, with a *NoRowError, or with the
// *table.PlaceError of what cannot be read.
func (r *Repo) SoughtRowAt(ctx context.Context, path string, number int64) (Sought, error) {
	_, _, h, err := r.current(ctx)
	if err != nil {
		return Sought{}, err
	}
	var c objects.Commit
	if !h.Commit.IsZero() {
		if c, err = r.commit(ctx, h.Commit); err != nil {
			return Sought{}, err
		}
	}
	row, err := r.rowOnDisk(ctx, path)
	if err != nil {
		return Sought{}, err
	}
	if row == nil {
		f, err := r.samplesOf(c.Tree).Lookup(ctx, path)
		if err != nil {
			return Sought{}, err
		}
		if f == nil {
			return Sought{}, &NoSampleError{Path: path, Row: number}
		}
		return r.soughtRowIn(ctx, h.Commit, *f, number)
	}
	row.number = number
	if row.ignore, err = r.ignoredAt(ctx, c, path); err != nil {
		return Sought{}, err
	}
	return row.sought(ctx)
}

// rowOnDisk finds a table on the disk; nil: there is no file.
func (r *Repo) rowOnDisk(ctx context.Context, path string) (*soughtRow, error) {
	name, st, err := followLinks(r.env.FS, filepath.Join(r.root, filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || st.Type != vfs.TypeRegular {
		return nil, err
	}
	d := &diskFiles{fsys: r.env.FS, names: make(map[string]string)}
	if err := d.add(ctx, name, path); err != nil || len(d.files) == 0 {
		return nil, err
	}
	return &soughtRow{files: d, file: d.files[0]}, nil
}

// soughtRowIn is a row of a table of a commit.
func (r *Repo) soughtRowIn(ctx context.Context, at objects.ID, f dataset.File, number int64) (Sought, error) {
	c, err := r.commit(ctx, at)
	if err != nil {
		return Sought{}, err
	}
	if err := r.bring(ctx, oneEntry(f.Entry)); err != nil {
		return Sought{}, err
	}
	row := &soughtRow{files: r.samplesOf(c.Tree), file: f, number: number}
	if row.ignore, err = r.ignoredAt(ctx, c, f.Path); err != nil {
		return Sought{}, err
	}
	return row.sought(ctx)
}

// ignoredAt are the columns that do not count in the rows of a table: those
// that the commit's rules say, and those that say the split of its rows.
func (r *Repo) ignoredAt(ctx context.Context, c objects.Commit, path string) ([]string, error) {
	rules, err := r.rulesOf(ctx, c.Tree)
	if err != nil {
		return nil, err
	}
	config, err := rules.checks()
	if err != nil {
		return nil, err
	}
	columns := slices.Clone(config.Ignore)
	for _, s := range c.Splits {
		names, err := r.splitsAt(ctx, c, s.Scheme, path)
		if err != nil {
			return nil, err
		}
		if names != split.AllRows {
			continue
		}
		// A rule of a later version says nothing here.
		if scheme, err := split.ParseRule(s.Scheme, s.Rule); err == nil && scheme.Column != "" {
			columns = append(columns, scheme.Column)
		}
	}
	return columns, nil
}

// sought reads the row, so that a slip of the pen is told before models are
// looked at.
func (w *soughtRow) sought(ctx context.Context) (Sought, error) {
	row, err := rowAt(ctx, w.files, w.file, w.number, w.ignore)
	if err == nil && row.Hash == table.NoValues {
		err = &UsageError{
			What: fmt.Sprintf("row %d of %q has no values that count, so that it is no sample", w.number, w.file.Path),
			Hint: "name a row that has values, or leave out the colon and the number",
		}
	}
	return Sought{Contents: []objects.ID{w.file.Content}, Path: w.file.Path, row: w}, err
}

// rowSearch looks for one row in what models saw.
type rowSearch struct {
	*modelChecking
	row *soughtRow
	// hashes are those of the row, by the columns that do not count.
	hashes map[string]objects.ID
	// looked is what was found in tables: many models saw the same.
	looked map[lookedTable]foundRows
	away   bool // what is not here cannot be brought
}

// lookedTable is a table that was looked at, as it was read.
type lookedTable struct {
	content objects.ID
	format  string // by the name
	ignore  string
}

// foundRows are the rows of a table that are the one that is sought.
type foundRows struct {
	numbers []int64
	unread  string // what cannot be read; empty: nothing
}

func (r *Repo) modelsOfRow(ctx context.Context, row *soughtRow, yield func(ModelSaw) bool) error {
	s := &rowSearch{
		modelChecking: &modelChecking{Repo: r, facts: r.openFacts()}, row: row,
		hashes: make(map[string]objects.ID), looked: make(map[lookedTable]foundRows),
	}
	defer s.facts.Close() //nolint:errcheck // facts may be lost
	for m, err := range r.Models(ctx) {
		if err != nil {
			return err
		}
		goOn, err := s.model(ctx, m, yield)
		if err != nil {
			return fmt.Errorf("model %s: %w", m.Model, err)
		}
		if !goOn {
			return nil
		}
	}
	return nil
}

// model looks at the tables that one model saw.
func (s *rowSearch) model(ctx context.Context, m ModelInfo, yield func(ModelSaw) bool) (goOn bool, err error) {
	set := ModelSet{Commit: m.Commit, Tree: m.data.Tree, Splits: m.Splits, data: m.data}
	side, err := s.openSide(ctx, &set)
	if err != nil {
		return false, err
	}
	ignore := slices.Compact(slices.Sorted(slices.Values(slices.Concat(s.row.ignore, side.ignored()))))
	hash, err := s.hash(ctx, ignore)
	if err != nil || hash == table.NoValues {
		return true, err
	}
	if err := s.bringTables(ctx, side, ignore); err != nil {
		return false, err
	}
	for f, err := range s.tables(ctx, side) {
		if err != nil {
			return false, err
		}
		found, err := s.look(ctx, side, f, ignore, hash)
		if err != nil {
			return false, err
		}
		saws, err := side.saws(ctx, f, found)
		if err != nil {
			return false, err
		}
		for _, saw := range saws {
			saw.Model, saw.Commit = m.Model, m.Commit
			if !yield(saw) {
				return false, nil
			}
		}
	}
	return true, nil
}

// hash is that of the sought row without some columns.
func (s *rowSearch) hash(ctx context.Context, ignore []string) (objects.ID, error) {
	key := columnsKey(ignore)
	if hash, ok := s.hashes[key]; ok {
		return hash, nil
	}
	row, err := rowAt(ctx, s.row.files, s.row.file, s.row.number, ignore)
	if err == nil {
		s.hashes[key] = row.Hash
	}
	return row.Hash, err
}

func columnsKey(columns []string) string { return strings.Join(columns, "\x00") }

// tables yields the tables of a side: those of labels, too, for their rows say
// as much of a person as any. A JSON file may be anything, and is looked at
// only where it is known to be a table, or for a row of one.
func (s *rowSearch) tables(ctx context.Context, side *checkedSide) func(func(inSet, error) bool) {
	arrays := table.Is(s.row.file.Path) && !isTable(s.row.file.Path)
	return func(yield func(inSet, error) bool) {
		for f, err := range side.all(ctx) {
			if err == nil && (f.Size == 0 || !f.Rows && !isTable(f.Path) && !(arrays && table.Is(f.Path))) {
				continue
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}

func lookedAs(f inSet, ignore []string) lookedTable {
	return lookedTable{f.Content, dataset.Ending(f.Path), columnsKey(ignore)}
}

// bringTables makes the tables be here that were not looked at. Where that
// cannot be they are named one by one.
func (s *rowSearch) bringTables(ctx context.Context, side *checkedSide, ignore []string) error {
	if s.away {
		return nil
	}
	err := s.bring(ctx, func(yield func(objects.Entry, error) bool) {
		for f, err := range s.tables(ctx, side) {
			if _, ok := s.looked[lookedAs(f, ignore)]; ok && err == nil {
				continue
			}
			if !yield(f.Entry, err) || err != nil {
				return
			}
		}
	})
	if e, ok := errors.AsType[*NotHereError](err); ok && ctx.Err() == nil {
		s.away = true
		s.env.Events.Warn(Warning{Code: "not_here", Message: e.Error()})
		return nil
	}
	return err
}

// look finds the row in a table, unless that was done before.
func (s *rowSearch) look(ctx context.Context, side *checkedSide, f inSet, ignore []string, hash objects.ID) (foundRows, error) {
	key := lookedAs(f, ignore)
	if found, ok := s.looked[key]; ok {
		return found, nil
	}
	var found foundRows
	err := readRows(ctx, side.files, f.File, ignore, nil,
		func(u dataset.Unread) bool {
			if found.unread == "" {
				found.unread = placeText(u)
			}
			return true
		},
		func(row table.Row) bool {
			if row.Hash == hash {
				found.numbers = append(found.numbers, row.Number)
			}
			return true
		})
	if _, absent := errors.AsType[*dataset.AbsentError](err); absent {
		found.unread, err = whyAbsent, nil
	}
	if errors.Is(err, table.ErrNoTable) {
		err = nil // a JSON file that is something else
	}
	if err == nil {
		s.looked[key] = found
	}
	return found, err
}

func placeText(u dataset.Unread) string {
	if u.Place == "" {
		return u.Why
	}
	return u.Place + ": " + u.Why
}

// saws tells what was found in a table of the side, and is in its set.
func (s *checkedSide) saws(ctx context.Context, f inSet, found foundRows) ([]ModelSaw, error) {
	saw := ModelSaw{Path: f.Path, Content: f.Content, Splits: f.Splits, By: SawRow}
	in := func(int64) []ModelSplit { return f.Splits }
	if f.Rows && len(found.numbers) > 0 {
		places, unread, err := s.splitsOfRows(ctx, f, found.numbers)
		if err != nil {
			return nil, err
		}
		in = func(number int64) []ModelSplit { return places[number] }
		found.unread = cmp.Or(found.unread, unread)
	}
	var saws []ModelSaw
	for _, saw.Row = range found.numbers {
		if saw.Splits = in(saw.Row); len(saw.Splits) > 0 || len(s.set.Splits) == 0 {
			saws = append(saws, saw)
		}
	}
	if len(saws) == 0 && found.unread != "" {
		return []ModelSaw{{Path: f.Path, Content: f.Content, Splits: f.Splits, By: SawUnread, Rows: f.Rows, Unread: found.unread}}, nil
	}
	return saws, nil
}

// splitsOfRows finds the splits of the set that rows of a table are in, by their
// numbers, which rise. The table is read again for it: a row is drawn by all of
// its columns.
func (s *checkedSide) splitsOfRows(ctx context.Context, f inSet, numbers []int64) (places map[int64][]ModelSplit, unread string, err error) {
	columns, splits, err := s.rowSplits(f)
	if err != nil {
		return nil, err.Error(), nil
	}
	places = make(map[int64][]ModelSplit)
	err = readRows(ctx, s.files, f.File, nil, columns,
		func(u dataset.Unread) bool {
			unread = cmp.Or(unread, placeText(u))
			return true
		},
		func(row table.Row) bool {
			for len(numbers) > 0 && numbers[0] < row.Number {
				numbers = numbers[1:]
			}
			if len(numbers) > 0 && numbers[0] == row.Number {
				places[row.Number] = splits(row)
			}
			return len(numbers) > 0
		})
	return places, unread, err
}
