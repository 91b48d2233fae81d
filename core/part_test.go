package core

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/objecttest"
	"github.com/mlvc/mlvc/objects/prolly"
)

func TestPart(t *testing.T) {
	p, err := selectPart([]string{"images/train/**", "./labels/", "labels", "**/*.txt"})
	if err != nil || len(p.Paths) != 3 {
		t.Fatalf("%+v, %v", p, err)
	}
	for path, want := range map[string]bool{
		"mlvc.toml": true, ".mlvcignore": true, "images/.mlvcignore": true, "labels/deep/x": true,
		"images/train/a": true, "images/val/a": false, "a/b.txt": true, "a/b": false, "images": false,
	} {
		if p.Has(path) != want {
			t.Errorf("has %q: %v", path, !want)
		}
	}
	if p, _ = selectPart([]string{"images/train/**"}); p.Has("labels/.mlvcignore") || !p.HasFolder("images") || p.HasFolder("labels") {
		t.Error("folders that lead to the part, and others")
	}
	none := Part{None: true}
	if none.Has("a") || none.HasFolder("a") || !none.Has("mlvc.toml") {
		t.Error("metadata only")
	}
	if p, err := selectPart([]string{"a", "**"}); err != nil || !p.All {
		t.Errorf("everything: %+v, %v", p, err)
	}
}

// FuzzDecodePart: what is accepted is the one valid form of what it says.
func FuzzDecodePart(f *testing.F) {
	parts := []Part{
		{Paths: []string{"a/**", "b"}},
		{Promised: true, Remote: "origin", None: true},
		{Promised: true, Remote: "origin", All: true},
		{Paths: []string{"\"quoted", "a\xffb"}},
		{Splits: []SplitFilter{{Scheme: "default", Only: []string{"train"}}}},
		{Paths: []string{"a"}, Splits: []SplitFilter{
			{Scheme: "default", Without: []string{"holdout"}, Table: objects.ID{1}},
			{Scheme: "folds", Only: []string{"fold-1", "fold-2"}, Table: objects.ID{2}},
		}},
	}
	for _, p := range parts {
		text, err := p.encode()
		if err != nil {
			f.Fatal(err)
		}
		got, err := decodePart(text)
		if err != nil || !got.sameFiles(p) || got.Remote != p.Remote || got.Promised != p.Promised {
			f.Fatalf("%s: %+v, %v", text, got, err)
		}
		f.Add(text)
	}
	if _, err := decodePart([]byte(`{"version": 3, "splits": []}`)); !errors.Is(err, objects.ErrNewer) {
		f.Errorf("a newer one: %v", err)
	}
	for _, bad := range []Part{
		{},
		{All: true},
		{None: true, Paths: []string{"a"}},
		{Promised: true, All: true},
		{Remote: "x", None: true},
		{Paths: []string{"b", "a"}},
		{Paths: []string{"a/"}},
		{All: true, Promised: true, Remote: "x", Splits: []SplitFilter{{Scheme: "default", Only: []string{"train"}}}},
		{None: true, Splits: []SplitFilter{{Scheme: "default", Only: []string{"train"}}}},
		{Splits: []SplitFilter{{Scheme: "default"}}},
		{Splits: []SplitFilter{{Only: []string{"train"}}}},
		{Splits: []SplitFilter{{Scheme: "default", Only: []string{"b", "a"}}}},
		{Splits: []SplitFilter{{Scheme: "default", Only: []string{"a", "a"}}}},
		{Splits: []SplitFilter{{Scheme: "default", Without: []string{"a"}}}},
		{Splits: []SplitFilter{{Scheme: "b", Only: []string{"a"}}, {Scheme: "a", Only: []string{"a"}}}},
	} {
		text, err := bad.encode()
		if err != nil {
			f.Fatal(err)
		}
		if _, err := decodePart(text); !errors.Is(err, objects.ErrCorrupt) {
			f.Errorf("%s: %v", text, err)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := decodePart(text)
		if err != nil {
			return
		}
		if again, err := p.encode(); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("encodes to\n%s %v", again, err)
		}
	})
}

