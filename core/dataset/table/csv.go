package table

import (
	"bytes"
	"fmt"
	"io"
)

// csvCutter cuts at the line feeds that are not in quotes.
type csvCutter struct{ comma byte }

func (c csvCutter) cut(data []byte, atEnd bool) (body []byte, n int, ok bool, err error) {
	end := bytes.IndexByte(data, '\n')
	first := data
	if end >= 0 {
		first = data[:end]
	}
	if bytes.IndexByte(first, '"') >= 0 {
		if end = c.quotedEnd(data); end == inQuotes {
			if atEnd {
				return nil, 0, false, errOpenQuote
			}
			return nil, 0, false, nil
		}
	}
	if end < 0 {
		if !atEnd {
			return nil, 0, false, nil
		}
		end = len(data) - 1
	}
	body = data[:end+1]
	if len(bytes.TrimRight(body, "\r\n")) == 0 {
		body = nil // an empty line is no row
	}
	return body, end + 1, true, nil
}

var errOpenQuote = fmt.Errorf("a quote is not closed")

// inQuotes is what quotedEnd returns when the text ends within quotes.
const inQuotes = -2

// quotedEnd returns where the line feed is that ends the first record; -1 if
// there is none, or inQuotes.
func (c csvCutter) quotedEnd(data []byte) int {
	at := 0
	for {
		if at < len(data) && data[at] == '"' {
			if at = closing(data, at+1); at < 0 {
				return inQuotes
			}
		}
		i := indexEither(data[at:], c.comma, '\n')
		if i < 0 {
			return -1
		}
		if at += i; data[at] == '\n' {
			return at
		}
		at++
	}
}

// closing returns the place behind the quote that closes the field which
// begins at from, or -1.
func closing(data []byte, from int) int {
	for {
		i := bytes.IndexByte(data[from:], '"')
		if i < 0 {
			return -1
		}
		if from += i + 1; from >= len(data) || data[from] != '"' {
			return from
		}
		from++
	}
}

// indexEither is bytes.IndexAny for two bytes, made for the short distances
// between them.
func indexEither(data []byte, a, b byte) int {
	for i, c := range data {
		if c == a || c == b {
			return i
		}
	}
	return -1
}

func (csvCutter) resync([]byte) (n int, found, possible bool) { return 0, false, false }

// fields takes a record apart. Text that needs it is unquoted into scratch.
func (c csvCutter) fields(values []value, scratch, data []byte) (_ []value, _ []byte, err error) {
	data = trimEnd(data)
	for {
		text, rest := data, []byte(nil)
		if len(data) > 0 && data[0] == '"' {
			if text, rest, scratch, err = c.quoted(data, scratch); err != nil {
				return values, scratch, err
			}
		} else if i := bytes.IndexByte(data, c.comma); i >= 0 {
			text, rest = data[:i], data[i:]
		}
		kind := kindText
		if len(text) == 0 {
			kind = kindAbsent
		}
		values = append(values, value{kind: kind, text: text})
		if len(rest) == 0 {
			return values, scratch, nil
		}
		data = rest[1:]
	}
}

func trimEnd(data []byte) []byte {
	data = bytes.TrimSuffix(data, []byte{'\n'})
	return bytes.TrimSuffix(data, []byte{'\r'})
}

// quoted reads the quoted field at the start of data. rest begins with the
// comma behind it.
func (c csvCutter) quoted(data, scratch []byte) (text, rest, _ []byte, err error) {
	end := closing(data, 1)
	if end < 0 {
		return nil, nil, scratch, errOpenQuote
	}
	text, rest = data[1:end-1], data[end:]
	if len(rest) > 0 && rest[0] != c.comma {
		return nil, nil, scratch, fmt.Errorf("text follows a quote that is closed")
	}
	if bytes.IndexByte(text, '"') < 0 {
		return text, rest, scratch, nil
	}
	from := len(scratch)
	for len(text) > 0 {
		i := bytes.IndexByte(text, '"')
		if i < 0 {
			break
		}
		scratch = append(scratch, text[:i+1]...)
		text = text[i+2:]
	}
	scratch = append(scratch, text...)
	return scratch[from:len(scratch):len(scratch)], rest, scratch, nil
}

// readCSVHeader reads the names of the columns. A header without a comma that
// has semicolons or tabs is of a table separated by these.
func (t *Table) readCSVHeader() error {
	t.comma = ','
	if t.format == formatTSV {
		t.comma = '\t'
	}
	_, header, err := t.csvRecords()
	if err != nil || header == nil {
		return err
	}
	if t.format == formatCSV && bytes.IndexByte(header, ',') < 0 {
		for _, other := range []byte{';', '\t'} {
			if bytes.IndexByte(header, other) >= 0 {
				t.comma = other
				break
			}
		}
	}
	values, _, err := csvCutter{t.comma}.fields(nil, nil, header)
	if err != nil {
		return t.errorf("line 1", "%v", err)
	}
	for _, v := range values {
		t.columns = append(t.columns, string(v.text))
	}
	return nil
}

// csvRecords returns the records behind the header, and that; nil: the table
// is empty.
func (t *Table) csvRecords() (source, []byte, error) {
	f, err := t.feed(csvCutter{t.comma})
	if err != nil {
		return nil, nil, err
	}
	batch, err := f.next()
	if err == io.EOF {
		return &pushed{source: f}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if batch[0].err != nil {
		return nil, nil, batch[0].err
	}
	for i := range batch {
		batch[i].number--
	}
	f.number--
	return &pushed{batch[1:], f}, batch[0].data, nil
}

// pushed is a source with a batch that was taken from it already.
type pushed struct {
	first []record
	source
}

func (p *pushed) next() ([]record, error) {
	if batch := p.first; len(batch) > 0 {
		p.first = nil
		return batch, nil
	}
	return p.source.next()
}

// csvDecoder decodes records of CSV.
type csvDecoder struct {
	t       *Table
	values  []value
	scratch []byte
}

func (d *csvDecoder) decode(r *record) ([]string, []value, error) {
	var err error
	d.values, d.scratch, err = csvCutter{d.t.comma}.fields(d.values[:0], d.scratch[:0], r.data)
	if err != nil {
		return nil, nil, d.t.errorf(lineOf(r.line), "%v", err)
	}
	if len(d.values) != len(d.t.columns) {
		return nil, nil, d.t.errorf(lineOf(r.line), "%s where the header has %d", plural(len(d.values), "field"), len(d.t.columns))
	}
	return d.t.columns, d.values, nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
