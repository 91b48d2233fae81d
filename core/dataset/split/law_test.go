package split_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
)

// drawnData has files p<group>/<label>/<n>, of groups of various sizes.
func drawnData(t *rapid.T, name string) data {
	d := make(data)
	groups := rapid.IntRange(1, 15).Draw(t, name+" groups")
	for g := range groups {
		size := rapid.IntRange(1, 6).Draw(t, "size")
		for i := range size {
			label := rapid.IntRange(0, 2).Draw(t, "label")
			d[fmt.Sprintf("p%s%d/%d/%d", name, g, label, i)] = fmt.Sprint(name, g, i)
		}
	}
	return d
}

var ratioChoices = []map[string]any{
	{"train": int64(80), "val": int64(10), "test": int64(10)},
	{"train": int64(70), "test": int64(30)},
	{"train": int64(1), "val": int64(1), "test": int64(1)},
	{"train": 0.5, "val": 0.05, "test": 0.25, "extra": 0.2},
}

func drawnScheme(t *rapid.T) split.Scheme {
	tree := map[string]any{"seed": rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "seed")}
	if rapid.Bool().Draw(t, "folds") {
		tree["folds"] = int64(rapid.IntRange(2, 7).Draw(t, "k"))
	} else {
		tree["ratios"] = rapid.SampledFrom(ratioChoices).Draw(t, "ratios")
	}
	if rapid.Bool().Draw(t, "grouped") {
		tree["group"] = `^p\w+`
	}
	if rapid.Bool().Draw(t, "stratified") {
		tree["stratify"] = "folder"
	}
	if rapid.IntRange(0, 4).Draw(t, "frozen") == 0 {
		tree["frozen"] = scheme(t, tree).Names()[0]
	}
	return scheme(t, tree)
}

// stratumOf returns the class that most of a group has.
type shape struct {
	groupOf func(path string) string
	classOf func(path string) string
}

func shapeOf(s split.Scheme) shape {
	sh := shape{func(p string) string { return p }, func(string) string { return "" }}
	if s.Group != nil {
		sh.groupOf = func(p string) string { return strings.Split(p, "/")[0] }
	}
	if s.Label != nil {
		sh.classOf = func(p string) string { return strings.Split(p, "/")[1] }
	}
	return sh
}

// standing is the samples of each stratum in each split, and its largest
// group, counted here anew.
type standing struct {
	held    map[string]map[string]int
	total   map[string]int
	largest map[string]int
}

func stand(sh shape, d data, table map[string]string) standing {
	classes := make(map[string]map[string]int)
	sizes, splits := make(map[string]int), make(map[string]string)
	for p := range d {
		g := sh.groupOf(p)
		if classes[g] == nil {
			classes[g] = make(map[string]int)
		}
		classes[g][sh.classOf(p)]++
		sizes[g]++
		splits[g] = table[p]
	}
	st := standing{make(map[string]map[string]int), make(map[string]int), make(map[string]int)}
	for g, counts := range classes {
		best := ""
		for _, class := range slices.Sorted(maps.Keys(counts)) {
			if counts[class] > counts[best] {
				best = class
			}
		}
		if st.held[best] == nil {
			st.held[best] = make(map[string]int)
		}
		st.held[best][splits[g]] += sizes[g]
		st.total[best] += sizes[g]
		st.largest[best] = max(st.largest[best], sizes[g])
	}
	return st
}

// farthest returns how many times the largest group of its stratum a split is
// from its quota.
func (st standing) farthest(s split.Scheme) (above, below float64) {
	weights := 0.0
	for _, r := range s.Ratios {
		weights += float64(r.Weight)
	}
	for class, held := range st.held {
		for _, r := range s.Ratios {
			far := (float64(held[r.Split]) - float64(st.total[class])*float64(r.Weight)/weights) / float64(st.largest[class])
			above, below = math.Max(above, far), math.Max(below, -far)
		}
	}
	return above, below
}

func together(t fatal, sh shape, table map[string]string) {
	t.Helper()
	of := make(map[string]string)
	for p, value := range table {
		if was, ok := of[sh.groupOf(p)]; ok && was != value {
			t.Fatalf("%s is in %s, others of its group in %s", p, value, was)
		}
		of[sh.groupOf(p)] = value
	}
}

