package split_test

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
)

var leaky = data{
	"train/a.txt": "a", "train/b.txt": "b", "test/c.txt": "c", "other/d.txt": "d",
	"lists/test.txt": "# the hard ones\n\ntrain/b.txt\ngone.txt\n",
}

func globScheme(t fatal) split.Scheme {
	return scheme(t, map[string]any{"train": list("train/**"), "test": list("test", "@lists/test.txt")})
}

func found(out split.Assigned) []string {
	var all []string
	for _, f := range out.Findings {
		all = append(all, fmt.Sprintf("%s %s: %s", f.Rule, f.Samples[0].Path, f.Message))
	}
	return all
}

func TestGlobs(t *testing.T) {
	r := newRepo(t)
	out := r.from(globScheme(t), leaky)
	want := map[string]string{"train/a.txt": "train", "train/b.txt": "test,train", "test/c.txt": "test"}
	if diff := cmp.Diff(want, r.table(out.Split)); diff != "" {
		t.Error(diff)
	}
	findings := []string{
		"overlap train/b.txt: in test and train",
		"covered other/d.txt: in no split: no glob or list names it",
		"readable gone.txt: there is no such file, which lists/test.txt, line 4 names",
	}
	if diff := cmp.Diff(findings, found(out)); diff != "" {
		t.Error(diff)
	}
	counts := map[string]split.Count{"train": {Files: 2, Bytes: 2}, "test": {Files: 2, Bytes: 2}}
	if diff := cmp.Diff(counts, out.Counts); diff != "" {
		t.Error(diff)
	}
	if out.Samples != 4 {
		t.Errorf("%d samples", out.Samples)
	}
	r.verify(out, leaky)
	newer := out
	newer.Rule = `{"newer":{}}`
	r.verify(newer, leaky)
	if wrong, err := r.wrong(out, leaky.with(data{"test/c.txt": "other"})); err != nil || !slices.Equal(wrong, []string{"test"}) {
		t.Error(wrong, err)
	}
	if _, err := r.wrong(out, leaky.with(nil, "test/c.txt")); err == nil {
		t.Error("verified without a file")
	}
}

func TestMissingList(t *testing.T) {
	out := newRepo(t).from(globScheme(t), leaky.with(nil, "lists/test.txt"))
	want := []dataset.Unread{{Path: "lists/test.txt", Why: "there is no such list file, which the split test names"}}
	if diff := cmp.Diff(want, out.Unread); diff != "" {
		t.Error(diff)
	}
}

func TestListedTable(t *testing.T) {
	r := newRepo(t)
	d := data{
		"meta/all.csv": "file,split,class\na.jpg,train,cat\nb.jpg,test,dog\nb.jpg,train,dog\nc.jpg,,cat\nd.jpg,bad name,cat\nz.jpg,test,cat\nshort\n",
		"meta/a.jpg":   "a", "meta/b.jpg": "b", "meta/c.jpg": "c", "meta/d.jpg": "d", "meta/e.jpg": "e",
	}
	s := scheme(t, map[string]any{"table": "meta/*.csv", "path": "file", "column": "split", "stratify": map[string]any{"column": "class"}})
	out := r.from(s, d)
	if diff := cmp.Diff(map[string]string{"meta/a.jpg": "train", "meta/b.jpg": "test,train"}, r.table(out.Split)); diff != "" {
		t.Error(diff)
	}
	findings := []string{
		"overlap meta/b.jpg: in test and train",
		"covered meta/c.jpg: in no split: its row names no split",
		"covered meta/d.jpg: in no split: its row names no split",
		"covered meta/e.jpg: in no split: no table names it",
		"readable meta/z.jpg: there is no such file, which meta/all.csv, row 6 names",
	}
	if diff := cmp.Diff(findings, found(out)); diff != "" {
		t.Error(diff)
	}
	if len(out.Unread) != 2 || out.Unread[0].Place != "row 5, column split" || out.Unread[1].Place != "row 7, column split" {
		t.Error(out.Unread)
	}
	if diff := cmp.Diff(map[string]int64{"cat": 1, "dog": 1}, out.Counts["train"].Classes); diff != "" {
		t.Error(diff)
	}
	r.verify(out, d)

	// The same table with paths from the root.
	rooted := d.with(data{"meta/all.csv": "file,split,class\nmeta/a.jpg,train,cat\nmeta/b.jpg,test,dog\n"})
	if diff := cmp.Diff(map[string]string{"meta/a.jpg": "train", "meta/b.jpg": "test"}, r.table(r.from(s, rooted).Split)); diff != "" {
		t.Error(diff)
	}
}

