package check_test

import (
	"context"
	"iter"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/datasettest"
	"github.com/mlvc/mlvc/objects"
)

// world is a dataset with one scheme, committed again and again.
type world struct {
	*datasettest.Dataset
	t interface {
		Helper()
		Fatal(...any)
	}
	ctx    context.Context
	facts  *datasettest.Facts
	in     check.Input
	scheme check.Scheme
	place  func(path string) string // the value of the split table
	before *check.Before            // of the last commit
}

func newWorld(t *testing.T) *world { return worldOf(t, t.Context()) }

// worldOf is a world whose splits are the folders train, val and test.
func worldOf(t interface {
	Helper()
	Fatal(...any)
}, ctx context.Context,
) *world {
	return &world{
		Dataset: datasettest.New(), t: t, ctx: ctx, facts: datasettest.NewFacts(),
		scheme: check.Scheme{Name: "default", Rule: "folders"},
		place:  byFolder,
	}
}

func byFolder(p string) string {
	first, _, _ := strings.Cut(p, "/")
	if slices.Contains([]string{"train", "val", "test"}, first) {
		return first
	}
	return ""
}

// input is what a check of the files as they are is given.
func (w *world) input() (check.Input, *check.Before) {
	w.t.Helper()
	snapshot, err := w.Snapshot(w.ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	s := w.scheme
	splits := map[string]string{}
	counts := map[string]dataset.Count{}
	texts := map[string]*strings.Builder{}
	add := func(name, text string) {
		if texts[name] == nil {
			texts[name] = new(strings.Builder)
		}
		texts[name].WriteString(text)
	}
	for _, p := range w.Paths() {
		value := w.place(p)
		if value == "" || dataset.IsOwn(p) {
			continue
		}
		splits[p] = value
		for name := range strings.SplitSeq(value, ",") {
			c := counts[name]
			if c.Classes == nil {
				c.Classes = map[string]int64{}
			}
			c.Files++
			c.Classes[path.Base(path.Dir(p))]++
			counts[name] = c
			add(name, p+"\x00"+w.Text(p)+"\x00")
		}
		if value == dataset.AllRows {
			s.Rows = rowsOf(snapshot, "split")
			for row := range tableRows(w.Text(p), "split", nil) {
				add(row.Split, row.Hash.String())
				if row.Split != "" {
					c := counts[row.Split]
					c.Rows++
					counts[row.Split] = c
				}
			}
		}
	}
	table, err := w.Table(w.ctx, splits)
	if err != nil {
		w.t.Fatal(err)
	}
	s.Table, s.Counts, s.Before, s.Fingerprints = table, counts, w.before, map[string]objects.ID{}
	for name, text := range texts {
		s.Fingerprints[name] = objects.Derive("test", []byte(text.String()))
	}
	in := w.in
	in.Files, in.Getter, in.Tree, in.Schemes, in.Facts = snapshot, w.Store, snapshot.Tree, []check.Scheme{s}, w.facts
	return in, &check.Before{
		Rule: s.Rule, Tree: snapshot.Tree, Table: table, Fingerprints: s.Fingerprints, Counts: counts,
		Files: snapshot, Rows: s.Rows,
	}
}

// check checks the files as they are.
func (w *world) check() *dataset.Report {
	w.t.Helper()
	in, _ := w.input()
	return w.run(in)
}

func (w *world) run(in check.Input) *dataset.Report {
	w.t.Helper()
	r, err := check.Run(w.ctx, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// commit checks the files and makes them the parent of what comes.
func (w *world) commit() *dataset.Report {
	w.t.Helper()
	in, now := w.input()
	r := w.run(in)
	w.before = now
	return r
}

// groupBy groups files by a regular expression on their paths.
func groupBy(expr string) *check.Groups {
	re := regexp.MustCompile(expr)
	return &check.Groups{Key: objects.Derive("test", []byte(expr)), Of: func(p string) string { return re.FindString(p) }}
}

// found returns the paths that the findings of a rule name, sorted, rows with
// their number.
func found(r *dataset.Report, rule dataset.Rule) []string {
	var out []string
	for _, f := range r.Findings {
		if f.Rule != rule {
			continue
		}
		for _, s := range f.Samples {
			out = append(out, sampleName(s))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func sampleName(s dataset.Sample) string {
	if s.Row == 0 {
		return s.Path
	}
	return s.Path + "#" + string(rune('0'+s.Row))
}

// messages returns what the findings of a rule say, sorted.
func messages(r *dataset.Report, rule dataset.Rule) []string {
	var out []string
	for _, f := range r.Findings {
		if f.Rule == rule {
			out = append(out, f.Message)
		}
	}
	slices.Sort(out)
	return out
}

// rowsOf reads tables as lines of cells, the first being the header.
func rowsOf(files dataset.Files, split string) func(context.Context, dataset.File) iter.Seq2[check.Row, error] {
	return func(ctx context.Context, f dataset.File) iter.Seq2[check.Row, error] {
		return readTable(ctx, files, f, split, nil)
	}
}

func readTable(ctx context.Context, files dataset.Files, f dataset.File, split string, ignore []string) iter.Seq2[check.Row, error] {
	return func(yield func(check.Row, error) bool) {
		c, err := files.Open(ctx, f)
		if err != nil {
			yield(check.Row{}, err)
			return
		}
		defer c.Close()
		text := make([]byte, c.Size())
		if _, err := c.ReadAt(text, 0); err != nil {
			yield(check.Row{}, err)
			return
		}
		for row := range tableRows(string(text), split, ignore) {
			var err error
			if row.Hash.IsZero() {
				err = &check.UnreadError{Unread: dataset.Unread{Path: f.Path, Place: "row " + string(rune('0'+row.Number)), Why: "too short"}}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// tableRows yields the rows of lines of cells; one that is too short has no
// hash. Columns that tell the split, and those ignored, do not count.
func tableRows(text, split string, ignore []string) iter.Seq[check.Row] {
	return func(yield func(check.Row) bool) {
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		header := strings.Split(lines[0], ",")
		for i, line := range lines[1:] {
			row := check.Row{Number: int64(i + 1)}
			cells := strings.Split(line, ",")
			if len(cells) == len(header) {
				var rest []string
				for c, name := range header {
					switch {
					case name == split:
						row.Split = cells[c]
					case !slices.Contains(ignore, name):
						rest = append(rest, name+"="+cells[c])
					}
				}
				row.Hash = objects.Derive("test row", []byte(strings.Join(rest, "\x00")))
			}
			if !yield(row) {
				return
			}
		}
	}
}

// readsTables lets the rule rows read csv files.
func (w *world) readsTables() {
	w.in.IsTable = func(p string) bool { return path.Ext(p) == ".csv" }
	w.in.Rows = func(ctx context.Context, f dataset.File, ignore []string) iter.Seq2[check.Row, error] {
		snapshot, err := w.Snapshot(ctx)
		if err != nil {
			return func(yield func(check.Row, error) bool) { yield(check.Row{}, err) }
		}
		return readTable(ctx, snapshot, f, "", ignore)
	}
}