// From nothing no split is farther from its quota than the largest group, in
// every stratum; and groups stay together.
func TestRatiosWithinOneGroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, d, r := drawnScheme(t), drawnData(t, ""), newRepo(t)
		out := r.from(s, d)
		table := r.table(out.Split)
		if len(table) != len(d) || len(out.Findings) != 0 {
			t.Fatalf("%d of %d assigned", len(table), len(d))
		}
		together(t, shapeOf(s), table)
		above, below := stand(shapeOf(s), d, table).farthest(s)
		if above >= 1 || below > 1+1e-9 {
			t.Fatalf("%v above and %v below the quota, in largest groups", above, below)
		}
	})
}

// New samples move none, and whatever comes, no split gets more than one group
// above its quota.
func TestStableUnderInsertions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := drawnScheme(t), newRepo(t)
		d := drawnData(t, "a")
		before := r.from(s, d)
		for _, name := range []string{"b", "c"} {
			next := d.with(drawnData(t, name))
			out := r.next(s, before, d, next)
			now := r.table(out.Split)
			for p, value := range r.table(before.Split) {
				if now[p] != value {
					t.Fatalf("%s moved from %s to %s", p, value, now[p])
				}
			}
			together(t, shapeOf(s), now)
			if above, _ := stand(shapeOf(s), next, now).farthest(s); len(s.Frozen) == 0 && above >= 1 {
				t.Fatalf("%v largest groups above the quota", above)
			}
			before, d = out, next
		}
	})
}

// A file that is renamed within its group stays where its group is, even if
// all of the group is renamed.
func TestRenamesWithinGroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := scheme(t, map[string]any{"folds": int64(3), "group": `^p\w+`}), newRepo(t)
		d := drawnData(t, "")
		before := r.from(s, d)
		was := r.table(before.Split)
		next := make(data)
		for p, text := range d {
			if rapid.Bool().Draw(t, "rename") {
				p += "-renamed"
			}
			next[p] = text
		}
		for _, out := range []split.Assigned{r.next(s, before, d, next), r.change(s, before, d, next)} {
			for p, value := range r.table(out.Split) {
				if was[strings.TrimSuffix(p, "-renamed")] != value {
					t.Fatalf("%s is in %s", p, value)
				}
			}
		}
	})
}

// What was assigned from changes and state is what is assigned by looking at
// all: table, fingerprints, findings, counts, and the state itself.
func TestChangesAreAsWhole(t *testing.T) {
	schemes := func(t *rapid.T) split.Scheme {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return scheme(t, map[string]any{"train": list("*/0/*", "@list"), "test": list("*/1/*")})
		case 1:
			return scheme(t, map[string]any{"table": "meta.csv", "path": "file", "column": "split", "stratify": "folder"})
		case 2:
			return scheme(t, map[string]any{"table": "*.csv", "column": "split", "stratify": map[string]any{"column": "file"}})
		case 3:
			return scheme(t, map[string]any{"table": "meta.csv", "path": "file", "folds": int64(3), "group": map[string]any{"column": "split"}})
		}
		return drawnScheme(t)
	}
	rapid.Check(t, func(t *rapid.T) {
		s, r := schemes(t), newRepo(t)
		d := drawnData(t, "a").with(data{"list": "pa0/2/0\nnone\n", "meta.csv": metaOf(t), "b.csv": "file,split\nx,train\n", "c.csv": metaOf(t)})
		out := r.from(s, d)
		for range 2 {
			next := edited(t, d)
			whole, quick := r.next(s, out, d, next), r.change(s, out, d, next)
			if diff := cmp.Diff(seen(whole), seen(quick)); diff != "" {
				t.Fatal(diff)
			}
			r.verify(quick, next)
			out, d = quick, next
		}
	})
}

// seen leaves out the state, whose labels are numbered as they came, and
// classes that are no more.
func seen(out split.Assigned) split.Assigned {
	out.State = nil
	return out
}

func metaOf(t *rapid.T) string {
	text := "file,split\n"
	for range rapid.IntRange(0, 20).Draw(t, "rows") {
		path := fmt.Sprintf("pa%d/%d/%d", rapid.IntRange(0, 9).Draw(t, "g"), rapid.IntRange(0, 2).Draw(t, "l"), rapid.IntRange(0, 3).Draw(t, "i"))
		text += path + rapid.SampledFrom([]string{",train\n", ",test\n", ",\n", ",no name\n", "\n"}).Draw(t, "split")
	}
	return text
}

