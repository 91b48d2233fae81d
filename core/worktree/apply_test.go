package worktree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/blake3"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// failer is what testing.T and rapid.T have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// leaf is what one path of a model tree is: a mode and bytes.
type leaf struct {
	Mode objects.Mode
	Data string
}

// model is a tree: path → leaf.
type model map[string]leaf

func (m model) paths() []string { return slices.Sorted(maps.Keys(m)) }

func (l leaf) entry() *objects.Entry {
	if l.Mode == objects.ModeDir {
		return &objects.Entry{Mode: l.Mode}
	}
	e := &objects.Entry{Mode: l.Mode, Size: int64(len(l.Data)), Content: objects.Sum(objects.KindChunk, []byte(l.Data))}
	if e.Size > objects.SingleChunk {
		e.List = e.Content
	}
	return e
}

// diff is the changes from one model to another.
func diff(a, b model) Changes {
	all := maps.Clone(orEmpty(a))
	maps.Copy(all, b)
	var list []Change
	for _, path := range all.paths() {
		c := Change{Path: path}
		before, was := a[path]
		after, is := b[path]
		if was && is && before == after {
			continue
		}
		if was {
			c.Old = before.entry()
		}
		if is {
			c.New = after.entry()
		}
		list = append(list, c)
	}
	return listed(list...)
}

