// Package table reads tables as rows: CSV, TSV, JSON lines, a JSON array of
// objects and Parquet. A row has the same hash in each of them; FORMAT.md says
// what it is taken of.
package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/mlvc/mlvc/core/dataset"
)

// ErrNoTable is what Open returns for a file that by its name could be a table
// and is none, such as a JSON file of settings.
var ErrNoTable = errors.New("not a table")

// PlaceError says what of a table cannot be read, and where.
type PlaceError struct {
	Path  string
	Place string // "line 17", "row 3"; empty: the file as a whole
	Why   string
}

func (e *PlaceError) Error() string {
	if e.Place == "" {
		return e.Path + ": " + e.Why
	}
	return e.Path + ": " + e.Place + ": " + e.Why
}

type format int

const (
	formatNone format = iota
	formatCSV
	formatTSV
	formatLines // a JSON object a line
	formatArray // a JSON array of objects
	formatParquet
)

var formats = map[string]format{
	".csv": formatCSV, ".tsv": formatTSV, ".jsonl": formatLines, ".ndjson": formatLines, ".json": formatArray,
	".parquet": formatParquet,
}

// formatOf tells the format by the name, and whether it is compressed.
func formatOf(name string) (f format, zipped bool) {
	name = strings.ToLower(name)
	name, zipped = strings.CutSuffix(name, ".gz")
	f = formats[path.Ext(name)]
	if f == formatParquet && zipped {
		return formatNone, false // it is read from its end
	}
	return f, zipped
}

// Is reports whether a file by its name is a table, or may be one (.json).
func Is(name string) bool {
	f, _ := formatOf(name)
	return f != formatNone
}

// Table is an open table. It does not change, and several goroutines may read
// it at once.
type Table struct {
	path    string
	format  format
	zipped  bool
	content dataset.Content
	columns []string
	ignored []string
	comma   byte     // of CSV
	parquet *parquet // of Parquet
}

// Open opens a table and reads its header. It does not close c, which must
// stay open as long as the table is read. It fails with ErrNoTable, with a
// *PlaceError for a table that is broken from the start, or as c fails.
func Open(ctx context.Context, f dataset.File, c dataset.Content) (*Table, error) {
	t := &Table{path: f.Path, content: c}
	if t.format, t.zipped = formatOf(f.Path); t.format == formatNone {
		return nil, fmt.Errorf("%s: %w", f.Path, ErrNoTable)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := t.readHeader(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Table) readHeader() error {
	switch t.format {
	case formatCSV, formatTSV:
		return t.readCSVHeader()
	case formatLines, formatArray:
		return t.readJSONKeys()
	default:
		return t.openParquet()
	}
}

// Columns returns the names of the columns in the table's order. JSON has no
// header: these are the keys of its first rows, and others may follow.
func (t *Table) Columns() []string { return slices.Clone(t.columns) }

// Has reports whether the table has a column of that name, as far as Columns
// can tell.
func (t *Table) Has(column string) bool { return slices.Contains(t.columns, column) }

// Without returns the table with columns that do not count in the hash of a
// row, such as a running number, which costs a second hash of each row. It need
// not have them; an empty name is no column.
func (t *Table) Without(columns ...string) *Table {
	other := *t
	other.ignored = slices.DeleteFunc(slices.Concat(t.ignored, columns), func(c string) bool { return c == "" })
	return &other
}

// text returns the table's text from its start, unzipped.
func (t *Table) text() (io.Reader, error) {
	whole := io.NewSectionReader(t.content, 0, t.content.Size())
	if !t.zipped {
		return whole, nil
	}
	r, err := gzip.NewReader(whole)
	if err != nil {
		return nil, t.broken("", err)
	}
	return r, nil
}

func (t *Table) errorf(place, why string, args ...any) *PlaceError {
	return &PlaceError{Path: t.path, Place: place, Why: fmt.Sprintf(why, args...)}
}

// broken turns what a decompressor found into a *PlaceError, and leaves what
// the content's own reads say.
func (t *Table) broken(place string, err error) error {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || isFlate(err) ||
		t.zipped && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
		return t.errorf(place, "cannot be unzipped: %v", err)
	}
	return fmt.Errorf("read %s: %w", t.path, err)
}

func lineOf(n int64) string { return fmt.Sprintf("line %d", n) }
