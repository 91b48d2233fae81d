package export_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core/dataset/export"
)

var described = export.Dataset{
	About:   export.About{Name: "weather", Description: "Rain", Creators: []string{"Ada"}},
	Version: "v1", Commit: strings.Repeat("ab", 32), Date: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), Files: 5, Bytes: 99,
	Tables: []export.Table{
		{Path: "a b.csv", Size: 9, SHA256: strings.Repeat("0", 64), Format: "text/csv", Fields: []export.Field{{Name: "temp max", Type: export.Float}}, Rows: 3},
		{Path: "t.parquet", Format: "application/x-parquet", Fields: []export.Field{
			{Name: "tags", Type: export.Text, Repeated: true},
			{Name: "at", Fields: []export.Field{{Name: "x", Type: export.Float}, {Name: "no key", Type: export.Text}}},
			{Name: "map", Type: export.Object},
		}},
	},
	Groups: []export.Group{
		{Ext: ".md", Files: 1, Paths: []string{"READ[ME].md"}},
		{Folder: "train", Ext: "", Files: 1},
		{Folder: "train", Ext: ".json", Files: 1},
		{Folder: "train", Ext: ".png", Files: 4, Bytes: 90, Labels: []string{"cat", "dog"}},
	},
	Splits: []export.Split{{Scheme: "default", Name: "train", Files: 2, Folder: "train"}, {Scheme: "ratio", Name: "test", Files: 1, Paths: []string{"train/cat/1.png"}}},
	Checks: []export.Check{
		{Rule: "content", Scheme: "default", Level: "error", Samples: 4},
		{Rule: "rows", Level: "warn", Samples: 9, Findings: 3, Waived: 1},
		{Rule: "near", Scheme: "default", Level: "warn"},
		{Rule: "drift", Scheme: "default", Level: "off"},
		{Rule: "readable", Level: "warn"},
	},
	Waivers: []export.Waiver{{Rule: "rows", Reason: "natural", Findings: 1}},
	Models:  []export.Model{{ID: "run|1", Splits: "all"}},
}

