package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mlvc/mlvc/objects"
)

// Row is one row of a table.
type Row struct {
	// Number counts from 1, a header not counted, a row that cannot be read
	// counted.
	Number int64
	// Values are those of the columns asked for, as they are written; what is
	// null or not there is empty. An object or array is its JSON.
	Values []string
	// Hash is that of the canonical row: the same for the same data in every
	// format.
	Hash objects.ID
	// Whole is the hash in which every column counts, also those of
	// Table.Without.
	Whole objects.ID
}

// Rows yields the rows in order, with the values of the given columns. A
// *PlaceError stands for what cannot be read; what follows it is read where the
// format allows that. Any other error is the last. A column that the table does
// not have is a *PlaceError: before the rows, or after those of JSON. Rows may
// be ranged over several times; each reads the table from its start.
func (t *Table) Rows(ctx context.Context, columns ...string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		t.each(ctx, columns, func(r *decoded) bool { return yield(r.Row, r.err) })
	}
}

// decoded is a row with its text.
type decoded struct {
	Row
	err    error
	record *record
}

// reading is one pass over a table: one goroutine cuts, a few decode and hash
// batches, and rows come out in order.
type reading struct {
	t       *Table
	columns []string
	seen    []atomic.Bool // which of the columns a row had
	queue   chan *job     // in order
	work    chan *job
	stop    <-chan struct{}
}

// job is a batch on its way. done is closed when rows is whole.
type job struct {
	records []record
	rows    []decoded
	err     error // ends the table
	done    chan struct{}
}

// each calls f with the rows until it returns false.
func (t *Table) each(ctx context.Context, columns []string, f func(*decoded) bool) {
	if err := t.missing(columns); err != nil {
		f(&decoded{err: err})
		return
	}
	in, err := t.records()
	if err != nil {
		f(&decoded{err: err})
		return
	}
	inner, cancel := context.WithCancel(ctx)
	// Two workers keep up with one cutter. The queue is as long as keeps them busy
	// while the caller is, and bounds the memory.
	workers := min(runtime.GOMAXPROCS(0), 4)
	r := &reading{
		t: t, columns: columns, seen: make([]atomic.Bool, len(columns)), stop: inner.Done(),
		queue: make(chan *job, workers+1), work: make(chan *job),
	}
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() { r.cut(in) })
	for range workers {
		group.Go(r.decodeAll)
	}
	r.deliver(ctx, f)
}

// missing says which of the columns a table with a header does not have, or has
// more than once.
func (t *Table) missing(columns []string) error {
	if t.format == formatLines || t.format == formatArray {
		return nil
	}
	for _, name := range columns {
		n := 0
		for _, has := range t.columns {
			if has == name {
				n++
			}
		}
		switch {
		case n == 0:
			return t.noColumn(name)
		case n > 1:
			return t.errorf("", "%d of its columns are called %q, so that the name says none", n, name)
		}
	}
	return nil
}

func (t *Table) noColumn(name string) error {
	has := t.columns
	more := ""
	if len(has) > 20 {
		has, more = has[:20], ", …"
	}
	return t.errorf("", "it has no column %q; its columns are %s%s", name, strings.Join(has, ", "), more)
}

func (t *Table) records() (source, error) {
	switch t.format {
	case formatCSV, formatTSV:
		in, _, err := t.csvRecords()
		return in, err
	case formatParquet:
		return t.parquet.records(t), nil
	default:
		return t.jsonRecords()
	}
}