// edited adds, changes, removes and renames some files.
func edited(t *rapid.T, d data) data {
	next := maps.Clone(d)
	for _, p := range slices.Sorted(maps.Keys(d)) {
		if !strings.HasPrefix(p, "p") {
			continue
		}
		switch rapid.IntRange(0, 11).Draw(t, "edit") {
		case 0:
			delete(next, p)
		case 1:
			next[p] += "!"
		case 2:
			delete(next, p)
			next[p+"x"] = d[p]
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "table") == 0 {
		next["c.csv"] = metaOf(t)
	}
	if rapid.IntRange(0, 3).Draw(t, "list") == 0 {
		next["meta.csv"] = metaOf(t)
	}
	return next.with(drawnData(t, rapid.SampledFrom([]string{"a", "n"}).Draw(t, "more")))
}

// Schemes that do not draw depend on the files alone.
func TestPureSchemes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := scheme(t, map[string]any{"train": list("*/0/*"), "test": list("*/1/*", "p?1/**")}), newRepo(t)
		d := drawnData(t, "a")
		next := edited(t, d)
		after, fresh := r.next(s, r.from(s, d), d, next), r.from(s, next)
		if diff := cmp.Diff(seen(fresh), seen(after)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Rows are drawn by their group alone, which is why no check looks for groups of
// theirs that cross; those without one by what is in them.
func TestRowsOfAGroupStayTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scheme(t, map[string]any{
			"table": "t.csv", "ratios": rapid.SampledFrom(ratioChoices).Draw(t, "ratios"), "group": map[string]any{"column": "who"},
		})
		who := rapid.String().Draw(t, "who")
		row := func(name string) split.Row {
			id := objects.ID(rapid.SliceOfN(rapid.Byte(), objects.IDSize, objects.IDSize).Draw(t, name))
			return split.Row{Number: rapid.Int64Min(1).Draw(t, name+" number"), Hash: id, Whole: id, Values: []string{who}}
		}
		a, b := row("a"), row("b")
		if who == "" {
			b.Whole = a.Whole
		}
		one, err := s.RowSplit(a)
		other, otherErr := s.RowSplit(b)
		if err != nil || otherErr != nil || one != other {
			t.Fatalf("%q, %v and %q, %v", one, err, other, otherErr)
		}
	})
}

// A changed ratio leaves every split within the largest group of its quota;
// of samples that are groups by themselves it moves no more than must move.
func TestChangedRatioMovesFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := map[string]any{"ratios": rapid.SampledFrom(ratioChoices).Draw(t, "before"), "seed": "s"}
		if rapid.Bool().Draw(t, "grouped") {
			tree["group"] = `^p\w+`
		}
		d, r := drawnData(t, ""), newRepo(t)
		before := r.from(scheme(t, tree), d)
		tree["ratios"] = rapid.SampledFrom(ratioChoices).Draw(t, "after")
		s := scheme(t, tree)
		out := r.next(s, before, d, d)
		now, was := r.table(out.Split), r.table(before.Split)
		together(t, shapeOf(s), now)
		above, below := stand(shapeOf(s), d, now).farthest(s)
		if above > 1+1e-9 || below > 1+1e-9 {
			t.Fatalf("%v above and %v below the quota, in largest groups", above, below)
		}
		moved := 0
		for p := range d {
			if now[p] != was[p] {
				moved++
			}
		}
		if must := leastMoves(s, was); s.Group == nil && moved != must {
			t.Fatalf("%d moved, %d must", moved, must)
		}
	})
}

