package core_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core"
)

// A scheme is changed in mlvc.toml, and everything else stays byte for byte.
func TestEditScheme(t *testing.T) {
	ratios := []core.SplitShare{{Split: "train", Share: "80"}, {Split: "test", Share: "20"}}
	drawn := core.SchemeEdit{Ratios: ratios}
	for name, c := range map[string]struct {
		before, scheme string
		edit           core.SchemeEdit
		want           string
	}{
		"an empty file":       {"", "default", drawn, "[splits]\nratios = { train = 80, test = 20 }\n"},
		"no line break":       {"track = [\"a\"]", "x", core.SchemeEdit{Folds: 3}, "track = [\"a\"]\n\n[splits.x]\nfolds = 3\n"},
		"a dotted name":       {"", "v1.2", core.SchemeEdit{Folds: 3}, "[splits.\"v1.2\"]\nfolds = 3\n"},
		"an expression":       {"", "x", core.SchemeEdit{Folds: 2, Group: `p(\d)`, Stratify: "column:a", Path: "f", Table: []string{"t.csv"}}, "[splits.x]\ntable = [\"t.csv\"]\npath = \"f\"\nfolds = 2\ngroup = 'p(\\d)'\nstratify = { column = \"a\" }\n"},
		"a quote":             {"", "x", core.SchemeEdit{Folds: 2, Seed: `it's "a\b"`}, "[splits.x]\nfolds = 2\nseed = \"it's \\\"a\\\\b\\\"\"\n"},
		"another way":         {"[splits.x]\n# how\nfolds = 5 # five\nseed = \"s\"\n\n[kinds]\nmax_chain = 3\n", "x", drawn, "[splits.x]\n# how\nseed = \"s\"\nratios = { train = 80, test = 20 }\n\n[kinds]\nmax_chain = 3\n"},
		"several lines":       {"[splits.x] # x\nof = [\n  \"a/**\", # ]\n  \"#b\",\n] # both\nfolds = 2\n", "x", core.SchemeEdit{Of: []string{"c"}}, "[splits.x] # x\nof = [\"c\"] # both\nfolds = 2\n"},
		"a long text":         {"[dataset]\ndescription = \"\"\"\n[splits.x]\nfolds = 9\n\"\"\"\n[splits.x]\nfolds = 2\n", "x", core.SchemeEdit{Folds: 3}, "[dataset]\ndescription = \"\"\"\n[splits.x]\nfolds = 9\n\"\"\"\n[splits.x]\nfolds = 3\n"},
		"lines of windows":    {"[splits.x]\r\nfolds = 2\r\n", "x", core.SchemeEdit{Seed: "a"}, "[splits.x]\r\nfolds = 2\r\nseed = \"a\"\r\n"},
		"drawn anew":          {"[splits]\nfolds = 2\n", "default", core.SchemeEdit{Redraw: true}, "[splits]\nfolds = 2\nseed = \"2\"\n"},
		"drawn anew, a word":  {"[splits]\nfolds = 2\nseed = 'x'\n", "default", core.SchemeEdit{Redraw: true}, "[splits]\nfolds = 2\nseed = \"x-2\"\n"},
		"drawn anew, again":   {"[splits]\nfolds = 2\nseed = 'x-9'\n", "default", core.SchemeEdit{Redraw: true}, "[splits]\nfolds = 2\nseed = \"x-10\"\n"},
		"beside others":       {"[splits.a]\nfolds = 2\n", "default", core.SchemeEdit{Folds: 3}, "[splits.a]\nfolds = 2\n\n[splits]\nfolds = 3\n"},
		"a header with space": {"[ splits . \"a\" ]\nfolds = 2\n", "a", core.SchemeEdit{Folds: 3}, "[ splits . \"a\" ]\nfolds = 3\n"},
	} {
		got, err := core.EditScheme([]byte(c.before), c.scheme, c.edit)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

// What is not sure to be meant is not written, and what should be is named.
func TestEditSchemeRefuses(t *testing.T) {
	for name, before := range map[string]string{
		"in a line":  "splits = { x = { folds = 2 } }\n",
		"with dots":  "splits.x.folds = 2\n",
		"a dot less": "[splits]\nx.folds = 2\n",
		"a line":     "[splits]\nx = { folds = 2 }\n",
		"quoted key": "[splits.x]\n\"folds\" = 2\n",
	} {
		_, err := core.EditScheme([]byte(before), "x", core.SchemeEdit{Folds: 3})
		refused, ok := errors.AsType[*core.CannotEditError](err)
		if !ok || !strings.Contains(refused.Text, "[splits.x]\nfolds = 3") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		before string
		edit   core.SchemeEdit
	}{
		"globs":         {"[splits.x]\ntrain = ['a']\n", core.SchemeEdit{Folds: 3}},
		"a split":       {"[splits]\nx = ['a']\n", core.SchemeEdit{Folds: 3}},
		"two ways":      {"", core.SchemeEdit{Folds: 3, Column: "a"}},
		"no number":     {"", core.SchemeEdit{Ratios: []core.SplitShare{{Split: "a", Share: "1}"}, {Split: "b", Share: "1"}}}},
		"one split":     {"", core.SchemeEdit{Ratios: []core.SplitShare{{Split: "a", Share: "1"}}}},
		"an expression": {"", core.SchemeEdit{Folds: 3, Group: "("}},
		"no way":        {"", core.SchemeEdit{Seed: "a"}},
	} {
		if text, err := core.EditScheme([]byte(c.before), "x", c.edit); err == nil {
			t.Errorf("%s: wrote\n%s", name, text)
		}
	}
}