func listed(list ...Change) Changes {
	return func(yield func(Change, error) bool) {
		for _, c := range list {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// memory is a Source that knows the contents of some models.
type memory map[objects.ID]string

func newMemory(models ...model) memory {
	m := make(memory)
	for _, tree := range models {
		for _, l := range tree {
			m[objects.Sum(objects.KindChunk, []byte(l.Data))] = l.Data
		}
	}
	return m
}

type memoryBatch struct {
	memory
	entries []objects.Entry
}

func (m memory) Batch(_ context.Context, entries []objects.Entry) (Batch, error) {
	return memoryBatch{m, entries}, nil
}

func (m memoryBatch) WriteContent(_ context.Context, i int, w io.Writer) error {
	data, ok := m.memory[m.entries[i].Content]
	if !ok {
		return &objects.ObjectError{ID: m.entries[i].Content, Err: objects.ErrNotFound}
	}
	for len(data) > 0 {
		n := min(len(data), 100_000)
		if _, err := io.WriteString(w, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func (memoryBatch) Close() error { return nil }

func hashReader(_ context.Context, r io.Reader) (id objects.ID, err error) {
	h := blake3.New()
	_, err = io.Copy(h, r)
	h.Sum(id[:0])
	return id, err
}

// noSync is the real file system, but for the one call that waits for
// everybody else's writes too.
type noSync struct{ vfs.FS }

func (noSync) SyncFS(string) error { return nil }

var testFS vfs.FS = noSync{vfs.OS}

func testOptions(root string) Options {
	return Options{FS: testFS, Root: root, Hash: hashReader}
}

func testJob(models ...model) Job {
	return Job{Source: newMemory(models...), Mtime: time.Now().Add(-3 * time.Second), Token: "one"}
}

// put writes a model to disk by other means than Apply.
func put(t failer, root string, tree model) {
	t.Helper()
	for _, path := range tree.paths() {
		putLeaf(t, root, path, tree[path])
	}
}

func putLeaf(t failer, root, path string, l leaf) {
	t.Helper()
	disk := filepath.Join(root, path)
	must(t, os.MkdirAll(filepath.Dir(disk), 0o777))
	switch l.Mode {
	case objects.ModeDir:
		must(t, os.MkdirAll(disk, 0o777))
	case objects.ModeSymlink:
		must(t, os.Symlink(l.Data, disk))
	case objects.ModeExec:
		must(t, os.WriteFile(disk, []byte(l.Data), 0o777))
	default:
		must(t, os.WriteFile(disk, []byte(l.Data), 0o666))
	}
}

func must(t failer, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get reads a disk as a model: leaves and empty folders. Reserved names are
// leaves like any other, so that leftovers show.
func get(t failer, root string) model {
	t.Helper()
	tree := make(model)
	var walk func(rel string)
	walk = func(rel string) {
		names, err := os.ReadDir(filepath.Join(root, rel))
		must(t, err)
		if len(names) == 0 && rel != "" {
			tree[rel] = leaf{Mode: objects.ModeDir}
		}
		for _, n := range names {
			path := n.Name()
			if rel != "" {
				path = rel + "/" + path
			}
			disk := filepath.Join(root, path)
			switch {
			case n.IsDir():
				walk(path)
			case n.Type() == fs.ModeSymlink:
				target, err := os.Readlink(disk)
				must(t, err)
				tree[path] = leaf{objects.ModeSymlink, target}
			case n.Type().IsRegular():
				data, err := os.ReadFile(disk)
				must(t, err)
				info, err := n.Info()
				must(t, err)
				l := leaf{objects.ModeFile, string(data)}
				if isExec(info.Mode()) {
					l.Mode = objects.ModeExec
				}
				tree[path] = l
			}
		}
	}
	walk("")
	return tree
}

func apply(t failer, opt Options, job Job, changes Changes) Obstacles {
	t.Helper()
	obstacles, err := Apply(context.Background(), opt, job, changes)
	must(t, err)
	return obstacles
}

func wantTree(t failer, root string, want model) {
	t.Helper()
	if d := cmp.Diff(want, get(t, root)); d != "" {
		t.Fatalf("tree differs (-want +got):\n%s", d)
	}
}

// drawTree draws a valid tree of names that collide as often as possible.
func drawTree(t *rapid.T, label string) model {
	tree := make(model)
	name := rapid.SampledFrom([]string{"a", "b", "a.x", "c\n", "\xff"})
	for range rapid.IntRange(0, 12).Draw(t, label) {
		path := strings.Join(rapid.SliceOfN(name, 1, 3).Draw(t, "path"), "/")
		addLeaf(tree, path, drawLeaf(t))
	}
	return tree
}

func drawLeaf(t *rapid.T) leaf {
	mode := objects.Mode(rapid.IntRange(1, 4).Draw(t, "mode"))
	if mode == objects.ModeDir {
		return leaf{Mode: mode}
	}
	return leaf{mode, rapid.SampledFrom([]string{"x", "yy", "zz", "a"}).Draw(t, "data")}
}

// addLeaf adds a path if the tree stays one: nothing below a leaf, and a
// folder is an entry only while it is empty.
func addLeaf(tree model, path string, l leaf) {
	for other := range tree {
		if below(other, path) || below(path, other) && tree[other].Mode != objects.ModeDir {
			return
		}
	}
	for other := range tree {
		if below(path, other) {
			delete(tree, other)
		}
	}
	tree[path] = l
}

// disturb makes random changes of a user's to a disk.
func disturb(t *rapid.T, root string) {
	tree := get(t, root)
	for range rapid.IntRange(0, 4).Draw(t, "edits") {
		if len(tree) > 0 && rapid.Bool().Draw(t, "existing") {
			path := rapid.SampledFrom(tree.paths()).Draw(t, "edited")
			delete(tree, path)
			if rapid.Bool().Draw(t, "replace") {
				addLeaf(tree, path, drawLeaf(t))
			}
			continue
		}
		for path, l := range drawTree(t, "new") {
			addLeaf(tree, path, l)
		}
	}
	must(t, os.RemoveAll(root))
	must(t, os.Mkdir(root, 0o777))
	put(t, root, tree)
}

// obstaclesOf is the rule of Check, said once more in terms of models.
func obstaclesOf(disk model, changes Changes) map[string]Reason {
	found := make(map[string]Reason)
	removed := make(map[string]bool)
	for c := range changes {
		if c.New == nil && isLeaf(c.Old) {
			removed[c.Path] = true
		}
	}
	for c := range changes {
		if reason, path := blockedAbove(disk, removed, c); path != "" {
			if reason != "" {
				found[path] = reason
			}
			continue
		}
		if reason := obstacleAt(disk, removed, c); reason != "" {
			found[c.Path] = reason
		}
	}
	return found
}

func blockedAbove(disk model, removed map[string]bool, c Change) (Reason, string) {
	for path, l := range disk {
		switch {
		case !below(c.Path, path) || l.Mode == objects.ModeDir:
		case c.New == nil || removed[path]:
			return "", path
		case l.Mode == objects.ModeSymlink:
			return LinkAbove, path
		default:
			return FileAbove, path
		}
	}
	return "", ""
}

func obstacleAt(disk model, removed map[string]bool, c Change) Reason {
	reason := Untracked
	if c.Old != nil {
		reason = Modified
	}
	l, there := disk[c.Path]
	switch {
	case there && l.Mode != objects.ModeDir:
		e := l.entry()
		same := func(o *objects.Entry) bool { return o != nil && o.Mode == e.Mode && o.Content == e.Content }
		if same(c.New) || same(c.Old) || c.New == nil && !isLeaf(c.Old) {
			return ""
		}
		return reason
	case !isLeaf(c.New):
		return ""
	}
	for path, l := range disk {
		if below(path, c.Path) && l.Mode != objects.ModeDir && !removed[path] {
			return FolderInWay
		}
	}
	return ""
}

func TestApplyAgainstModel(t *testing.T) {
	base := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		root, err := os.MkdirTemp(base, "tree")
		must(t, err)
		defer os.RemoveAll(root)
		a, b := drawTree(t, "a"), drawTree(t, "b")
		put(t, root, a)
		disturbed := rapid.Bool().Draw(t, "disturbed")
		if disturbed {
			disturb(t, root)
		}
		disk, changes := get(t, root), diff(a, b)
		want := obstaclesOf(disk, changes)
		opt, job := testOptions(root), testJob(a, b)

		got, err := Check(context.Background(), opt, changes)
		must(t, err)
		if d := cmp.Diff(want, reasons(got)); d != "" {
			t.Fatalf("obstacles (-want +got):\n%s", d)
		}
		var results []Result
		job.Done = func(r Result) error { results = append(results, r); return nil }
		left, err := Apply(context.Background(), opt, job, changes)
		must(t, err)
		checkResults(t, root, results, changes, left)
		after := get(t, root)
		checkKept(t, disk, after, changes)
		if len(want) > 0 {
			return
		}
		if left.Count != 0 {
			t.Fatalf("obstacles only when applied: %v", left)
		}
		if !disturbed {
			wantTree(t, root, b)
		}
		for c := range changes {
			if isLeaf(c.New) && after[c.Path] != b[c.Path] || c.New == nil && isLeaf(c.Old) && isLeaf(entryAt(after, c.Path)) {
				t.Fatalf("%q is %v", c.Path, after[c.Path])
			}
		}
	})
}

func entryAt(m model, path string) *objects.Entry {
	if l, ok := m[path]; ok {
		return l.entry()
	}
	return nil
}

func reasons(o Obstacles) map[string]Reason {
	m := make(map[string]Reason)
	for _, obstacle := range o.List {
		m[obstacle.Path] = obstacle.Reason
	}
	return m
}

// checkKept verifies that whatever was on disk and in no commit still is.
func checkKept(t *rapid.T, before, after model, changes Changes) {
	old := make(map[string]*objects.Entry)
	for c := range changes {
		old[c.Path] = c.Old
	}
	for path, l := range before {
		if l.Mode == objects.ModeDir {
			continue
		}
		if o := old[path]; o != nil && o.Mode == l.Mode && o.Content == l.entry().Content {
			continue
		}
		if after[path] != l {
			t.Fatalf("lost %q: was %v, is %v", path, l, after[path])
		}
	}
	for path := range after {
		if strings.Contains(path, vfs.TempPrefix) {
			t.Fatalf("left over: %q", path)
		}
	}
}

// checkResults verifies that every change is told once, in order, and that
// the stat of what was written is the file's.
func checkResults(t *rapid.T, root string, results []Result, changes Changes, left Obstacles) {
	total := 0
	for range changes {
		total++
	}
	if len(results) > total || left.Count == 0 && len(results) != total {
		t.Fatalf("%d results for %d changes, %d obstacles", len(results), total, left.Count)
	}
	if !slices.IsSortedFunc(results, func(a, b Result) int { return strings.Compare(a.Path, b.Path) }) {
		t.Fatal("results out of order")
	}
	for _, r := range results {
		if !isLeaf(r.Entry) {
			continue
		}
		st, err := vfs.OS.Lstat(filepath.Join(root, r.Path))
		must(t, err)
		if d := cmp.Diff(st, r.Stat); d != "" {
			t.Fatalf("%q: stat of result (-disk +told):\n%s", r.Path, d)
		}
	}
}

func TestForceMakesTheTargetWhateverIsThere(t *testing.T) {
	base := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		root, err := os.MkdirTemp(base, "tree")
		must(t, err)
		defer os.RemoveAll(root)
		a, b := drawTree(t, "a"), drawTree(t, "b")
		put(t, root, a)
		disturb(t, root)
		changes := diff(a, b)
		opt := testOptions(root)
		opt.Force = true
		want, err := Check(context.Background(), opt, changes)
		must(t, err)
		for path, reason := range obstaclesOf(get(t, root), changes) {
			if (reason == LinkAbove) != (reasons(want)[path] == LinkAbove) {
				t.Fatalf("%q %s; forced check says %v", path, reason, want)
			}
		}
		got, err := Apply(context.Background(), opt, testJob(a, b), changes)
		must(t, err)
		if want.Count > 0 {
			return
		}
		if got.Count > 0 {
			t.Fatalf("left: %v", got)
		}
		after := get(t, root)
		for c := range changes {
			if isLeaf(c.New) && after[c.Path] != b[c.Path] {
				t.Fatalf("%q is %v", c.Path, after[c.Path])
			}
		}
	})
}

// swaps is a pair of trees with every kind of change.
func swaps() (a, b model) {
	big := strings.Repeat("big", 200_000)
	a = model{
		"file to folder": {1, "f"}, "folder to file/x": {1, "x"}, "folder to file/y/z": {1, "z"},
		"folder to file.txt": {1, "between"}, "gone/deep/er": {1, "1"}, "kept/mod": {1, "old"}, "kept/same": {1, "same"},
		"exec": {1, "#!"}, "link": {3, "kept"}, "link to file": {3, "x"}, "empty": {4, ""}, "emptied/x": {1, "x"},
		"empty to file": {4, ""}, "empty to full": {4, ""}, "file to empty": {1, "x"},
	}
	b = model{
		"file to folder/a": {1, "f"}, "file to folder/b/c": {2, "c"}, "folder to file": {1, "now a file"},
		"folder to file.txt": {1, "between still"}, "kept/mod": {1, "new"}, "kept/same": {1, "same"},
		"exec": {2, "#!"}, "link": {3, "elsewhere"}, "link to file": {1, "x"}, "new/1": {1, big}, "new/2/3": {3, "../1"},
		"new/empty": {4, ""}, "emptied": {4, ""}, "empty to file": {1, "e"}, "empty to full/x": {1, "x"}, "file to empty": {4, ""},
	}
	return a, b
}

func TestApplyThereAndBack(t *testing.T) {
	root := t.TempDir()
	a, b := swaps()
	job := testJob(a, b)
	put(t, root, a)
	for _, step := range [][2]model{{a, b}, {b, a}, {a, nil}, {nil, b}, {b, nil}} {
		if o := apply(t, testOptions(root), job, diff(step[0], step[1])); o.Count > 0 {
			t.Fatalf("obstacles: %v", o)
		}
		wantTree(t, root, maps.Clone(orEmpty(step[1])))
	}
}

func orEmpty(m model) model {
	if m == nil {
		return model{}
	}
	return m
}

var errInjected = errors.New("injected")

// TestApplyInterruptedAnywhere stops a run at every operation, for good or
// once only, and lets another finish it.
func TestApplyInterruptedAnywhere(t *testing.T) {
	a, b := swaps()
	for _, from := range []model{a, {}} {
		changes := diff(from, b)
		for _, sticky := range []bool{true, false} {
			for i := 0; ; i++ {
				if !interrupt(t, from, b, changes, i, sticky) {
					break
				}
			}
		}
	}
}

// interrupt reports whether operation i was reached.
func interrupt(t *testing.T, from, to model, changes Changes, i int, sticky bool) bool {
	root := filepath.Join(t.TempDir(), fmt.Sprint("tree", i, sticky))
	must(t, os.Mkdir(root, 0o777))
	put(t, root, from)
	opt, job := testOptions(root), testJob(from, to)
	opt.Workers = 1
	count, reached := 0, false
	opt.FS = hookFS{testFS, func(string, string) error {
		count++
		if count-1 == i || sticky && count-1 > i {
			reached = true
			return errInjected
		}
		return nil
	}}
	left, err := Apply(t.Context(), opt, job, changes)
	if reached && err == nil {
		t.Fatalf("operation %d failed and nobody noticed: %v", i, left)
	}
	opt.FS = testFS
	left, err = Check(t.Context(), opt, changes)
	must(t, err)
	if left.Count > 0 {
		t.Fatalf("after %d operations: %v", i, left)
	}
	if left = apply(t, opt, job, changes); left.Count > 0 {
		t.Fatalf("again after %d operations: %v", i, left)
	}
	must(t, Sweep(t.Context(), opt, changes))
	wantTree(t, root, to)
	return reached
}

// TestApplyResumesNewFolder: what an interrupted run wrote into a new folder
// is not written again, and what it tore is.
func TestApplyResumesNewFolder(t *testing.T) {
	root := t.TempDir()
	b := model{"new/a": {1, "a"}, "new/b/c": {1, "c"}, "new/d": {1, "d"}}
	changes := diff(nil, b)
	opt, job := testOptions(root), testJob(b)
	opt.Workers = 1
	opt.FS = hookFS{testFS, func(op, name string) error {
		if op == "write" && filepath.Base(name) == "d" || op == "remove" {
			return errInjected
		}
		return nil
	}}
	if _, err := Apply(t.Context(), opt, job, changes); !errors.Is(err, errInjected) {
		t.Fatal(err)
	}
	opt.FS = testFS
	written := map[string]bool{}
	job.Done = func(r Result) error { written[r.Path] = r.Written; return nil }
	apply(t, opt, job, changes)
	if d := cmp.Diff(map[string]bool{"new/a": false, "new/b/c": false, "new/d": true}, written); d != "" {
		t.Fatal(d)
	}
	wantTree(t, root, b)
}

func TestApplyChangedDirectlyBeforeRename(t *testing.T) {
	root := t.TempDir()
	a, b := model{"d/x": {1, "old"}, "d/y": {1, "y"}}, model{"d/x": {1, "new"}, "d/y": {1, "y2"}, "d/z": {1, "z"}}
	put(t, root, a)
	opt := testOptions(root)
	opt.Workers = 1
	opt.FS = hookFS{testFS, func(op, name string) error {
		if op == "chtimes" { // the temporary file is complete
			putLeafOver(t, root, "d/x", "mine")
			putLeafOver(t, root, "d/z", "mine too")
		}
		return nil
	}}
	got := apply(t, opt, testJob(a, b), diff(a, b))
	want := []Obstacle{{"d/x", ChangedSince}, {"d/z", Untracked}}
	if d := cmp.Diff(want, got.List); d != "" {
		if want[1].Reason = ChangedSince; cmp.Diff(want, got.List) != "" {
			t.Fatal(d)
		}
	}
	wantTree(t, root, model{"d/x": {1, "mine"}, "d/y": {1, "y2"}, "d/z": {1, "mine too"}})
}

func putLeafOver(t failer, root, path, data string) {
	must(t, os.WriteFile(filepath.Join(root, path), []byte(data), 0o666))
}

func TestApplyUsesTheIndex(t *testing.T) {
	root := t.TempDir()
	a, b := model{"x": {1, "old"}, "y": {1, "stale"}}, model{"x": {1, "new"}, "y": {1, "fresh"}}
	local := model{"x": {1, "old"}, "y": {1, "other commit's"}}
	put(t, root, local)
	opt := testOptions(root)
	opt.Hash = func(context.Context, io.Reader) (objects.ID, error) { return objects.ID{}, errInjected }
	opt.Index = func(yield func(Record, error) bool) {
		for _, path := range local.paths() {
			st, err := vfs.OS.Lstat(filepath.Join(root, path))
			if !yield(Record{Path: path, Entry: *local[path].entry(), InTree: true, Stamp: StampOf(st)}, err) {
				return
			}
		}
	}
	got, err := Check(t.Context(), opt, diff(a, b))
	if err != nil || got.Count > 0 {
		t.Fatal(got, err)
	}
	if got := apply(t, opt, testJob(b), diff(a, b)); got.Count > 0 {
		t.Fatal(got)
	}
	wantTree(t, root, b)
}

func TestApplyNeverWritesThroughLinks(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "x"), []byte("theirs"), 0o666))
	must(t, os.Symlink(outside, filepath.Join(root, "d")))
	a, b := model{"d/x": {1, "theirs"}}, model{"d/y": {1, "y"}, "d/e": {4, ""}}
	for _, force := range []bool{false, true} {
		opt := testOptions(root)
		opt.Force = force
		want := []Obstacle{{"d", LinkAbove}}
		checked, err := Check(t.Context(), opt, diff(a, b))
		must(t, err)
		applied := apply(t, opt, testJob(b), diff(a, b))
		for _, got := range []Obstacles{checked, applied} {
			if d := cmp.Diff(want, got.List); d != "" {
				t.Fatal(d)
			}
		}
		must(t, Sweep(t.Context(), opt, diff(a, b)))
		wantTree(t, outside, model{"x": {1, "theirs"}})
	}
}

