package check

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// tableRows is what is kept of the rows of one table file: the first 8 bytes
// of each row's hash and the split that the row is in, in the order of rows.
// Row i is the i-th that was read; its number is told by reading it again.
type tableRows struct {
	names  []string // of splits
	rows   []byte   // entrySize each
	unread []dataset.Unread
}

func (t *tableRows) len() int { return len(t.rows) / entrySize }

// all yields every row that can be like another, with the name of its split.
func (t *tableRows) all() iter.Seq2[uint64, string] {
	return func(yield func(uint64, string) bool) {
		for i := 0; i < len(t.rows); i += entrySize {
			name := t.names[binary.BigEndian.Uint16(t.rows[i+8:])]
			if !yield(binary.BigEndian.Uint64(t.rows[i:]), name) {
				return
			}
		}
	}
}

const (
	rowsContext = "mlvc 2026-11-26 rows of a table v1"
	rowsKind    = "rows-v2" // v1 placed drawn rows without the columns that do not count
)

func (t *tableRows) encode() []byte {
	b := appendTexts(nil, t.names)
	var unread []string
	for _, u := range t.unread {
		unread = append(unread, u.Place, u.Why)
	}
	b = appendTexts(b, unread)
	b = slices.Grow(b, len(t.rows)+objects.IDSize) // there may be millions: one copy is enough
	return objects.Seal(rowsContext, append(b, t.rows...))
}

func decodeTableRows(b []byte, path string) (*tableRows, error) {
	b, err := objects.Unseal(rowsContext, b)
	if err != nil {
		return nil, err
	}
	d := &decoder{b: b}
	t := &tableRows{names: d.texts()}
	unread := d.texts()
	if !d.ok() || len(d.b)%entrySize != 0 || len(unread)%2 != 0 {
		return nil, errBadMembership
	}
	for i := 0; i < len(unread); i += 2 {
		t.unread = append(t.unread, dataset.Unread{Path: path, Place: unread[i], Why: unread[i+1]})
	}
	t.rows = d.b
	for i := 0; i < t.len(); i++ {
		if int(binary.BigEndian.Uint16(t.rows[i*entrySize+8:])) >= len(t.names) {
			return nil, errBadMembership
		}
	}
	return t, nil
}

// table is a table file whose rows are compared.
type table struct {
	dataset.File
	value string // of the split table: dataset.AllRows, or the splits of the file
	read  func(context.Context, dataset.File) iter.Seq2[Row, error]
	rule  string // what decides the splits and hashes of its rows
}

// table returns the table at a placed file; false: it is none, or in no split.
func (w *walk) table(p placed) (table, bool) {
	switch {
	case p.value == dataset.AllRows && w.scheme.Rows != nil:
		return table{p.File, p.value, w.scheme.Rows, w.scheme.Rule}, true
	case p.value == "" || p.value == dataset.AllRows || w.Rows == nil || w.IsTable == nil:
		return table{}, false
	case !w.IsTable(p.Path) || w.Labels.isLabel(p.Path):
		return table{}, false
	}
	read := func(ctx context.Context, f dataset.File) iter.Seq2[Row, error] {
		return w.Rows(ctx, f, w.Config.Ignore)
	}
	return table{p.File, p.value, read, ""}, true
}

// rowsName is the name under which the rows of a table are kept.
func rowsName(rule string, f dataset.File, ignore []string) objects.ID {
	text := appendTexts(nil, append([]string{rule, dataset.Ending(f.Path)}, ignore...))
	return objects.Derive(rowsContext, text, f.Content[:])
}

// tableRows returns the rows of a table, kept or read.
func (w *walk) tableRows(ctx context.Context, t table) (*tableRows, error) {
	name := rowsName(t.rule, t.File, w.Config.Ignore)
	if w.Facts != nil {
		if b, ok := w.Facts.Get(rowsKind, name); ok {
			if kept, err := decodeTableRows(b, t.Path); err == nil {
				return kept, nil
			}
		}
	}
	read, err := readRows(ctx, t)
	if err == nil && w.Facts != nil {
		w.Facts.Put(rowsKind, name, read.encode())
	}
	return read, err
}

