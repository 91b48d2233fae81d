package local_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/local"
)

// writes is what a push does: an object of some blocks, a second one, and the
// pointer made and moved. It returns how far it got.
func writes(t *testing.T, b *local.Bucket) (done []string, err error) {
	if err := b.PutIfAbsent(t.Context(), "packs/a", bytes.NewReader(large), int64(len(large))); err != nil {
		return done, err
	}
	done = append(done, "packs/a")
	if err := b.PutIfAbsent(t.Context(), "packs/b", strings.NewReader("b"), 1); err != nil {
		return done, err
	}
	done = append(done, "packs/b")
	version, err := b.Swap(t.Context(), "current", "", []byte("one"))
	if err != nil {
		return done, err
	}
	done = append(done, "one")
	if _, err := b.Swap(t.Context(), "current", version, []byte("two")); err != nil {
		return done, err
	}
	return append(done, "two"), nil
}

var large = bytes.Repeat([]byte("0123456789abcdef"), 1<<20/16+5)

// quickFS is the disk without waiting for it: whether a sync fails is what a
// sweep is about, not what it does.
type quickFS struct{ vfs.FS }

type quickFile struct{ vfs.File }

func (q quickFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := q.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return quickFile{f}, nil
}

func (quickFS) SyncDir(string) error { return nil }
func (quickFile) Sync() error        { return nil }

// Every disk operation fails once, or the process dies at it.
func TestLocalFaults(t *testing.T) {
	for name, inner := range map[string]vfs.FS{"": quickFS{vfs.OS}, "old": oldFS{quickFS{vfs.OS}}} {
		for _, kind := range []faultfs.Kind{faultfs.EIO, faultfs.ShortWrite} {
			for _, sticky := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s%d %t", name, kind, sticky), func(t *testing.T) {
					sweepFaults(t, inner, faultfs.Plan{Kind: kind, Sticky: sticky})
				})
			}
		}
	}
}

func sweepFaults(t *testing.T, inner vfs.FS, plan faultfs.Plan) {
	for plan.At = 1; ; plan.At++ {
		dir := filepath.Join(t.TempDir(), "depot")
		faulty := faultfs.New(inner, plan)
		var done []string
		b, err := local.Open(t.Context(), faulty, dir)
		if err == nil {
			done, err = writes(t, b)
		}
		if faulty.Failed() == "" {
			if err != nil || plan.At < 30 {
				t.Fatalf("after %d operations: %v", faulty.Count(), err)
			}
			return
		}
		if err == nil && plan.Sticky {
			t.Errorf("%s: nothing failed", faulty.Failed())
		}
		checkFault(t, faulty.Failed(), dir, done, err)
	}
}

func checkFault(t *testing.T, failed, dir string, done []string, err error) {
	t.Helper()
	for _, said := range []error{bucket.ErrExist, bucket.ErrMoved, bucket.ErrNotExist} {
		if errors.Is(err, said) {
			t.Errorf("%s: told as %v", failed, err)
		}
	}
	b := open(t, quickFS{vfs.OS}, dir)
	want := map[string][]string{"packs/a": {string(large)}, "packs/b": {"b"}, "current": {"one", "two"}}
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(info.Key)))
		if err != nil || !slices.Contains(want[info.Key], string(data)) {
			t.Errorf("%s: %s is there with %d bytes, %v", failed, info.Key, len(data), err)
		}
	}
	for _, key := range done {
		if strings.HasPrefix(key, "packs/") {
			if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(key))); err != nil {
				t.Errorf("%s: what was acknowledged is gone: %v", failed, err)
			}
		}
	}
	data, version, gerr := b.Get(t.Context(), "current")
	if slices.Contains(done, "one") && gerr != nil || slices.Contains(done, "two") && string(data) != "two" {
		t.Errorf("%s: the pointer is %q, %v after %q", failed, data, gerr, done)
	}
	repeat(t, b, failed, version)
}

// repeat does again what failed, as the next push would.
func repeat(t *testing.T, b *local.Bucket, failed string, version bucket.Version) {
	t.Helper()
	for key, data := range map[string][]byte{"packs/a": large, "packs/b": []byte("b")} {
		err := b.PutIfAbsent(t.Context(), key, bytes.NewReader(data), int64(len(data)))
		if err != nil && !errors.Is(err, bucket.ErrExist) {
			t.Errorf("%s: again: %v", failed, err)
		}
		got, _, err := b.Get(t.Context(), "packs/b")
		if key == "packs/b" && (err != nil || string(got) != "b") {
			t.Errorf("%s: packs/b is %q, %v", failed, got, err)
		}
	}
	if _, err := b.Swap(t.Context(), "current", version, []byte("three")); err != nil {
		t.Errorf("%s: swap again: %v", failed, err)
	}
}