func TestApplyRefusesHostileTrees(t *testing.T) {
	file := leaf{1, "x"}.entry()
	for _, list := range [][]Change{
		{{Path: "../x", New: file}},
		{{Path: "../x", Old: file}},
		{{Path: "/x", New: file}},
		{{Path: "a/.mlvc/db", New: file}},
		{{Path: "a", New: leaf{3, "/tmp"}.entry()}, {Path: "a/x", New: file}},
		{{Path: "a", New: leaf{3, "/tmp"}.entry()}, {Path: "a.b", New: file}, {Path: "a/x", New: file}},
	} {
		root := t.TempDir()
		if _, err := Check(t.Context(), testOptions(root), listed(list...)); !errors.Is(err, ErrUnsafePath) {
			t.Errorf("check %v: %v", list, err)
		}
		if _, err := Apply(t.Context(), testOptions(root), testJob(model{"": {1, "x"}}), listed(list...)); !errors.Is(err, ErrUnsafePath) {
			t.Errorf("apply %v: %v", list, err)
		}
	}
	out := listed(Change{Path: "b", New: file}, Change{Path: "a", New: file})
	if _, err := Check(t.Context(), testOptions(t.TempDir()), out); err == nil {
		t.Error("out of order accepted")
	}
}

func TestApplyForceSparesOtherRepositories(t *testing.T) {
	root := t.TempDir()
	put(t, root, model{"d/sub/.git/HEAD": {1, "ref"}, "d/x": {1, "x"}})
	b := model{"d": {1, "file"}}
	opt := testOptions(root)
	opt.Force = true
	for range 2 {
		got, err := Check(t.Context(), opt, diff(nil, b))
		must(t, err)
		if d := cmp.Diff([]Obstacle{{"d", OtherRepo}}, got.List); d != "" {
			t.Fatal(d)
		}
		apply(t, opt, testJob(b), diff(nil, b))
		wantTree(t, root, model{"d/sub/.git/HEAD": {1, "ref"}, "d/x": {1, "x"}})
	}
}

