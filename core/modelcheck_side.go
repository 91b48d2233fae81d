package core

import (
	"context"
	"iter"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/similar"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/dataset/table"
	"github.com/mlvc/mlvc/objects"
)

// checkedSide is one of the two sets that are compared.
type checkedSide struct {
	set    *ModelSet
	files  dataset.Files
	facts  dataset.Facts
	config check.Config // [checks] of its commit
	// all yields the files of the set, in path order.
	all     func(context.Context) iter.Seq2[inSet, error]
	isLabel func(path string) bool
	// schemes are those of rows that the set's splits are of.
	schemes map[string]split.Scheme
	// unknown are rules that cannot be read, by the schemes of rows that they
	// are of.
	unknown map[string]error
}

// openSide opens a set of a commit, under the commit's own rules.
func (c *modelChecking) openSide(ctx context.Context, set *ModelSet) (*checkedSide, error) {
	e, err := c.examineCommit(ctx, set.data)
	if err != nil {
		return nil, err
	}
	e.files, e.facts = c.samplesOf(set.Tree), c.facts
	if e.config, err = e.rules.checks(); err != nil {
		return nil, err
	}
	s := &checkedSide{set: set, files: e.files, facts: c.facts, config: e.config}
	s.all = func(ctx context.Context) iter.Seq2[inSet, error] { return c.setFiles(ctx, *set) }
	s.readSchemes()
	var in check.Input
	if err := e.label(ctx, &in); err != nil {
		return nil, err
	}
	s.isLabel = func(string) bool { return false }
	if in.Labels != nil {
		s.isLabel = in.Labels.IsLabel
	}
	return s, nil
}

// readSchemes reads the rules of the schemes that the set's splits are of.
func (s *checkedSide) readSchemes() {
	s.schemes, s.unknown = make(map[string]split.Scheme), make(map[string]error)
	for _, of := range s.set.Splits {
		kept := splitOf(s.set.data.Splits, of.Scheme)
		if kept == nil {
			continue
		}
		scheme, err := split.ParseRule(kept.Scheme, kept.Rule)
		if err != nil {
			s.unknown[of.Scheme] = err
		} else if scheme.OfRows() {
			s.schemes[of.Scheme] = scheme
		}
	}
}

// ignored are the columns that do not count in the side's rows: those that
// mlvc.toml says, and those that say the split.
func (s *checkedSide) ignored() []string {
	columns := s.config.Ignore
	for _, scheme := range s.schemes {
		if scheme.Column != "" {
			columns = append(columns[:len(columns):len(columns)], scheme.Column)
		}
	}
	return columns
}

// samples yields the files of the side that may be samples: not those without
// bytes, and no labels. It counts the files of the set.
func (s *checkedSide) samples(ctx context.Context) iter.Seq2[inSet, error] {
	s.set.Files, s.set.Bytes = 0, 0
	return func(yield func(inSet, error) bool) {
		for f, err := range s.all(ctx) {
			if err != nil {
				yield(f, err)
				return
			}
			s.set.Files++
			s.set.Bytes += f.Size
			if f.Size > 0 && !s.isLabel(f.Path) && !yield(f, nil) {
				return
			}
		}
	}
}

// whole are the samples that are whole files: of a table of which only some
// rows are in the set, the whole is none.
func (s *checkedSide) whole(ctx context.Context) iter.Seq2[dataset.Sample, error] {
	return func(yield func(dataset.Sample, error) bool) {
		for f, err := range s.samples(ctx) {
			if err == nil && f.Rows {
				continue
			}
			if !yield(sampleOf(f), err) || err != nil {
				return
			}
		}
	}
}

func sampleOf(f inSet) dataset.Sample {
	s := dataset.Sample{Path: f.Path, Content: f.Content}
	if len(f.Splits) > 0 {
		s.Split = f.Splits[0].Name()
	}
	return s
}