// leastMoves returns how many single samples must move until all splits are
// within one of their quotas: those of splits that are no more go first, each
// to where it is most wanted.
func leastMoves(s split.Scheme, was map[string]string) int {
	held, weights := make(map[string]float64), 0.0
	for _, r := range s.Ratios {
		weights += float64(r.Weight)
		held[r.Split] = 0
	}
	homeless := 0
	for _, value := range was {
		if _, ok := held[value]; ok {
			held[value]++
		} else {
			homeless++
		}
	}
	deficit := make(map[string]float64)
	for _, r := range s.Ratios {
		deficit[r.Split] = float64(len(was))*float64(r.Weight)/weights - held[r.Split]
	}
	for range homeless {
		best := ""
		for _, r := range s.Ratios {
			if best == "" || deficit[r.Split] > deficit[best]+1e-9 {
				best = r.Split
			}
		}
		deficit[best]--
	}
	above, below := 0.0, 0.0
	for _, far := range deficit {
		above += math.Max(0, math.Ceil(-far-1-1e-9))
		below += math.Max(0, math.Ceil(far-1-1e-9))
	}
	return homeless + int(math.Max(above, below))
}

// Rows are drawn about by weight; a weight that grows takes rows from others,
// and none goes elsewhere.
func TestRendezvous(t *testing.T) {
	rule := func(train, val, test int64) split.Scheme {
		return scheme(t, map[string]any{"table": "t.csv", "ratios": map[string]any{"train": train, "val": val, "test": test}, "group": map[string]any{"column": "g"}})
	}
	before, after := rule(80, 10, 10), rule(60, 10, 30)
	counts, moved := make(map[string]int), 0
	const n = 20000
	rng := rand.New(rand.NewPCG(1, 2))
	for range n {
		row := split.Row{Values: []string{fmt.Sprint(rng.Uint64())}}
		was, _ := before.RowSplit(row)
		is, _ := after.RowSplit(row)
		counts[was]++
		if was != is {
			moved++
			if is != "test" && was != "train" {
				t.Fatalf("from %s to %s", was, is)
			}
		}
	}
	for name, share := range map[string]float64{"train": 0.8, "val": 0.1, "test": 0.1} {
		if far := math.Abs(float64(counts[name]) - share*n); far > 4*math.Sqrt(n*share*(1-share)) {
			t.Errorf("%d in %s", counts[name], name)
		}
	}
	if moved < n/5 || moved > n*3/10 {
		t.Errorf("%d of %d moved where a fifth must", moved, n)
	}
}

// A damaged or foreign state changes nothing.
func TestStateMayBeAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := drawnScheme(t), newRepo(t)
		d := drawnData(t, "a")
		next := edited(t, d)
		before := r.from(s, d)
		want := r.next(s, before, d, next)
		state := slices.Clone(before.State)
		if rapid.Bool().Draw(t, "cut") {
			state = state[:rapid.IntRange(0, len(state)).Draw(t, "length")]
		} else {
			state[rapid.IntRange(0, len(state)-1).Draw(t, "byte")] ^= 1
		}
		before.State = state
		if diff := cmp.Diff(seen(want), seen(r.change(s, before, d, next))); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A sample that is a group by itself stays where it is under another name, also
// of another class, and when the rule says where the others are now.
func TestRenamesKeepTheirSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := map[string]any{"of": list("p*/**"), "ratios": rapid.SampledFrom(ratioChoices).Draw(t, "ratios")}
		if rapid.Bool().Draw(t, "stratified") {
			tree["stratify"] = "folder"
		}
		if rapid.Bool().Draw(t, "grouped") {
			tree["group"] = `^none(\d)`
		}
		s, r, d := scheme(t, tree), newRepo(t), drawnData(t, "")
		before := r.from(s, d)
		was, next, old := r.table(before.Split), make(data), make(map[string]string)
		for p, text := range d {
			to := p
			if rapid.Bool().Draw(t, "rename") {
				parts := strings.Split(p, "/")
				to = parts[0] + rapid.SampledFrom([]string{"/0/", "/1/", "a/9/"}).Draw(t, "to") + parts[1] + "-" + parts[2]
			}
			next[to], old[to] = text, p
		}
		next = next.with(drawnData(t, "new"))
		outs := []split.Assigned{r.next(s, before, d, next), r.change(s, before, d, next)}
		if tree["stratify"] == nil { // or quotas of classes may have to be met anew
			tree["of"] = list("p*/**", "q/**")
			outs = append(outs, r.next(scheme(t, tree), before, d, next))
		}
		for _, out := range outs {
			for p, value := range r.table(out.Split) {
				if from, ok := old[p]; ok && was[from] != value {
					t.Fatalf("%s was in %s as %s and is in %s", p, was[from], from, value)
				}
			}
			r.verify(out, next)
		}
	})
}
