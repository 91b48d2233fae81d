package check_test

import (
	"fmt"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
)

// BenchmarkSmallChange checks contents, groups and a frozen split of a million
// files of which one changed; first is the check of all of them.
func BenchmarkSmallChange(b *testing.B) {
	w := worldOf(b, b.Context())
	w.in.Config.Levels = map[dataset.Rule]dataset.Level{dataset.RuleRows: dataset.Off, dataset.RuleNear: dataset.Off}
	w.scheme.Groups = groupBy(`p\d+`)
	w.scheme.Frozen = []string{"test"}
	for i := range 1_000_000 {
		split := []string{"train", "train", "val", "test"}[i/10%4]
		w.Put(fmt.Sprintf("%s/p%06d/%d.png", split, i/10, i%10), fmt.Sprint(i))
	}
	in, before := w.input()
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			in.Facts = w.facts.Clone()
			w.run(in)
		}
	})
	in.Facts = w.facts
	w.run(in)
	w.before = before
	w.Put("train/p000000/new.png", "new")
	in, _ = w.input()
	b.Run("one changed", func(b *testing.B) {
		for b.Loop() {
			in.Facts = w.facts.Clone() // nothing of the changed tree is kept yet
			w.run(in)
		}
	})
}
