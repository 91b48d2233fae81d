package yaml_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core/internal/yaml"
)

type object = map[string]any

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want any
	}{
		{"", nil},
		{"---\n", nil},
		{"a: 1\nb: null\nc:\n", object{"a": "1", "b": nil, "c": nil}},
		{"outs:\n- md5: 00ab\n  size: 3\n  path: data\n- path: it's\n", object{"outs": []any{object{"md5": "00ab", "size": "3", "path": "data"}, object{"path": "it's"}}}},
		{"outs:\n  - a\n  -   - b\n      - c\n", object{"outs": []any{"a", []any{"b", "c"}}}},
		{"- a # one\n# two\n\n- b#c\n", []any{"a", "b#c"}},
		{"stages:\n  x:\n    cmd: python a.py\n      --more 1\n      --even more\n    deps: []\n", object{"stages": object{"x": object{"cmd": "python a.py --more 1 --even more", "deps": []any{}}}}},
		{`a: "x\ty: \u00e9\"" # no` + "\n'b c': 'it''s #1'\n", object{"a": "x\ty: é\"", "b c": "it's #1"}},
		{"a: 'one\n  two\n\n  three'\nb: \"four\\\n  five\"\n", object{"a": "one two\nthree", "b": "fourfive"}},
		{"a: [1, {b: c, d: [e, 'f,g']},\n  h]\nz: {}\n", object{"a": []any{"1", object{"b": "c", "d": []any{"e", "f,g"}}, "h"}, "z": object{}}},
		{"a: |\n  x: 1\n    y\n\n  z\nb: >-\n  p\n  q\n", object{"a": "x: 1\n  y\n\nz\n", "b": "p q"}},
		{"a: &x\n  b: 1\n  c: 2\nd:\n  <<: *x\n  c: 3\ne: *x\n", object{"a": object{"b": "1", "c": "2"}, "d": object{"b": "1", "c": "3"}, "e": object{"b": "1", "c": "2"}}},
		{"a: &x [1, 2] # one\nb: &y # two\n- *x\n- &z w\nc: {<<: [{p: q}, {p: r}], s: *z}\nd: [*y,*z]\n", object{
			"a": []any{"1", "2"}, "b": []any{[]any{"1", "2"}, "w"}, "c": object{"p": "q", "s": "w"},
			"d": []any{[]any{[]any{"1", "2"}, "w"}, "w"},
		}},
		{"path: a:b\nurl: s3://x/y\n", object{"path": "a:b", "url": "s3://x/y"}},
	} {
		got, err := yaml.Parse([]byte(c.text))
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
		} else if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q:\n%s", c.text, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, line := range map[string]int{
		"a: 1\na: 2\n": 2, "a: [&x 1]\n": 1, "a: *x\n": 1, "a: &x\n  b: *x\n": 2, "<<: 1\n": 2, "a: !t x\n": 1, "a: 1\n\tb: 2\n": 2,
		"a: 'x\n": 2, "a: [1\n": 2, "a: 1\n  b: 2\n": 2, "? a\n: b\n": 1, "a: 1\n---\nb: 2\n": 2,
		"a:\n    b: 1\n  c: 2\n": 3, strings.Repeat("- ", 100) + "a\n": 1, "a: \"\\q\"": 1,
	} {
		v, err := yaml.Parse([]byte(text))
		e, ok := errors.AsType[*yaml.Error](err)
		if !ok || e.Line != line {
			t.Errorf("%q: %v, %v; want an error in line %d", text, v, err, line)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("outs:\n- md5: 00ab\n  size: 3\n  path: 'da\n    ta'\n")
	f.Add("a: &x\n  b: 1\nc: {<<: *x, d: [*x]}\n")
	f.Add("a: [1, {b: \"c\"}]\nd: |\n  x\n")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := yaml.Parse([]byte(text))
		if _, ok := errors.AsType[*yaml.Error](err); err != nil && !ok {
			t.Fatalf("%v, %v", v, err)
		}
	})
}
