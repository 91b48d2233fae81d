package core_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// files are the files of a working tree by path; a folder without anything in
// it is "/".
type files map[string]string

// read returns the files below a folder, .mlvc and the two files of init
// left out.
func read(t testing.TB, root string) files {
	t.Helper()
	got := make(files)
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		switch {
		case rel == core.Dir:
			return filepath.SkipDir
		case rel == core.RulesFile, rel == core.IgnoreFile:
			return nil
		case d.IsDir():
			names, err := os.ReadDir(name)
			if len(names) == 0 && rel != "." {
				got[filepath.ToSlash(rel)] = "/"
			}
			return err
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			got[filepath.ToSlash(rel)] = "-> " + target
			return err
		}
		text, err := os.ReadFile(name)
		got[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// set makes the working tree hold exactly these files.
func (d *data) set(want files) {
	d.t.Helper()
	for path := range read(d.t, d.root) {
		if _, ok := want[path]; !ok {
			d.unlink(path)
		}
	}
	for path, text := range want {
		if st, err := os.Lstat(filepath.Join(d.root, path)); err == nil && st.IsDir() && text != "/" {
			if err := os.RemoveAll(filepath.Join(d.root, path)); err != nil {
				d.t.Fatal(err)
			}
		}
		if text == "/" {
			if err := os.MkdirAll(filepath.Join(d.root, path), 0o777); err != nil {
				d.t.Fatal(err)
			}
			continue
		}
		if st, err := os.Lstat(filepath.Join(d.root, path)); err == nil && st.Mode()&fs.ModeSymlink != 0 {
			d.unlink(path) // and not through it
		}
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			d.link(path, target)
			continue
		}
		d.write(path, text)
	}
}

func (d *data) link(path, target string) {
	d.t.Helper()
	name := filepath.Join(d.root, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		d.t.Fatal(err)
	}
}

func (d *data) unlink(path string) {
	d.t.Helper()
	name := filepath.Join(d.root, path)
	if err := os.Remove(name); err != nil {
		d.t.Fatal(err)
	}
	for dir := filepath.Dir(name); dir != d.root; dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			return
		}
	}
}

func (d *data) want(want files) {
	d.t.Helper()
	if diff := cmp.Diff(want, read(d.t, d.root)); diff != "" {
		d.t.Errorf("working tree (-want +got):\n%s", diff)
	}
}

// clean fails unless the working tree is as the head, known without hashing.
func (d *data) clean() {
	d.t.Helper()
	before := d.env.FS
	d.env.FS = unread{before, d}
	defer func() { d.env.FS = before }()
	if _, got := d.status(); len(got) != 0 {
		d.t.Errorf("not clean: %v", got)
	}
}

// unread fails the test where a file of the data is read.
type unread struct {
	vfs.FS
	d *data
}

func (u unread) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	rel, _ := filepath.Rel(u.d.root, name)
	if !strings.HasPrefix(rel, core.Dir) && filepath.Base(name) != core.IgnoreFile && filepath.Base(name) != core.RulesFile {
		u.d.t.Errorf("%s was read", rel)
	}
	return u.FS.OpenFile(name, flag, perm)
}

// within runs fn on a freshly opened repository.
func within[T any](d *data, fn func(*core.Repo) (T, error)) (T, error) {
	d.t.Helper()
	r, err := core.Open(d.t.Context(), d.env, d.root)
	if err != nil {
		d.t.Fatal(err)
	}
	res, err := fn(r)
	if cerr := r.Close(); cerr != nil {
		d.t.Fatal(cerr)
	}
	return res, err
}

func (d *data) try(opt core.CheckoutOptions) (core.CheckoutResult, error) {
	d.t.Helper()
	return within(d, func(r *core.Repo) (core.CheckoutResult, error) { return r.Checkout(d.t.Context(), opt) })
}

func (d *data) goTo(rev string) core.CheckoutResult {
	d.t.Helper()
	res, err := d.try(core.CheckoutOptions{Rev: rev})
	if err != nil {
		d.t.Fatalf("checkout %s: %v", rev, err)
	}
	return res
}

func (d *data) save(tree files) core.CommitResult {
	d.t.Helper()
	d.set(tree)
	time.Sleep(50 * time.Millisecond) // so that the index may keep the stats
	return d.commit(core.CommitOptions{Message: fmt.Sprint(len(tree), " files")})
}