func TestTime(t *testing.T) {
	r := newRepo(t)
	cut := map[string]any{"until": map[string]any{"train": "2025-01-01", "val": "2025-07-01"}, "rest": "test", "path": `\d{8}`}
	d := data{"20241231.txt": "", "20250101.txt": "", "20250630.txt": "", "20250701.txt": "", "20259999.txt": "", "x.txt": ""}
	out := r.from(scheme(t, map[string]any{"time": cut}), d)
	want := map[string]string{"20241231.txt": "train", "20250101.txt": "val", "20250630.txt": "val", "20250701.txt": "test"}
	if diff := cmp.Diff(want, r.table(out.Split)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`covered 20259999.txt: in no split: "20259999" is no date`, "covered x.txt: in no split: it has no date"}, found(out)); diff != "" {
		t.Error(diff)
	}
}

func TestRows(t *testing.T) {
	r := newRepo(t)
	s := scheme(t, map[string]any{"table": list("*.csv"), "column": "split", "stratify": map[string]any{"column": "label"}})
	d := data{"a.csv": "text,label,split\nx,pos,train\ny,neg,test\nx,pos,train\nz,neg,\n", "b.csv": "split,label\ntest,pos\n", "c.txt": ""}
	out := r.from(s, d)
	if diff := cmp.Diff(map[string]string{"a.csv": "*", "b.csv": "*"}, r.table(out.Split)); diff != "" {
		t.Error(diff)
	}
	counts := map[string]split.Count{
		"train": {Files: 1, Rows: 2, Classes: map[string]int64{"pos": 2}},
		"test":  {Files: 2, Rows: 2, Classes: map[string]int64{"neg": 1, "pos": 1}},
	}
	if diff := cmp.Diff(counts, out.Counts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"covered a.csv: in no split: its row names no split"}, found(out)); diff != "" {
		t.Error(diff)
	}
	if out.Findings[0].Samples[0].Row != 4 {
		t.Error(out.Findings[0].Samples)
	}
	r.verify(out, d)
	moved := d.with(data{"a.csv": "text,label,split\nq,pos,train\ny,neg,test\nx,pos,train\nz,neg,\n"})
	if next := r.from(s, moved); next.Fingerprints["test"] != out.Fingerprints["test"] || next.Fingerprints["train"] == out.Fingerprints["train"] {
		t.Error("a train row changed: only train's fingerprint does")
	}
}

func TestFrozenSplitGetsNothingNew(t *testing.T) {
	r := newRepo(t)
	d := numbered("img/%03d.png", 100)
	tree := map[string]any{"ratios": map[string]any{"train": int64(1), "test": int64(1)}, "frozen": "test"}
	s := scheme(t, tree)
	first := r.from(s, d)
	if first.Counts["test"].Files != 50 {
		t.Fatal(first.Counts)
	}
	more := d.with(numbered("new/%03d.png", 60))
	second := r.next(s, first, d, more)
	if second.Fingerprints["test"] != first.Fingerprints["test"] || second.Counts["train"].Files != 110 {
		t.Error(second.Counts)
	}
	tree["frozen"] = list("test", "train")
	third := r.next(scheme(t, tree), second, more, more.with(data{"late.png": ""}))
	if diff := cmp.Diff([]string{"covered late.png: in no split: every split is frozen"}, found(third)); diff != "" {
		t.Error(diff)
	}
}

