package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/similar"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/dataset/table"
	"github.com/mlvc/mlvc/objects"
)

// isTable reports whether a file is read as a table where nothing says so. A
// JSON file may be anything.
func isTable(name string) bool {
	return table.Is(name) && path.Ext(strings.TrimSuffix(name, ".gz")) != ".json"
}

// openTable opens a table for one pass.
func openTable(ctx context.Context, files dataset.Files, f dataset.File) (*table.Table, func() error, error) {
	content, err := files.Open(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	t, err := table.Open(ctx, f, content)
	if err != nil {
		return nil, nil, errors.Join(err, content.Close())
	}
	return t, content.Close, nil
}

// readRows yields the rows of a table; unread says what became of a place that
// cannot be read.
func readRows(ctx context.Context, files dataset.Files, f dataset.File, ignore, columns []string, unread func(dataset.Unread) bool, row func(table.Row) bool) error {
	t, done, err := openTable(ctx, files, f)
	if err == nil {
		defer done() //nolint:errcheck // it was only read
		for r, rerr := range t.Without(ignore...).Rows(ctx, columns...) {
			if place, ok := table.IsPlace(rerr); ok {
				if !unread(dataset.Unread{Path: f.Path, Place: place.Place, Why: place.Why}) {
					return nil
				}
				continue
			}
			if err = rerr; err != nil || !row(r) {
				break
			}
		}
	}
	if place, ok := table.IsPlace(err); ok {
		unread(dataset.Unread{Path: f.Path, Place: place.Place, Why: place.Why})
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return nil
}

// splitRows reads tables for package split.
func splitRows(ctx context.Context, files dataset.Files, f dataset.File, columns []string) iter.Seq2[split.Row, error] {
	return rowsWithout()(ctx, files, f, columns)
}

// rowsWithout reads tables for package split, with hashes in which some columns
// do not count.
func rowsWithout(ignore ...string) split.Rows {
	return func(ctx context.Context, files dataset.Files, f dataset.File, columns []string) iter.Seq2[split.Row, error] {
		return func(yield func(split.Row, error) bool) {
			err := readRows(ctx, files, f, ignore, columns,
				func(u dataset.Unread) bool { return yield(split.Row{Unread: &u}, nil) },
				func(r table.Row) bool {
					return yield(split.Row{Number: r.Number, Hash: r.Hash, Whole: r.Whole, Values: r.Values}, nil)
				})
			if err != nil {
				yield(split.Row{}, err)
			}
		}
	}
}

// checkRows reads the rows of a table for package check; place tells the split
// of a row by the values of columns.
func checkRows(ctx context.Context, files dataset.Files, f dataset.File, ignore, columns []string, place func(table.Row) string) iter.Seq2[check.Row, error] {
	return func(yield func(check.Row, error) bool) {
		err := readRows(ctx, files, f, ignore, columns,
			func(u dataset.Unread) bool { return yield(check.Row{}, &check.UnreadError{Unread: u}) },
			func(r table.Row) bool {
				return yield(checkRow(r.Number, r.Hash, place(r)), nil)
			})
		if _, absent := errors.AsType[*dataset.AbsentError](err); absent {
			err = &check.UnreadError{Unread: dataset.Unread{Path: f.Path, Why: whyAbsent}}
		}
		if err != nil {
			yield(check.Row{}, err)
		}
	}
}

// checkRow makes a row for package check; an empty one is like no other.
func checkRow(number int64, hash objects.ID, split string) check.Row {
	if hash == table.NoValues {
		hash = objects.ID{}
	}
	return check.Row{Number: number, Hash: hash, Split: split}
}

// whyAbsent is why a file of which only the name is here cannot be read. A
// table that says which split is what cannot be done without is an error.
const whyAbsent = "its content is not here"

// tableRows reads the rows of a table file whose rows are no samples of a
// scheme.
func (e *examining) tableRows(ctx context.Context, f dataset.File, ignore []string) iter.Seq2[check.Row, error] {
	return checkRows(ctx, e.files, f, ignore, nil, func(table.Row) string { return "" })
}

// schemeRows reads the rows of tables whose rows are samples of a scheme; nil
// for any other scheme. What decides the split of a row does not count in its
// hash.
func (e *examining) schemeRows(s split.Scheme, files dataset.Files) func(ctx context.Context, f dataset.File) iter.Seq2[check.Row, error] {
	if !s.OfRows() {
		return nil
	}
	ignore := e.ignored(s)
	return func(ctx context.Context, f dataset.File) iter.Seq2[check.Row, error] {
		return checkRows(ctx, files, f, ignore, s.Columns(), func(r table.Row) string {
			name, _ := s.RowSplit(split.Row{Number: r.Number, Hash: r.Hash, Whole: r.Whole, Values: r.Values}) // in none: covered tells
			return name
		})
	}
}

// ignored are the columns that do not count in what makes rows of a scheme alike.
func (e *examining) ignored(s split.Scheme) []string {
	return append([]string{s.Column}, e.config.Ignore...)
}

// rowKeeper keeps the rows that are read to apply a scheme for the rules.
type rowKeeper struct{ *check.RowKeeper }

func (k rowKeeper) Row(row split.Row, name string) {
	if row.Unread != nil {
		k.Unreadable(*row.Unread)
		return
	}
	k.Add(checkRow(row.Number, row.Hash, name))
}

// keepRows lets the rules have the rows of tables that a scheme is applied to.
func (e *examining) keepRows(s split.Scheme) func(f dataset.File) split.TableWatcher {
	asks := func(rule dataset.Rule) bool { return e.config.Level(rule) != dataset.Off }
	if !s.OfRows() || !asks(dataset.RuleRows) && !asks(dataset.RuleMoved) && !asks(dataset.RuleFrozen) {
		return nil
	}
	rule := e.ruleOf(s.Rule(), e.schemes)
	return func(f dataset.File) split.TableWatcher {
		return rowKeeper{check.KeepRows(e.facts, rule, f, e.config.Ignore)}
	}
}

// near finds near-duplicates between splits.
func (e *examining) near(ctx context.Context, files iter.Seq2[check.NearFile, error], limits check.Near, saw func(check.NearSeen)) iter.Seq2[check.NearPair, error] {
	return func(yield func(check.NearPair, error) bool) {
		h := similar.Hasher{
			Files: e.files, Facts: e.facts, Workers: e.env.workers(), Turns: limits.Rotations,
			Saw: func(in similar.Input, why string) {
				saw(check.NearSeen{NearFile: check.NearFile(in), Why: strings.TrimPrefix(why, in.Path+": ")})
			},
		}
		hashed, err := h.Hash(ctx, func(yield func(similar.Input, error) bool) {
			for f, err := range files {
				if !yield(similar.Input(f), err) || err != nil {
					return
				}
			}
		})
		if err != nil {
			yield(check.NearPair{}, err)
			return
		}
		e.res.Hashed += int64(hashed.Read)
		items := hashed.Items
		if limits.Images < 0 {
			items = textsOf(items)
		}
		for p, err := range similar.Pairs(ctx, items, nearLimits(limits)) {
			distance, measure := p.Distance()
			if !yield(check.NearPair{A: p.A, B: p.B, Distance: distance, Measure: measure}, err) || err != nil {
				return
			}
		}
	}
}

// nearLimits are the limits that mlvc.toml says, or else the defaults.
func nearLimits(said check.Near) similar.Limits {
	limits := similar.DefaultLimits
	if said.Images > 0 {
		limits.Images = said.Images
	}
	if said.Text > 0 {
		limits.Text = said.Text
	}
	return limits
}

func textsOf(items []similar.Item) []similar.Item {
	var texts []similar.Item
	for _, i := range items {
		if i.Text != nil {
			texts = append(texts, i)
		}
	}
	return texts
}
