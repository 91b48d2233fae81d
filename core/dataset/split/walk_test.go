package split_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
)

// unwalked are files that must not be walked.
type unwalked struct{ data }

var errWalked = errors.New("the files were walked")

func (unwalked) All(context.Context) iter.Seq2[dataset.File, error] {
	return func(yield func(dataset.File, error) bool) { yield(dataset.File{}, errWalked) }
}

// With changes and the state, the files are not walked, and of the tree and
// the table only what is on the way to the changes is read.
func TestChangesAreNotAWalk(t *testing.T) {
	patients := numbered("p%04d/a.png", 3000)
	tables := data{"a.csv": "split\n", "b.csv": "split\n", "c.csv": "split\n"}
	for i := range 100 {
		tables["a.csv"] += fmt.Sprintf("s%d\n", i%3)
		tables["b.csv"] += "s1\n"
		tables["c.csv"] += "s2\n"
	}
	cases := []struct {
		tree      map[string]any
		old, next data
	}{
		{map[string]any{"train": list("p*/**"), "test": list("q/**")}, patients, patients.with(data{"q/new": "", "p0007/a.png": "other"}, "p0100/a.png")},
		{map[string]any{"folds": int64(5)}, patients, patients.with(data{"q/new": "", "p0007/a.png": "other"}, "p0100/a.png")},
		{map[string]any{"folds": int64(5), "group": `p\d+`, "stratify": "folder"}, patients, patients.with(data{"p0007/b.png": "", "p9/c.png": ""}, "p0100/a.png")},
		{map[string]any{"table": list("*.csv"), "column": "split"}, tables, tables.with(data{"b.csv": "split\ns1\ns0\n"})},
	}
	for _, c := range cases {
		r, s := newRepo(t), scheme(t, c.tree)
		before := r.from(s, c.old)
		want := r.next(s, before, c.old, c.next)
		changes := split.TreeChanges(t.Context(), r.store, c.old.tree(t, r.store), c.next.tree(t, r.store))
		r.store.ResetCounts()
		in := split.Input{Files: unwalked{c.next}, Before: &before.Split, BeforeFiles: unwalked{c.old}, Changes: changes, State: before.State}
		got := r.assign(s, in)
		if diff := cmp.Diff(seen(want), seen(got)); diff != "" {
			t.Error(s, diff)
		}
		if r.store.Gets() > 60 {
			t.Errorf("%s: %d objects read", s, r.store.Gets())
		}
	}
}
