package cli

import (
	"encoding"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const jsonText = `With --json a command prints JSON on its output, one object a line: lists have one
object for each element. Keys are never renamed and never change their meaning; new
ones may come. A key that is said to be optional is left out when it has nothing to say.
IDs are 64 hexadecimal digits, sizes are bytes, times are RFC 3339, durations end in _ns
and are nanoseconds. A byte of a path that is not UTF-8 is written as the lone surrogate
U+DC00 + byte, as Python's surrogateescape does.

The error stream has one object a line too:

  {"error": {"code", "message", "hint" (optional), "paths" (optional), "exit"}}
  {"warning": {"code", "path" (optional), "message"}}
  {"waiting": {"pid", "host", "command", "since"}}

Codes are stable, messages and hints are not.
`

// helpJSON documents the objects of every command from their types.
func (a *app) helpJSON(root *cobra.Command) {
	t := &text{a.out.w, a.out.style}
	t.line("%s", jsonText)
	walkCommands(root, func(cmd *cobra.Command) {
		for _, s := range a.prints[cmd] {
			title := cmd.CommandPath()
			if s.when != "" {
				title += ", " + s.when
			}
			t.line("%s", t.paint(bold, title+":"))
			t.line("%s\n", strings.Join(describeJSON(reflect.TypeOf(s.value), "  "), "\n"))
		}
	})
}

// walkCommands visits every command that is shown, parents first.
func walkCommands(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			walkCommands(c, visit)
		}
	}
}

// describeJSON lists the keys of a struct, those of structs in it indented
// below theirs.
func describeJSON(typ reflect.Type, indent string) []string {
	var lines []string
	for _, f := range reflect.VisibleFields(typ) {
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || key == "-" || key == "" || len(f.Index) > 1 && !promoted(typ, f) {
			continue
		}
		kind, inner := jsonKind(f.Type)
		line := indent + padRight(key, 16) + " " + kind
		if strings.Contains(options, "omit") {
			line += ", optional"
		}
		lines = append(lines, line)
		if inner != nil {
			lines = append(lines, describeJSON(inner, indent+"  ")...)
		}
	}
	return lines
}

// promoted reports whether a field of an embedded struct is printed as one of
// typ's own.
func promoted(typ reflect.Type, f reflect.StructField) bool {
	for _, i := range f.Index[:len(f.Index)-1] {
		at := typ.Field(i)
		if !at.Anonymous || at.Tag.Get("json") != "" {
			return false
		}
		if typ = at.Type; typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
	}
	return true
}

// jsonKind says what a value looks like, and which struct it has inside.
func jsonKind(typ reflect.Type) (string, reflect.Type) {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case typ == reflect.TypeFor[time.Time]():
		return "time", nil
	case typ.Name() == "ID":
		return "ID", nil
	case typ.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return "text", nil
	}
	switch typ.Kind() {
	case reflect.String:
		return "text", nil
	case reflect.Bool:
		return "true or false", nil
	case reflect.Float32, reflect.Float64:
		return "number", nil
	case reflect.Slice, reflect.Array:
		kind, inner := jsonKind(typ.Elem())
		return "list of " + kind, inner
	case reflect.Map:
		kind, inner := jsonKind(typ.Elem())
		return "object, each value " + kind, inner
	case reflect.Struct:
		return "object", typ
	}
	return "number", nil
}
