package local_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
	"github.com/mlvc/mlvc/remote/bucket/local"
)

func open(t testing.TB, fsys vfs.FS, dir string) *local.Bucket {
	t.Helper()
	b, err := local.Open(t.Context(), fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLocalConforms(t *testing.T) {
	buckettest.Conform(t, func(t *testing.T) bucket.Bucket {
		return open(t, vfs.OS, filepath.Join(t.TempDir(), "deep", "depot"))
	})
}

// oldFS has no rename that replaces nothing.
type oldFS struct{ vfs.FS }

func (oldFS) RenameNew(string, string) error { return errors.ErrUnsupported }

func TestLocalConformsWithoutRenameNew(t *testing.T) {
	buckettest.Conform(t, func(t *testing.T) bucket.Bucket {
		return open(t, oldFS{vfs.OS}, t.TempDir())
	})
}

// Two Buckets of one folder know nothing of each other.
func TestLocalHandlesRace(t *testing.T) {
	for _, fsys := range []vfs.FS{vfs.OS, oldFS{vfs.OS}} {
		dir := t.TempDir()
		buckettest.Race(t, open(t, fsys, dir), open(t, fsys, dir), open(t, fsys, dir))
	}
}

func TestLocalReadingMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "depot")
	b := open(t, vfs.OS, dir)
	_, _, get := b.Get(t.Context(), "current")
	_, getRange := b.GetRange(t.Context(), "packs/a", 0, -1)
	for _, err := range []error{get, getRange} {
		if !errors.Is(err, bucket.ErrNotExist) {
			t.Error(err)
		}
	}
	for info, err := range b.List(t.Context(), "") {
		t.Error(info, err)
	}
	if err := b.Delete(t.Context(), "packs/a"); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}

// What is not an object is not listed, and a link leads nowhere.
func TestLocalLeavesOthersAlone(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	b := open(t, vfs.OS, dir)
	put(t, b, "packs/a", "a")
	for _, name := range []string{".DS_Store", "packs/.nfs0001", "packs/Thumbs.db", "packs/.mlvc-tmp-0", "packs/b~"} {
		write(t, filepath.Join(dir, name), "x")
	}
	write(t, filepath.Join(outside, "secret"), "x")
	link(t, filepath.Join(outside, "secret"), filepath.Join(dir, "current"))
	link(t, outside, filepath.Join(dir, "indexes"))
	link(t, filepath.Join(outside, "new"), filepath.Join(dir, "packs", "c"))
	var keys []string
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	if strings.Join(keys, " ") != "packs/a" {
		t.Errorf("listed %q", keys)
	}
	_, _, get := b.Get(t.Context(), "current")
	_, swap := b.Swap(t.Context(), "current", "", []byte("x"))
	errs := map[string]error{
		"get": get, "swap": swap, "delete": b.Delete(t.Context(), "indexes/secret"), "delete link": b.Delete(t.Context(), "current"),
		"put": b.PutIfAbsent(t.Context(), "indexes/new", strings.NewReader("x"), 1), "put link": b.PutIfAbsent(t.Context(), "packs/c", strings.NewReader("x"), 1),
	}
	for name, err := range errs {
		if err == nil || errors.Is(err, bucket.ErrExist) || errors.Is(err, bucket.ErrNotExist) {
			t.Errorf("%s through a link: %v", name, err)
		}
	}
	names, err := os.ReadDir(outside)
	if err != nil || len(names) != 1 {
		t.Errorf("outside holds %v, %v", names, err)
	}
}

