package table

import (
	"errors"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"
)

// parquet is an open Parquet file.
type parquet struct {
	file    *pq.File
	columns []*column
}

// openParquet reads the footer. The library may panic on what is damaged.
func (t *Table) openParquet() (err error) {
	defer t.recovered(&err)
	file, err := pq.OpenFile(contentReader{t}, t.content.Size(), pq.SkipPageIndex(true), pq.SkipBloomFilters(true))
	if err != nil {
		return t.parquetError("", err)
	}
	p := &parquet{file: file}
	leaves := 0
	for _, field := range file.Schema().Fields() {
		c := newColumn(field, &leaves)
		p.columns = append(p.columns, c)
		t.columns = append(t.columns, c.name)
	}
	t.parquet = p
	return nil
}

// recovered turns a panic of the library into a *PlaceError.
func (t *Table) recovered(err *error) {
	if r := recover(); r != nil {
		*err = t.errorf("", "it is damaged: %v", r)
	}
}

// errRead marks what the content's own reads say, and not the library.
type errRead struct{ error }

func (e errRead) Unwrap() error { return e.error }

// contentReader keeps errors of the content apart from those of the format.
type contentReader struct{ t *Table }

func (r contentReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, io.ErrUnexpectedEOF // the library believes what a damaged footer says
	}
	n, err := r.t.content.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = errRead{err}
	}
	return n, err
}

func (t *Table) parquetError(place string, err error) error {
	var read errRead
	if errors.As(err, &read) {
		return fmt.Errorf("read %s: %w", t.path, read.error)
	}
	return t.errorf(place, "%v", err)
}

// parquetRows is the source of the rows of a Parquet file.
type parquetRows struct {
	t      *Table
	group  int // the next row group
	rows   pq.Rows
	buf    []pq.Row
	number int64
	size   int // how many rows to read at a time
	done   bool
}

func (p *parquet) records(t *Table) source {
	return &parquetRows{t: t, buf: make([]pq.Row, batchRows), size: 16}
}

func (p *parquetRows) next() ([]record, error) {
	for !p.done {
		batch, err := p.read()
		if err == io.EOF {
			p.done = true
		} else if err != nil {
			p.done = true
			batch = append(batch, record{number: p.number + 1, err: p.t.parquetError(fmt.Sprintf("row %d", p.number+1), err)})
		}
		if p.done {
			p.close()
		}
		if len(batch) > 0 {
			return batch, nil
		}
	}
	return nil, io.EOF
}

func (p *parquetRows) close() {
	defer func() { _ = recover() }() //nolint:errcheck // it is of no further use
	if p.rows != nil {
		p.rows.Close() //nolint:errcheck // it is only read
	}
	p.rows = nil
}

// read reads some rows; io.EOF behind the last. The library may panic on what
// is damaged.
func (p *parquetRows) read() (batch []record, err error) {
	defer p.t.recovered(&err)
	if p.rows == nil {
		groups := p.t.parquet.file.RowGroups()
		if p.group == len(groups) {
			return nil, io.EOF
		}
		p.rows = groups[p.group].Rows()
		p.group++
	}
	n, err := p.rows.ReadRows(p.buf[:p.size])
	if n == 0 && err == nil {
		return nil, errors.New("rows are missing")
	}
	arena := make([]byte, 0, batchBytes)
	for _, row := range p.buf[:n] {
		p.number++
		before := len(arena)
		r := record{number: p.number}
		arena, r.values = p.t.parquet.values(arena, row)
		if len(arena)-before > maxRecord {
			r = record{number: p.number, err: p.t.errorf(fmt.Sprintf("row %d", p.number), "longer than %d MiB", maxRecord>>20)}
		}
		batch = append(batch, r)
	}
	if len(arena) > 0 {
		p.size = min(max(batchBytes*n/len(arena), 1), batchRows)
	}
	if err == io.EOF {
		p.close()
		err = nil
	}
	return batch, err
}

// values writes the values of a row into arena.
func (p *parquet) values(arena []byte, row pq.Row) ([]byte, []value) {
	values := make([]value, len(p.columns))
	for i, c := range p.columns {
		n := 0
		for n < len(row) && row[n].Column() < c.first+c.leaves {
			n++
		}
		from := len(arena)
		arena, values[i].kind = c.append(arena, row[:n])
		values[i].text = arena[from:len(arena):len(arena)]
		if len(values[i].text) == 0 {
			values[i].kind = kindAbsent
		}
		row = row[n:]
	}
	return arena, values
}

// parquetDecoder has nothing left to do.
type parquetDecoder struct{ t *Table }

func (d parquetDecoder) decode(r *record) ([]string, []value, error) {
	return d.t.columns, r.values, nil
}