// cut reads batches and hands each to the workers and, in order, to deliver.
func (r *reading) cut(in source) {
	defer close(r.work)
	defer close(r.queue)
	for {
		records, err := in.next()
		if err == io.EOF {
			return
		}
		j := &job{records: records, err: err, done: make(chan struct{})}
		select {
		case r.queue <- j:
		case <-r.stop:
			return
		}
		select {
		case r.work <- j:
		case <-r.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

func (r *reading) decodeAll() {
	w := r.newWorker()
	for j := range r.work {
		w.do(j)
		close(j.done)
	}
}

func (r *reading) deliver(ctx context.Context, f func(*decoded) bool) {
	for j := range r.queue {
		select {
		case <-j.done:
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			f(&decoded{err: err})
			return
		}
		for i := range j.rows {
			if !f(&j.rows[i]) {
				return
			}
		}
		if j.err != nil {
			f(&decoded{err: j.err})
			return
		}
	}
	if err := ctx.Err(); err != nil {
		f(&decoded{err: err})
		return
	}
	for i := range r.seen {
		if !r.seen[i].Load() && !r.t.Has(r.columns[i]) && len(r.t.columns) > 0 {
			if !f(&decoded{err: r.t.noColumn(r.columns[i])}) {
				return
			}
		}
	}
}

// decoder takes a record apart. What it returns holds until the next call.
type decoder interface {
	decode(r *record) (names []string, values []value, err error)
}

// worker decodes batches.
type worker struct {
	r       *reading
	decoder decoder
	hasher  *rowHasher
	whole   *rowHasher // nil: not wanted, or the same
	names   []string   // the columns that places are of
	places  []int      // of the columns asked for; -1: not there
	before  []string   // the values of the row before: rows often share them
	err     error      // what is wrong with names
}

func (r *reading) newWorker() *worker {
	w := &worker{r: r, hasher: newRowHasher(r.t.ignored), places: make([]int, len(r.columns)), before: make([]string, len(r.columns))}
	if len(r.t.ignored) > 0 {
		w.whole = newRowHasher(nil)
	}
	switch r.t.format {
	case formatCSV, formatTSV:
		w.decoder = &csvDecoder{t: r.t}
	case formatParquet:
		w.decoder = parquetDecoder{r.t}
	default:
		w.decoder = &jsonDecoder{t: r.t}
	}
	return w
}

func (w *worker) do(j *job) {
	j.rows = make([]decoded, len(j.records))
	all := make([]string, len(j.records)*len(w.r.columns))
	for i := range j.records {
		row := &j.rows[i]
		row.record = &j.records[i]
		row.Number, row.err = row.record.number, row.record.err
		if row.err != nil {
			continue
		}
		row.Values, all = all[:len(w.r.columns):len(w.r.columns)], all[len(w.r.columns):]
		row.err = w.row(row)
	}
}

func (w *worker) row(row *decoded) error {
	names, values, err := w.decoder.decode(row.record)
	if err == nil {
		err = w.locate(names, row.record)
	}
	if err != nil {
		return err
	}
	for i, place := range w.places {
		if place < 0 || values[place].kind == kindAbsent {
			continue
		}
		if string(values[place].text) != w.before[i] {
			w.before[i] = string(values[place].text)
		}
		row.Values[i] = w.before[i]
	}
	row.Hash = w.hasher.sum(names, values)
	row.Whole = row.Hash
	if w.whole != nil {
		row.Whole = w.whole.sum(names, values)
	}
	return nil
}

// locate finds the columns asked for, unless these are those of the row before.
func (w *worker) locate(names []string, r *record) error {
	if w.names == nil || !sameNames(names, w.names) {
		w.names = names
		for i, name := range w.r.columns {
			if w.places[i] = slices.Index(names, name); w.places[i] >= 0 {
				w.r.seen[i].Store(true)
			}
		}
		w.err = nil
		if r.data != nil && (w.r.t.format == formatLines || w.r.t.format == formatArray) {
			w.err = twice(names)
		}
	}
	if w.err != nil {
		return w.r.t.errorf(lineOf(r.line), "%v", w.err)
	}
	return nil
}

// twice finds a key that is there twice, which readers of JSON take for
// different things.
func twice(keys []string) error {
	sorted := slices.Sorted(slices.Values(keys))
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return fmt.Errorf("the key %q is there twice", sorted[i])
		}
	}
	return nil
}

// IsPlace reports whether an error says that a part of a table cannot be read,
// and not that reading failed.
func IsPlace(err error) (*PlaceError, bool) {
	var place *PlaceError
	return place, errors.As(err, &place)
}
