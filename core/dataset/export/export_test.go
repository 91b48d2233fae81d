package export_test

import (
	"encoding/json"
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
	Models: []export.Model{{ID: "run|1", Splits: "all"}},
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
	for _, want := range []string{"pretty_name: \"weather\"", "- n<1K", "| `a b.csv` (1 columns) | 1 | 9 |", `| run\|1 | all |  |`, "| default | train | 2 |"} {
		if !strings.Contains(card, want) {
			t.Errorf("no %q in\n%s", want, card)
		}
	}
}

func TestOpenLineage(t *testing.T) {
	text, err := export.OpenLineage(described)
	if err != nil || !json.Valid(text) || !strings.Contains(string(text), `"datasetVersion": "`+described.Commit) || strings.Contains(string(text), "dataSource") {
		t.Errorf("%s, %v", text, err)
	}
}