// readOnlyFS refuses what a user who is not root may not do.
func readOnlyFS() hookFS {
	return hookFS{testFS, func(op, name string) error {
		switch op {
		case "create", "mkdir", "remove", "rename", "symlink":
			st, err := vfs.OS.Lstat(filepath.Dir(name))
			if err == nil && st.Perm&0o200 == 0 {
				return &fs.PathError{Op: op, Path: name, Err: fs.ErrPermission}
			}
		}
		return nil
	}}
}

func TestApplyInReadOnlyFolder(t *testing.T) {
	root := t.TempDir()
	a := model{"ro/x": {1, "x"}, "ro/gone": {1, "g"}, "ro/sub/y": {1, "y"}}
	b := model{"ro/x": {1, "x2"}, "ro/link": {3, "x"}, "ro/new/z": {1, "z"}}
	put(t, root, a)
	ro := filepath.Join(root, "ro")
	must(t, os.Chmod(ro, 0o555))
	t.Cleanup(func() { os.Chmod(ro, 0o755) })
	opt := testOptions(root)
	opt.FS = readOnlyFS()
	if got := apply(t, opt, testJob(a, b), diff(a, b)); got.Count > 0 {
		t.Fatal(got)
	}
	wantTree(t, root, b)
	if st, err := vfs.OS.Lstat(ro); err != nil || st.Perm != 0o555 {
		t.Fatalf("folder is %v, %v", st.Perm, err)
	}
}

