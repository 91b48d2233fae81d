package check_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/objects"
)

// What is kept from the parent changes nothing in what is found: a chain of
// random commits is checked with it, without it, with it damaged, and without
// a written tree.
func TestIncrementalIsFromScratch(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := worldOf(r, t.Context())
		w.scheme.Groups = groupBy(`g\d`)
		w.scheme.Frozen = []string{"val"}
		w.place = placeOverlapping
		w.in.Near = nearByFirstByte(nil)
		if rapid.Bool().Draw(r, "labels") {
			w.in.Labels = &check.Labels{IsLabel: func(p string) bool { return strings.HasSuffix(p, "2") }}
			if rapid.Bool().Draw(r, "by path alone") {
				w.in.Labels.Key = "ends in 2"
			}
		}
		for range rapid.IntRange(1, 3).Draw(r, "commits") {
			edit(r, w)
			in, now := w.input()
			got := plainly(w.run(in))
			if want := oracle(w, in.Labels); !slices.Equal(ids(got, dataset.RuleContent), want) {
				r.Fatalf("content: %q, want %q", ids(got, dataset.RuleContent), want)
			}
			scratch := in
			scratch.Facts = nil
			same(r, "from scratch", got, w.run(scratch))
			if rapid.IntRange(0, 2).Draw(r, "not written") == 0 {
				scratch.Tree = objects.ID{}
				same(r, "without a tree", got, w.run(scratch))
			}
			w.before = now
			if rapid.IntRange(0, 3).Draw(r, "damage") == 0 {
				w.facts.Damage(func(b []byte) []byte { return b[:rapid.IntRange(0, len(b)).Draw(r, "cut")] })
			}
		}
	})
}

// edit makes some random changes among few names and contents, so that they
// meet.
func edit(r *rapid.T, w *world) {
	folder := rapid.SampledFrom([]string{"train", "val", "test", "other"})
	for range rapid.IntRange(0, 8).Draw(r, "edits") {
		name := fmt.Sprintf("%s/g%d-%d", folder.Draw(r, "folder"), rapid.IntRange(0, 5).Draw(r, "group"), rapid.IntRange(0, 2).Draw(r, "n"))
		if _, there := maps.Collect(pathsOf(w))[name]; there && rapid.Bool().Draw(r, "remove") {
			w.Remove(name)
			continue
		}
		w.Put(name, rapid.SampledFrom([]string{"", "a", "b", "c", "d", "e", "f", name}).Draw(r, "content"))
	}
}

func pathsOf(w *world) iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		for _, p := range w.Paths() {
			if !yield(p, true) {
				return
			}
		}
	}
}

func placeOverlapping(p string) string {
	if strings.HasSuffix(p, "g5-0") && byFolder(p) != "" {
		return "test,train"
	}
	return byFolder(p)
}

// oracle returns the IDs of the content findings, by comparing everything.
func oracle(w *world, labels *check.Labels) []string {
	type at struct{ path, split string }
	by := map[string][]at{}
	for _, p := range w.Paths() {
		if w.Text(p) == "" || (labels != nil && labels.IsLabel(p)) || w.place(p) == "" {
			continue
		}
		for split := range strings.SplitSeq(w.place(p), ",") {
			by[w.Text(p)] = append(by[w.Text(p)], at{p, split})
		}
	}
	var out []string
	for text, list := range by {
		leaks, names := false, map[string]bool{}
		for _, a := range list {
			names[a.split] = true
			for _, b := range list {
				leaks = leaks || a.path != b.path && a.split != b.split
			}
		}
		if leaks {
			content := objects.Sum(objects.KindChunk, []byte(text)).String()
			out = append(out, dataset.FindingID(dataset.RuleContent, "default", append(slices.Collect(maps.Keys(names)), content)...))
		}
	}
	slices.Sort(out)
	return out
}

func ids(r *dataset.Report, rule dataset.Rule) []string {
	var out []string
	for _, f := range r.Findings {
		if f.Rule == rule {
			out = append(out, f.ID)
		}
	}
	slices.Sort(out)
	return out
}

func plainly(r *dataset.Report) *dataset.Report {
	for i := range r.Rules {
		r.Rules[i].Took = 0
	}
	return r
}

func same(r *rapid.T, what string, got, want *dataset.Report) {
	if diff := cmp.Diff(plainly(want), got); diff != "" {
		r.Fatalf("%s another report (-scratch +kept):\n%s", what, diff)
	}
}

// A small change costs what it changed: no other file is looked at.
func TestCostFollowsTheChange(t *testing.T) {
	w := newWorld(t)
	plain(w)
	w.in.Config.Levels = map[dataset.Rule]dataset.Level{dataset.RuleNear: dataset.Off}
	w.in.Labels.Key = "txt"
	w.commit()
	w.Put("train/cat/one-more.png", "one more")
	in, _ := w.input()
	files := &counting{Files: in.Files}
	in.Files = files
	w.run(in)
	if files.walks > 0 {
		t.Errorf("%d walks over all files for one that changed", files.walks)
	}
}

type counting struct {
	dataset.Files
	walks int
}

func (c *counting) All(ctx context.Context) iter.Seq2[dataset.File, error] {
	c.walks++
	return c.Files.All(ctx)
}

// A check that is stopped, or cannot read, fails and says so.
func TestFailureIsNoFinding(t *testing.T) {
	w := newWorld(t)
	plain(w)
	in, _ := w.input()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := check.Run(ctx, in); err == nil {
		t.Error("a stopped check has a report")
	}
	in.Getter = nothing{}
	if _, err := check.Run(t.Context(), in); err == nil {
		t.Error("a check that reads nothing has a report")
	}
}

type nothing struct{}

func (nothing) Get(_ context.Context, id objects.ID) (objects.Object, error) {
	return objects.Object{}, &objects.ObjectError{ID: id, Err: objects.ErrNotFound}
}

func TestTook(t *testing.T) {
	w := newWorld(t)
	plain(w)
	in, _ := w.input()
	now := time.Unix(0, 0)
	in.Now = func() time.Time { now = now.Add(time.Second); return now }
	var told []dataset.Rule
	in.Progress = func(rule dataset.Rule, _ string, _ int64) { told = append(told, rule) }
	r := w.run(in)
	for _, c := range r.Rules {
		if c.Took != time.Second {
			t.Errorf("%s took %v", c.Rule, c.Took)
		}
	}
	if len(told) != len(r.Rules) {
		t.Error("told of", told)
	}
}

var word = regexp.MustCompile(`^[a-z]+$`)

func TestRulesAreNamed(t *testing.T) {
	for _, rule := range check.Rules {
		if !word.MatchString(string(rule)) || (check.Config{}).Level(rule) == "" {
			t.Errorf("%s has no level", rule)
		}
	}
}
