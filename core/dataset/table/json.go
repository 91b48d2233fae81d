package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// lineCutter cuts at every line feed.
type lineCutter struct{}

func (lineCutter) cut(data []byte, atEnd bool) (body []byte, n int, ok bool, err error) {
	if n = bytes.IndexByte(data, '\n') + 1; n == 0 {
		if !atEnd {
			return nil, 0, false, nil
		}
		n = len(data)
	}
	if space(data[:n]) == n {
		return nil, n, true, nil
	}
	return data[:n], n, true, nil
}

func (lineCutter) resync(data []byte) (n int, found, possible bool) {
	if n = bytes.IndexByte(data, '\n') + 1; n > 0 {
		return n, true, true
	}
	return len(data), false, true
}

// arrayCutter cuts the elements of an array.
type arrayCutter struct{ opened, closed bool }

func (c *arrayCutter) cut(data []byte, atEnd bool) (body []byte, n int, ok bool, err error) {
	at := space(data)
	switch {
	case at == len(data) && (!atEnd || c.closed):
		return nil, at, at > 0, nil
	case at == len(data):
		return nil, at, false, errors.New("the array is not closed")
	case c.closed:
		return nil, at, false, errors.New("text follows the array")
	case !c.opened:
		c.opened = true // Open has seen that it is one
		at++
		if at += space(data[at:]); at < len(data) && data[at] == ']' {
			c.closed = true
			return nil, at + 1, true, nil
		}
		return nil, at, true, nil
	}
	length, known := lengthOf(data[at:])
	end := at + length
	end += space(data[min(end, len(data)):])
	switch {
	case !known || end >= len(data):
		if atEnd {
			return nil, at, false, errors.New("the array is not closed")
		}
		return nil, 0, false, nil
	case length == 0 || data[end] != ',' && data[end] != ']':
		return nil, end, false, errors.New("the array is broken: a comma should be there")
	}
	c.closed = data[end] == ']'
	return data[at : at+length], end + 1, true, nil
}

func (*arrayCutter) resync([]byte) (n int, found, possible bool) { return 0, false, false }

// lengthOf returns how long the value at the start of data is, by its brackets
// and quotes alone; known is false when it does not end.
func lengthOf(data []byte) (n int, known bool) {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			n := stringEnd(data[i:])
			if n < 0 {
				return 0, false
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i, true
			}
			if depth--; depth == 0 {
				return i + 1, true
			}
		case ',', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i, true
			}
		}
	}
	return 0, false
}

// stringEnd returns the length of the string at the start of data, or -1.
func stringEnd(data []byte) int {
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// readJSONKeys tells lines from an array, and reads the keys of the first rows.
func (t *Table) readJSONKeys() error {
	if t.format == formatArray {
		if err := t.tellArray(); err != nil {
			return err
		}
	}
	rows, err := t.jsonRecords()
	if err != nil {
		return err
	}
	batch, err := rows.next()
	if err != nil && err != io.EOF {
		return err
	}
	d := &jsonDecoder{t: t}
	seen := make(map[string]bool)
	for i := range batch {
		r := &batch[i]
		if r.err != nil {
			continue
		}
		if i == 0 && t.format == formatArray && r.data[0] != '{' {
			return fmt.Errorf("%s: %w: its array has no objects", t.path, ErrNoTable)
		}
		keys, _, err := d.decode(r)
		if err != nil {
			continue // Rows tells it
		}
		for _, key := range keys {
			if !seen[key] {
				seen[key] = true
				t.columns = append(t.columns, key)
			}
		}
	}
	return nil
}

// tellArray looks at the start of a .json file: an array may be a table, and
// so are two objects below each other.
func (t *Table) tellArray() error {
	f, err := t.feed(lineCutter{})
	if err != nil {
		return err
	}
	start := f.rest[space(f.rest):]
	if len(start) > 0 && start[0] == '[' {
		return nil
	}
	n, err := scanValue(start, 0)
	if err == nil && len(start) > 0 && start[0] == '{' {
		if rest := start[n:]; space(rest) < len(rest) && rest[space(rest)] == '{' {
			t.format = formatLines
			return nil
		}
	}
	return fmt.Errorf("%s: %w: it is no array of objects", t.path, ErrNoTable)
}

func (t *Table) jsonRecords() (source, error) {
	if t.format == formatArray {
		return t.feed(&arrayCutter{})
	}
	return t.feed(lineCutter{})
}

// jsonDecoder decodes objects. Consecutive rows with the same keys share one
// slice of them.
type jsonDecoder struct {
	t       *Table
	keys    []string // of the row before
	fresh   []string // of this row, from where it differs
	values  []value
	scratch []byte
	same    bool
}

func (d *jsonDecoder) decode(r *record) ([]string, []value, error) {
	data := trim(r.data)
	if data[0] != '{' {
		return nil, nil, d.t.errorf(lineOf(r.line), "a row must be a JSON object")
	}
	d.values, d.scratch, d.fresh, d.same = d.values[:0], d.scratch[:0], nil, true
	n, err := scanObject(data, 0, d.member)
	if err == nil && n < len(data) {
		err = errors.New("text follows the object")
	}
	if err != nil {
		return nil, nil, d.t.errorf(lineOf(r.line), "%v", err)
	}
	if !d.same || len(d.values) != len(d.keys) {
		if d.same {
			d.fresh = slices.Clone(d.keys[:len(d.values)])
		}
		d.keys = d.fresh
	}
	return d.keys, d.values, nil
}

// trim cuts off what JSON takes for space.
func trim(data []byte) []byte { return bytes.Trim(data, " \n\t\r") }

func (d *jsonDecoder) member(key, text []byte) error {
	name := d.text(key)
	i := len(d.values)
	if d.same && (i >= len(d.keys) || d.keys[i] != string(name)) {
		d.same = false
		d.fresh = append(make([]string, 0, max(len(d.keys), 8)), d.keys[:i]...)
	}
	if !d.same {
		d.fresh = append(d.fresh, string(name))
	}
	d.values = append(d.values, d.value(text))
	return nil
}

func (d *jsonDecoder) value(text []byte) value {
	switch text[0] {
	case '"':
		if text = d.text(text); len(text) == 0 {
			return value{}
		}
		return value{kind: kindText, text: text}
	case 'n':
		return value{}
	case '{', '[':
		return value{kind: kindNested, text: text}
	default:
		return value{kind: kindText, text: text}
	}
}

// text returns what a string says, as a part of itself where it can.
func (d *jsonDecoder) text(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	from := len(d.scratch)
	d.scratch = unquote(d.scratch, quoted)
	return d.scratch[from:len(d.scratch):len(d.scratch)]
}
