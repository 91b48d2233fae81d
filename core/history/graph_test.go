package history_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
)

// drawLog draws lines of "COMMIT PARENT…".
func drawLog(lines ...string) string {
	var g history.Graph
	var text []string
	for _, line := range lines {
		words := strings.Fields(line)
		var parents []objects.ID
		for _, p := range words[1:] {
			parents = append(parents, objects.Sum(objects.KindCommit, []byte(p)))
		}
		rows := g.Next(objects.Sum(objects.KindCommit, []byte(words[0])), parents)
		text = append(text, rows.Commit+" "+words[0])
		text = append(text, rows.Edges...)
	}
	return strings.Join(text, "\n")
}

func TestGraph(t *testing.T) {
	for _, c := range []struct{ name, log, want string }{
		{"line", "c b;b a;a", `
* c
* b
* a`},
		{"two tips", "c a;b a;a", `
* c
| * b
|/
* a`},
		{"merge", "m a b;b r;a r;r", `
* m
|\
| * b
* | a
|/
* r`},
		{"merge of an ancestor", "m b a;b a;a", `
* m
|\
* | b
|/
* a`},
		{"octopus", "m a b c;c r;b r;a r;r", `
* m
|\
|\ \
| | * c
| * | b
| |/
* | a
|/
* r`},
		{"octopus, oldest lane last", "m a b c;a r;b r;c r;r", `
* m
|\
|\ \
* | | a
| * | b
|/ /
| * c
|/
* r`},
		{"criss-cross", "x a b;y b a;b r;a r;r", `
* x
|\
| | * y
| | |\
| |/ /
| |/
|/|
| * b
* | a
|/
* r`},
		{"merge into the left", "x l;m p l;p l;l", `
* x
| * m
| |\
| |/
|/|
| * p
|/
* l`},
		{"root beside another", "a r;b;r", `
* a
| * b
* r`},
		{"root left of another", "b;a r;r", `
* b
* a
* r`},
		{"lanes close up behind a root", "m a b;a;b", `
* m
|\
* | a
 /
* b`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := "\n" + drawLog(strings.Split(c.log, ";")...)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

// Every commit has one star, in the lane that its children led to, and when
// all is drawn no lane is left.
func TestGraphEndsEveryLane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, ids := drawGraph(t, 100)
		var drawing history.Graph
		var rows history.Rows
		for _, id := range walk(t, g, ids, history.Options{}) {
			rows = drawing.Next(id, g.read(id).Parents)
			if strings.Count(rows.Commit, "*") != 1 {
				t.Fatalf("%q has not one star", rows.Commit)
			}
			for _, line := range append(slices.Clone(rows.Edges), rows.Rest) {
				if strings.Trim(line, `|/\ `) != "" || strings.HasSuffix(line, " ") {
					t.Fatalf("bad line %q", line)
				}
			}
		}
		if rows.Rest != "" {
			t.Fatalf("lanes are left: %q", rows.Rest)
		}
	})
}

// Commits that are passed over leave no lane behind either, and a lane that
// led to one leads on.
func TestGraphSkips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, ids := drawGraph(t, 100)
		var drawing history.Graph
		var last []string
		for _, id := range walk(t, g, ids, history.Options{}) {
			parents := g.read(id).Parents
			if rapid.Bool().Draw(t, "skip") {
				last = append(last, drawing.Skip(id, parents)...)
				continue
			}
			rows := drawing.Next(id, parents)
			if strings.Count(rows.Commit, "*") != 1 {
				t.Fatalf("%q has not one star", rows.Commit)
			}
			last = append(rows.Edges, rows.Rest)
		}
		for _, line := range last {
			if strings.Trim(line, `|/\ `) != "" {
				t.Fatalf("bad line %q", line)
			}
		}
		// A commit that nothing leads to has a lane of its own: no other is left.
		if rows := drawing.Next(objects.Sum(objects.KindCommit, []byte("last")), nil); rows.Commit != "*" {
			t.Fatalf("lanes are left: %q", rows.Commit)
		}
	})
}

func TestGraphSkip(t *testing.T) {
	id := func(name string) objects.ID { return objects.Sum(objects.KindCommit, []byte(name)) }
	var g history.Graph
	var text []string
	add := func(rows history.Rows) { text = append(append(text, rows.Commit), rows.Edges...) }
	add(g.Next(id("m"), []objects.ID{id("a"), id("b")}))
	text = append(text, g.Skip(id("b"), []objects.ID{id("r")})...)
	text = append(text, g.Skip(id("a"), []objects.ID{id("r")})...)
	add(g.Next(id("r"), nil))
	if diff := cmp.Diff([]string{"*", `|\`, "|/", "*"}, text); diff != "" {
		t.Fatal(diff)
	}
}
