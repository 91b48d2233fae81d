package check_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/datasettest"
)

// rowWorld has a table whose rows are the samples.
func rowWorld(t *testing.T) *world {
	w := newWorld(t)
	w.place = func(p string) string {
		if p == "meta.csv" {
			return dataset.AllRows
		}
		return ""
	}
	w.scheme.Sample = func(p string) bool { return p == "meta.csv" }
	w.scheme.Frozen = []string{"test"}
	w.scheme.Groups = &check.Groups{All: func(ctx context.Context) iter.Seq2[check.Grouped, error] {
		return func(yield func(check.Grouped, error) bool) {
			for row := range tableRows(w.Text("meta.csv"), "split", []string{"text"}) { // what remains is the user
				g := check.Grouped{Sample: dataset.Sample{Path: "meta.csv", Row: row.Number, Split: row.Split}, Group: row.Hash.String()}
				if !yield(g, nil) {
					return
				}
			}
		}
	}}
	return w
}

func TestRowScheme(t *testing.T) {
	w := rowWorld(t)
	w.Put("meta.csv", "user,text,split\na,one,train\na,one,train\nb,two,test\nc,three,test\nd,,\n")
	if r := w.commit(); len(r.Findings) > 0 {
		t.Fatal(r.Findings)
	}
	looked := map[dataset.Rule]int64{}
	for _, c := range w.check().Rules {
		looked[c.Rule] = c.Samples
	}
	if _, ok := looked[dataset.RuleContent]; ok || looked[dataset.RuleOverlap] != 4 || looked[dataset.RuleRows] != 4 {
		t.Errorf("looked at %v", looked)
	}
	// Row 3 goes to training, row 4 is in both, row 5 is new in test, and is of a's group.
	w.Put("meta.csv", "user,text,split\na,one,train\na,one,train\nb,two,train\nc,three,test\na,four,test\nc,three,train\n")
	r := w.check()
	for rule, want := range map[dataset.Rule][]string{
		dataset.RuleMoved:  {"meta.csv row 3 was in test and is now in train", "meta.csv row 6 was in test (meta.csv row 4) and is now in train"},
		dataset.RuleRows:   {"the same row is in test and train: meta.csv row 4, meta.csv row 6"},
		dataset.RuleFrozen: {"frozen split test changed: 1 row removed, 1 row added"},
	} {
		if got := messages(r, rule); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", rule, got, want)
		}
	}
	if got, want := found(r, dataset.RuleGroups), []string{"meta.csv#1", "meta.csv#2", "meta.csv#4", "meta.csv#5", "meta.csv#6"}; !slices.Equal(got, want) {
		t.Errorf("groups: %q, want %q", got, want)
	}
}

// Rows before and now are counted in parts where they are many, which finds the
// same and holds no more of them than a part at a time.
func TestRowsBeforeInParts(t *testing.T) {
	w := rowWorld(t)
	var was, now strings.Builder
	for i := range 60 {
		fmt.Fprintf(&was, "u%d,t%d,%s\n", i, i, []string{"train", "test"}[i%2])
		fmt.Fprintf(&now, "u%d,t%d,%s\n", i, i, []string{"train", "test", "test"}[i%3])
	}
	w.Put("meta.csv", "user,text,split\n"+was.String())
	w.commit()
	w.Put("meta.csv", "user,text,split\n"+now.String())
	want := w.check()
	if moved, frozen := len(messages(want, dataset.RuleMoved)), messages(want, dataset.RuleFrozen); moved != 10 || !strings.Contains(frozen[0], ": 10 rows removed, 20 rows added") {
		t.Fatalf("%d moved, %q", moved, frozen)
	}
	for _, n := range []int64{1, 7, 29, 30, 31} {
		undo := check.KeysAtOnce(n)
		got := w.check()
		undo()
		if diff := cmp.Diff(messages(want, dataset.RuleMoved), messages(got, dataset.RuleMoved)); diff != "" {
			t.Errorf("%d at once: moved:\n%s", n, diff)
		}
		if diff := cmp.Diff(messages(want, dataset.RuleFrozen), messages(got, dataset.RuleFrozen)); diff != "" {
			t.Errorf("%d at once: frozen:\n%s", n, diff)
		}
	}
}

