package core

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sawIn lists in short what models saw of what is sought.
func (r *trained) sawIn(sought Sought, err error) (saw []string) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
	for s, err := range r.ModelsOf(r.ctx, sought) {
		if err != nil {
			r.Fatal(err)
		}
		line := fmt.Sprint(s.Model, " ", s.Path, ":", s.Row, " ", s.Splits, " ", s.By)
		if s.Unread != "" {
			line += " " + s.Unread
		}
		saw = append(saw, line)
	}
	return saw
}

func (r *trained) wantSaw(sought Sought, err error, want ...string) {
	r.Helper()
	if diff := cmp.Diff(want, r.sawIn(sought, err)); diff != "" {
		r.Error(diff)
	}
}

func (r *trained) rowAt(path string, number int64) (Sought, error) {
	return r.SoughtRowAt(r.ctx, path, number)
}

func (r *trained) write(name, text string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.root, name), []byte(text), 0o666); err != nil {
		r.Fatal(err)
	}
}

func TestModelOfARow(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{"t.csv": "x,y\n1,one\n2,two\n,\n", "labels.json": `{"x": 1}`}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "a"})
	r.record(map[string]string{"t.csv": "y,x\nnew,9\ntwo,2.0\none,1\none,1\n"}, CommitOptions{}) // moved, and twice
	r.link(ModelLinkOptions{Model: "b"})
	os.Remove(filepath.Join(r.root, "t.csv"))
	r.record(map[string]string{"u.jsonl": "{\"x\": 2, \"y\": \"two\"}\n{\"y\": \"one\", \"x\": 1}\n"}, CommitOptions{}) // rewritten
	r.link(ModelLinkOptions{Model: "c"})
	os.Remove(filepath.Join(r.root, "u.jsonl"))
	r.record(map[string]string{"v.json": `[{"x": 1, "y": "one"}]`}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "d"})

	one := []string{"a t.csv:1 [] row", "b t.csv:3 [] row", "b t.csv:4 [] row", "c u.jsonl:2 [] row"}
	sought, err := r.SoughtIn(r.ctx, "model:a:t.csv:1")
	r.wantSaw(sought, err, one...)
	sought, err = r.rowAt("v.json", 1)
	r.wantSaw(sought, err, append(one, "d v.json:1 [] row")...)
	sought, err = r.SoughtIn(r.ctx, "model:b:t.csv:1")
	r.wantSaw(sought, err, "b t.csv:1 [] row")
	// What is on the disk comes first, and need be in no commit.
	r.write("w.tsv", "x\ty\n2\ttwo\n7\tseven\n")
	sought, err = r.rowAt("w.tsv", 1)
	r.wantSaw(sought, err, "a t.csv:2 [] row", "b t.csv:2 [] row", "c u.jsonl:1 [] row")
	sought, err = r.rowAt("w.tsv", 2)
	r.wantSaw(sought, err)
	os.Remove(filepath.Join(r.root, "v.json")) // HEAD has it still
	sought, err = r.rowAt("v.json", 1)
	r.wantSaw(sought, err, append(one, "d v.json:1 [] row")...)

	var beyond *NoRowError
	if _, err := r.rowAt("w.tsv", 3); !errors.As(err, &beyond) || beyond.Rows != 2 {
		t.Errorf("%v", err)
	}
	var none *NoSampleError
	if _, err := r.rowAt("no.csv", 3); !errors.As(err, &none) || none.Row != 3 {
		t.Errorf("%v", err)
	}
	var usage *UsageError
	if _, err := r.SoughtIn(r.ctx, "model:a:t.csv:3"); !errors.As(err, &usage) {
		t.Errorf("a row without values: %v", err)
	}
	if _, err := r.SoughtIn(r.ctx, "HEAD:labels.json:1"); !errors.As(err, &usage) {
		t.Errorf("no table: %v", err)
	}
	var lost *NotInTreeError
	if _, err := r.SoughtIn(r.ctx, "HEAD:no.csv:1"); !errors.As(err, &lost) {
		t.Errorf("%v", err)
	}
}

