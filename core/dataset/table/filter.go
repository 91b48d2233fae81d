package table

import (
	"bufio"
	"bytes"
	"context"
	"io"
)

// Filter writes the rows that keep wants: those of CSV behind the header, and
// those of JSON, byte for byte as they are in the table; those of Parquet as
// JSON lines. It is never compressed. keep gets the values of the given columns.
// Rows that cannot be read are left out; the first of them is the *PlaceError
// that is returned when everything else is written.
func (t *Table) Filter(ctx context.Context, w io.Writer, keep func(Row) bool, columns ...string) error {
	out := &filtered{t: t, w: bufio.NewWriterSize(w, 64<<10)}
	if err := out.begin(); err != nil {
		return err
	}
	var unread, failed error
	t.each(ctx, columns, func(r *decoded) bool {
		switch _, isPlace := IsPlace(r.err); {
		case isPlace && unread == nil:
			unread = r.err
		case isPlace:
		case r.err != nil:
			failed = r.err
		case keep(r.Row):
			failed = out.row(r)
		}
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	if err := out.end(); err != nil {
		return err
	}
	return unread
}

// filtered writes rows in a table's own format.
type filtered struct {
	t    *Table
	w    *bufio.Writer
	rows int64
}

func (f *filtered) begin() error {
	switch f.t.format {
	case formatCSV, formatTSV:
		_, header, err := f.t.csvRecords()
		if err == nil {
			_, err = f.w.Write(header)
		}
		return err
	case formatArray:
		_, err := f.w.WriteString("[")
		return err
	}
	return nil
}

func (f *filtered) row(r *decoded) error {
	text := r.record.data
	switch f.t.format {
	case formatParquet:
		text = appendJSONRow(nil, f.t.columns, r.record.values)
	case formatArray:
		between := ",\n"
		if f.rows == 0 {
			between = "\n"
		}
		text = append([]byte(between), text...)
	}
	f.rows++
	_, err := f.w.Write(text)
	// The last line of a table may have no line feed, and is last here, too.
	if err == nil && f.t.format == formatLines && !bytes.HasSuffix(text, []byte{'\n'}) {
		err = f.w.WriteByte('\n')
	}
	return err
}

func (f *filtered) end() error {
	if f.t.format == formatArray {
		if _, err := f.w.WriteString("\n]\n"); err != nil {
			return err
		}
	}
	return f.w.Flush()
}

// appendJSONRow appends a row as a JSON object and a line feed, without what is
// absent.
func appendJSONRow(dst []byte, names []string, values []value) []byte {
	dst = append(dst, '{')
	for i, v := range values {
		if v.kind == kindAbsent {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, []byte(names[i])), ':')
		if v.kind == kindText {
			dst = appendQuoted(dst, bytes.ToValidUTF8(v.text, []byte("\ufffd")))
		} else {
			dst = append(dst, v.text...)
		}
	}
	return append(dst, '}', '\n')
}