// rows yields the rows of the tables of the side that are in the set, without
// those that have no values. unread is told what cannot be read.
func (s *checkedSide) rows(ctx context.Context, ignore []string, unread func(dataset.Unread)) iter.Seq2[dataset.Sample, error] {
	return func(yield func(dataset.Sample, error) bool) {
		for f, err := range s.samples(ctx) {
			if err != nil {
				yield(dataset.Sample{}, err)
				return
			}
			if !f.Rows && !isTable(f.Path) {
				continue
			}
			goOn, err := s.rowsOf(ctx, f, ignore, unread, func(r dataset.Sample) bool { return yield(r, nil) })
			if err != nil {
				yield(dataset.Sample{}, err)
				return
			}
			if !goOn {
				return
			}
		}
	}
}

// rowsOf yields the rows of one table.
func (s *checkedSide) rowsOf(ctx context.Context, f inSet, ignore []string, unread func(dataset.Unread), row func(dataset.Sample) bool) (goOn bool, err error) {
	var columns []string
	place := func(table.Row) string { return sampleOf(f).Split }
	if f.Rows {
		if columns, place, err = s.rowPlace(f); err != nil {
			unread(dataset.Unread{Path: f.Path, Why: err.Error()})
			return true, nil
		}
	}
	goOn = true
	err = readRows(ctx, s.files, dataset.File{Path: f.Path, Entry: f.Entry}, ignore, columns,
		func(u dataset.Unread) bool { unread(u); return true },
		func(r table.Row) bool {
			name := place(r)
			if r.Hash == table.NoValues || f.Rows && name == "" {
				return true
			}
			goOn = row(dataset.Sample{Path: f.Path, Row: r.Number, Split: name, Content: r.Hash})
			return goOn
		})
	return goOn, err
}

// rowPlace says which columns tell the split of the set that a row is in, and
// how; empty: it is in none.
func (s *checkedSide) rowPlace(f inSet) (columns []string, place func(table.Row) string, err error) {
	columns, splits, err := s.rowSplits(f)
	return columns, func(r table.Row) string {
		if in := splits(r); len(in) > 0 {
			return in[0].Name()
		}
		return ""
	}, err
}

// rowSplits says which columns tell the splits of the set that a row is in, and
// how.
func (s *checkedSide) rowSplits(f inSet) (columns []string, splits func(table.Row) []ModelSplit, err error) {
	type part struct {
		ModelSplit
		scheme split.Scheme
		from   int // its first column
	}
	var parts []part
	for _, in := range f.Splits {
		if err := s.unknown[in.Scheme]; err != nil {
			return nil, nil, err
		}
		scheme := s.schemes[in.Scheme]
		parts = append(parts, part{in, scheme, len(columns)})
		columns = append(columns, scheme.Columns()...)
	}
	return columns, func(r table.Row) (in []ModelSplit) {
		for _, p := range parts {
			if !p.scheme.OfRows() {
				in = append(in, p.ModelSplit) // it has the table as a whole
				continue
			}
			row := split.Row{Number: r.Number, Hash: r.Hash, Whole: r.Whole, Values: r.Values[p.from:]}
			if name, err := p.scheme.RowSplit(row); err == nil && name == p.Split {
				in = append(in, p.ModelSplit)
			}
		}
		return in
	}, nil
}

// bringSamples makes the contents that are compared by more than their IDs be
// here.
func (c *modelChecking) bringSamples(ctx context.Context) error {
	for _, s := range []*checkedSide{c.trained, c.evaluated} {
		if s.set.Tree.IsZero() {
			continue // on the disk
		}
		err := c.bring(ctx, func(yield func(objects.Entry, error) bool) {
			for f, err := range s.samples(ctx) {
				if err == nil && !f.Rows && !isTable(f.Path) && (c.opt.Near == dataset.Off || similar.KindOf(f.Path, nil) == similar.KindOther) {
					continue
				}
				if !yield(f.Entry, err) || err != nil {
					return
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
