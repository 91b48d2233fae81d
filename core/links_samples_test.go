package core_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
)

// linked are files that are kept once, and samples that lead to them.
type linked struct {
	raw     files          // below raw/
	samples map[string]int // the number of the file
}

// edit changes what files hold, where samples lead to, and which there are.
func (l *linked) edit(rnd *rand.Rand) {
	for range rnd.IntN(6) + 1 {
		path := fmt.Sprintf("%c/p%02d-%d.bin", 'a'+rnd.IntN(3), rnd.IntN(9), rnd.IntN(3))
		switch rnd.IntN(4) {
		case 0:
			delete(l.samples, path)
		case 1:
			l.raw[fmt.Sprint("raw/", rnd.IntN(9))] = fmt.Sprint("content ", rnd.IntN(9))
		default:
			l.samples[path] = rnd.IntN(9)
		}
	}
}

// tree has each sample as of says.
func (l *linked) tree(of func(n int, path string) string) files {
	tree := files{core.RulesFile: drawnRules}
	maps.Copy(tree, l.raw)
	for path, n := range l.samples {
		tree[path] = of(n, path)
	}
	return tree
}

// To splits and checks a link is the file that it leads to: folders of links come
// to the same as folders of copies, whatever is changed, and whatever of earlier
// commits is kept.
func TestLinksAreSamples(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	l := &linked{raw: make(files), samples: make(map[string]int)}
	for n := range 9 {
		l.raw[fmt.Sprint("raw/", n)] = fmt.Sprint("content ", n)
	}
	copies, links, lost := newDataIn(t, fastDir(t)), newDataIn(t, fastDir(t)), newDataIn(t, fastDir(t))
	found := 0
	for round := range 8 {
		l.edit(rnd)
		want := copies.record(l.tree(func(n int, _ string) string { return l.raw[fmt.Sprint("raw/", n)] }))
		found += len(want.Findings)
		tree := l.tree(func(n int, path string) string {
			switch {
			case n == 0:
				return l.raw["raw/0"] // some are files
			case n%3 == 1 && l.samples["c/p00-0.bin"] == n && path != "c/p00-0.bin":
				return "-> ../c/p00-0.bin" // through another sample
			}
			return fmt.Sprint("-> ../raw/", n)
		})
		if diff := cmp.Diff(want, links.record(tree)); diff != "" {
			t.Fatalf("round %d (- copies, + links):\n%s", round, diff)
		}
		lost.forgetFacts()
		if diff := cmp.Diff(want, lost.record(tree)); diff != "" {
			t.Fatalf("round %d, without what was kept (- copies, + links):\n%s", round, diff)
		}
		if diff := cmp.Diff(want.Schemes, links.checkAt("HEAD").Schemes); diff != "" {
			t.Fatalf("round %d: a check of the commit (- copies, + links):\n%s", round, diff)
		}
	}
	if found == 0 {
		t.Error("nothing was ever found")
	}
}
