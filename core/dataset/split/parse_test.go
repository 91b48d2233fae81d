package split_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/mlvc/mlvc/core/dataset/split"
)

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var tree struct {
		Splits map[string]any `toml:"splits"`
	}
	if err := toml.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	return tree.Splits
}

const every = `
[splits]
train = ["train/**"]
test = ["test/**", "@lists/test.txt"]
holdout = "holdout"
frozen = ["test"]
sealed = "holdout"

[splits.by-patient]
of = ["images/**"]
ratios = { train = 80, val = 10, test = 10.0 }
seed = "any text"
group = 'patient-(\d+)'
stratify = "folder"

[splits.cv]
folds = 12

[splits.dated]
time = { path = '\d{4}-\d\d-\d\d', until = { val = "2025-07-01", train = 2025-01-01 }, rest = "test" }

[splits.listed]
table = "meta.csv"
path = "filename"
column = "split"
group = { column = "patient" }

[splits.rows]
table = ["reviews*.csv"]
ratios = { train = 0.8, test = 0.2 }
stratify = { column = "label" }
`

func TestParse(t *testing.T) {
	schemes, err := split.Parse(decode(t, every))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"default":    `{"frozen":["holdout","test"],"holdout":["holdout"],"sealed":["holdout"],"test":["@lists/test.txt","test/**"],"train":["train/**"]}`,
		"by-patient": `{"group":{"path":"patient-(\\d+)"},"of":["images/**"],"ratios":{"test":1,"train":8,"val":1},"seed":"any text","stratify":"folder"}`,
		"cv":         `{"folds":12}`,
		"dated":      `{"time":{"path":"\\d{4}-\\d\\d-\\d\\d","rest":"test","until":{"train":"2025-01-01T00:00:00Z","val":"2025-07-01T00:00:00Z"}}}`,
		"listed":     `{"column":"split","group":{"column":"patient"},"path":"filename","table":["meta.csv"]}`,
		"rows":       `{"ratios":{"test":1,"train":4},"stratify":{"column":"label"},"table":["reviews*.csv"]}`,
	}
	got := make(map[string]string)
	for _, s := range schemes {
		got[s.Name] = s.Rule()
		again, err := split.ParseRule(s.Name, s.Rule())
		if err != nil {
			t.Fatal(err)
		}
		if again.Rule() != s.Rule() || !cmp.Equal(again.Names(), s.Names()) {
			t.Errorf("%s read back as %s", s, again)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if schemes[0].Name != split.Default || !schemes[5].OfRows() || schemes[4].OfRows() {
		t.Error(schemes)
	}
	if diff := cmp.Diff([]string{"filename", "split", "patient"}, schemes[4].Columns()); diff != "" {
		t.Error(diff)
	}
	if names := schemes[2].Names(); names[1] != "fold-2" || names[11] != "fold-12" {
		t.Error(names)
	}
}

// A rule that sealed rows when that was allowed is still read.
func TestSealedRowsOfOldRules(t *testing.T) {
	const rule = `{"frozen":["b"],"ratios":{"a":1,"b":1},"sealed":["b"],"table":["a.csv"]}`
	s, err := split.ParseRule("rows", rule)
	if err != nil || s.Rule() != rule {
		t.Error(s, err)
	}
}

func TestParseErrors(t *testing.T) {
	cases := []struct{ text, key, says string }{
		{"[splits]\ntrain = []", "splits.train", "empty"},
		{"[splits]\ntrain = 3", "splits.train", "array of texts"},
		{"[splits]\ntrain = ['/abs']", "splits.train", "absolute"},
		{"[splits]\ntrain = ['../x']", "splits.train", "upwards"},
		{"[splits]\ntrain = ['a[']", "splits.train", "not a valid glob"},
		{"[splits]\n'tr ain' = ['a']", "splits.tr ain", "is no name"},
		{"[splits.'a b']\ntrain = ['a']", "splits.a b", "is no name"},
		{"[splits]\ntrain = ['a']\n[splits.default]\ntest = ['b']", "splits.default", "another"},
		{"[splits]\nfrozen = ['test']", "splits", "names no splits"},
		{"[splits]\ntrain = ['a']\nfrozen = ['test']", "splits.frozen", `no split "test" (there are: train)`},
		{"[splits]\ntrain = ['a']\nfolds = 3", "splits.folds", "two schemes"},
		{"[splits]\nfolds = 3\nratios = { a = 1, b = 1 }", "splits.folds", "with ratios as well"},
		{"[splits]\nfolds = 1", "splits.folds", "from 2"},
		{"[splits.folds]\nfolds = 3", "splits.folds", "no scheme can have the name"},
		{"[splits]\nratios = { a = 1 }", "splits.ratios", "2 to"},
		{"[splits]\nratios = { a = 1, b = 0 }", "splits.ratios.b", "above 0"},
		{"[splits]\nratios = { a = 0.3333333, b = 1 }", "splits.ratios.a", "six decimals"},
		{"[splits]\nratios = { a = 1000000, b = 1 }", "splits.ratios", "too fine"},
		{"[splits]\ntrain = ['a']\nseed = 's'", "splits.seed", "only ratios and folds"},
		{"[splits]\nfolds = 3\ngroup = '('", "splits.group", "missing closing"},
		{"[splits]\nfolds = 3\ngroup = { colum = 'a' }", "splits.group.colum", "unknown key"},
		{"[splits]\nfolds = 3\ngroup = { column = 'a' }", "splits.group", "which table"},
		{"[splits]\ncolumn = 'a'", "splits.column", "which table"},
		{"[splits]\ntable = 'a.csv'\ntrain = ['a']", "splits.table", "by globs"},
		{"[splits]\ntable = 'a.csv'\nfolds = 3\ngroup = 'x'", "splits.group", "column"},
		{"[splits]\ntable = 'a.csv'\nfolds = 3\nof = ['x']", "splits.of", "leave it out"},
		{"[splits]\ntable = '@a.csv'\nfolds = 3", "splits.table", "list files are for splits"},
		{"[splits]\ntime = { path = 'x' }", "splits.time", "date a split"},
		{"[splits]\ntime = { path = 'x', until = { a = 'soon' } }", "splits.time.until.a", "want a date"},
		{"[splits]\ntime = { path = 'x', until = { a = '2025', b = '2025-01-01' } }", "splits.time.until.b", "the same date as a"},
		{"[splits]\ntime = { path = 'x', until = { a = '2025' }, rest = 'a' }", "splits.time.rest", "too"},
		{"[splits]\ntime = { path = 'x', column = 'y', until = { a = '2025' } }", "splits.time.column", "either"},
		{"[splits]\ntable = 'a.csv'\nratios = { a = 1, b = 1 }\nsealed = ['b']", "splits.sealed", "cannot be left out"},
		{"[splits.a.b]\ntrain = ['a']", "splits.a.b", "[splits.b]"},
	}
	for _, c := range cases {
		_, err := split.Parse(decode(t, c.text))
		var key *split.KeyError
		if !errors.As(err, &key) {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		where := key.Key
		if !strings.HasPrefix(where, c.key) || !strings.Contains(key.What, c.says) {
			t.Errorf("%q: %v, want %s: …%s…", c.text, err, c.key, c.says)
		}
	}
}

func TestParseRuleRefuses(t *testing.T) {
	for _, text := range []string{"", "{}", `{"folds":3,"frozen":["x"]}`, `{"folds": 3}`, `{"ratios":{"a":2,"b":2}}`, `{"folds":3,"new":{"a":1}}`, "[]"} {
		if s, err := split.ParseRule("s", text); err == nil {
			t.Errorf("%q is %v", text, s)
		}
	}
}