// TestCroissantIsClosed: every @id that is named is one of the document's, none
// is there twice, and none has a space in it.
func TestCroissantIsClosed(t *testing.T) {
	text, err := export.Croissant(described)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	delete(doc, "@context")
	var made, named []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if id, ok := v["@id"].(string); ok && len(v) == 1 {
				named = append(named, id)
			} else if ok {
				made = append(made, id)
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(doc)
	slices.Sort(made)
	if len(made) < 10 || len(slices.Compact(slices.Clone(made))) != len(made) {
		t.Errorf("made: %q", made)
	}
	for _, id := range made {
		if strings.ContainsAny(id, " %") {
			t.Errorf("%q is no @id", id)
		}
	}
	for _, id := range named {
		if !slices.Contains(made, id) {
			t.Errorf("%q is named and not there", id)
		}
	}
}

// croissant is what is described, by @id.
func croissant(t *testing.T, d export.Dataset) (map[string]any, map[string]map[string]any) {
	text, err := export.Croissant(d)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	of := make(map[string]map[string]any)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if id, ok := v["@id"].(string); ok && len(v) > 1 {
				of[id] = v
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(doc)
	return doc, of
}

func same(t *testing.T, name string, got any, want string) {
	t.Helper()
	if text, err := json.Marshal(got); err != nil || string(text) != want {
		t.Errorf("%s: %s, not %s", name, text, want)
	}
}

// TestCroissantFiles: a pattern finds the files of a group and no others, and
// what readers cannot read the content of has no field of it.
func TestCroissantFiles(t *testing.T) {
	_, of := croissant(t, described)
	same(t, "root", of["files/*.md"]["includes"], `["READ[[]ME].md"]`)
	same(t, "text", of["files/*.md"]["encodingFormat"], `["text/markdown","text/plain"]`)
	same(t, "folder", of["files/train/*.png"]["includes"], `["train/*.png","train/**/*.png"]`)
	same(t, "no ending", of["files/train/*"]["excludes"], `["train/*.*","train/**/*.*"]`)
	for _, id := range []string{"records/files/train/*", "records/files/train/*.json/content"} {
		if of[id] != nil {
			t.Errorf("%s: %v", id, of[id])
		}
	}
	if of["records/files/train/*.json/path"] == nil || of["records/files/train/*.png/content"] == nil || of["records/files/*.md/split/default"] != nil {
		t.Error("fields of files")
	}
}

// TestCroissantNested: lists and objects are told as such, and what has no words
// is left out.
func TestCroissantNested(t *testing.T) {
	doc, of := croissant(t, described)
	same(t, "version", doc["version"], `"1.0.0"`)
	same(t, "list", of["rows/t.parquet/tags"]["repeated"], `true`)
	same(t, "part", of["rows/t.parquet/at/x"]["source"],
		`{"extract":{"column":"at"},"fileObject":{"@id":"t.parquet"},"transform":{"jsonPath":"$.x"}}`)
	if parts, _ := of["rows/t.parquet/at"]["subField"].([]any); len(parts) != 1 || of["rows/t.parquet/map"] != nil {
		t.Errorf("%v", of["rows/t.parquet/at"])
	}
}

// TestCroissantSplits: where each split is a folder, an expression finds it in a
// path, and nothing in another path.
func TestCroissantSplits(t *testing.T) {
	d := described
	d.Groups = []export.Group{{Folder: "data", Ext: ".png", Files: 3}}
	d.Splits = []export.Split{
		{Scheme: "a", Name: "train", Files: 1, Folder: "data/train"},
		{Scheme: "a", Name: "val.1", Files: 1, Folder: "data/val.1"},
		{Scheme: "b", Name: "one", Files: 1, Folder: "data/one"},
		{Scheme: "b", Name: "two", Files: 0},
	}
	_, of := croissant(t, d)
	transform := of["records/files/data/*.png/split/a"]["source"].(map[string]any)["transform"].(map[string]any)
	find := regexp.MustCompile(transform["regex"].(string))
	for path, want := range map[string]string{"data/train/cat/1.png": "train", "data/val.1/1.png": "val.1", "data/valx1/1.png": "", "data/1.png": ""} {
		m := find.FindStringSubmatch(path)
		if m == nil || strings.Join(m[1:], "") != want {
			t.Errorf("%s: %q", path, m)
		}
	}
	same(t, "meaning", of["splits/a"]["data"].([]any)[1].(map[string]any)["splits/a/url"], `"cr:ValidationSplit"`)
	if of["splits/b/url"] != nil {
		t.Error("one and two mean nothing")
	}
}

// TestVersion: what tags say becomes a semantic version.
func TestVersion(t *testing.T) {
	for tag, want := range map[string]string{
		"1.0.0": "1.0.0", "1.0.0-1": "1.0.0-1", "v1": "1.0.0", "v1.02": "1.2.0", "V2.0-rc.1": "2.0.0-rc.1", "2026-11-26": "0.0.0+2026-11-26",
		"base line/2": "0.0.0+base-line-2", "48538d5fc4": "0.0.0+48538d5fc4", "4853805214": "0.0.0+4853805214", "": "0.0.0+unknown",
	} {
		d := described
		d.Version = tag
		doc, _ := croissant(t, d)
		if doc["version"] != want || export.IsVersion(tag) == strings.HasPrefix(want, "0.0.0+") {
			t.Errorf("%q: %v, not %q", tag, doc["version"], want)
		}
	}
}

// TestLicense: hubs get the names that they list, Croissant a page.
func TestLicense(t *testing.T) {
	for license, want := range map[string][2]string{
		"MIT":                                    {"\nlicense: mit\n", "https://spdx.org/licenses/MIT.html"},
		"GPL-3.0-or-later":                       {"\nlicense: gpl-3.0\n", "https://spdx.org/licenses/GPL-3.0-or-later.html"},
		"ODbL-1.0":                               {"\nlicense: odbl\n", "https://spdx.org/licenses/ODbL-1.0.html"},
		"https://opensource.org/license/mit":     {"\nlicense: mit\n", "https://opensource.org/license/mit"},
		"https://spdx.org/licenses/CC0-1.0.html": {"\nlicense: cc0-1.0\n", "https://spdx.org/licenses/CC0-1.0.html"},
		"https://creativecommons.org/licenses/by-sa/4.0/": {"\nlicense: cc-by-sa-4.0\n", "https://creativecommons.org/licenses/by-sa/4.0/"},
		"https://example.org/terms":                       {"\nlicense: other\nlicense_name: other\nlicense_link: \"https://example.org/terms\"\n", "https://example.org/terms"},
		"ask me":                                          {"\nlicense: other\nlicense_name: \"ask me\"\n", "ask me"},
	} {
		d := described
		d.License = license
		doc, _ := croissant(t, d)
		if card := string(export.Card(d)); !strings.Contains(card, want[0]) || doc["license"] != want[1] {
			t.Errorf("%s: %v\n%s", license, doc["license"], card)
		}
	}
}

// TestCardConfigs: hubs are told the files of each split of a scheme.
func TestCardConfigs(t *testing.T) {
	d := described
	d.Splits = []export.Split{
		{Scheme: "default", Name: "test", Files: 400, Folder: "data/test"},
		{Scheme: "default", Name: "train", Files: 1600, Paths: []string{"a[1].csv"}},
		{Scheme: "rows", Name: "test", Files: 1, Rows: 10, Paths: []string{"a.csv"}},
		{Scheme: "x", Name: "fold-1", Files: 1, Folder: "fold-1"},
	}
	card := string(export.Card(d))
	want := "size_categories:\n- 1K<n<10K\nconfigs:\n- config_name: \"default\"\n  data_files:\n  - split: test\n    path:\n" +
		"    - \"data/test/**\"\n  - split: train\n    path:\n    - \"a[[]1].csv\"\n---\n"
	if !strings.Contains(card, want) {
		t.Error(card)
	}
}

// TestSeeJSON: what is nested is told as far as it can be.
func TestSeeJSON(t *testing.T) {
	for want, values := range map[string][]string{
		`{"name":"c","type":"Integer","repeated":true}`: {`[1,2]`, `[]`, `[null,3]`},
		`{"name":"c","type":"Text","repeated":true}`:    {`[]`},
		`{"name":"c","type":"Object"}`:                  {`[[1]]`},
		`{"name":"c","type":"Text"}`:                    {`[broken`, ``},
		`{"name":"c","fields":[{"name":"a","type":"Float"},{"name":"b","fields":[{"name":"d","type":"DateTime"}]}]}`: {
			`{"a":1}`, `{"a":2.5,"b":{"d":"2026-11-26T10:00:00Z"}}`, `{"b":null}`,
		},
		`{"name":"c","repeated":true,"fields":[{"name":"x","type":"Text"}]}`: {`[{"x":"1"},{"x":"2"}]`},
	} {
		f := export.Field{Name: "c"}
		for _, v := range values {
			f.SeeJSON(v)
		}
		same(t, strings.Join(values, " "), f.Known(), want)
	}
	for _, values := range [][]string{{`{"a":1}`, `5`}, {`5`, `{"a":1}`}, {`[1]`, `1`}, {`1`, `[1]`}, {`[1]`, `[{"a":1}]`}, {`[{"a":1},1]`}} {
		f := export.Field{Name: "c"}
		for _, v := range values {
			f.SeeJSON(v)
		}
		if f.Type != export.Object || f.Fields != nil || f.Repeated {
			t.Errorf("%q: %+v", values, f)
		}
	}
}

func TestCard(t *testing.T) {
	card := string(export.Card(described))
	for _, want := range []string{
		"pretty_name: \"weather\"", "- n<1K", "| `a b.csv` (1 columns) | 1 | 9 |", `| run\|1 | all |  |`, "| default | train | 2 |  |", "| content | default | 4 | passed |", "| rows |  | 9 | 2 warnings |",
		"| near | default | 0 | nothing to check |", "| drift | default | 0 | not checked: off |", "| readable |  | 0 | passed |", "- Waived: 1 of rows, for: natural",
	} {
		if !strings.Contains(card, want) {
			t.Errorf("no %q in\n%s", want, card)
		}
	}
}

// TestOpenLineage: each line is an event with all that the standard requires.
func TestOpenLineage(t *testing.T) {
	text, err := export.OpenLineage(described)
	if err != nil {
		t.Fatal(err)
	}
	type named struct {
		Namespace, Name string
		Facets          map[string]map[string]any
	}
	type event struct {
		EventTime, Producer, SchemaURL, EventType string
		Dataset, Job                              named
		Run                                       struct{ RunID string }
		Inputs, Outputs                           []named
	}
	var events []event
	for line := range strings.Lines(string(text)) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if _, err := time.Parse(time.RFC3339, e.EventTime); err != nil || e.Producer == "" || e.SchemaURL == "" {
			t.Errorf("%s: %v", line, err)
		}
		events = append(events, e)
	}
	if len(events) != 2 {
		t.Fatalf("%d events", len(events))
	}
	data, run := events[0], events[1]
	if data.Dataset.Facets["version"]["datasetVersion"] != described.Commit || data.Dataset.Facets["dataSource"] != nil || data.Dataset.Facets["schema"]["fields"] == nil {
		t.Errorf("%+v", data.Dataset)
	}
	list, _ := json.Marshal(data.Dataset.Facets["schema"]["fields"])
	for _, want := range []string{
		`{"name":"a b.csv.temp max","type":"float"}`,
		`{"fields":[{"name":"_element","type":"text"}],"name":"t.parquet.tags","type":"array"}`,
		`{"fields":[{"name":"x","type":"float"},{"name":"no key","type":"text"}],"name":"t.parquet.at","type":"struct"}`,
	} {
		if !strings.Contains(string(list), want) {
			t.Errorf("no %s in %s", want, list)
		}
	}
	for name, f := range data.Dataset.Facets {
		if f["_producer"] == nil || f["_schemaURL"] == nil {
			t.Errorf("facet %s: %v", name, f)
		}
	}
	if run.EventType != "COMPLETE" || !isUUID.MatchString(run.Run.RunID) || run.Inputs[0].Name != "weather" || run.Outputs[0].Name != "model/run|1" || run.Job.Name == "" {
		t.Errorf("%+v", run)
	}
}

var isUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestWider(t *testing.T) {
	for _, c := range []struct {
		want   string
		values []string
	}{
		{export.Integer, []string{"1", "", "-20"}},
		{export.Float, []string{"1", "2.5", "3"}},
		{export.Float, []string{"99999999999999999999"}},
		{export.Text, []string{"007"}},
		{export.Text, []string{"+5"}},
		{export.Text, []string{"1", "true"}},
		{export.Boolean, []string{"True", "false"}},
		{export.Date, []string{"2026-11-26", ""}},
		{export.Text, []string{"2026-11-26", "soon"}},
		{export.Text, []string{"NaN"}},
		{export.DateTime, []string{"2026-11-26", "2026-11-26 10:00:00", "2026-11-26T10:00:00.5"}},
		{"", []string{""}},
	} {
		got := ""
		for _, v := range c.values {
			got = export.Wider(got, v)
		}
		if got != c.want {
			t.Errorf("%q: %s, not %s", c.values, got, c.want)
		}
	}
}

// What is too much to be listed is said, and why.
func TestUnlisted(t *testing.T) {
	d := described
	d.Splits = []export.Split{
		{Scheme: "s", Name: "test", Files: 2, Paths: []string{"a", "b"}},
		{Scheme: "s", Name: "train", Files: 20_000, Unlisted: true},
		{Scheme: "s", Name: "val", Files: 30_000, Folder: "train/validation", Unlisted: true},
	}
	text, err := export.Croissant(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`The 20000 files of the split train are not listed: they are too many, and no folder has them alone; \"mlvc split export s:train\" lists them.`,
		`The split val is the 30000 files in train/validation, which are too many to be listed.`,
		`"files-of-splits/s/path": "b"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	d.Splits = d.Splits[2:]
	if text, err = export.Croissant(d); err != nil || strings.Contains(string(text), `(train)`) || strings.Contains(string(text), "records/files/train/*.png/split/s") {
		t.Errorf("a folder of another name is told by a pattern: %s, %v", text, err)
	}
}
