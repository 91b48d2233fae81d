package check_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
)

// plain plants a dataset without a fault: 40 patients, 5 images each, with
// labels, an empty file in each split, equal labels, natural copies inside one
// split, a table in each split with rows that repeat inside it, and the
// dataset's own files.
func plain(w *world) {
	w.Put("mlvc.toml", "[splits]\n")
	w.Put("train/.mlvcignore", "x\n")
	for p := range 40 {
		split := []string{"train", "train", "val", "test"}[p%4]
		for i := range 5 {
			name := fmt.Sprintf("%s/cat/patient-%02d_%d", split, p, i)
			w.Put(name+".png", "image "+name)
			w.Put(name+".txt", "0 0.5 0.5 1 1") // all labels are alike
		}
	}
	for _, split := range []string{"train", "val", "test"} {
		w.Put(split+"/empty.png", "")
		w.Put(split+"/copy.png", "copied in "+split)
		w.Put(split+"/copy2.png", "copied in "+split)
		w.Put(split+"/notes.csv", "id,text\n1,"+split+" one\n2,"+split+" one\n2,"+split+" one\n")
	}
	w.in.Labels = &check.Labels{IsLabel: func(p string) bool { return strings.HasSuffix(p, ".txt") }}
	w.scheme.Groups = groupBy(`patient-\d+`)
	w.scheme.Frozen = []string{"test"}
	w.readsTables()
	w.in.Config = check.Config{Ignore: []string{"id"}}
}

func TestCleanIsClean(t *testing.T) {
	w := newWorld(t)
	plain(w)
	for range 3 {
		r := w.commit()
		if len(r.Findings) > 0 || len(r.Unread) > 0 || r.Refused() {
			t.Fatalf("findings in a clean dataset: %+v", r.Findings)
		}
		w.Put("train/cat/patient-00_new.png", "a new one")
	}
}

// TestPlanted plants faults at known places, and prints and asserts the
// precision and recall of each rule.
func TestPlanted(t *testing.T) {
	w := newWorld(t)
	plain(w)
	w.Put("test/cat/moves.png", "this one moves")
	w.Put("test/cat/goes.png", "this one goes")
	w.Put("test/cat/alters.png", "as it was")
	w.Put("val/cat/renamed.png", "moves under another name")
	if r := w.commit(); r.Refused() {
		t.Fatal("refused before anything was planted", r.Findings)
	}
	planted := map[dataset.Rule][]string{}
	plant := func(rule dataset.Rule, paths ...string) { planted[rule] = append(planted[rule], paths...) }

	for i := range 7 { // the same bytes in training and in validation, under unlike names
		a, b := fmt.Sprintf("train/cat/leak%d.png", i), fmt.Sprintf("val/dog/other-%d.jpg", i)
		w.Put(a, fmt.Sprint("leaked ", i))
		w.Put(b, fmt.Sprint("leaked ", i))
		plant(dataset.RuleContent, a, b)
	}
	w.Put("val/cat/patient-00_9.png", "patient 0 is in training") // patient 0 has 5 images and 5 labels there
	plant(dataset.RuleGroups, "val/cat/patient-00_9.png")
	for i := range 5 {
		plant(dataset.RuleGroups, fmt.Sprintf("train/cat/patient-00_%d.png", i), fmt.Sprintf("train/cat/patient-00_%d.txt", i))
	}
	w.Rename("test/cat/moves.png", "train/cat/moves.png")
	plant(dataset.RuleMoved, "test/cat/moves.png", "train/cat/moves.png")
	w.Rename("val/cat/renamed.png", "train/x/new-name.png")
	plant(dataset.RuleMoved, "val/cat/renamed.png", "train/x/new-name.png")
	w.Remove("test/cat/goes.png")
	w.Put("test/cat/alters.png", "as it is")
	w.Put("test/cat/comes.png", "a new one")
	plant(dataset.RuleFrozen, "test/cat/moves.png", "test/cat/goes.png", "test/cat/alters.png", "test/cat/comes.png")
	w.Put("train/more.csv", "id,text\n7,fresh\n8,val one\n")
	plant(dataset.RuleRows, "train/more.csv#2", "val/notes.csv#1", "val/notes.csv#2", "val/notes.csv#3")
	w.Put("train/broken.csv", "id,text\n1\n2,fine\n")
	plant(dataset.RuleReadable, "train/broken.csv")
	w.Put("train/cat/bare.png", "no label")
	w.in.Labels.Findings = []dataset.Finding{{ID: "1", Message: "has no label", Samples: []dataset.Sample{{Path: "train/cat/bare.png"}}}}
	plant(dataset.RuleLabels, "train/cat/bare.png")
	w.Put("readme.md", "about")
	plant(dataset.RuleCovered, "readme.md")
	place := w.place
	w.place = func(p string) string {
		if p == "train/copy.png" {
			return "train,val"
		}
		return place(p)
	}
	plant(dataset.RuleOverlap, "train/copy.png")
	plant(dataset.RuleContent, "train/copy.png", "train/copy2.png") // which is in val as well

	r := w.check()
	for _, rule := range check.Rules {
		want := planted[rule]
		slices.Sort(want)
		got := found(r, rule)
		var hit int
		for _, p := range got {
			if slices.Contains(want, p) {
				hit++
			}
		}
		if len(want) == 0 && len(got) == 0 {
			continue
		}
		precision, recall := float64(hit)/float64(len(got)), float64(hit)/float64(len(want))
		t.Logf("%-9s %2d planted, %2d found: precision %.2f, recall %.2f", rule, len(want), len(got), precision, recall)
		if precision != 1 || recall != 1 {
			t.Errorf("%s: found %q, planted %q", rule, got, want)
		}
	}
	if !r.Refused() {
		t.Error("not refused")
	}
}

func TestMessages(t *testing.T) {
	w := newWorld(t)
	w.scheme.Frozen = []string{"test"}
	w.scheme.Groups = groupBy(`p\d+`)
	w.Put("test/a.png", "A")
	w.Put("test/p1.png", "B")
	w.commit()
	w.Rename("test/a.png", "train/b.png")
	w.Rename("test/p1.png", "train/p1-too.png")
	w.Put("train/p1-too.png", "C")
	for i := range 30 {
		w.Put(fmt.Sprintf("train/same%02d.png", i), "same")
	}
	w.Put("val/same.png", "same")
	r := w.check()
	for rule, want := range map[dataset.Rule][]string{
		dataset.RuleContent: {"the same content is in train and val: train/same00.png, val/same.png and 29 more"},
		dataset.RuleMoved: {
			"train/b.png was in test (test/a.png) and is now in train",
			`train/p1-too.png was in test (test/p1.png) and is now in train, as one of the group "p1"`,
		},
		dataset.RuleFrozen: {"test/a.png was removed from frozen split test", "test/p1.png was removed from frozen split test"},
	} {
		if got := messages(r, rule); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
	for _, f := range r.Findings {
		if len(f.Samples) > 20 {
			t.Errorf("%s names %d samples", f.Rule, len(f.Samples))
		}
	}
}
