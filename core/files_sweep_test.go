package core_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// meddling is a file system on which something happens just before an
// operation: Open, OpenDir or ReadAt of a path below root.
type meddling struct {
	vfs.FS
	root string
	mu   sync.Mutex
	do   func(op, path string) error
}

func (m *meddling) before(op, name string) error {
	rel, err := filepath.Rel(m.root, name)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.do(op, filepath.ToSlash(rel)); err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

func (m *meddling) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if err := m.before("Open", name); err != nil {
		return nil, err
	}
	f, err := m.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return meddledFile{f, m}, nil
}

func (m *meddling) OpenDir(name string) (vfs.Dir, error) {
	if err := m.before("OpenDir", name); err != nil {
		return nil, err
	}
	return m.FS.OpenDir(name)
}

type meddledFile struct {
	vfs.File
	m *meddling
}

func (f meddledFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.m.before("ReadAt", f.Name()); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// meddled commits while something happens.
func (d *data) meddled(opt core.CommitOptions, do func(op, path string) error) (core.CommitResult, error) {
	d.t.Helper()
	env := d.env
	env.FS = &meddling{FS: vfs.OS, root: d.root, do: do}
	r, err := core.Open(d.t.Context(), env, d.root)
	d.must(err)
	defer r.Close()
	if opt.Kind == "" {
		opt.Kind = core.KindAuto
	}
	return r.Commit(d.t.Context(), opt)
}

// tree pictures the head's tree.
func (d *data) tree() picture {
	d.t.Helper()
	r := d.open()
	defer r.Close()
	return takeCommit(d.t, r, headOf(d.t, r))
}

// same checks that the head holds what is on the disk.
func (d *data) same(about string) {
	d.t.Helper()
	if diff := cmp.Diff(takeDisk(d.t, d.root), d.tree()); diff != "" {
		d.t.Errorf("%s: %s", about, diff)
	}
}

// A file that changes, grows, shrinks, vanishes or comes while the commit reads
// is recorded as it is at the end.
func TestFilesThatMove(t *testing.T) {
	moves := map[string]func(d *data){
		"changes":  func(d *data) { d.write("moves.bin", noise(2, 400_000)) },
		"grows":    func(d *data) { d.write("moves.bin", noise(1, 500_000)) },
		"shrinks":  func(d *data) { d.write("moves.bin", "short") },
		"vanishes": func(d *data) { d.remove("moves.bin") },
		"comes":    func(d *data) { d.write("dir/new.txt", "new") },
		"becomes a link": func(d *data) {
			d.remove("moves.bin")
			d.must(os.Symlink("still.txt", filepath.Join(d.root, "moves.bin")))
		},
		"becomes a folder": func(d *data) { d.remove("moves.bin"); d.write("moves.bin/in", "in") },
		"is renamed": func(d *data) {
			d.must(os.Rename(filepath.Join(d.root, "moves.bin"), filepath.Join(d.root, "dir/was moves.bin")))
		},
		"becomes executable": func(d *data) { d.must(os.Chmod(filepath.Join(d.root, "moves.bin"), 0o755)) },
	}
	for name, move := range moves {
		for _, op := range []string{"Open", "ReadAt"} {
			t.Run(name+" at "+op, func(t *testing.T) {
				t.Parallel()
				d := newData(t)
				d.write("moves.bin", noise(1, 400_000))
				d.write("dir/file.txt", "file")
				d.write("still.txt", "still")
				done := false
				res, err := d.meddled(core.CommitOptions{Message: name}, func(at, path string) error {
					if at == op && path == "moves.bin" && !done {
						done = true
						move(d)
					}
					return nil
				})
				if err != nil || !done {
					t.Fatal(err, done)
				}
				r := d.open()
				defer r.Close()
				if c, err := history.Read(t.Context(), r.Store(), res.ID); err != nil || len(c.Moving) > 0 {
					t.Errorf("it settled, and is marked as moving: %q %v", c.Moving, err)
				}
				d.same(name)
				d.verify(true)
			})
		}
	}
}

// A file that never holds still is refused by name, or recorded and marked if
// that is allowed, whatever bytes its name has.
func TestFilesThatNeverHoldStill(t *testing.T) {
	d := newData(t)
	const path = "moving \xff\n.bin"
	n := 0
	restless := func(op, at string) error {
		if op == "ReadAt" && at == path {
			n++
			d.write(path, noise(uint64(n), 300_000+n))
		}
		return nil
	}
	d.write(path, noise(0, 300_000))
	d.write("still.txt", "still")
	_, err := d.meddled(core.CommitOptions{Message: "refused"}, restless)
	var moving *core.MovingError
	if !errors.As(err, &moving) || !slices.Equal(moving.Paths, []string{path}) {
		t.Fatalf("got %v", err)
	}
	res, err := d.meddled(core.CommitOptions{Message: "allowed", AllowMoving: true}, restless)
	d.must(err)
	r := d.open()
	defer r.Close()
	c, err := history.Read(t.Context(), r.Store(), res.ID)
	d.must(err)
	if len(c.Moving) != 1 || string(c.Moving[0]) != path {
		t.Errorf("moving: %q", c.Moving)
	}
	d.verify(true)
	d.commit(core.CommitOptions{Message: "held still"})
	d.same("held still")
}

// What cannot be read is refused by name, or keeps the parent's entry.
func TestUnreadable(t *testing.T) {
	for name, unreadable := range map[string]func(op, path string) bool{
		"file":   func(op, path string) bool { return op == "Open" && path == "dir/secret.txt" },
		"folder": func(op, path string) bool { return op == "OpenDir" && path == "dir" },
	} {
		t.Run(name, func(t *testing.T) {
			d := newData(t)
			d.write("dir/secret.txt", "first")
			d.write("open.txt", "first")
			d.commit(core.CommitOptions{Message: "first"})
			before := d.tree()
			d.write("dir/secret.txt", "second")
			d.write("open.txt", "second")
			do := func(op, path string) error {
				if unreadable(op, path) {
					return fs.ErrPermission
				}
				return nil
			}
			_, err := d.meddled(core.CommitOptions{Message: "refused"}, do)
			var refused *core.UnreadableError
			if !errors.As(err, &refused) || !strings.HasPrefix(refused.Paths[0], "dir") {
				t.Fatalf("got %v", err)
			}
			_, err = d.meddled(core.CommitOptions{Message: "skipped", SkipUnreadable: true}, do)
			d.must(err)
			want := maps.Clone(before)
			want["open.txt"] = takeDisk(t, d.root)["open.txt"]
			if diff := cmp.Diff(want, d.tree()); diff != "" {
				t.Error(diff)
			}
			d.commit(core.CommitOptions{Message: "readable"})
			d.same("readable")
		})
	}
}

// A folder that becomes a link to a place outside while the commit reads: what
// lies there is not recorded.
func TestFolderBecomesLink(t *testing.T) {
	for _, at := range []string{"OpenDir dir", "Open dir/b.txt", "ReadAt dir/a.txt"} {
		t.Run(at, func(t *testing.T) {
			d := newData(t)
			outside := t.TempDir()
			d.must(os.WriteFile(filepath.Join(outside, "a.txt"), []byte("not ours"), 0o666))
			d.must(os.WriteFile(filepath.Join(outside, "b.txt"), []byte("not ours either"), 0o666))
			d.write("dir/a.txt", "ours")
			d.write("dir/b.txt", "ours too")
			done := false
			_, err := d.meddled(core.CommitOptions{Message: "link"}, func(op, path string) error {
				if op+" "+path == at && !done {
					done = true
					d.must(os.Rename(filepath.Join(d.root, "dir"), filepath.Join(d.root, "was")))
					d.must(os.Symlink(outside, filepath.Join(d.root, "dir")))
				}
				return nil
			})
			d.must(err)
			if !done {
				t.Fatal("it was never read")
			}
			d.same("link")
		})
	}
}

// What a stat cache can be taken in by.
func TestStatCacheIsNotTakenIn(t *testing.T) {
	d := newData(t)
	for i := range 25 { // within one tick of the clock
		d.write("tick.txt", fmt.Sprintf("%06d", i))
		d.commit(core.CommitOptions{Message: "tick", Kind: objects.Incremental})
		d.same("tick")
	}
	name := filepath.Join(d.root, "tick.txt")
	time.Sleep(50 * time.Millisecond)
	d.commit(core.CommitOptions{Message: "noted", AllowEmpty: true})
	st, err := os.Stat(name)
	d.must(err)
	time.Sleep(50 * time.Millisecond)
	d.must(os.WriteFile(name, []byte("again!"), 0o666))
	d.must(os.Chtimes(name, st.ModTime(), st.ModTime()))
	d.commit(core.CommitOptions{Message: "mtime set back", Kind: objects.Incremental})
	d.same("mtime set back")

	// Another file under the name, of the same size and time.
	d.must(os.WriteFile(filepath.Join(d.root, "other"), []byte("other!"), 0o666))
	d.must(os.Chtimes(filepath.Join(d.root, "other"), st.ModTime(), st.ModTime()))
	d.must(os.Rename(filepath.Join(d.root, "other"), name))
	d.commit(core.CommitOptions{Message: "renamed over", Kind: objects.Incremental})
	d.same("renamed over")
}

// Names of any bytes and of the greatest length go into a commit and out.
func TestStrangeNames(t *testing.T) {
	d := newData(t)
	first := d.commit(core.CommitOptions{Message: "first"})
	long := strings.Repeat("n", 255)
	for _, name := range []string{"\xff\xfe", "new\nline", long, "dir/" + long + "/" + long, " a", "~", "-", "a\\b", "con", "x:y", "*", "\t\r", "\"'", "é", "e\u0301", "#a", "!a", "A", "a"} {
		d.write(name, "in "+name)
	}
	d.must(os.Symlink("\xff\n", filepath.Join(d.root, "link\xfe")))
	want := takeDisk(t, d.root)
	d.commit(core.CommitOptions{Message: "names", Kind: objects.Incremental})
	d.same("names")
	d.checkout(core.CheckoutOptions{Rev: first.ID.String()})
	if n := len(takeDisk(t, d.root)); n != 2 {
		t.Errorf("%d files left", n)
	}
	d.checkout(core.CheckoutOptions{Rev: "main"})
	if diff := cmp.Diff(want, takeDisk(t, d.root)); diff != "" {
		t.Error(diff)
	}
}

// Text that is no text never makes a commit or an operation that cannot be
// read: it is refused, or made text.
func TestTextThatIsNoText(t *testing.T) {
	const bad = "not \xff text"
	for name, change := range map[string]func(*data, *core.CommitOptions){
		"message":        func(_ *data, o *core.CommitOptions) { o.Message = bad },
		"meta":           func(_ *data, o *core.CommitOptions) { o.Meta = map[string]string{"k": bad, bad: "v"} },
		"author":         func(d *data, _ *core.CommitOptions) { d.env.Who.Name = bad },
		"command":        func(d *data, _ *core.CommitOptions) { d.env.Command = "commit " + bad },
		"a long command": func(d *data, _ *core.CommitOptions) { d.env.Command = strings.Repeat("commit é ", 1<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newData(t)
			opt := core.CommitOptions{Kind: core.KindAuto, Message: "fine"}
			change(d, &opt)
			r := d.open()
			defer r.Close()
			if _, err := r.Commit(t.Context(), opt); err != nil {
				t.Logf("refused: %v", err)
			}
			d.env.Who.Name, d.env.Command = "Ada", "test"
			d.verify(true)
			d.write("more.txt", "more")
			d.commit(core.CommitOptions{Message: "after it"})
			d.same("after it")
			d.verify(true)
		})
	}
}

// Hard links are files of their own; a checkout of one leaves the other.
func TestHardLinks(t *testing.T) {
	d := newData(t)
	d.write("one", "first")
	d.must(os.Link(filepath.Join(d.root, "one"), filepath.Join(d.root, "two")))
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.Link(filepath.Join(d.root, "one"), outside); err != nil {
		outside = ""
	}
	first := d.commit(core.CommitOptions{Message: "first"})
	d.must(os.WriteFile(filepath.Join(d.root, "one"), []byte("SECOND"), 0o666)) // and so all
	d.commit(core.CommitOptions{Message: "second"})
	d.same("second")
	d.checkout(core.CheckoutOptions{Rev: first.ID.String()})
	for _, name := range []string{"one", "two"} {
		if text, err := os.ReadFile(filepath.Join(d.root, name)); err != nil || string(text) != "first" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if text, err := os.ReadFile(outside); outside != "" && (err != nil || string(text) != "SECOND") {
		t.Errorf("outside: %q, %v", text, err)
	}
}

// Folders that refuse writing keep their mode through a checkout.
func TestReadOnlyFolders(t *testing.T) {
	d := newData(t)
	d.write("closed/a.txt", "first")
	d.write("closed/deep/b.txt", "first")
	d.write("closed/deep/stays.txt", "first") // a folder that empties goes, and its mode
	first := d.commit(core.CommitOptions{Message: "first"})
	d.write("closed/a.txt", "second")
	d.write("closed/deep/c.txt", "second")
	d.remove("closed/deep/b.txt")
	d.commit(core.CommitOptions{Message: "second"})
	dirs := []string{"closed/deep", "closed"}
	for _, dir := range dirs {
		name := filepath.Join(d.root, dir)
		d.must(os.Chmod(name, 0o555))
		t.Cleanup(func() { os.Chmod(name, 0o755) })
	}
	d.checkout(core.CheckoutOptions{Rev: first.ID.String()})
	d.same("checkout")
	for _, dir := range dirs {
		if st, err := os.Stat(filepath.Join(d.root, dir)); err != nil || st.Mode().Perm() != 0o555 {
			t.Errorf("%s: %v, %v", dir, st.Mode(), err)
		}
	}
}

// A large file of holes is stored as holes and comes back as them.
func TestSparse(t *testing.T) {
	t.Parallel()
	size := int64(5 << 30) // more than 32 bits hold
	switch {
	case os.Getenv("MLVC_SWEEP") != "":
		size = 100 << 30
	case testing.Short(), core.UnderRace > 1:
		size = 1 << 30
	}
	d := newData(t)
	name := filepath.Join(d.root, "sparse.bin")
	f, err := os.Create(name)
	d.must(err)
	for _, off := range []int64{0, size / 3, size - 5} {
		_, err := f.WriteAt([]byte("bytes"), off)
		d.must(err)
	}
	d.must(f.Close())
	before, err := vfs.OS.Lstat(name)
	d.must(err)
	if before.Allocated > 1<<20 {
		t.Log("this file system has no holes")
		return
	}
	start := time.Now()
	res := d.commit(core.CommitOptions{Message: "sparse"})
	t.Logf("%d GiB of holes: %v, %d bytes stored", size>>30, time.Since(start), res.Stored)
	if res.Stored > 4<<20 {
		t.Errorf("%d bytes stored", res.Stored)
	}
	into := filepath.Join(t.TempDir(), "into")
	d.checkout(core.CheckoutOptions{Rev: "main", Into: into})
	after, err := vfs.OS.Lstat(filepath.Join(into, "sparse.bin"))
	d.must(err)
	if after.Size != size || after.Allocated > 4<<20 {
		t.Errorf("came back with %d bytes, %d allocated", after.Size, after.Allocated)
	}
}
