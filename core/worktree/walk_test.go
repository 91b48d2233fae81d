package worktree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plant makes files, and folders where a path ends in a slash, below root.
func plant(t testing.TB, root string, paths ...string) {
	t.Helper()
	for _, p := range paths {
		name := filepath.Join(root, filepath.FromSlash(p))
		dir := filepath.Dir(name)
		if strings.HasSuffix(p, "/") {
			dir = name
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir == name {
			continue
		}
		if err := os.WriteFile(name, []byte(p), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// walked returns what a walk finds: a folder's path with a slash, and what is
// left out with the reason.
func walked(t testing.TB, opt WalkOptions) []string {
	t.Helper()
	if opt.FS == nil {
		opt.FS = vfs.OS
	}
	if opt.Track == nil {
		opt.Track = []string{"."}
	}
	var list []string
	for f, err := range Walk(t.Context(), opt) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, describe(f))
	}
	return list
}

func describe(f Found) string {
	p := f.Path
	if f.Stat.Type == vfs.TypeDir {
		p += "/"
	}
	return p + [...]string{"", " ignored", " special", " unreadable"}[f.Skip]
}

func TestWalkOrder(t *testing.T) {
	root := t.TempDir()
	plant(t, root,
		"a/x", "a/y/z", "a.txt", "a-/q", "a-b/", "a0", "a!", "b/", "b.d/k", "z", ".mlvc/db", ".git/x",
		"a/.git", "a/"+vfs.TempPrefix+"1", "c/.git/x", "a-/"+strings.Repeat("n", 250))
	want := []string{
		"a!", "a-/" + strings.Repeat("n", 250), "a-/q", "a-b/", "a.txt", "a/x", "a/y/z", "a0", "b/", "b.d/k", "c/", "z",
	}
	if diff := cmp.Diff(want, walked(t, WalkOptions{Root: root})); diff != "" {
		t.Error(diff)
	}
}

func TestWalkIgnored(t *testing.T) {
	root := t.TempDir()
	plant(t, root, "mlvc.toml", ".mlvcignore", "keep/a.log", "keep/b", "logs/a.log", "tmp/x/y", "deep/.mlvcignore", "deep/a.log", "deep/c")
	write(t, root, ".mlvcignore", "*.log\ntmp/\nmlvc.toml\n.*\n[bad\n")
	write(t, root, "deep/.mlvcignore", "!a.log\n/c\n!.*\n")
	var problems []string
	got := walked(t, WalkOptions{Root: root, Problem: func(file string, p Problem) {
		problems = append(problems, fmt.Sprint(file, ":", p.Line))
	}})
	want := []string{
		".mlvcignore", "deep/.mlvcignore", "deep/a.log", "deep/c ignored", "keep/a.log ignored", "keep/b",
		"logs/", "logs/a.log ignored", "mlvc.toml", "tmp/ ignored",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{".mlvcignore:5"}, problems); diff != "" {
		t.Error(diff)
	}
}

func write(t testing.TB, root, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWalkSelection(t *testing.T) {
	root := t.TempDir()
	plant(t, root, "mlvc.toml", ".mlvcignore", "data/a", "data/b/c", "data/b/d", "data.csv", "other/x", "e/")
	cases := []struct{ track, paths, want []string }{
		{[]string{"data"}, nil, []string{".mlvcignore", "data/a", "data/b/c", "data/b/d", "mlvc.toml"}},
		{[]string{"data/b/", "data/b/c", "./data.csv"}, nil, []string{".mlvcignore", "data.csv", "data/b/c", "data/b/d", "mlvc.toml"}},
		{[]string{"."}, []string{"data/b", "e"}, []string{"data/b/c", "data/b/d", "e/"}},
		{[]string{"data"}, []string{"data/b/c", "other", "mlvc.toml"}, []string{"data/b/c", "mlvc.toml"}},
		{[]string{"data/a/below", "gone/x"}, nil, []string{".mlvcignore", "mlvc.toml"}},
		{[]string{"data"}, []string{}, []string{".mlvcignore", "data/a", "data/b/c", "data/b/d", "mlvc.toml"}},
		{[]string{"data/b"}, []string{"."}, []string{".mlvcignore", "data/b/c", "data/b/d", "mlvc.toml"}},
	}
	for _, c := range cases {
		got := walked(t, WalkOptions{Root: root, Track: c.track, Paths: c.paths})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("track %q, paths %q: %s", c.track, c.paths, diff)
		}
	}
	for _, bad := range []string{"/x", "..", "a/../../b"} {
		for _, opt := range []WalkOptions{{Track: []string{bad}}, {Paths: []string{bad}}} {
			opt.FS, opt.Root = vfs.OS, root
			for _, err := range Walk(t.Context(), opt) {
				if !errors.Is(err, ErrOutside) {
					t.Errorf("%q: %v", bad, err)
				}
			}
		}
	}
}

// treeGen draws paths whose names are prefixes of one another.
func treeGen(t *rapid.T) []string {
	name := rapid.StringMatching(`[a-c]([-.0!][a-c]?)?`)
	folders := []string{""}
	var paths []string
	seen := map[string]bool{}
	for range rapid.IntRange(0, 40).Draw(t, "n") {
		p := rapid.SampledFrom(folders).Draw(t, "folder") + name.Draw(t, "name")
		if seen[p] {
			continue
		}
		seen[p] = true
		if rapid.Bool().Draw(t, "is folder") {
			p += "/"
			folders = append(folders, p)
		}
		paths = append(paths, p)
	}
	return paths
}

// modelWalk is the plain way to say what a walk finds.
func modelWalk(paths []string, ig *Ignore) []string {
	var list []string
	for _, p := range paths {
		name, isDir := strings.CutSuffix(p, "/")
		dir, _ := splitPath(name)
		if dir != "" && ig.Covers(dir, true) {
			continue
		}
		switch {
		case ig.Match(name, isDir):
			p += " ignored"
		case isDir && slices.ContainsFunc(paths, func(q string) bool {
			child, dir := strings.CutSuffix(q, "/")
			above, _ := splitPath(child)
			return above == name && !ig.Match(child, dir)
		}):
			continue
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b string) int { return strings.Compare(bare(a), bare(b)) })
	return list
}

func bare(described string) string {
	return strings.TrimSuffix(strings.TrimSuffix(described, " ignored"), "/")
}

func TestWalkIsTheModel(t *testing.T) {
	base := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		root, err := os.MkdirTemp(base, "")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(root)
		paths := treeGen(rt)
		plant(t, root, paths...)
		rules := rapid.SampledFrom([]string{"", "a*\n", "b/\n!b", "*\n!*/\n", "/a/**/b\nc.*"}).Draw(rt, "rules")
		write(t, root, IgnoreName, rules)
		ig, _ := ParseIgnore([]byte(rules))
		want := []string{IgnoreName}
		want = append(want, modelWalk(paths, ig)...)
		if diff := cmp.Diff(want, walked(t, WalkOptions{Root: root})); diff != "" {
			rt.Fatal(diff)
		}
	})
}

