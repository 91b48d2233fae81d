package export

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Field is a column of a table, or a part of a nested one.
type Field struct {
	Name     string  `json:"name"`
	Type     string  `json:"type,omitempty"`     // empty: Fields say it, or nothing is known
	Repeated bool    `json:"repeated,omitempty"` // each value is a list of such
	Fields   []Field `json:"fields,omitempty"`   // of an object
}

// The types of fields.
const (
	Text     = "Text"
	Integer  = "Integer"
	Float    = "Float"
	Boolean  = "Boolean"
	Date     = "Date"
	Time     = "Time"
	DateTime = "DateTime"
	// Object is what no other type tells: maps, lists of lists, and what is one
	// thing in one row and another in the next.
	Object = "Object"
)

// maxFields is from how many keys on an object is taken for a map.
const maxFields = 100

// Known is the field when all of its values were seen: of what had none, one
// knows only that it can be written.
func (f Field) Known() Field {
	if f.Type == "" && f.Fields == nil {
		f.Type = Text
	}
	f.Fields = slices.Clone(f.Fields)
	for i := range f.Fields {
		f.Fields[i] = f.Fields[i].Known()
	}
	return f
}

// See widens the field to a value as a table writes it.
func (f *Field) See(value string) {
	if f.Type == Object || value == "" {
		return
	}
	if f.Repeated || f.Fields != nil {
		f.mix()
		return
	}
	f.Type = Wider(f.Type, value)
}

// SeeJSON widens the field to a value that is JSON where it is nested, and
// written as it is where it is not. It reports whether it was nested.
func (f *Field) SeeJSON(value string) bool {
	if value != "" && (value[0] == '{' || value[0] == '[') {
		d := json.NewDecoder(strings.NewReader(value))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err == nil && !d.More() {
			f.see(v, false)
			return true
		}
	}
	f.See(value)
	return false
}

// mix makes the field one of which values differ in what they are.
func (f *Field) mix() { *f = Field{Name: f.Name, Type: Object} }

// see widens the field to a value of JSON; inList: one of a list that it holds.
func (f *Field) see(v any, inList bool) {
	list, isList := v.([]any)
	switch seen := f.Repeated || f.Type != "" || f.Fields != nil; {
	case v == nil || f.Type == Object:
		return
	case isList && inList, !inList && seen && f.Repeated != isList:
		f.mix()
		return
	}
	switch v := v.(type) {
	case []any:
		f.Repeated = true
		for _, element := range list {
			f.see(element, true)
		}
	case map[string]any:
		f.seeObject(v)
	case string:
		f.seeOne(typeOfText(v))
	case bool:
		f.seeOne(Boolean)
	case json.Number:
		f.seeOne(typeOf(v.String()))
	}
}

func (f *Field) seeOne(is string) {
	if f.Fields != nil {
		f.mix()
		return
	}
	f.Type = widest(f.Type, is)
}

func (f *Field) seeObject(object map[string]any) {
	if f.Type != "" {
		f.mix()
		return
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		at := slices.IndexFunc(f.Fields, func(g Field) bool { return g.Name == key })
		if at < 0 {
			at = len(f.Fields)
			f.Fields = append(f.Fields, Field{Name: key})
		}
		f.Fields[at].see(object[key], false)
	}
	if len(f.Fields) > maxFields {
		f.mix()
	}
}

// Wider is the narrowest type that holds what a column had before (empty:
// nothing), and a value as it is written; an empty one is none. What would not
// come back the same from a number, such as 007, is text.
func Wider(had, value string) string {
	if value == "" {
		return had
	}
	return widest(had, typeOf(value))
}

// widest is the narrowest type that holds both.
func widest(had, is string) string {
	switch {
	case had == "" || had == is:
		return is
	case had == Integer && is == Float, had == Float && is == Integer:
		return Float
	case had == Date && is == DateTime, had == DateTime && is == Date:
		return DateTime
	}
	return Text
}

func typeOf(value string) string {
	switch strings.ToLower(value) {
	case "true", "false":
		return Boolean
	}
	if isNumber.MatchString(value) {
		if _, err := strconv.ParseInt(value, 10, 64); err == nil {
			return Integer
		}
		return Float
	}
	return typeOfText(value)
}

// typeOfText is the type of what is written as text.
func typeOfText(value string) string {
	if len(value) < len(time.DateOnly) || value[4] != '-' {
		return Text
	}
	if _, err := time.Parse(time.DateOnly, value); err == nil {
		return Date
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime} {
		if _, err := time.Parse(layout, value); err == nil {
			return DateTime
		}
	}
	return Text
}

// isNumber is the grammar of JSON.
var isNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
