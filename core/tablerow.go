package core

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/table"
)

// CutRow reads PATH:ROW; rows count from 1.
func CutRow(text string) (path string, row int64, ok bool) {
	at := strings.LastIndexByte(text, ':')
	if at < 0 {
		return text, 0, false
	}
	row, err := strconv.ParseInt(text[at+1:], 10, 64)
	if err != nil || row < 1 {
		return text, 0, false
	}
	return text[:at], row, true
}

// NoRowError is for a row beyond the last one of a table.
type NoRowError struct {
	Path      string
	Row, Rows int64 // the one asked for, and how many there are
}

func (e *NoRowError) Error() string {
	return fmt.Sprintf("there is no row %d in %q: it has %s", e.Row, e.Path, count(int(e.Rows), "row"))
}

// rowAt reads one row of a table, with a hash in which some columns do not
// count. It fails with a *NoRowError, or with the *table.PlaceError of what
// cannot be read.
func rowAt(ctx context.Context, files dataset.Files, f dataset.File, number int64, ignore []string) (table.Row, error) {
	t, done, err := openTable(ctx, files, f)
	if errors.Is(err, table.ErrNoTable) {
		return table.Row{}, &UsageError{What: fmt.Sprintf("%q is no table, so it has no row %d", f.Path, number), Hint: "leave out the colon and the number"}
	}
	if err != nil {
		return table.Row{}, err
	}
	defer done() //nolint:errcheck // it was only read
	var last int64
	var broken error // a place that is no certain row
	for row, err := range t.Without(ignore...).Rows(ctx) {
		_, place := table.IsPlace(err)
		switch {
		case err != nil && !place, row.Number == number:
			return row, err
		case place && row.Number == 0:
			broken = err
		}
		last = max(last, row.Number)
	}
	if broken != nil {
		return table.Row{}, broken
	}
	return table.Row{}, &NoRowError{Path: f.Path, Row: number, Rows: last}
}
