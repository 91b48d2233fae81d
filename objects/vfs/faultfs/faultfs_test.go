package faultfs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// everything calls each method once and joins what failed.
func everything(fsys vfs.FS, dir string) error {
	name := func(s string) string { return filepath.Join(dir, s) }
	var errs []error
	did := func(err error) { errs = append(errs, err) }
	did(fsys.Mkdir(name("d"), 0o755))
	did(fsys.Symlink("f", name("l")))
	_, err := fsys.Readlink(name("l"))
	did(err)
	if f, err := fsys.OpenFile(name("f"), os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		did(err)
	} else {
		_, err = f.Write([]byte("1234"))
		did(err)
		_, err = f.Seek(0, 0)
		did(err)
		_, err = f.Read(make([]byte, 1))
		did(err)
		_, err = f.ReadAt(make([]byte, 1), 0)
		did(err)
		_, err = f.Stat()
		did(err)
		_, _, err = f.NextData(0)
		did(err)
		did(f.Sync())
		did(f.Truncate(2))
		did(f.Chtimes(time.Unix(1, 0)))
		did(f.Chmod(0o600))
		did(f.Close())
	}
	if f, err := fsys.Open(name("f")); err != nil {
		did(err)
	} else {
		did(f.Close())
	}
	_, err = fsys.Lstat(name("f"))
	did(err)
	if d, err := fsys.OpenDir(dir); err != nil {
		did(err)
	} else {
		_, err = d.Names()
		did(err)
		_, err = d.Lstat("f")
		did(err)
		did(d.Close())
	}
	did(fsys.Chmod(name("f"), 0o644))
	did(fsys.Chtimes(name("f"), time.Unix(2, 0)))
	did(fsys.Rename(name("f"), name("g")))
	did(fsys.SyncDir(dir))
	did(fsys.SyncFS(dir))
	_, err = fsys.Free(dir)
	did(err)
	did(fsys.Remove(name("g")))
	return errors.Join(errs...)
}

func TestEveryOperationFails(t *testing.T) {
	dry := faultfs.New(vfs.OS, faultfs.Plan{})
	if err := everything(dry, t.TempDir()); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(err)
	}
	const operations = 29
	if dry.Count() != operations {
		t.Fatalf("%d operations, want %d", dry.Count(), operations)
	}
	seen := make(map[string]bool)
	for i := 1; i <= dry.Count(); i++ {
		for kind, want := range map[faultfs.Kind]error{
			faultfs.EIO: faultfs.ErrIO, faultfs.ENOSPC: vfs.ErrNoSpace, faultfs.ShortWrite: vfs.ErrNoSpace,
		} {
			fsys := faultfs.New(vfs.OS, faultfs.Plan{At: i, Kind: kind})
			if err := everything(fsys, t.TempDir()); !errors.Is(err, want) {
				t.Errorf("operation %d (%s): %v, want %v", i, fsys.Failed(), err, want)
			}
			seen[fmt.Sprint(i, kind)] = fsys.Failed() != ""
		}
	}
	if len(seen) != 3*operations {
		t.Errorf("%d failures, want %d", len(seen), 3*operations)
	}
}

func TestSticky(t *testing.T) {
	for at := 1; at <= 29; at++ {
		fsys := faultfs.New(vfs.OS, faultfs.Plan{At: at, Sticky: true})
		_ = everything(fsys, t.TempDir())
		if _, err := fsys.Lstat(t.TempDir()); !errors.Is(err, faultfs.ErrIO) {
			t.Errorf("from operation %d: %v, want ErrIO", at, err)
		}
	}
}

func TestShortWriteWritesHalf(t *testing.T) {
	for _, sticky := range []bool{false, true} {
		name := filepath.Join(t.TempDir(), "f")
		fsys := faultfs.New(vfs.OS, faultfs.Plan{
			At: 2, Kind: faultfs.ShortWrite, Sticky: sticky, Ops: []string{"File.Write"},
		})
		f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		var failed error
		for range 3 {
			if _, err := f.Write([]byte("12345678")); err != nil {
				failed = errors.Join(failed, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		want := "12345678" + "1234" + "12345678"
		if sticky {
			want = "12345678" + "1234"
		}
		got, err := vfs.ReadFile(vfs.OS, name)
		if err != nil || string(got) != want || !errors.Is(failed, vfs.ErrNoSpace) {
			t.Errorf("sticky %v: %q, %v, %v, want %q and ErrNoSpace", sticky, got, err, failed, want)
		}
		if fsys.Count() != 3 {
			t.Errorf("%d operations counted, want 3", fsys.Count())
		}
	}
}