// readRows reads a table. All rows of a file that is in splits itself have the
// one nameless split.
func readRows(ctx context.Context, t table) (*tableRows, error) {
	c := rowCollector{ofScheme: t.value == dataset.AllRows}
	for row, err := range t.read(ctx, t.File) {
		var unread *UnreadError
		switch {
		case errors.As(err, &unread):
			c.unreadable(unread.Unread)
			continue
		case err == nil:
			err = c.add(row)
		}
		if err != nil {
			return nil, err
		}
	}
	return c.done(), nil
}

// rowCollector makes tableRows. Rows of row schemes that are in no split, and
// empty ones, are like no other and left out.
type rowCollector struct {
	ofScheme bool // the rows are samples
	out      tableRows
	m        membership // has the numbers of the splits
}

func (c *rowCollector) unreadable(u dataset.Unread) {
	if len(c.out.unread) < maxUnread {
		c.out.unread = append(c.out.unread, u)
	}
}

func (c *rowCollector) add(row Row) error {
	if row.Hash.IsZero() || c.ofScheme && row.Split == "" {
		return nil
	}
	number, err := c.m.number(row.Split)
	if err == nil {
		c.out.rows = entry{short(row.Hash), number}.append(c.out.rows)
	}
	return err
}

func (c *rowCollector) done() *tableRows {
	c.out.names = c.m.names
	return &c.out
}

// RowKeeper takes the rows of a table of a row scheme from whoever reads it, so
// that the rules need not read it once more. One goroutine uses it.
type RowKeeper struct {
	facts dataset.Facts
	name  objects.ID
	rows  rowCollector
	err   error
}

// KeepRows returns a keeper of the rows of a table: rule is that of the Scheme,
// ignore the columns of Config. The rows have to be what Scheme.Rows yields.
func KeepRows(facts dataset.Facts, rule string, f dataset.File, ignore []string) *RowKeeper {
	return &RowKeeper{facts: facts, name: rowsName(rule, f, ignore), rows: rowCollector{ofScheme: true}}
}

// Add takes the next row.
func (k *RowKeeper) Add(row Row) {
	if k.err == nil {
		k.err = k.rows.add(row)
	}
}

// Unreadable takes what could not be read.
func (k *RowKeeper) Unreadable(u dataset.Unread) { k.rows.unreadable(u) }

// Done keeps the rows, which are all that the table has.
func (k *RowKeeper) Done() {
	if k.err == nil { // else the rule meets it, too
		k.facts.Put(rowsKind, k.name, k.rows.done().encode())
	}
}

// outUnread takes a part that could not be read into the report.
func (w *walk) outUnread(err error) bool {
	var unread *UnreadError
	if !errors.As(err, &unread) {
		return false
	}
	w.out.unread(unread.Unread)
	return true
}

// tables returns the tables of the scheme, in path order.
func (w *walk) tables(ctx context.Context) ([]table, error) {
	m, err := w.contents(ctx)
	if err != nil {
		return nil, err
	}
	var list []table
	for _, path := range m.tables {
		f, err := w.Files.Lookup(ctx, path)
		if err != nil {
			return nil, err
		}
		value, err := w.value(ctx, path)
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		if t, ok := w.table(placed{*f, value}); ok {
			list = append(list, t)
		}
	}
	return list, nil
}

// load reads the rows of tables side by side and calls use with each, one at a
// time and in any order.
func (w *walk) load(ctx context.Context, tables []table, use func(i int, rows *tableRows) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(w.workers())
	turn := make(chan struct{}, 1)
	for i, t := range tables {
		g.Go(func() error {
			rows, err := w.tableRows(ctx, t)
			if err != nil {
				return err
			}
			turn <- struct{}{}
			defer func() { <-turn }()
			return use(i, rows)
		})
	}
	return g.Wait()
}

func (w *walk) workers() int {
	if w.Workers > 0 {
		return w.Workers
	}
	return 2
}
