package cli

import (
	"encoding/json"
	"reflect"
	"regexp"
	"testing"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

// A byte that is not UTF-8 is told from every other, as Python's
// surrogateescape does; what is UTF-8 stays as it is.
func TestEncodeJSONBytes(t *testing.T) {
	for path, want := range map[string]string{
		"plain":           `"plain"`,
		"\xff/a\x80":      `"\udcff/a\udc80"`,
		"\ufffd":          "\"\ufffd\"",
		"\ufffd and \xfe": "\"\ufffd and \\udcfe\"",
		"<&>":             `"<&>"`,
	} {
		e := core.StatusEntry{Path: path, Status: core.StatusNew}
		line, err := encodeJSON([]any{&e, map[string]string{path: path}})
		if err != nil {
			t.Fatal(err)
		}
		var back []map[string]json.RawMessage
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := string(back[0]["path"]); got != want {
			t.Errorf("%q is %s, want %s", path, got, want)
		}
		if len(back[1]) != 1 {
			t.Errorf("%q: %s", path, line)
		}
	}
}

// Everything that --json prints is documented, with keys in snake_case.
func TestJSONKeys(t *testing.T) {
	a := testApp(t)
	snake := regexp.MustCompile(`^ *[a-z][a-z0-9_]* `)
	n := 0
	walkCommands(a.root(), func(cmd *cobra.Command) {
		for _, s := range a.prints[cmd] {
			n++
			lines := describeJSON(reflect.TypeOf(s.value), "")
			if len(lines) == 0 {
				t.Errorf("%s: %T has no keys", cmd.CommandPath(), s.value)
			}
			for _, line := range lines {
				if !snake.MatchString(line) {
					t.Errorf("%s: %q", cmd.CommandPath(), line)
				}
			}
			checkTags(t, cmd.CommandPath(), reflect.TypeOf(s.value))
		}
	})
	if n < 20 {
		t.Errorf("only %d objects are documented", n)
	}
}

// checkTags fails for an exported field that would be printed under its Go
// name.
func checkTags(t *testing.T, where string, typ reflect.Type) {
	t.Helper()
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		checkTags(t, where, typ.Elem())
	case reflect.Struct:
		if kind, inner := jsonKind(typ); kind != "object" || inner == nil {
			return
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			tag := f.Tag.Get("json")
			if !f.IsExported() || tag == "-" {
				continue
			}
			if tag == "" && !f.Anonymous {
				t.Errorf("%s: %v.%s has no name for JSON", where, typ, f.Name)
			}
			checkTags(t, where, f.Type)
		}
	}
}