func TestChangedSeedDrawsAnew(t *testing.T) {
	r := newRepo(t)
	d := numbered("%03d", 200)
	draw := func(seed string) split.Scheme {
		return scheme(t, map[string]any{"folds": int64(5), "seed": seed})
	}
	first := r.from(draw("a"), d)
	second := r.next(draw("b"), first, d, d)
	if diff := cmp.Diff(r.table(r.from(draw("b"), d).Split), r.table(second.Split)); diff != "" {
		t.Error(diff)
	}
	if second.Table == first.Table {
		t.Error("another seed, the same draw")
	}
	again := r.next(draw("a"), second, d, d)
	if again.Table != first.Table {
		t.Error("drawn anew is not as drawn first")
	}
}

// A group that a rule before had in two splits goes where most of it was.
func TestGroupComesTogether(t *testing.T) {
	r := newRepo(t)
	d := data{"train/p1-a": "", "test/p1-b": "", "test/p1-c": "", "train/p2-a": "", "train/p2-b": ""}
	first := r.from(scheme(t, map[string]any{"train": list("train/**"), "test": list("test/**")}), d)
	s := scheme(t, map[string]any{"ratios": map[string]any{"train": int64(1), "test": int64(1)}, "group": `p\d`})
	want := map[string]string{"train/p1-a": "test", "test/p1-b": "test", "test/p1-c": "test", "train/p2-a": "train", "train/p2-b": "train"}
	if diff := cmp.Diff(want, r.table(r.next(s, first, d, d).Split)); diff != "" {
		t.Error(diff)
	}
}

