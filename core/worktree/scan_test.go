package worktree

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// tree is a working tree and its index in a test.
type tree struct {
	t     testing.TB
	root  string
	index indexDir
}

func newTree(t testing.TB, paths ...string) *tree {
	root := t.TempDir()
	plant(t, root, paths...)
	return &tree{t: t, root: root, index: newIndexDir(t)}
}

// commit writes an index that knows all there is now, as of the base tree.
func (w *tree) commit(change func(*Record)) {
	w.t.Helper()
	var records []Record
	for item := range Scan(w.t.Context(), ScanOptions{WalkOptions: w.walk()}) {
		if item.Kind != KindNew {
			continue
		}
		r := Record{Path: item.Path, InTree: true, Entry: objects.Entry{Mode: item.Mode}}
		if item.Mode != objects.ModeDir {
			r.Entry.Size, r.Stamp = item.Stat.Size, StampOf(item.Stat)
		}
		if change != nil {
			change(&r)
		}
		records = append(records, r)
	}
	w.index.write(w.t, objects.ID{1}, each(records))
}

func (w *tree) walk() WalkOptions {
	return WalkOptions{FS: vfs.OS, Root: w.root, Track: []string{"."}}
}

func (w *tree) scan(change func(*ScanOptions)) []string {
	w.t.Helper()
	opt := ScanOptions{WalkOptions: w.walk(), Index: w.index.open(w.t)}
	if change != nil {
		change(&opt)
	}
	var list []string
	for item, err := range Scan(w.t.Context(), opt) {
		if err != nil {
			w.t.Fatal(err)
		}
		if item.Record != nil && item.Record.Path != item.Path {
			w.t.Errorf("%q with the record of %q", item.Path, item.Record.Path)
		}
		list = append(list, item.Path+" "+item.Kind.String())
	}
	return list
}

func (w *tree) remove(names ...string) {
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(w.root, name)); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *tree) want(got []string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Error(diff)
	}
}

func TestScanKinds(t *testing.T) {
	w := newTree(t, "clean", "edited", "gone", "sub/file", "swap", "dir/x", "empty/", "full/", "noted", "unstamped", "exec")
	w.commit(func(r *Record) {
		switch r.Path {
		case "noted":
			r.InTree = false
		case "unstamped":
			r.Stamp = Stamp{}
		}
	})
	w.remove("gone", "swap", "dir")
	write(t, w.root, "edited", "other bytes")
	plant(t, w.root, "swap/in", "dir", "full/now", "new")
	if err := os.Remove(filepath.Join(w.root, "exec")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(w.root, "exec"), 0o755); err != nil {
		t.Fatal(err)
	}
	var clean Tally
	got := w.scan(func(o *ScanOptions) { o.Clean = &clean })
	w.want(got, "dir new", "dir/x missing", "edited modified", "exec type changed", "full missing", "full/now new",
		"gone missing", "new new", "noted noted", "swap missing", "swap/in new", "unstamped modified")
	if want := (Tally{Files: 3, Bytes: int64(len("clean") + len("sub/file"))}); clean != want {
		t.Errorf("clean %+v, want %+v", clean, want)
	}
	all := w.scan(func(o *ScanOptions) { o.All = true })
	if !slices.Contains(all, "clean clean") || len(all) != len(got)+3 {
		t.Errorf("all: %q", all)
	}
}

func TestScanWithoutIndex(t *testing.T) {
	w := newTree(t, "a", "b/")
	w.want(w.scanAlone(), "a new", "b new")
}

func (w *tree) scanAlone() []string {
	var list []string
	for item, err := range Scan(w.t.Context(), ScanOptions{WalkOptions: w.walk()}) {
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, item.Path+" "+item.Kind.String())
	}
	return list
}

func TestScanPathsAndTrack(t *testing.T) {
	w := newTree(t, "a/x", "a/y", "b/x", "b/y", "c")
	w.commit(nil)
	w.remove("a/x", "b/x", "c")
	w.want(w.scan(func(o *ScanOptions) { o.Paths = []string{"b", "c"} }), "b/x missing", "c missing")
	w.want(w.scan(func(o *ScanOptions) { o.Track = []string{"a"} }),
		"a/x missing", "b/x left", "b/y left", "c left")
	w.want(w.scan(func(o *ScanOptions) { o.Track, o.Paths = []string{"a"}, []string{"b/x"} }), "b/x left")
	write(t, w.root, IgnoreName, "/a/\ny\n")
	w.want(w.scan(nil), ".mlvcignore new", "a/x left", "a/y left", "b new", "b/x missing", "b/y left", "c missing")
}