var (
	treeA = files{
		"a.txt": "a", "dir/b.txt": "b", "dir/deep/c.txt": "c", "gone.txt": "gone", "empty": "/",
		"shape": "a file", "other/x": "a folder", "big.bin": strings.Repeat("0123456789abcdef", 40_000),
	}
	treeB = files{
		"a.txt": "A!", "dir/b.txt": "b", "new/d.txt": "d", "new/deeper/e.txt": "e", "empty/now": "not",
		"shape/of": "a folder", "other": "a file", "big.bin": strings.Repeat("0123456789abcdef", 40_000) + "!",
	}
)

func TestCheckout(t *testing.T) {
	d := newData(t)
	a := d.save(treeA)
	b := d.save(treeB)
	res := d.goTo(a.ID.String()[:12])
	d.want(treeA)
	if !res.Detached || res.Commit != a.ID || res.PreviousBranch != "main" || res.Written == 0 {
		t.Errorf("%+v", res)
	}
	d.clean()
	res = d.goTo("main")
	d.want(treeB)
	if res.Branch != "main" || res.Commit != b.ID {
		t.Errorf("%+v", res)
	}
	d.clean()
	d.goTo("main~1")
	d.want(treeA)
	if res := d.goTo("HEAD"); !res.Detached || res.Written+res.Removed != 0 {
		t.Errorf("%+v", res)
	}
}

func TestCheckoutCarriesLocalChanges(t *testing.T) {
	d := newData(t)
	d.save(treeA)
	d.save(treeB)
	d.write("dir/b.txt", "mine")
	d.write("untracked.txt", "mine")
	d.goTo("HEAD~1")
	want := maps.Clone(treeA)
	want["dir/b.txt"], want["untracked.txt"] = "mine", "mine"
	d.want(want)
	if _, got := d.status(); len(got) != 2 {
		t.Error(got)
	}
}

func TestCheckoutRefusesObstacles(t *testing.T) {
	d := newData(t)
	d.save(treeA)
	d.save(treeB)
	d.write("a.txt", "mine")
	d.write("gone.txt", "mine")
	d.write("dir/deep/c.txt", "c") // as the target has it
	before := read(t, d.root)
	_, err := d.try(core.CheckoutOptions{Rev: "HEAD~1"})
	var obstacles *core.ObstaclesError
	if !errors.As(err, &obstacles) {
		t.Fatalf("got %v", err)
	}
	want := []worktree.Obstacle{{Path: "a.txt", Reason: worktree.Modified}, {Path: "gone.txt", Reason: worktree.Untracked}}
	if diff := cmp.Diff(want, obstacles.Obstacles.List); diff != "" {
		t.Error(diff)
	}
	d.want(before)
	if _, err := d.try(core.CheckoutOptions{Rev: "HEAD~1", Force: true}); err != nil {
		t.Fatal(err)
	}
	d.want(treeA)
	if st, _ := d.status(); !st.Clean {
		t.Errorf("%+v", st)
	}
}