func TestExplain(t *testing.T) {
	r := newRepo(t)
	explain := func(s split.Scheme, d data, path string, row int64) split.Explanation {
		t.Helper()
		out := r.from(s, d)
		e, err := split.Explain(t.Context(), r.store, s, out.Table, split.Input{Files: d, Rows: rows}, path, row)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := explain(globScheme(t), leaky, "train/b.txt", 0)
	want := []split.Why{{"train", "a glob matches it", "train/**"}, {"test", "a list names it", "lists/test.txt, line 3"}}
	if diff := cmp.Diff(want, e.Why); diff != "" || e.Split != "test,train" {
		t.Error(e.Split, diff)
	}
	drawn := scheme(t, map[string]any{"folds": int64(2), "group": `^p\d`, "stratify": "folder"})
	e = explain(drawn, data{"p1/a": "", "p1/b": "", "p2/c": ""}, "p1/a", 0)
	if e.Group != "p1" || e.Class != "p1" || len(e.Quotas) != 2 || e.Quotas[0].Quota != 1.5 || !strings.Contains(e.Why[0].What, `"p1"`) || e.Why[0].Where != "" {
		t.Errorf("%+v", e)
	}
	seeded := scheme(t, map[string]any{"folds": int64(2), "seed": "k"})
	if e = explain(seeded, data{"a": "", "b": "1"}, "a", 0); e.Why[0].Where != "seed k" {
		t.Errorf("%+v", e)
	}
	ofRows := scheme(t, map[string]any{"table": "a.csv", "column": "split"})
	e = explain(ofRows, data{"a.csv": "split\ntrain\ntest\n"}, "a.csv", 2)
	if e.Split != "test" || e.Why[0].What != "the row says so by its split" {
		t.Errorf("%+v", e)
	}
	for path, says := range map[string]string{"no": "no such file", "lists/test.txt": "reads it", "other/d.txt": "no glob"} {
		if e := explain(globScheme(t), leaky, path, 0); !strings.Contains(e.Why[0].What, says) {
			t.Errorf("%s: %+v", path, e.Why)
		}
	}
}

func TestGroups(t *testing.T) {
	r := newRepo(t)
	d := data{"m.csv": "f,who\na,p1\nb,p2\nc,\n", "a": "1", "b": "2", "c": "3"}
	s := scheme(t, map[string]any{"table": "m.csv", "path": "f", "folds": int64(2), "group": map[string]any{"column": "who"}})
	out := r.from(s, d)
	groups := make(map[string]string)
	for g, err := range split.Groups(t.Context(), r.store, s, out.Table, split.Input{Files: d, Rows: rows}) {
		if err != nil || g.Split != r.table(out.Split)[g.Path] {
			t.Fatal(err, g)
		}
		groups[g.Path] = g.Group
	}
	if diff := cmp.Diff(map[string]string{"a": "p1", "b": "p2", "c": ""}, groups); diff != "" {
		t.Error(diff)
	}
}

func TestShuffled(t *testing.T) {
	r := newRepo(t)
	d := numbered("%04d", 300)
	s := scheme(t, map[string]any{"all": list("**")})
	order := func(d data, seed string, epoch int) []string {
		t.Helper()
		out := r.from(s, d)
		samples, err := split.Shuffled(split.Samples(t.Context(), r.store, s, out.Table, split.Input{Files: d}, "all"), seed, epoch)
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, sample := range samples {
			paths = append(paths, sample.Path)
		}
		return paths
	}
	first := order(d, "s", 1)
	if slices.IsSorted(first) || slices.Equal(first, order(d, "s", 2)) || slices.Equal(first, order(d, "t", 1)) {
		t.Error("not shuffled by seed and epoch")
	}
	fewer := order(d.with(nil, "0007", "0123"), "s", 1)
	kept := slices.DeleteFunc(first, func(p string) bool { return p == "0007" || p == "0123" })
	if !slices.Equal(fewer, kept) {
		t.Error("the order of what stays has changed")
	}
}

func TestMoves(t *testing.T) {
	r := newRepo(t)
	s := scheme(t, map[string]any{"train": list("train", "@t"), "test": list("test")})
	old := data{"t": "", "train/a": "a", "train/b": "b", "test/c": "c", "x": "x", "y": "y"}
	d := data{"t": "x", "train/a": "A", "test/c": "c", "test/d": "d", "x": "x", "y": "Y"}
	before, after := r.from(s, old), r.from(s, d)
	var got []string
	for m, err := range split.Moves(t.Context(), r.store, before.Table, after.Table, old.tree(t, r.store), d.tree(t, r.store)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s>%s %v %v", m.Path, m.From, m.To, m.Old != nil, m.New != nil))
	}
	want := []string{"test/d >test false true", "train/a train>train true true", "train/b train> true false", "x >train true true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRowMoves(t *testing.T) {
	s := scheme(t, map[string]any{"table": "*.csv", "column": "split"})
	old := data{"a.csv": "id,split\n1,train\n2,test\n3,test\n3,test\n"}
	d := data{"b.csv": "id,split\n9,train\n3,test\n2,test\n1,train\n"}
	in := func(d data) split.Input { return split.Input{Files: d, Rows: rows} }
	moves, err := split.RowMoves(t.Context(), s, s, in(old), in(d))
	if err != nil {
		t.Fatal(err)
	}
	for i := range moves {
		moves[i].Samples = nil
	}
	if diff := cmp.Diff([]split.RowMove{{From: "", To: "train", Rows: 1}, {From: "test", To: "", Rows: 1}}, moves); diff != "" {
		t.Error(diff)
	}
	// A table that is the same is not read.
	same := data{"same.csv": "id,split\n1,test\n2,test\n"}
	var read []string
	counting := func(d data) split.Input {
		return split.Input{Files: d, Rows: func(ctx context.Context, files dataset.Files, f dataset.File, columns []string) iter.Seq2[split.Row, error] {
			read = append(read, f.Path)
			return rows(ctx, files, f, columns)
		}}
	}
	moves, err = split.RowMoves(t.Context(), s, s, counting(same.with(old)), counting(same.with(d)))
	if err != nil || len(moves) != 2 || slices.Contains(read, "same.csv") {
		t.Errorf("%v: %d moves by reading %q", err, len(moves), read)
	}
	// The same rows by other rules: some go from split to split.
	rule := func(train int64) split.Scheme {
		return scheme(t, map[string]any{"table": "*.csv", "ratios": map[string]any{"train": train, "test": int64(1)}})
	}
	var text strings.Builder
	text.WriteString("id\n")
	for i := range 1000 {
		fmt.Fprintln(&text, i)
	}
	many := data{"m.csv": text.String()}
	moves, err = split.RowMoves(t.Context(), rule(1), rule(3), in(many), in(many))
	if err != nil || len(moves) != 1 || moves[0].From != "test" || moves[0].To != "train" || moves[0].Rows < 200 || moves[0].Rows > 300 {
		t.Errorf("%v %+v", err, moves)
	}
}

func TestMerge(t *testing.T) {
	r := newRepo(t)
	s := scheme(t, map[string]any{"folds": int64(4)})
	base := numbered("%03d", 40)
	first := r.from(s, base)
	ourData, theirData := base.with(data{"a": "", "both": ""}, "003"), base.with(data{"b": "", "c": "", "both": ""}, "004")
	ours, theirs := r.change(s, first, base, ourData), r.change(s, first, base, theirData)
	merged, conflicts, err := split.Merge(t.Context(), r.store, &first.Split, &ours.Split, &theirs.Split)
	if err != nil {
		t.Fatal(err)
	}
	same := r.table(ours.Split)["both"] == r.table(theirs.Split)["both"]
	if same != (len(conflicts) == 0) {
		t.Error(conflicts)
	}
	all := maps.Clone(r.table(ours.Split))
	for _, path := range []string{"b", "c"} {
		all[path] = r.table(theirs.Split)[path]
	}
	delete(all, "004")
	if diff := cmp.Diff(all, r.table(*merged)); diff != "" {
		t.Error(diff)
	}
	data := ourData.with(theirData, "003", "004")
	final := r.assign(s, split.Input{Files: data, Before: merged})
	if diff := cmp.Diff(all, r.table(final.Split)); diff != "" {
		t.Error("what both assigned moved: ", diff)
	}
	r.verify(final, data)

	changed := func(n int64) *objects.Split {
		out := r.from(scheme(t, map[string]any{"folds": n}), base)
		return &out.Split
	}
	if _, _, err := split.Merge(t.Context(), r.store, &first.Split, changed(5), changed(6)); err == nil || !strings.Contains(err.Error(), "both sides") {
		t.Error(err)
	}
	if m, _, err := split.Merge(t.Context(), r.store, &first.Split, &first.Split, nil); m != nil || err != nil {
		t.Error("removed by them:", m, err)
	}
	if m, _, err := split.Merge(t.Context(), r.store, nil, nil, &first.Split); err != nil || m == nil || m.Table != first.Table {
		t.Error("added by them:", m, err)
	}
	if m, _, err := split.Merge(t.Context(), r.store, &first.Split, &first.Split, changed(5)); err != nil || !strings.Contains(m.Rule, "5") {
		t.Error("rule changed by them:", m, err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newRepo(t)
	if _, err := split.Assign(ctx, r.store, globScheme(t), split.Input{Files: leaky}); err == nil {
		t.Error("assigned with a context that had ended")
	}
}

var voc = data{
	"VOC/JPEGImages/a.jpg": "a", "VOC/JPEGImages/b.png": "b", "VOC/JPEGImages/c.v2.JPEG": "c", "VOC/JPEGImages/d e.jpg": "d",
	"VOC/JPEGImages/sub/f.jpeg": "f", "other/g.jpg": "g",
	"VOC/ImageSets/Main/train.txt":    "a\n b \nsub/f\n",
	"VOC/ImageSets/Main/cat_test.txt": "c.v2 -1\nd e.jpg\nother/g.jpg\ngone  1\r\nb.png 0\n",
}

func vocScheme(t fatal) split.Scheme {
	return scheme(t, map[string]any{"train": list("@VOC/ImageSets/Main/train.txt"), "test": list("@VOC/ImageSets/Main/cat_test.txt")})
}

// Lists of Pascal VOC name images without their endings, and say of some what
// they show.
func TestImageSets(t *testing.T) {
	r := newRepo(t)
	s := vocScheme(t)
	out := r.from(s, voc)
	want := map[string]string{
		"VOC/JPEGImages/a.jpg": "train", "VOC/JPEGImages/b.png": "test,train", "VOC/JPEGImages/c.v2.JPEG": "test", "VOC/JPEGImages/d e.jpg": "test",
		"VOC/JPEGImages/sub/f.jpeg": "train", "other/g.jpg": "test",
	}
	if diff := cmp.Diff(want, r.table(out.Split)); diff != "" {
		t.Error(diff)
	}
	findings := []string{
		"overlap VOC/JPEGImages/b.png: in test and train",
		"readable VOC/JPEGImages/gone.jpg: there is no such file, which VOC/ImageSets/Main/cat_test.txt, line 4 names",
	}
	if diff := cmp.Diff(findings, found(out)); diff != "" {
		t.Error(diff)
	}
	r.verify(out, voc)
	e, err := split.Explain(t.Context(), r.store, s, out.Table, split.Input{Files: voc, Rows: rows}, "VOC/JPEGImages/sub/f.jpeg", 0)
	if diff := cmp.Diff([]split.Why{{"train", "a list names it", "VOC/ImageSets/Main/train.txt, line 3"}}, e.Why); err != nil || diff != "" {
		t.Error(err, diff)
	}
	pngs := scheme(t, map[string]any{"of": list("**/*.png"), "test": list("@ImageSets/test.txt")})
	out = r.from(pngs, data{"JPEGImages/a.png": "a", "ImageSets/test.txt": "a\ngone\n"})
	if diff := cmp.Diff([]string{"readable JPEGImages/gone.png: there is no such file, which ImageSets/test.txt, line 2 names"}, found(out)); diff != "" {
		t.Error(diff)
	}
}

// What a line means may change when an image comes or goes; by the changes
// alone the outcome is the same.
func TestImageSetsChange(t *testing.T) {
	r, s := newRepo(t), vocScheme(t)
	for name, next := range map[string]data{
		"another ending":       voc.with(data{"VOC/JPEGImages/b.jpg": "b"}),
		"renamed":              voc.with(data{"VOC/JPEGImages/a.png": "a"}, "VOC/JPEGImages/a.jpg"),
		"gone":                 voc.with(nil, "VOC/JPEGImages/a.jpg"),
		"no longer gone":       voc.with(data{"VOC/JPEGImages/gone.png": "new"}),
		"new content":          voc.with(data{"VOC/JPEGImages/a.jpg": "other"}),
		"another list":         voc.with(data{"VOC/ImageSets/Main/train.txt": "d e.jpg\n"}),
		"elsewhere":            voc.with(data{"gone.jpg": "", "x/a.jpg": ""}),
		"a path from the root": voc.with(nil, "other/g.jpg"),
	} {
		before := r.from(s, voc)
		whole, quick := r.next(s, before, voc, next), r.change(s, before, voc, next)
		if diff := cmp.Diff(seen(whole), seen(quick)); diff != "" {
			t.Error(name, diff)
		}
		if diff := cmp.Diff(seen(r.from(s, next)), seen(quick)); diff != "" {
			t.Error(name, diff)
		}
	}
}

// Rows are drawn by all of their columns, however many of them count in the hash
// by which they are found again.
func TestRowsAreDrawnWhole(t *testing.T) {
	s, err := split.ParseRule("rows", `{"ratios":{"a":1,"b":1},"table":["t.csv"]}`)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for n := range 40 {
		whole := objects.Sum(objects.KindChunk, fmt.Append(nil, n))
		want, err := s.RowSplit(split.Row{Hash: whole})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.RowSplit(split.Row{Hash: objects.Sum(objects.KindChunk, []byte("the same")), Whole: whole})
		if err != nil || got != want {
			t.Errorf("row %d is in %q, %v; want %q", n, got, err, want)
		}
		seen[got] = true
	}
	if len(seen) != 2 {
		t.Errorf("all rows are in %v", seen)
	}
}