// What is above the paths asked for has gone if they lie below it now.
func TestScanPathsBelowWhatWas(t *testing.T) {
	w := newTree(t, "a", "b/", "c", "d/", "e")
	w.commit(nil)
	w.remove("a", "c", "e")
	plant(t, w.root, "a.txt", "a/x", "a/y", "b/x/z", "c/x", "d/junk")
	write(t, w.root, "d/"+IgnoreName, "junk\n")
	below := func(paths ...string) []string { return w.scan(func(o *ScanOptions) { o.Paths = paths }) }
	w.want(below("a.txt", "a/x", "b/x"), "a missing", "a.txt new", "a/x new", "b missing", "b/x/z new")
	w.want(below("c/gone", "d/junk", "e/x"))
	w.want(below("c/gone", "c/x"), "c missing", "c/x new")
}

// A record of the base tree whose path has on the disk what is outside has
// gone; of one that is outside itself nothing is said.
func TestScanOutside(t *testing.T) {
	w := newTree(t, "a", "b/", "c", "d", "e/x")
	w.commit(func(r *Record) { r.InTree = r.Path != "d" })
	w.remove("b", "d")
	plant(t, w.root, "b", "d/", "f")
	outside := func(path string, folder bool) bool { return path != "a" && path != "e" && !folder }
	w.want(w.scan(func(o *ScanOptions) { o.Outside = outside }),
		"b missing", "c outside", "d type changed", "e new", "e/x outside", "f outside")
}

func TestScanUnreadable(t *testing.T) {
	w := newTree(t, "a/x", "a/y/z", "a.txt", "a-/b", "b", "c")
	w.commit(nil)
	w.remove("a.txt", "c")
	fsys := odd{vfs.OS, w.root, map[string]error{"a": syscall.EACCES, "a-": syscall.EACCES, "b": syscall.EIO}}
	w.want(w.scan(func(o *ScanOptions) { o.FS = fsys }),
		"a skipped", "a- skipped", "a.txt missing", "b skipped", "c missing")
}

// Damage is found when the index is opened, or, if it comes later, when the
// scan reads it.
func TestScanDamagedIndex(t *testing.T) {
	w := newTree(t, "a", "b")
	w.commit(nil)
	index := w.index.open(t)
	data, err := os.ReadFile(w.index.name)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-20] ^= 1
	if err := os.WriteFile(w.index.name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, last = range Scan(t.Context(), ScanOptions{WalkOptions: w.walk(), Index: index}) {
		continue
	}
	if !errors.Is(last, ErrIndexLost) {
		t.Errorf("scan: got %v", last)
	}
	if _, err := OpenIndex(vfs.OS, w.index.name); !errors.Is(err, ErrIndexLost) {
		t.Errorf("open: got %v", err)
	}
}

func TestScanStopsWhenAsked(t *testing.T) {
	w := newTree(t, "a", "b", "c", "d")
	w.commit(nil)
	w.remove("a", "b", "d")
	for stop := 1; stop <= 3; stop++ {
		n := 0
		for range Scan(t.Context(), ScanOptions{WalkOptions: w.walk(), Index: w.index.open(t)}) {
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("%d items, want %d", n, stop)
		}
	}
}

// Whatever two trees are, a scan of the second against the index of the first
// yields exactly what differs.
func TestScanIsTheModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "scan")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w := &tree{t: t, root: filepath.Join(dir, "root"), index: indexDir{filepath.Join(dir, "index"), dir}}
		old, now := treeGen(rt), treeGen(rt)
		plant(t, w.root, append(old, "./")...)
		w.commit(nil)
		// Keep what is in both, as it is.
		for _, p := range old {
			if !slices.Contains(now, p) {
				w.remove(p)
			}
		}
		for _, p := range now {
			if _, err := os.Lstat(filepath.Join(w.root, p)); err != nil {
				plant(t, w.root, p)
			}
		}
		before, after := modelWalk(old, noRules), modelWalk(now, noRules)
		var want []string
		for _, p := range before {
			if !slices.Contains(after, p) && !slices.Contains(after, twin(p)) {
				want = append(want, bare(p)+" missing")
			}
		}
		for _, p := range after {
			if slices.Contains(before, twin(p)) {
				want = append(want, bare(p)+" type changed")
			} else if !slices.Contains(before, p) {
				want = append(want, bare(p)+" new")
			}
		}
		slices.SortFunc(want, func(a, b string) int { return strings.Compare(pathOf(a), pathOf(b)) })
		x := w.index.open(t)
		defer x.Close()
		var got []string
		for item, err := range Scan(t.Context(), ScanOptions{WalkOptions: w.walk(), Index: x}) {
			if err != nil {
				rt.Fatal(err)
			}
			got = append(got, item.Path+" "+item.Kind.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal(diff)
		}
	})
}

var noRules *Ignore

func pathOf(described string) string { return strings.SplitN(described, " ", 2)[0] }

// twin is the path as the other of file and folder.
func twin(p string) string {
	if name, isDir := strings.CutSuffix(p, "/"); isDir {
		return name
	}
	return p + "/"
}
