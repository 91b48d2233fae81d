package table

import (
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep JSON values lie in each other.
const maxDepth = 512

var (
	errShort = errors.New("the JSON ends too early")
	errDeep  = errors.New("the JSON is nested too deep")
	errJSON  = errors.New("not JSON")
)

// The scanners take text at the start of data and return its length. They
// accept what RFC 8259 does.

func space(data []byte) int {
	for i, c := range data {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return i
		}
	}
	return len(data)
}

// scanValue passes over a value of any kind.
func scanValue(data []byte, depth int) (int, error) {
	if len(data) == 0 {
		return 0, errShort
	}
	switch data[0] {
	case '{':
		return scanObject(data, depth, nil)
	case '[':
		return scanArray(data, depth, nil)
	case '"':
		return scanString(data)
	case 't':
		return scanWord(data, "true")
	case 'f':
		return scanWord(data, "false")
	case 'n':
		return scanWord(data, "null")
	default:
		return scanNumber(data)
	}
}

func scanWord(data []byte, word string) (int, error) {
	if len(data) < len(word) {
		return 0, errShort
	}
	if string(data[:len(word)]) != word {
		return 0, errJSON
	}
	return len(word), nil
}

// scanString passes over a string with its quotes.
func scanString(data []byte) (int, error) {
	for i := 1; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			return i + 1, nil
		case c < ' ':
			return 0, errors.New("a string has a control character")
		case c == '\\':
			n := scanEscape(data[i+1:])
			if n == 0 {
				return 0, errors.New("a string has a bad escape")
			}
			i += n
		}
	}
	return 0, errShort
}

// scanEscape returns how long the escape behind a backslash is; 0: it is none.
func scanEscape(data []byte) int {
	if len(data) == 0 {
		return 0
	}
	switch data[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if _, ok := hex4(data[1:]); ok {
			return 5
		}
	}
	return 0
}

func hex4(data []byte) (r rune, ok bool) {
	if len(data) < 4 {
		return 0, false
	}
	for _, c := range data[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// scanNumber passes over a number.
func scanNumber(data []byte) (int, error) {
	i := 0
	if i < len(data) && data[i] == '-' {
		i++
	}
	whole := digits(data[i:])
	if whole == 0 || whole > 1 && data[i] == '0' {
		return 0, errJSON
	}
	i += whole
	if i < len(data) && data[i] == '.' {
		n := digits(data[i+1:])
		if n == 0 {
			return 0, errJSON
		}
		i += 1 + n
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		n := digits(data[i:])
		if n == 0 {
			return 0, errJSON
		}
		i += n
	}
	return i, nil
}

func digits(data []byte) int {
	for i, c := range data {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(data)
}

// scanObject passes over an object and tells each of its members, the key with
// its quotes.
func scanObject(data []byte, depth int, member func(key, value []byte) error) (int, error) {
	return scanList(data, depth, '}', func(data []byte) (int, error) {
		if len(data) == 0 {
			return 0, errShort
		}
		if data[0] != '"' {
			return 0, errors.New("a key in quotes should be there")
		}
		end, err := scanString(data)
		if err != nil {
			return 0, err
		}
		at := end + space(data[end:])
		if at >= len(data) {
			return 0, errShort
		}
		if data[at] != ':' {
			return 0, errors.New("a colon should follow the key")
		}
		at++
		at += space(data[at:])
		n, err := scanValue(data[at:], depth+1)
		if err == nil && member != nil {
			err = member(data[:end], data[at:at+n])
		}
		return at + n, err
	})
}

// scanArray passes over an array and tells each of its elements.
func scanArray(data []byte, depth int, element func(value []byte) error) (int, error) {
	return scanList(data, depth, ']', func(data []byte) (int, error) {
		n, err := scanValue(data, depth+1)
		if err == nil && element != nil {
			err = element(data[:n])
		}
		return n, err
	})
}

// scanList passes over what stands between brackets, with a comma between any
// two.
func scanList(data []byte, depth int, end byte, item func([]byte) (int, error)) (int, error) {
	if depth > maxDepth {
		return 0, errDeep
	}
	at := 1 + space(data[1:])
	if at < len(data) && data[at] == end {
		return at + 1, nil
	}
	for {
		n, err := item(data[at:])
		if err != nil {
			return 0, err
		}
		at += n
		if at += space(data[at:]); at >= len(data) {
			return 0, errShort
		}
		switch data[at] {
		case end:
			return at + 1, nil
		case ',':
			at++
			at += space(data[at:])
		default:
			return 0, errors.New("a comma should be there")
		}
	}
}

// unquote appends the text of a string that was scanned. Half a surrogate pair
// becomes U+FFFD.
func unquote(dst, quoted []byte) []byte {
	text := quoted[1 : len(quoted)-1]
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			dst = append(dst, text[i])
			continue
		}
		i++
		switch text[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, n := unquoteRune(text[i+1:])
			dst = utf8.AppendRune(dst, r)
			i += n
		default:
			dst = append(dst, text[i])
		}
	}
	return dst
}

// unquoteRune reads the digits behind \u, and those of the other half.
func unquoteRune(text []byte) (rune, int) {
	r, _ := hex4(text)
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(text) >= 10 && text[4] == '\\' && text[5] == 'u' {
		if low, ok := hex4(text[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 10
			}
		}
	}
	return utf8.RuneError, 4
}