// Rows that were kept as somebody else read them are those that the rule reads.
func TestKeepRows(t *testing.T) {
	w := rowWorld(t)
	w.Put("meta.csv", "user,text,split\na,one,train\na,one,test\nb\nc,two,\n")
	in, _ := w.input()
	want := w.run(in)
	s := in.Schemes[0]
	f, err := in.Files.Lookup(w.ctx, "meta.csv")
	if err != nil {
		t.Fatal(err)
	}
	facts := datasettest.NewFacts()
	k := check.KeepRows(facts, s.Rule, *f, in.Config.Ignore)
	for row, err := range s.Rows(w.ctx, *f) {
		var unread *check.UnreadError
		switch {
		case errors.As(err, &unread):
			k.Unreadable(unread.Unread)
		case err != nil:
			t.Fatal(err)
		default:
			k.Add(row)
		}
	}
	k.Done()
	in.Facts = facts
	got := w.run(in)
	if diff := cmp.Diff(want, got); diff != "" || len(got.Findings) == 0 {
		t.Errorf("%d findings, other than those of the rule alone:\n%s", len(got.Findings), diff)
	}
	if n := facts.Puts["rows-v2"]; n != 1 {
		t.Errorf("rows were kept %d times", n)
	}
}

// Another rule, such as another ratio, moves rows though no table changed.
func TestRowSchemeUnderAnotherRule(t *testing.T) {
	w := rowWorld(t)
	w.Put("meta.csv", "user,text,split,late\na,one,train,train\nb,two,test,train\n")
	w.commit()
	in, _ := w.input()
	s := &in.Schemes[0]
	s.Rule = "another"
	s.Rows = func(ctx context.Context, f dataset.File) iter.Seq2[check.Row, error] {
		return func(yield func(check.Row, error) bool) {
			late := map[int64]string{}
			for row := range tableRows(w.Text(f.Path), "late", nil) {
				late[row.Number] = row.Split
			}
			for row := range tableRows(w.Text(f.Path), "split", nil) {
				row.Split = late[row.Number]
				if !yield(row, nil) {
					return
				}
			}
		}
	}
	if got, want := found(w.run(in), dataset.RuleMoved), []string{"meta.csv#2"}; !slices.Equal(got, want) {
		t.Errorf("moved: %q, want %q", got, want)
	}
}

func TestRowsAreReadOnceAContent(t *testing.T) {
	w := newWorld(t)
	plain(w)
	w.commit()
	reads := w.facts.Puts["rows-v2"]
	w.Put("train/more.csv", "id,text\n1,new\n")
	w.commit()
	if got := w.facts.Puts["rows-v2"] - reads; got != 1 {
		t.Errorf("%d tables were read for one that changed", got)
	}
}

// Rows are taken in parts where they are many, which finds the same; where they
// are few, each table is read once, and those that share a row once more.
func TestRowsInParts(t *testing.T) {
	w := newWorld(t)
	w.readsTables()
	for split, shared := range map[string]string{"train": "1,1\n2,2\n3,3\n", "test": "2,2\n3,3\n4,4\n"} {
		var own strings.Builder
		for i := range 40 {
			fmt.Fprintf(&own, "%s,%d\n", split, i)
		}
		w.Put(split+"/rows.csv", "a,b\n"+shared+own.String())
		w.Put(split+"/others.csv", "a,b\n"+strings.ReplaceAll(own.String(), ",", " other,"))
	}
	reads := 0
	read := w.in.Rows
	w.in.Rows = func(ctx context.Context, f dataset.File, ignore []string) iter.Seq2[check.Row, error] {
		return func(yield func(check.Row, error) bool) { reads++; read(ctx, f, ignore)(yield) }
	}
	w.in.Workers = 1
	in, _ := w.input()
	in.Facts = nil
	want := w.run(in)
	if got := messages(want, dataset.RuleRows); len(got) != 2 || reads != 4+4+2 {
		t.Errorf("%d reads, found %q", reads, got)
	}
	for _, n := range []int64{1, 7, 165, 166, 167} {
		undo := check.RowsAtOnce(n)
		got := w.run(in)
		undo()
		if diff := cmp.Diff(plainly(want), plainly(got)); diff != "" {
			t.Errorf("%d at once:\n%s", n, diff)
		}
	}
}
