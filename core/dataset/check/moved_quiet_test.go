package check_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
)

// What moved since one of many earlier commits is what each of them alone
// finds, whatever came, went, was renamed or moved in between.
func TestMovedSinceManyIsSinceEach(t *testing.T) {
	found := 0
	for seed := range uint64(60) {
		found += movedSinceMany(t, rand.New(rand.NewPCG(seed, 1)), seed%2 == 0)
	}
	if found < 20 {
		t.Errorf("only %d findings: the histories are too tame", found)
	}
}

func movedSinceMany(t *testing.T, r *rand.Rand, grouped bool) (found int) {
	w := newWorld(t)
	if grouped {
		w.scheme.Groups = &check.Groups{Of: func(p string) string { return p[len(p)-1:] }}
	}
	var history []check.Before // the newest first
	for range 8 {
		disturb(w, r)
		if len(history) > 0 {
			parent := history[0]
			w.before, w.scheme.Earlier = &parent, history[1:]
			many := movedIDs(w)
			each := map[string]bool{}
			for i := range history {
				w.before, w.scheme.Earlier = &history[i], nil
				maps.Copy(each, movedIDs(w))
			}
			if !maps.Equal(many, each) {
				t.Fatalf("since many %v, since each %v", many, each)
			}
			found += len(many)
			w.before = &parent
		}
		w.commit()
		history = slices.Insert(history, 0, *w.before)
	}
	return found
}

func movedIDs(w *world) map[string]bool {
	ids := map[string]bool{}
	for _, f := range w.check().Findings {
		if f.Rule == dataset.RuleMoved {
			ids[f.ID] = true
		}
	}
	return ids
}

// disturb changes a few files of a handful of names and contents.
func disturb(w *world, r *rand.Rand) {
	name := func() string {
		return fmt.Sprintf("%s/%d%d", []string{"train", "test", "val"}[r.IntN(3)], r.IntN(3), r.IntN(3))
	}
	for range 1 + r.IntN(5) {
		switch at := name(); r.IntN(2) {
		case 0:
			w.Remove(at)
		default:
			w.Put(at, fmt.Sprint("content ", r.IntN(20)))
		}
	}
}
