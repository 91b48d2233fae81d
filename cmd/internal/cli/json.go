package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// encodeJSON encodes v on one line. Names of files need not be UTF-8, JSON is:
// a byte that is not becomes the lone surrogate U+DC00 + byte, which is how
// Python's surrogateescape writes it, so that json.loads and os.fsencode give
// the very name back.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	line := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if !bytes.Contains(line, []byte(`\ufffd`)) {
		return line, nil // the encoder writes this only for bytes that are not UTF-8
	}
	b.Reset()
	if err := e.Encode(markBytes(reflect.ValueOf(v)).Interface()); err != nil {
		return nil, err
	}
	line = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	for c := 0x80; c <= 0xff; c++ {
		line = bytes.ReplaceAll(line, []byte(string(mark(byte(c)))), fmt.Appendf(nil, `\udc%02x`, c))
	}
	return line, nil
}

// mark stands for a byte that is not UTF-8 while a value is encoded: the last
// code points of a private plane.
func mark(c byte) rune { return 0x10fe00 + rune(c) }

// markBytes copies a value with every byte that is not UTF-8 replaced by its
// mark. Exported fields alone are copied: others are not encoded.
func markBytes(v reflect.Value) reflect.Value {
	if !v.IsValid() {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(markString(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			p := reflect.New(v.Type().Elem())
			p.Elem().Set(markBytes(v.Elem()))
			out.Set(p)
		}
	case reflect.Interface:
		if !v.IsNil() {
			out.Set(markBytes(v.Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(markBytes(v.Field(i)))
			}
		}
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
			break
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(markBytes(v.Index(i)))
		}
	case reflect.Map:
		if v.IsNil() {
			break
		}
		out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for key, value := range v.Seq2() {
			out.SetMapIndex(markBytes(key), markBytes(value))
		}
	}
	return out
}

func markString(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			r = mark(s[0])
		}
		b.WriteRune(r)
		s = s[n:]
	}
	return b.String()
}