func TestModelOfARowOfAFileWithAColon(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{"t.csv": "x\n1\n", "u.csv": "x\n1\n"}, CommitOptions{})
	r.record(map[string]string{"t.csv:1": "text"}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "a"})
	sought, err := r.SoughtIn(r.ctx, "HEAD:t.csv:1")
	r.wantSaw(sought, err, "a t.csv:1:0 [] content")
}

// TestModelOfARowIsAskedOfItsSplits: what a model did not see of a table does
// not count, and what it was measured on is said as that.
func TestModelOfARowIsAskedOfItsSplits(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{
		"mlvc.toml": rowRules,
		"a.csv":     "part,text\ntrain,one\nval,two\ntest,three\n",
	}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "trained", Splits: splitsOf(t, "train", "test=test")})
	r.link(ModelLinkOptions{Model: "val", Splits: splitsOf(t, "val")})
	r.link(ModelLinkOptions{Model: "whole"})
	for number, want := range [][]string{
		{"trained a.csv:1 [train=train] row", "whole a.csv:1 [] row"},
		{"val a.csv:2 [val=val] row", "whole a.csv:2 [] row"},
		{"trained a.csv:3 [test=test] row", "whole a.csv:3 [] row"},
	} {
		sought, err := r.rowAt("a.csv", int64(number+1))
		r.wantSaw(sought, err, want...)
	}
	// A table that is in no split, and what moved to another split since.
	r.write("other.csv", "text,part\ntwo,train\n")
	sought, err := r.rowAt("other.csv", 1)
	r.wantSaw(sought, err, "val a.csv:2 [val=val] row")
}

// TestModelOfARowWithoutColumns: each model's data say which columns do not
// count; so does the place where the row is sought.
func TestModelOfARowWithoutColumns(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{"t.csv": "id,x\n1,one\n2,two\n"}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "all"})
	r.record(map[string]string{"mlvc.toml": "[checks]\nrows = { level = \"off\", ignore = [\"id\"] }\n"}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "some"})
	sought, err := r.SoughtIn(r.ctx, "model:all:t.csv:2")
	r.wantSaw(sought, err, "all t.csv:2 [] row", "some t.csv:2 [] row")
	r.write("t.csv", "id,x\n7,two\n")
	sought, err = r.rowAt("t.csv", 1)
	r.wantSaw(sought, err, "all t.csv:2 [] row", "some t.csv:2 [] row")
	os.Remove(filepath.Join(r.root, "mlvc.toml"))
	r.record(map[string]string{"t.csv": "id,x\n8,two\n"}, CommitOptions{})
	sought, err = r.rowAt("t.csv", 1)
	r.wantSaw(sought, err, "some t.csv:2 [] row")
}

// drawnRules draw rows that count without their first column.
const drawnRules = `
[splits]
train = ["t.csv"]
[splits.rows]
table = "t.csv"
ratios = { one = 50, two = 50 }
[checks]
rows = { level = "warn", ignore = ["id"] }
`

// drawnRows are twenty rows, of which each two are equal but for their id.
func drawnRows() string {
	var text strings.Builder
	text.WriteString("id,x\n")
	for i := range 20 {
		fmt.Fprintf(&text, "%d,row %d\n", i, i/2)
	}
	return text.String()
}

// drawn records such rows, and returns the split of each.
func (r *trained) drawn() (splits []string) {
	r.Helper()
	r.record(map[string]string{"mlvc.toml": drawnRules, "t.csv": drawnRows()}, CommitOptions{})
	for number := range 20 {
		why, err := r.ExplainSplit(r.ctx, "", fmt.Sprint("rows:t.csv:", number+1), func(path string) (string, error) { return path, nil })
		if err != nil {
			r.Fatal(err)
		}
		splits = append(splits, why[0].Split)
	}
	return splits
}

