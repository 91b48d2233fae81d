package table

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
)

type kind uint8

const (
	kindAbsent kind = iota // null, or nothing
	kindText               // a string, or what may be one
	kindBare               // a number or a word, of which JSON makes no string
	kindNested             // an object or an array, in JSON
)

// value is one value of a row, as it is written in the table.
type value struct {
	kind kind
	text []byte
}

const rowContext = "mlvc 2026-11-26 row v1"

// NoValues is the hash of every row without values. Such rows say nothing, so
// that they are no copies of each other.
var NoValues = objects.Derive(rowContext)

// rowHasher takes the hashes of rows. Not for several goroutines.
type rowHasher struct {
	ignored map[string]bool
	names   []string // the columns that order is of
	order   []int    // of what counts, by name
	hash    *blake3.Hasher
	buf     []byte
	text    []byte
}

func newRowHasher(ignored []string) *rowHasher {
	h := &rowHasher{ignored: make(map[string]bool), hash: blake3.NewDeriveKey(rowContext)}
	for _, name := range ignored {
		h.ignored[name] = true
	}
	return h
}

func sameNames(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// arrange sorts the columns, unless they are those of the row before.
func (h *rowHasher) arrange(names []string) {
	if sameNames(names, h.names) && h.order != nil {
		return
	}
	h.names, h.order = names, make([]int, 0, len(names))
	for i, name := range names {
		if !h.ignored[name] {
			h.order = append(h.order, i)
		}
	}
	slices.SortStableFunc(h.order, func(a, b int) int { return bytes.Compare([]byte(names[a]), []byte(names[b])) })
}

// sum returns the hash of a row.
func (h *rowHasher) sum(names []string, values []value) objects.ID {
	h.arrange(names)
	h.buf = h.buf[:0]
	for _, i := range h.order {
		v := values[i]
		switch v.kind {
		case kindAbsent:
			continue
		case kindText, kindBare:
			h.text = appendScalar(h.text[:0], v.text)
		case kindNested:
			h.text = appendNested(h.text[:0], v.text)
		}
		h.buf = binary.AppendUvarint(h.buf, uint64(len(names[i])))
		h.buf = append(h.buf, names[i]...)
		h.buf = binary.AppendUvarint(h.buf, uint64(len(h.text)))
		h.buf = append(h.buf, h.text...)
	}
	h.hash.Reset()
	h.hash.Write(h.buf) //nolint:errcheck // a hash never fails
	var id objects.ID
	h.hash.Sum(id[:0])
	return id
}

// appendScalar appends the canonical form of what a cell says.
func appendScalar(dst, text []byte) []byte {
	switch c := text[0]; {
	case '0' <= c && c <= '9' || c == '-':
		if n, err := scanNumber(text); err == nil && n == len(text) {
			return appendNumber(dst, text)
		}
	case c == 't' || c == 'T' || c == 'f' || c == 'F':
		switch string(text) {
		case "True", "TRUE":
			return append(dst, "true"...)
		case "False", "FALSE":
			return append(dst, "false"...)
		}
	}
	return append(dst, text...)
}

// appendNumber appends a number as its digits without zeros around them, "e",
// and the power of ten: 1.50 is 15e-1. A number whose power needs more than 18
// digits stays as it is.
func appendNumber(dst, text []byte) []byte {
	mantissa, power := text, int64(0)
	if i := indexEither(text, 'e', 'E'); i >= 0 {
		n, err := strconv.ParseInt(string(bytes.TrimPrefix(text[i+1:], []byte{'+'})), 10, 64)
		if err != nil || len(text)-i > 18 {
			return append(dst, text...)
		}
		mantissa, power = text[:i], n
	}
	start := len(dst)
	if mantissa[0] == '-' {
		dst, mantissa = append(dst, '-'), mantissa[1:]
	}
	first := len(dst)
	if i := bytes.IndexByte(mantissa, '.'); i >= 0 {
		power -= int64(len(mantissa) - i - 1)
		dst = append(dst, mantissa[:i]...)
		mantissa = mantissa[i+1:]
	}
	dst = append(dst, mantissa...)
	zeros := 0
	for first+zeros < len(dst) && dst[first+zeros] == '0' {
		zeros++
	}
	if zeros > 0 {
		dst = slices.Delete(dst, first, first+zeros)
	}
	if len(dst) == first {
		return append(dst[:start], "0e0"...)
	}
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
		power++
	}
	return strconv.AppendInt(append(dst, 'e'), power, 10)
}

// appendNested appends JSON that was scanned: without space, members sorted by
// name and without those that are null, numbers as appendNumber has them.
func appendNested(dst, text []byte) []byte {
	switch c := text[0]; {
	case c == '{':
		return appendObject(dst, text)
	case c == '[':
		first := true
		dst = append(dst, '[')
		scanArray(text, 0, func(element []byte) error { //nolint:errcheck // it was scanned before
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendNested(dst, element)
			return nil
		})
		return append(dst, ']')
	case c == '"':
		return appendQuoted(dst, unquote(nil, text))
	case c == '-' || '0' <= c && c <= '9':
		return appendNumber(dst, text)
	default:
		return append(dst, text...)
	}
}

func appendObject(dst, text []byte) []byte {
	type member struct{ key, value []byte }
	var members []member
	scanObject(text, 0, func(key, value []byte) error { //nolint:errcheck // it was scanned before
		if value[0] != 'n' {
			members = append(members, member{unquote(nil, key), value})
		}
		return nil
	})
	slices.SortStableFunc(members, func(a, b member) int { return bytes.Compare(a.key, b.key) })
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, m.key), ':')
		dst = appendNested(dst, m.value)
	}
	return append(dst, '}')
}

// appendQuoted appends a string in quotes; only what must be escaped is.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
