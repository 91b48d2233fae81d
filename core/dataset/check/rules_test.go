package check_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
)

func TestDrift(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"1", "2", "3", "4"} {
		w.Put("train/cat/"+name, "cat "+name)
		w.Put("train/dog/"+name, "dog "+name)
	}
	w.commit()
	w.Remove("train/dog/1")
	w.Remove("train/dog/2")
	w.Remove("train/dog/3")
	if got := messages(w.check(), dataset.RuleDrift); got != nil {
		t.Error("drift is told without being asked for", got)
	}
	w.in.Config.Levels = map[dataset.Rule]dataset.Level{dataset.RuleDrift: dataset.Warn}
	w.in.Config.Drift = check.Drift{Classes: 0.29, Size: 0.3}
	want := []string{
		`classes of train shifted by 0.300, where 0.29 is the limit; most of all "cat", from 50.0 % to 80.0 %`,
		"train went from 8 samples to 5: -37.5 %, where 30 % is the limit",
	}
	if got := messages(w.check(), dataset.RuleDrift); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	w.in.Config.Drift = check.Drift{Classes: 0.31, Size: 0.4}
	if got := messages(w.check(), dataset.RuleDrift); got != nil {
		t.Error("told within the limits", got)
	}
}

// Pairs that are no near-duplicates across splits are left to other rules.
func TestNear(t *testing.T) {
	w := newWorld(t)
	for _, p := range []string{"train/a", "test/b", "val/c", "train/empty", "train/label"} {
		w.Put(p, p)
	}
	w.Put("train/empty", "")
	w.Put("val/same", "train/a")
	w.in.Labels = &check.Labels{IsLabel: func(p string) bool { return p == "train/label" }}
	w.in.Config.Near = check.Near{Images: 4}
	var given []string
	w.in.Near = func(_ context.Context, files iter.Seq2[check.NearFile, error], limits check.Near, saw func(check.NearSeen)) iter.Seq2[check.NearPair, error] {
		return func(yield func(check.NearPair, error) bool) {
			at := map[string]dataset.Sample{}
			for f, err := range files {
				if err != nil {
					yield(check.NearPair{}, err)
					return
				}
				given = append(given, f.Split+" "+f.Path)
				at[f.Path] = dataset.Sample{Path: f.Path, Split: f.Split, Content: f.Content}
			}
			saw(check.NearSeen{NearFile: check.NearFile{File: dataset.File{Path: "val/c"}, Split: "val"}, Why: "not an image"})
			for _, pair := range [][2]string{{"train/a", "test/b"}, {"test/b", "train/a"}, {"train/a", "val/same"}, {"train/a", "train/a"}} {
				p := check.NearPair{A: at[pair[0]], B: at[pair[1]], Distance: float64(limits.Images - 1), Measure: "bits"}
				if !yield(p, nil) {
					return
				}
			}
		}
	}
	r := w.check()
	if want := []string{"test test/b", "train train/a", "val val/c", "val val/same"}; !slices.Equal(given, want) {
		t.Errorf("compared %q, want %q", given, want)
	}
	if got, want := messages(r, dataset.RuleNear), []string{"test/b in test is nearly train/a in train"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, f := range r.Findings {
		if f.Rule == dataset.RuleNear && (f.Distance != 3 || f.Measure != "bits") {
			t.Error("distance", f.Distance, f.Measure)
		}
	}
	if got := messages(r, dataset.RuleReadable); !slices.Equal(got, []string{"val/c: not an image"}) {
		t.Error("unread", got)
	}
}

// What went from test by way of another commit into training is found where
// that earlier commit is given.
func TestMovedSinceEarlier(t *testing.T) {
	w := newWorld(t)
	w.Put("test/a", "A")
	w.Put("train/b", "B")
	w.commit()
	first := *w.before
	w.Remove("test/a")
	w.commit()
	w.Put("train/new", "A")
	if got := messages(w.check(), dataset.RuleMoved); got != nil {
		t.Error("found without the earlier commit", got)
	}
	w.scheme.Earlier = []check.Before{first}
	if got, want := messages(w.check(), dataset.RuleMoved), []string{"train/new was in test (test/a) and is now in train"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What is for evaluation and for training did not move when it gets another
// path, or one of two, in either: that it is in both is told, and may be waived.
func TestMovedTwin(t *testing.T) {
	w := newWorld(t)
	w.scheme.Groups = groupBy(`p\d`)
	place := w.place
	w.place = func(p string) string {
		if strings.HasPrefix(p, "both/") {
			return "test,train"
		}
		return place(p)
	}
	w.Put("test/a", "A")
	w.Put("test/again", "A")
	w.Put("test/p1-x", "P")
	w.Put("both/o", "O")
	w.commit()
	w.scheme.Earlier = []check.Before{*w.before}
	w.Put("train/twin", "A")
	w.Put("train/p1-y", "Y")
	if got := messages(w.commit(), dataset.RuleMoved); got != nil {
		t.Error("a twin came:", got)
	}
	w.Rename("test/a", "test/renamed")
	w.Rename("train/twin", "train/renamed")
	w.Remove("test/again")
	w.Rename("test/p1-x", "test/p1-renamed")
	w.Rename("train/p1-y", "train/p1-renamed")
	w.Rename("both/o", "both/renamed")
	r := w.commit()
	if got := messages(r, dataset.RuleMoved); got != nil {
		t.Error("twins got other names:", got)
	}
	if got, want := found(r, dataset.RuleContent), []string{"test/renamed", "train/renamed"}; !slices.Equal(got, want) {
		t.Errorf("content: %q, want %q", got, want)
	}
	w.Rename("test/renamed", "val/a")
	w.Remove("test/p1-renamed")
	if got := messages(w.commit(), dataset.RuleMoved); !slices.Equal(got, []string{
		`train/p1-renamed was in test (test/p1-x) and is now in train, as one of the group "p1"`,
	}) {
		t.Error("a group left:", got)
	}
	w.Remove("val/a")
	if got := found(w.commit(), dataset.RuleMoved); !slices.Contains(got, "train/renamed") {
		t.Error("the last copy left:", got)
	}
}

// Which splits are for evaluation can be said.
func TestMovedSides(t *testing.T) {
	w := newWorld(t)
	w.Put("val/a", "A")
	w.Put("train/b", "B")
	w.commit()
	w.Rename("val/a", "test/a")
	if got := messages(w.check(), dataset.RuleMoved); got != nil {
		t.Error(got)
	}
	w.in.Config.Moved = check.Moved{From: []string{"v*"}, To: []string{"test"}}
	if got := len(messages(w.check(), dataset.RuleMoved)); got != 1 {
		t.Error(got, "moved")
	}
	w.in.Config.Moved = check.Moved{From: []string{"x"}, To: []string{"y"}}
	w.in.Config.Levels = map[dataset.Rule]dataset.Level{dataset.RuleMoved: dataset.Error}
	for _, c := range w.check().Rules {
		if c.Rule == dataset.RuleMoved && c.Skipped == "" {
			t.Error("checked without sides")
		}
	}
}

// A fingerprint that differs without a change that is seen is still told.
func TestFrozenFingerprint(t *testing.T) {
	w := newWorld(t)
	w.scheme.Frozen = []string{"test"}
	w.Put("test/a", "A")
	w.commit()
	in, _ := w.input()
	in.Schemes[0].Fingerprints["test"] = in.Tree
	want := []string{"frozen split test has another fingerprint than in the parent commit"}
	if got := messages(w.run(in), dataset.RuleFrozen); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Findings that were given get level and waiver like all others.
func TestGiven(t *testing.T) {
	w := newWorld(t)
	w.in.Given = []dataset.Finding{{ID: "x", Rule: dataset.RuleOverlap, Scheme: "other", Message: "m"}}
	r := w.check()
	if !r.Refused() || r.Findings[0].Level != dataset.Error {
		t.Error(r.Findings)
	}
	if !slices.ContainsFunc(r.Rules, func(c dataset.Checked) bool { return c.Scheme == "other" && c.Findings == 1 }) {
		t.Error("not counted", r.Rules)
	}
}

// Findings that are only counted count, unless their rule is off.
func TestBeyond(t *testing.T) {
	w := newWorld(t)
	w.in.Given = []dataset.Finding{{ID: "x", Rule: dataset.RuleCovered, Scheme: "rows", Message: "m"}}
	w.in.Beyond = []check.Beyond{{Rule: dataset.RuleCovered, Scheme: "rows", N: 25_000}, {Rule: dataset.RuleReadable, Scheme: "rows", N: 2}}
	w.in.Labels = &check.Labels{Findings: []dataset.Finding{{ID: "l", Message: "m"}}, Beyond: 7, Samples: 9}
	w.in.Config.Levels = map[dataset.Rule]dataset.Level{dataset.RuleReadable: dataset.Off}
	r := w.check()
	got := map[dataset.Rule]int64{}
	for _, c := range r.Rules {
		got[c.Rule] += c.Findings
	}
	if len(r.Findings) != 2 || got[dataset.RuleCovered] != 25_001 || got[dataset.RuleLabels] != 8 || got[dataset.RuleReadable] != 0 {
		t.Error(r.Rules)
	}
}