func TestApplyKeepsHolesLinksAndPermissions(t *testing.T) {
	root := t.TempDir()
	sparse := string(bytes.Join([][]byte{make([]byte, 1<<20), []byte("middle"), make([]byte, 3<<20)}, nil))
	a := model{"private": {1, "old"}, "linked": {1, "l"}, "chmod": {1, "c"}}
	b := model{"private": {2, "new"}, "linked": {2, "l"}, "chmod": {2, "c"}, "sparse": {1, sparse}, "zeros": {1, sparse[:1<<20]}}
	put(t, root, a)
	must(t, os.Chmod(filepath.Join(root, "private"), 0o640))
	must(t, os.Link(filepath.Join(root, "linked"), filepath.Join(root, "other")))
	before, err := vfs.OS.Lstat(filepath.Join(root, "chmod"))
	must(t, err)
	job := testJob(a, b)
	apply(t, testOptions(root), job, diff(a, b))
	want := maps.Clone(b)
	want["other"] = leaf{1, "l"}
	wantTree(t, root, want)
	stat := func(name string) vfs.Stat {
		st, err := vfs.OS.Lstat(filepath.Join(root, name))
		must(t, err)
		return st
	}
	if st := stat("private"); st.Perm != 0o750 {
		t.Errorf("replaced file: %v", st.Perm)
	}
	if st := stat("chmod"); st.Ino != before.Ino {
		t.Error("executable bit: the file was replaced")
	}
	if st := stat("sparse"); st.Allocated > 64<<10 || st.Size != int64(len(sparse)) {
		t.Errorf("sparse file takes %d of %d bytes", st.Allocated, st.Size)
	}
	if st := stat("zeros"); st.Allocated > 16<<10 || st.Size != 1<<20 {
		t.Errorf("zeros take %d of %d bytes", st.Allocated, st.Size)
	}
	if st := stat("sparse"); st.Mtime != job.Mtime.UnixNano() {
		t.Errorf("mtime %d", st.Mtime)
	}
}

