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
	Version: "1.0.0", Commit: strings.Repeat("ab", 32), Date: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), Files: 5, Bytes: 99,
	Tables: []export.Table{{Path: "a b.csv", Size: 9, SHA256: strings.Repeat("0", 64), Format: "text/csv", Fields: []export.Field{{Name: "temp max", Type: export.Float}}}},
	Groups: []export.Group{{Folder: "train", Ext: ".png", Files: 4, Bytes: 90, Labels: []string{"cat", "dog"}}},
	Splits: []export.Split{{Scheme: "default", Name: "train", Files: 2, Folder: "train"}, {Scheme: "ratio", Name: "test", Files: 1, Paths: []string{"train/cat/1.png"}}},
	Checks: []export.Check{
		{Rule: "content", Scheme: "default", Level: "error", Samples: 4},
		{Rule: "rows", Level: "warn", Samples: 9, Findings: 3, Waived: 1},
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

func TestCard(t *testing.T) {
	card := string(export.Card(described))
	for _, want := range []string{"pretty_name: \"weather\"", "- n<1K", "| `a b.csv` (1 columns) | 1 | 9 |", `| run\|1 | all |  |`, "| default | train | 2 |  |", "| content | default | 4 | passed |", "| rows |  | 9 | 2 warnings |", "- Waived: 1 of rows, for: natural"} {
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
