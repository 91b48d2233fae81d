package check_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
)

func parse(t *testing.T, text string) (check.Config, error) {
	t.Helper()
	var tree map[string]any
	if err := toml.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	return check.Parse(tree)
}

func TestParse(t *testing.T) {
	got, err := parse(t, `
content = "warn"
covered = "off"
near    = { level = "error", images = 4, text = 0.8, rotations = true }
rows    = { ignore = ["id"] }
labels  = { level = "warn", format = "yolo" }
drift   = { level = "warn", classes = 0.1, size = 2 }
moved   = { from = ["gold"], to = ["fit*"] }
`)
	want := check.Config{
		Levels: map[dataset.Rule]dataset.Level{
			"content": "warn", "covered": "off", "near": "error", "rows": "warn", "labels": "warn", "drift": "warn", "moved": "error",
		},
		Near: check.Near{Images: 4, Text: 0.8, Rotations: true}, Labels: check.Labeling{Format: "yolo"},
		Drift: check.Drift{Classes: 0.1, Size: 2}, Moved: check.Moved{From: []string{"gold"}, To: []string{"fit*"}},
		Ignore: []string{"id"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	if got.Level(dataset.RuleFrozen) != dataset.Error || got.Level(dataset.RuleContent) != dataset.Warn {
		t.Error("levels and defaults")
	}
}

func TestParseRefuses(t *testing.T) {
	for text, key := range map[string]string{
		`contents = "error"`:                "checks.contents",
		`content = "fatal"`:                 "checks.content",
		`content = true`:                    "checks.content",
		`content = { images = 3 }`:          "checks.content.images",
		`near = { level = 1 }`:              "checks.near.level",
		`near = { images = 16 }`:            "checks.near.images",
		`near = { images = 0 }`:             "checks.near.images",
		`near = { images = 65 }`:            "checks.near.images",
		`near = { text = 0.59 }`:            "checks.near.text",
		`near = { text = 1.5 }`:             "checks.near.text",
		`near = { text = nan }`:             "checks.near.text",
		`near = { rotations = "yes" }`:      "checks.near.rotations",
		`rows = { ignore = "id" }`:          "checks.rows.ignore",
		`rows = { ignore = [1] }`:           "checks.rows.ignore",
		`labels = { format = "pascal" }`:    "checks.labels.format",
		`drift = { classes = 0 }`:           "checks.drift.classes",
		`drift = { size = -1 }`:             "checks.drift.size",
		`moved = { from = ["["] }`:          "checks.moved.from",
		`moved = { from = "test" }`:         "checks.moved.from",
		`[moved]` + "\n" + `until = "2020"`: "checks.moved.until",
	} {
		_, err := parse(t, text)
		var config *check.ConfigError
		if !errors.As(err, &config) || config.Key != key || config.Hint == "" {
			t.Errorf("%s: %v, want an error of %s with a hint", text, err, key)
		}
	}
}