// TestModelOfARowThatWasDrawn: rows are drawn by all of their columns, also by
// those that do not count when rows are compared.
func TestModelOfARowThatWasDrawn(t *testing.T) {
	r := newTrained(t)
	splits := r.drawn()
	r.link(ModelLinkOptions{Model: "a", Splits: splitsOf(t, "rows/one")})
	r.link(ModelLinkOptions{Model: "b", Splits: splitsOf(t, "rows/two", "train")}) // all of the table by train
	for i, in := range splits {
		var want []string
		first := i - i%2
		for j := first; j < first+2; j++ {
			if splits[j] == "one" {
				want = append(want, fmt.Sprintf("a t.csv:%d [one=rows/one] row", j+1))
			}
		}
		for j := first; j < first+2; j++ {
			more := ""
			if splits[j] == "two" {
				more = " two=rows/two"
			}
			want = append(want, fmt.Sprintf("b t.csv:%d [train=train%s] row", j+1, more))
		}
		sought, err := r.rowAt("t.csv", int64(i+1))
		r.wantSaw(sought, err, want...)
		if t.Failed() {
			t.Fatal(i, in)
		}
	}
}

// TestChecksOfDrawnRows: both of two rows that are equal without a column may
// have been drawn into different splits.
func TestChecksOfDrawnRows(t *testing.T) {
	r := newTrained(t)
	splits := r.drawn()
	count, apart := map[string]int64{}, int64(0)
	for i, in := range splits {
		if count[in]++; i%2 == 1 && splits[i-1] != in {
			apart++
		}
	}
	if apart == 0 {
		t.Fatal("the test tests nothing")
	}
	r.link(ModelLinkOptions{Model: "a", Splits: splitsOf(t, "rows/one")})
	res, err := r.CheckModel(r.ctx, ModelCheckOptions{Model: "a", On: "HEAD:rows/two"})
	if err != nil {
		t.Fatal(err)
	}
	if m := methodOf(res, MethodRows); m.Trained != count["one"] || m.Evaluated != count["two"] || m.Leaks != apart {
		t.Errorf("%+v, not %v and %d leaks", m, count, apart)
	}
	checked, err := r.Check(r.ctx, "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	var found int64
	for _, f := range checked.Report.Findings {
		if f.Rule == "rows" {
			found++
		}
	}
	if found != apart {
		t.Errorf("check finds %d rows in two splits, not %d: %+v", found, apart, checked.Report.Findings)
	}
	r.link(ModelLinkOptions{Model: "b", Splits: splitsOf(t, "rows/one", "train")})
	if res, err = r.CheckModel(r.ctx, ModelCheckOptions{Model: "b", On: "HEAD:rows/two"}); err != nil || methodOf(res, MethodRows).Trained != 20 {
		t.Errorf("%+v, %v", res.Methods, err)
	}
}

// TestModelOfARowNamesWhatCannotBeRead: that no model saw it would not be true.
func TestModelOfARowNamesWhatCannotBeRead(t *testing.T) {
	r := newTrained(t)
	r.record(map[string]string{"t.jsonl": "{\"x\": 1}\nno row\n{\"x\": 3}\n"}, CommitOptions{})
	r.link(ModelLinkOptions{Model: "a"})
	r.link(ModelLinkOptions{Model: "b"})
	sought, err := r.rowAt("t.jsonl", 3)
	r.wantSaw(sought, err, "a t.jsonl:3 [] row", "b t.jsonl:3 [] row")
	r.write("u.csv", "x\n2\n")
	sought, err = r.rowAt("u.csv", 1)
	for _, s := range r.sawIn(sought, err) {
		if !strings.Contains(s, " t.jsonl:0 [] unread line 2: ") {
			t.Error(s)
		}
	}
	if len(r.sawIn(sought, err)) != 2 {
		t.Error("a model is not named")
	}
}
