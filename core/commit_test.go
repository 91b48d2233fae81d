package core_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// data is a folder with a repository in it, and a clock that moves a second
// with each look.
type data struct {
	t    testing.TB
	root string
	env  core.Env
}

func newData(t testing.TB) *data { return newDataIn(t, t.TempDir()) }

func newDataIn(t testing.TB, root string) *data {
	d := &data{t: t, root: root}
	now := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	d.env = core.Env{
		FS:      vfs.OS,
		Now:     func() time.Time { now = now.Add(time.Second); return now },
		Who:     objects.Signature{Name: "Ada", Email: "ada@example.org"},
		Command: "test",
		Events:  core.NoEvents{},
	}
	r, err := core.Init(t.Context(), d.env, core.InitOptions{Dir: d.root})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *data) open() *core.Repo {
	d.t.Helper()
	r, err := core.Open(d.t.Context(), d.env, d.root)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { r.Close() })
	return r
}

func (d *data) write(path, text string) {
	d.t.Helper()
	name := filepath.Join(d.root, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		d.t.Fatal(err)
	}
}

func (d *data) commit(opt core.CommitOptions) core.CommitResult {
	d.t.Helper()
	if opt.Kind == "" {
		opt.Kind = core.KindAuto
	}
	r := d.open()
	res, err := r.Commit(d.t.Context(), opt)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		d.t.Fatal(err)
	}
	return res
}

func TestCommit(t *testing.T) {
	d := newData(t)
	d.write("a/one.txt", "one")
	d.write("a/two.txt", "two")
	d.write("b.txt", "bee")
	first := d.commit(core.CommitOptions{Message: "first"})
	if first.ID.IsZero() || first.Kind != objects.Full || first.Changes.Added != 5 {
		t.Errorf("first: %+v", first)
	}
	if again := d.commit(core.CommitOptions{Message: "again"}); !again.ID.IsZero() {
		t.Errorf("nothing changed, yet: %+v", again)
	}
	d.write("b.txt", "bumble")
	d.write("c.txt", "see")
	if err := os.Remove(filepath.Join(d.root, "a/two.txt")); err != nil {
		t.Fatal(err)
	}
	second := d.commit(core.CommitOptions{Message: "second"})
	want := objects.Delta{
		Added: 1, AddedBytes: 3, Changed: 1, ChangedBytes: 6, Removed: 1, RemovedBytes: 3,
		Files: 5, Bytes: first.Changes.Bytes + 3,
	}
	if second.Kind != objects.Incremental || second.Base != first.ID || second.Changes != want {
		t.Errorf("second: %+v, want changes %+v", second, want)
	}
	third := d.commit(core.CommitOptions{Message: "third", Kind: objects.Full})
	if third.Kind != objects.Full || third.Changes.Changed != 0 || third.FilesRead != 5 {
		t.Errorf("third: %+v", third)
	}
}