// A part without splits is of version 1, as ever.
func TestPartVersion(t *testing.T) {
	p, err := selectPart([]string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	for version, part := range map[string]Part{
		`"version": 1,`: p,
		`"version": 2,`: p.filtered([]SplitFilter{{Scheme: "default", Only: []string{"train"}}}),
	} {
		if text, err := part.encode(); err != nil || !bytes.Contains(text, []byte(version)) {
			t.Errorf("%s: %s, %v", version, text, err)
		}
	}
}

func TestParseFilters(t *testing.T) {
	got, err := parseFilters([]string{"folds:fold-2,fold-1", "train,train"})
	want := []SplitFilter{{Scheme: "folds", Only: []string{"fold-1", "fold-2"}}, {Only: []string{"train"}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, bad := range [][]string{{""}, {":train"}, {"train,"}, {"s:"}} {
		var usage *UsageError
		if got, err := parseFilters(bad); !errors.As(err, &usage) {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

// A filter leaves out by the table alone: what that does not assign, every
// folder and every file of rules is of the part.
func TestFilterLeaves(t *testing.T) {
	store := objecttest.NewStore()
	table := tableOf(t, store, map[string]string{"a": "train", "b": "test", "c": "test,train", "d": "holdout", "e": "holdout,train", "x/.mlvcignore": "test"})
	for _, c := range []struct {
		f    SplitFilter
		held string
	}{
		{SplitFilter{Only: []string{"train"}}, "ace"},
		{SplitFilter{Only: []string{"test", "train"}}, "abce"},
		{SplitFilter{Without: []string{"holdout"}}, "abc"},
		{SplitFilter{Only: []string{"train"}, Without: []string{"holdout"}}, "ac"},
		{SplitFilter{Only: []string{"holdout"}, Without: []string{"holdout"}}, ""},
	} {
		c.f.Scheme, c.f.Table = "default", table
		p, err := Part{}.filtered([]SplitFilter{c.f}).compile(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		held := ""
		for _, path := range []string{"a", "b", "c", "d", "e"} {
			if p.Has(path) {
				held += path
			}
		}
		if held != c.held || !p.Has("new") || !p.HasFolder("b") || !p.Has("x/.mlvcignore") || !p.Has(RulesFile) {
			t.Errorf("%+v: holds %q, want %q", c.f, held, c.held)
		}
	}
}

func tableOf(t *testing.T, s objects.Store, names map[string]string) objects.ID {
	t.Helper()
	m, err := prolly.Build(t.Context(), s, func(yield func(prolly.Item, error) bool) {
		for _, path := range slices.Sorted(maps.Keys(names)) {
			if !yield(prolly.Item{Key: []byte(path), Value: []byte(names[path])}, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return m.Root()
}

// Unfinished work that changes the part is of version 2, with splits of 3, other
// work of 1.
func TestUnfinishedPart(t *testing.T) {
	p, err := selectPart([]string{"\"a", "b/**"})
	if err != nil {
		t.Fatal(err)
	}
	u := Unfinished{Verb: "checkout", Command: "checkout", Since: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), Part: &p}
	u.Version = u.version()
	text, err := u.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeUnfinished(text)
	if err != nil || got.Version != 2 || !got.Part.sameFiles(p) || !got.Part.Has("b/x") {
		t.Errorf("%s: %+v, %v", text, got, err)
	}
	filtered := p.filtered([]SplitFilter{{Scheme: "default", Only: []string{"train"}, Table: objects.ID{1}}})
	s := u
	s.Part = &filtered
	s.Version = s.version()
	if text, err := s.encode(); err != nil {
		t.Error(err)
	} else if got, err := decodeUnfinished(text); err != nil || got.Version != 3 || !got.Part.sameFiles(filtered) {
		t.Errorf("%s: %+v, %v", text, got, err)
	}
	for from, to := range map[string]string{`"version": 2`: `"version": 1`, `"b/**"`: `"b/**/"`} {
		if _, err := decodeUnfinished(bytes.Replace(text, []byte(from), []byte(to), 1)); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%s: %v", to, err)
		}
	}
}