func TestApplyReportsDamage(t *testing.T) {
	root := t.TempDir()
	b := model{"d/1": {1, "one"}, "d/2": {1, "two"}, "e": {3, "lost"}, "f": {1, "f"}}
	source := newMemory(b)
	delete(source, objects.Sum(objects.KindChunk, []byte("two")))
	source[objects.Sum(objects.KindChunk, []byte("lost"))] = "short"
	job := testJob()
	job.Source = source
	if _, err := Apply(t.Context(), testOptions(root), job, diff(nil, b)); !unavailable(err) {
		t.Fatal(err)
	}
	var named []string
	job.Damaged = func(path string, err error) error {
		named = append(named, path)
		return nil
	}
	apply(t, testOptions(root), job, diff(nil, b))
	if d := cmp.Diff([]string{"d/2", "e"}, named); d != "" {
		t.Fatal(d)
	}
	wantTree(t, root, model{"d/1": {1, "one"}, "f": {1, "f"}})
}

func TestApplyLongAndManyNames(t *testing.T) {
	root := t.TempDir()
	long := strings.Repeat("n", 255)
	b := model{long: {1, "l"}, long[:254] + "\xfe/" + long: {1, "deep"}, "with\nline": {3, "x\ny"}}
	for i := range 3000 {
		b[fmt.Sprintf("many/%04d", i)] = leaf{1, fmt.Sprint(i % 7)}
	}
	apply(t, testOptions(root), testJob(b), diff(nil, b))
	wantTree(t, root, b)
	got, err := Check(t.Context(), testOptions(root), diff(nil, b))
	if err != nil || got.Count > 0 {
		t.Fatal(got, err)
	}
	for i := range 3000 {
		putLeafOver(t, root, fmt.Sprintf("many/%04d", i), "mine")
	}
	got, err = Check(t.Context(), testOptions(root), diff(nil, b))
	if err != nil || got.Count != 3000 || len(got.List) != MaxObstacles {
		t.Fatal(got.Count, len(got.List), err)
	}
}

func TestApplyStopsWithItsContext(t *testing.T) {
	root := t.TempDir()
	b := model{"a": {1, "a"}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Apply(ctx, testOptions(root), testJob(b), diff(nil, b)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	wantTree(t, root, model{})
}
