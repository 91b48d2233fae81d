package table

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
)

const (
	// batchBytes is how much text is cut into records and decoded at a time: large
	// enough that handing it over costs nothing, small enough for the cache.
	batchBytes = 256 << 10
	// batchRows is the same for Parquet.
	batchRows = 1024
	// maxRecord bounds the memory that one record may take.
	maxRecord = 16 << 20
)

// record is one row as it lies in the table.
type record struct {
	number int64 // from 1
	line   int64 // where it begins, of a text
	data   []byte
	values []value // of Parquet, which has no text
	err    error   // instead of a row
}

// source hands out the records of a table in batches. The bytes of a batch are
// its own. io.EOF ends it.
type source interface {
	next() ([]record, error)
}

// cutter finds the end of the first record in data. n is its length with what
// ends it, body what is the record in it; a nil body is nothing, to be passed
// over. ok is false when more is needed; at the end there is no more.
type cutter interface {
	cut(data []byte, atEnd bool) (body []byte, n int, ok bool, err error)
	// resync returns how much of data to drop behind a record that is too long,
	// and whether a new one begins there. If it never does, reading ends.
	resync(data []byte) (n int, found, possible bool)
}

// feed cuts a text into records.
type feed struct {
	t      *Table
	in     io.Reader
	cutter cutter
	rest   []byte // read and not yet cut; owned by nobody else
	atEnd  bool
	done   bool
	failed error // found while reading ahead
	line   int64 // of the first byte of rest
	number int64 // of the last record
}

func (t *Table) feed(c cutter) (*feed, error) {
	in, err := t.text()
	if err != nil {
		return nil, err
	}
	f := &feed{t: t, in: in, cutter: c, line: 1}
	if err := f.more(batchBytes); err != nil {
		return nil, err
	}
	return f, f.skipMark()
}

// skipMark passes over a byte order mark, and refuses those of other encodings.
func (f *feed) skipMark() error {
	f.rest = bytes.TrimPrefix(f.rest, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(f.rest, []byte("\xff\xfe")) || bytes.HasPrefix(f.rest, []byte("\xfe\xff")) {
		return f.t.errorf("line 1", "it is UTF-16, and only UTF-8 can be read")
	}
	return nil
}

// more reads until size bytes are there, into a buffer of its own.
func (f *feed) more(size int) error {
	buf := make([]byte, size)
	n := copy(buf, f.rest)
	for n < size && !f.atEnd {
		m, err := f.in.Read(buf[n:])
		n += m
		if f.atEnd = err == io.EOF; err != nil && !f.atEnd {
			f.rest = buf[:n]
			return f.t.broken(lineOf(f.line+int64(bytes.Count(f.rest, []byte{'\n'}))), err)
		}
	}
	f.rest = buf[:n]
	return nil
}

func (f *feed) next() ([]record, error) {
	if f.failed != nil {
		return nil, f.failed
	}
	for size := batchBytes; !f.done; size *= 2 {
		batch, err := f.cutAll()
		if err != nil || len(batch) > 0 {
			return batch, err
		}
		if f.atEnd {
			break
		}
		if len(f.rest) > maxRecord {
			return f.tooLong()
		}
		if err := f.more(max(size, 2*len(f.rest))); err != nil {
			return nil, err
		}
	}
	return nil, io.EOF
}

// cutAll cuts the records that are whole, and reads ahead for the next call.
func (f *feed) cutAll() ([]record, error) {
	var batch []record
	for len(f.rest) > 0 {
		body, n, ok, err := f.cutter.cut(f.rest, f.atEnd)
		if err != nil {
			f.done = true
			f.number++
			return append(batch, record{number: f.number, err: f.place(n, err)}), nil
		}
		if !ok {
			break
		}
		if body != nil {
			f.number++
			batch = append(batch, record{number: f.number, line: f.line, data: body})
			if len(body) > maxRecord {
				batch[len(batch)-1] = f.refused()
			}
		}
		f.line += int64(bytes.Count(f.rest[:n], []byte{'\n'}))
		f.rest = f.rest[n:]
	}
	if len(batch) > 0 && !f.atEnd {
		f.failed = f.more(max(batchBytes, 2*len(f.rest)))
	}
	return batch, nil
}

// place says where what cut found is: n bytes on.
func (f *feed) place(n int, err error) error {
	line := f.line + int64(bytes.Count(f.rest[:n], []byte{'\n'}))
	return f.t.errorf(lineOf(line), "%v", err)
}

func (f *feed) refused() record {
	return record{number: f.number, err: f.t.errorf(lineOf(f.line), "longer than %d MiB", maxRecord>>20)}
}

// tooLong passes over a record whose end is not in sight.
func (f *feed) tooLong() ([]record, error) {
	f.number++
	batch := []record{f.refused()}
	for {
		n, found, possible := f.cutter.resync(f.rest)
		if !possible {
			batch[0].err = f.t.errorf(lineOf(f.line), "longer than %d MiB: is a quote not closed?", maxRecord>>20)
			f.done = true
			return batch, nil
		}
		f.line += int64(bytes.Count(f.rest[:n], []byte{'\n'}))
		f.rest = f.rest[n:]
		if found || f.atEnd {
			return batch, nil
		}
		if err := f.more(batchBytes); err != nil {
			return nil, err
		}
	}
}

func isFlate(err error) bool {
	var corrupt flate.CorruptInputError
	var internal flate.InternalError
	return errors.As(err, &corrupt) || errors.As(err, &internal)
}