func TestWalkLargeFolderAndFolders(t *testing.T) {
	root := t.TempDir()
	var want []string
	for i := range 1500 {
		want = append(want, fmt.Sprintf("big/%05d", i*7919%1500))
	}
	for i := range 100 {
		want = append(want, fmt.Sprintf("many/%04d/f", i))
	}
	deep := ""
	for range 150 {
		deep += "d/"
		want = append(want, deep+"e", deep+"c")
	}
	plant(t, root, want...)
	slices.Sort(want)
	folders := 0
	got := walked(t, WalkOptions{Root: root, Folder: func(p string, st vfs.Stat) {
		folders++
		if st.Type != vfs.TypeDir || st.Mtime == 0 {
			t.Errorf("%q: %v", p, st)
		}
	}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if folders != 1+1+101+150 {
		t.Errorf("%d folders", folders)
	}
}

func TestWalkStopsWhenAsked(t *testing.T) {
	root := t.TempDir()
	for i := range 8 {
		for j := range 600 {
			plant(t, root, fmt.Sprintf("%02d/%d", i, j))
		}
	}
	opt := WalkOptions{FS: vfs.OS, Root: root, Track: []string{"."}}
	for stop := range 3 {
		n := 0
		for _, err := range Walk(t.Context(), opt) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n > stop*2000 {
				break
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range Walk(ctx, opt) {
		last = err
		if n++; n == 700 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("cancelled: %v", last)
	}
	opt.Root = filepath.Join(root, "gone")
	for _, err := range Walk(t.Context(), opt) {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no root: %v", err)
		}
	}
}

// odd is a file system in which some paths cannot be read, and which does not
// say of what type a name is.
type odd struct {
	vfs.FS
	root string
	bad  map[string]error
}

type oddDir struct {
	vfs.Dir
	fs  odd
	dir string
}

func (o odd) fail(name string) error {
	rel, _ := filepath.Rel(o.root, name)
	if err := o.bad[filepath.ToSlash(rel)]; err != nil {
		return &fs.PathError{Op: "test", Path: name, Err: err}
	}
	return nil
}

func (o odd) Open(name string) (vfs.File, error) {
	if err := o.fail(name); err != nil {
		return nil, err
	}
	return o.FS.Open(name)
}

func (o odd) OpenDir(name string) (vfs.Dir, error) {
	if err := o.fail(name); err != nil {
		return nil, err
	}
	d, err := o.FS.OpenDir(name)
	return oddDir{d, o, name}, err
}

func (d oddDir) Names() ([]vfs.Name, error) {
	names, err := d.Dir.Names()
	for i := range names {
		names[i].Type = 0
	}
	return names, err
}

func (d oddDir) Lstat(name string) (vfs.Stat, error) {
	if err := d.fs.fail(filepath.Join(d.dir, name)); err != nil && name != "dir" {
		return vfs.Stat{}, err
	}
	return d.Dir.Lstat(name)
}

func TestWalkUnreadable(t *testing.T) {
	root := t.TempDir()
	plant(t, root, "a/dir/x", "a/dir.x", "a/file", "a/ok", "b/vanished", "b/stays", "b/link")
	fsys := odd{vfs.OS, root, map[string]error{
		"a/dir": syscall.EACCES, "a/file": syscall.EIO, "b/vanished": syscall.ENOENT,
	}}
	want := []string{"a/dir/ unreadable", "a/dir.x", "a/file unreadable", "a/ok", "b/link", "b/stays"}
	if diff := cmp.Diff(want, walked(t, WalkOptions{FS: fsys, Root: root})); diff != "" {
		t.Error(diff)
	}
	for f := range Walk(t.Context(), WalkOptions{FS: fsys, Root: root, Track: []string{"."}}) {
		if f.Path == "a/dir" && !(errors.Is(f.Err, fs.ErrPermission) && strings.Contains(f.Err.Error(), "dir")) {
			t.Errorf("error %v does not name the folder", f.Err)
		}
	}
	plant(t, root, IgnoreName)
	fsys.bad[IgnoreName] = syscall.EIO
	var last error
	for _, last = range Walk(t.Context(), WalkOptions{FS: fsys, Root: root, Track: []string{"."}}) {
		continue
	}
	if !errors.Is(last, syscall.EIO) {
		t.Errorf("an unreadable ignore file: %v", last)
	}
}