// One operation that fails leaves no temporary file, unless it was the removal.
func TestLocalFailureLeavesNoFile(t *testing.T) {
	for at := 1; ; at++ {
		dir := t.TempDir()
		faulty := faultfs.New(quickFS{vfs.OS}, faultfs.Plan{At: at, Kind: faultfs.ShortWrite})
		b, err := local.Open(t.Context(), faulty, dir)
		if err == nil {
			_, err = writes(t, b)
		}
		if faulty.Failed() == "" {
			return
		}
		if err != nil && !errors.Is(err, vfs.ErrNoSpace) {
			t.Errorf("%s: %v, want ErrNoSpace", faulty.Failed(), err)
		}
		walk := func(name string, _ fs.DirEntry, err error) error {
			if strings.HasPrefix(filepath.Base(name), vfs.TempPrefix) {
				t.Errorf("%s: left %s", faulty.Failed(), name)
			}
			return err
		}
		if err := filepath.WalkDir(dir, walk); err != nil {
			t.Fatal(err)
		}
	}
}

// Reading passes on what the disk says, and never ends early without an error.
func TestLocalReadFaults(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, vfs.OS, dir), "packs/a", "bytes")
	for at := 1; ; at++ {
		faulty := faultfs.New(vfs.OS, faultfs.Plan{At: at})
		b, err := local.Open(t.Context(), faulty, dir)
		var data []byte
		var keys int
		if err == nil {
			data, _, err = b.Get(t.Context(), "packs/a")
		}
		if err == nil && string(data) != "bytes" {
			t.Errorf("%s: got %q", faulty.Failed(), data)
		}
		if err == nil {
			for _, lerr := range b.List(t.Context(), "") {
				keys++
				err = lerr
			}
		}
		if err == nil && keys != 1 {
			t.Errorf("%s: listed %d", faulty.Failed(), keys)
		}
		if faulty.Failed() == "" {
			if err != nil {
				t.Error(err)
			}
			return
		}
		if errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("%s: told as %v", faulty.Failed(), err)
		}
	}
}

// logFS notes what makes bytes and names durable.
type logFS struct {
	vfs.FS
	log *[]string
}

type logFile struct {
	vfs.File
	log *[]string
}

func (l logFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := l.FS.OpenFile(name, flag, perm)
	if err != nil || flag&os.O_CREATE == 0 {
		return f, err
	}
	return logFile{f, l.log}, nil
}

func (l logFS) note(what string) { *l.log = append(*l.log, what) }

func (l logFS) RenameNew(from, to string) error { l.note("name"); return l.FS.RenameNew(from, to) }
func (l logFS) Rename(from, to string) error    { l.note("name"); return l.FS.Rename(from, to) }
func (l logFS) SyncDir(name string) error {
	l.note("sync " + filepath.Base(name))
	return l.FS.SyncDir(name)
}

func (f logFile) Write(p []byte) (int, error) {
	*f.log = append(*f.log, "write")
	return f.File.Write(p)
}

func (f logFile) Sync() error {
	*f.log = append(*f.log, "sync")
	return f.File.Sync()
}

// Bytes, then sync, then the name, then sync of the folder.
func TestLocalIsDurableInOrder(t *testing.T) {
	var log []string
	b := open(t, logFS{vfs.OS, &log}, filepath.Join(t.TempDir(), "depot"))
	steps := func(want string, err error) {
		t.Helper()
		if got := strings.Join(log, ", "); got != want || err != nil {
			t.Errorf("%s; %v; want %s", got, err, want)
		}
		log = nil
	}
	put := func(key string) error { return b.PutIfAbsent(t.Context(), key, strings.NewReader("x"), 1) }
	parent := filepath.Base(filepath.Dir(strings.TrimPrefix(b.String(), "file://")))
	steps("sync "+parent+", sync "+parent+", sync depot, write, sync, name, sync packs", put("packs/a"))
	steps("write, sync, name, sync packs", put("packs/b"))
	if err := put("packs/a"); !errors.Is(err, bucket.ErrExist) {
		t.Error(err)
	}
	steps("sync packs", nil) // what exists is durable when it is said to exist
	version, err := b.Swap(t.Context(), "current", "", []byte("x"))
	steps("write, sync, name, sync depot", err)
	_, err = b.Swap(t.Context(), "current", version, []byte("y"))
	steps("write, sync, name, sync depot", err)
	if _, err := b.Swap(t.Context(), "current", version, []byte("z")); !errors.Is(err, bucket.ErrMoved) {
		t.Error(err)
	}
	steps("write, sync", nil)
	// Another process may have made the folder only just now.
	b = open(t, logFS{vfs.OS, &log}, b.String())
	steps("sync "+parent+", sync depot, write, sync, name, sync packs", put("packs/c"))
}