// The lock is not made where a link leads.
func TestLocalLockIsNoLink(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	link(t, filepath.Join(outside, "new"), filepath.Join(dir, ".lock"))
	if _, err := open(t, vfs.OS, dir).Swap(t.Context(), "current", "", []byte("x")); err == nil {
		t.Error("swapped")
	}
	if _, err := os.Lstat(filepath.Join(outside, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
}

// The folder itself may be reached through a link.
func TestLocalFolderIsALink(t *testing.T) {
	dir, name := t.TempDir(), filepath.Join(t.TempDir(), "link")
	link(t, dir, name)
	b := open(t, vfs.OS, name)
	put(t, b, "packs/a", "a")
	for info, err := range b.List(t.Context(), "") {
		if err != nil || info.Key != "packs/a" {
			t.Errorf("listed %v, %v", info, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "packs", "a")); err != nil {
		t.Error(err)
	}
}

func TestLocalSweepsStaleFiles(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, vfs.OS, dir), "packs/a", "a")
	packs := filepath.Join(dir, "packs")
	old := filepath.Join(packs, vfs.TempPrefix+"old")
	young := filepath.Join(packs, vfs.TempPrefix+"young")
	other := filepath.Join(packs, "other")
	for name, age := range map[string]time.Duration{old: 25 * time.Hour, young: 23 * time.Hour, other: 25 * time.Hour} {
		write(t, name, "x")
		when := time.Now().Add(-age)
		if err := os.Chtimes(name, when, when); err != nil {
			t.Fatal(err)
		}
	}
	put(t, open(t, vfs.OS, dir), "packs/b", "b")
	if _, err := os.Lstat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old one is there: %v", err)
	}
	for _, name := range []string{young, other} {
		if _, err := os.Lstat(name); err != nil {
			t.Error(err)
		}
	}
}

func TestLocalTakesOnlyFolders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "x")
	for _, url := range []string{file, "relative", "", "s3://bucket/a", "file:", "file:relative", "file://", file + "\x00"} {
		if b, err := local.Open(t.Context(), vfs.OS, url); err == nil {
			t.Errorf("%q is taken, for %s", url, b)
		}
	}
}

// A Swap waits for the lock as long as its context lasts, and changes nothing
// before it has it.
func TestLocalWaitsForTheLock(t *testing.T) {
	dir := t.TempDir()
	b := open(t, vfs.OS, dir)
	one, err := b.Swap(t.Context(), "current", "", []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	held := flock.New(filepath.Join(dir, ".lock"))
	if err := held.Lock(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.Swap(ctx, "current", one, []byte("two")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with the lock held: %v, want its context's error", err)
	}
	if data, _, err := b.Get(t.Context(), "current"); err != nil || string(data) != "one" {
		t.Errorf("then it is %q, %v", data, err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Swap(t.Context(), "current", one, []byte("two")); err != nil {
		t.Error(err)
	}
}

// Others may do with what is written what the umask lets them.
func TestLocalFollowsTheUmask(t *testing.T) {
	dir := t.TempDir()
	b := open(t, vfs.OS, dir)
	put(t, b, "packs/a", "a")
	if _, err := b.Swap(t.Context(), "current", "", []byte("x")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "plain"), "x")
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, like := range map[string]string{"packs/a": "plain", "current": "plain", ".lock": "plain", "packs": "folder"} {
		got, err := os.Stat(filepath.Join(dir, name))
		want, werr := os.Stat(filepath.Join(dir, like))
		if err != nil || werr != nil || got.Mode() != want.Mode() {
			t.Errorf("%s is %v, want %v; %v, %v", name, got.Mode(), want.Mode(), err, werr)
		}
	}
}

// staleFS says of the first files that are read that they are gone.
type staleFS struct {
	vfs.FS
	left int
}

type staleFile struct{ vfs.File }

func (f *staleFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	file, err := f.FS.OpenFile(name, flag, perm)
	if f.left--; err != nil || f.left < 0 {
		return file, err
	}
	return staleFile{file}, nil
}

func (f staleFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.Name(), Err: syscall.ESTALE}
}

func TestLocalReadsAgainWhatWasReplaced(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, vfs.OS, dir), "packs/a", "a")
	if data, _, err := open(t, &staleFS{vfs.OS, 2}, dir).Get(t.Context(), "packs/a"); err != nil || string(data) != "a" {
		t.Errorf("got %q, %v", data, err)
	}
	if _, _, err := open(t, &staleFS{vfs.OS, 100}, dir).Get(t.Context(), "packs/a"); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("for ever: %v", err)
	}
}

func put(t testing.TB, b bucket.Bucket, key, data string) {
	t.Helper()
	if err := b.PutIfAbsent(t.Context(), key, strings.NewReader(data), int64(len(data))); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(data), 0o666); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := vfs.OS.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}