func TestCheckoutInto(t *testing.T) {
	d := newData(t)
	d.save(treeA)
	d.save(treeB)
	into := filepath.Join(t.TempDir(), "made", "here")
	for range 2 { // the second time every file is equal
		if _, err := d.try(core.CheckoutOptions{Rev: "HEAD~1", Into: into}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(treeA, read(t, into)); diff != "" {
			t.Fatal(diff)
		}
	}
	d.want(treeB)
	for _, c := range []struct{ path, text string }{{"a.txt", "mine"}, {"stranger", "mine"}, {".mlvc/x", "mine"}} {
		other := t.TempDir()
		name := filepath.Join(other, c.path)
		os.MkdirAll(filepath.Dir(name), 0o777)
		os.WriteFile(name, []byte(c.text), 0o666)
		var obstacles *core.ObstaclesError
		if _, err := d.try(core.CheckoutOptions{Rev: "HEAD~1", Into: other}); !errors.As(err, &obstacles) {
			t.Errorf("%s: got %v", c.path, err)
		}
		names, _ := os.ReadDir(other)
		if len(names) != 1 {
			t.Errorf("%s: touched: %v", c.path, names)
		}
	}
	part := t.TempDir()
	if _, err := d.try(core.CheckoutOptions{Rev: "HEAD", Into: part, Paths: []string{"new"}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(files{"new/d.txt": "d", "new/deeper/e.txt": "e"}, read(t, part)); diff != "" {
		t.Error(diff)
	}
}

func TestRestorePaths(t *testing.T) {
	d := newData(t)
	a := d.save(treeA)
	d.save(treeB)
	restore := func(force bool, rev string, paths ...string) error {
		_, err := within(d, func(r *core.Repo) (core.CheckoutResult, error) {
			return r.Restore(t.Context(), core.RestoreOptions{Rev: rev, Paths: paths, Force: force})
		})
		return err
	}
	if err := restore(false, "HEAD~1", "dir", "gone.txt", "new/deeper"); err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(treeB)
	want["dir/deep/c.txt"], want["gone.txt"] = "c", "gone"
	delete(want, "new/deeper/e.txt")
	d.want(want)
	_, got := d.status()
	diff := cmp.Diff(map[string]core.StatusKind{
		"dir/deep/c.txt": core.StatusNew, "gone.txt": core.StatusNew, "new/deeper/e.txt": core.StatusRemoved,
	}, got)
	if diff != "" {
		t.Error(diff)
	}
	var unmatched *core.UnmatchedError
	if err := restore(false, "", "nowhere", "a.txt"); !errors.As(err, &unmatched) || len(unmatched.Paths) != 1 {
		t.Errorf("got %v", err)
	}
	d.write("a.txt", "mine")
	var obstacles *core.ObstaclesError
	if err := restore(false, "", "a.txt"); !errors.As(err, &obstacles) {
		t.Errorf("got %v", err)
	}
	if err := restore(true, "", "."); err != nil {
		t.Fatal(err)
	}
	// What neither the head nor the commit has stays.
	want = maps.Clone(treeB)
	want["dir/deep/c.txt"], want["gone.txt"] = "c", "gone"
	d.want(want)
	second := d.commit(core.CommitOptions{Message: "both"})
	if second.Changes.Added != 2 || second.Changes.Removed != 0 {
		t.Errorf("%+v", second.Changes)
	}
	_ = a
}

// Damage under an unchanged stat is mended without force.
func TestRestoreMendsDamage(t *testing.T) {
	d := newData(t)
	d.save(files{"a.txt": "first", "b.txt": "bee"})
	d.save(files{"a.txt": "other", "b.txt": "bee"})
	d.goTo("HEAD~1") // so that the index knows what was written
	name := filepath.Join(d.root, "a.txt")
	st, err := vfs.OS.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(name, []byte("fIrst"), 0o666)
	// The system gives a new ctime; a disk that rots does not.
	d.env.FS = sameStat{vfs.OS, name, st}
	if _, err := d.try(core.CheckoutOptions{Paths: []string{"a.txt"}}); err != nil {
		t.Fatal(err)
	}
	d.want(files{"a.txt": "first", "b.txt": "bee"})
}

// sameStat says that one file's stat is what it was.
type sameStat struct {
	vfs.FS
	name string
	stat vfs.Stat
}

func (s sameStat) Lstat(name string) (vfs.Stat, error) {
	st, err := s.FS.Lstat(name)
	if name == s.name && st.Size == s.stat.Size && err == nil && st.Ino == s.stat.Ino {
		return s.stat, nil
	}
	return st, err
}

func (s sameStat) Open(name string) (vfs.File, error) {
	f, err := s.FS.Open(name)
	if name == s.name && err == nil {
		return sameStatFile{f, s.stat}, nil
	}
	return f, err
}

type sameStatFile struct {
	vfs.File
	stat vfs.Stat
}

func (f sameStatFile) Stat() (vfs.Stat, error) { return f.stat, nil }

// everyOperation interrupts fn at operation i of the file system, for every i
// of the stride, as if the process had died there, and hands the repository to after.
func everyOperation(t *testing.T, prepare func(t *testing.T) *data, fn func(*data) error, after func(t *testing.T, d *data, i int, failed string)) {
	d := prepare(t)
	count := faultfs.New(vfs.OS, faultfs.Plan{})
	d.env.FS = count
	if err := fn(d); err != nil {
		t.Fatal(err)
	}
	n := count.Count()
	first, step := stride(2)
	for i := first; i <= n; i += step {
		d := prepare(t)
		faulty := faultfs.New(vfs.OS, faultfs.Plan{At: i, Sticky: true})
		d.env.FS = faulty
		err := fn(d)
		d.env.FS = vfs.OS
		if err == nil && faulty.Failed() != "" {
			t.Logf("operation %d of %d (%s) was not needed", i, n, faulty.Failed())
		}
		after(t, d, i, faulty.Failed())
		if t.Failed() {
			t.Fatalf("operation %d of %d failed: %s", i, n, faulty.Failed())
		}
	}
}

// copyData copies a prepared repository.
func copyData(t *testing.T, from *data) *data {
	t.Helper()
	d := *from
	d.t, d.root = t, filepath.Join(fastDir(t), "copy")
	if err := os.CopyFS(d.root, os.DirFS(from.root)); err != nil {
		t.Fatal(err)
	}
	return &d
}

var (
	sweepA = files{"a": "a", "d/b": "b", "d/c": "c", "gone/x": "x", "shape": "file", "e": "/"}
	sweepB = files{"a": "A!", "d/b": "b", "d/n": "n", "new/y/z": "z", "shape/of": "folder", "e/f": "f"}
)

func TestCheckoutInterrupted(t *testing.T) {
	t.Parallel()
	base := newData(t)
	base.save(sweepA)
	base.save(sweepB)
	prepare := func(t *testing.T) *data {
		d := copyData(t, base)
		d.write("d/b", "mine") // carried
		return d
	}
	wantA, wantB := maps.Clone(sweepA), maps.Clone(sweepB)
	wantA["d/b"], wantB["d/b"] = "mine", "mine"
	checkout := func(rev string) func(*data) error {
		return func(d *data) error {
			r, err := core.Open(d.t.Context(), d.env, d.root)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = r.Checkout(d.t.Context(), core.CheckoutOptions{Rev: rev})
			return err
		}
	}
	t.Run("again", func(t *testing.T) {
		everyOperation(t, prepare, checkout("main~1"), func(t *testing.T, d *data, i int, _ string) {
			r := d.open()
			work, err := r.Unfinished()
			r.Close()
			if err != nil {
				t.Fatal(err)
			}
			if work != nil {
				_, err := within(d, func(r *core.Repo) (core.CommitResult, error) {
					return r.Commit(t.Context(), core.CommitOptions{Message: "no", Kind: core.KindAuto})
				})
				var unfinished *core.UnfinishedError
				if err != nil && !errors.As(err, &unfinished) {
					t.Fatalf("commit: %v", err)
				}
				if err == nil { // names had moved: it was finished
					return
				}
			}
			if err := checkout("main~1")(d); err != nil {
				t.Fatalf("again: %v", err)
			}
			d.want(wantA)
			if _, got := d.status(); len(got) != 1 {
				t.Errorf("%v", got)
			}
		})
	})
	t.Run("abort", func(t *testing.T) {
		everyOperation(t, prepare, checkout("main~1"), func(t *testing.T, d *data, i int, _ string) {
			res, err := d.try(core.CheckoutOptions{Abort: true})
			if errors.Is(err, core.ErrNothingUnfinished) {
				got := read(t, d.root)
				if !cmp.Equal(got, wantA) && !cmp.Equal(got, wantB) {
					t.Errorf("neither before nor after: %v", got)
				}
				return
			}
			if err != nil || len(res.Kept) > 0 {
				t.Fatalf("abort: %v %v", err, res.Kept)
			}
			d.want(wantB)
			if _, got := d.status(); len(got) != 1 {
				t.Errorf("%v", got)
			}
		})
	})
	t.Run("into", func(t *testing.T) {
		into := func(d *data) error {
			r, err := core.Open(d.t.Context(), d.env, d.root)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = r.Checkout(d.t.Context(), core.CheckoutOptions{Rev: "main~1", Into: d.root + "-into"})
			return err
		}
		everyOperation(t, prepare, into, func(t *testing.T, d *data, i int, _ string) {
			if err := into(d); err != nil {
				t.Fatalf("again: %v", err)
			}
			if diff := cmp.Diff(sweepA, read(t, d.root+"-into")); diff != "" {
				t.Error(diff)
			}
		})
	})
}
