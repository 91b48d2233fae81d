package worktree

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

func TestTrust(t *testing.T) {
	const ms, s = int64(time.Millisecond), int64(time.Second)
	now := 1_790_000_000*s + 500*ms
	cases := []struct {
		name         string
		mtime, ctime int64
		want         bool
	}{
		{"long ago", now - s - ms, now - s - ms, true},
		{"written in the tick of the clock", now, now, false},
		{"within one step", now - 20*ms, now - 20*ms, false},
		{"just beyond one step", now - 20*ms - 1, now - 20*ms - 1, true},
		{"mtime set back, ctime new", now - 100*s - ms, now - ms, false},
		{"old ctime, mtime in the future", now + 100*s + ms, now - s - ms, false},
		{"whole seconds, too near", now - 1500*ms, now - 1500*ms, false},
		{"whole seconds, far enough", now - 2500*ms, now - 2500*ms, true},
		{"whole mtime alone, too near", now - 1500*ms, now - 30*ms - 1, false},
		{"no ctime", now - 30*ms, 0, true},
		{"no ctime, too near", now - 10*ms, 0, false},
	}
	for _, c := range cases {
		if got := Trust(vfs.Stat{Mtime: c.mtime, Ctime: c.ctime}, now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// A file that is written again right after it was read, in the same tick and
// with the same size, must not pass for the one that was read.
func TestTrustNeverHidesAWrite(t *testing.T) {
	root := t.TempDir()
	for range 200 {
		write(t, root, "f", "one")
		noted, err := Clock(vfs.OS, root)
		if err != nil {
			t.Fatal(err)
		}
		before := lstat(t, root, "f")
		write(t, root, "f", "two")
		if after := lstat(t, root, "f"); Trust(before, noted) && StampOf(before) == StampOf(after) {
			t.Fatalf("%+v noted %d hides a write", before, noted)
		}
	}
}

func TestClockIsTheDisks(t *testing.T) {
	root := t.TempDir()
	for range 3 {
		noted, err := Clock(vfs.OS, root)
		if err != nil {
			t.Fatal(err)
		}
		write(t, root, "f", "x")
		if st := lstat(t, root, "f"); st.Mtime < noted {
			t.Fatalf("written at %d, after %d", st.Mtime, noted)
		}
	}
	if _, err := Clock(vfs.OS, filepath.Join(root, "gone")); err == nil {
		t.Error("a clock without a folder")
	}
}

func lstat(t testing.TB, root, name string) vfs.Stat {
	t.Helper()
	st, err := vfs.OS.Lstat(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestHolds(t *testing.T) {
	st := vfs.Stat{Type: vfs.TypeRegular, Perm: 0o644, Size: 5, Mtime: 7, Ctime: 8, Ino: 9, Dev: 1, Nlink: 1}
	r := Record{Entry: objects.Entry{Mode: objects.ModeFile, Size: 5}, Stamp: StampOf(st)}
	cases := []struct {
		name   string
		change func(*Record, *vfs.Stat)
		want   bool
	}{
		{"same", func(*Record, *vfs.Stat) {}, true},
		{"other device", func(_ *Record, s *vfs.Stat) { s.Dev++ }, true},
		{"other group bits", func(_ *Record, s *vfs.Stat) { s.Perm = 0o611 }, true},
		{"size", func(_ *Record, s *vfs.Stat) { s.Size++ }, false},
		{"mtime", func(_ *Record, s *vfs.Stat) { s.Mtime++ }, false},
		{"mtime set back", func(_ *Record, s *vfs.Stat) { s.Ctime++ }, false},
		{"replaced", func(_ *Record, s *vfs.Stat) { s.Ino++ }, false},
		{"link", func(_ *Record, s *vfs.Stat) { s.Type = vfs.TypeSymlink }, false},
		{"special", func(_ *Record, s *vfs.Stat) { s.Type = vfs.TypeOther }, false},
		{"no stamp", func(r *Record, _ *vfs.Stat) { r.Stamp = Stamp{} }, false},
		{"folder", func(r *Record, s *vfs.Stat) {
			r.Entry, r.Stamp, s.Type = objects.Entry{Mode: objects.ModeDir}, Stamp{}, vfs.TypeDir
		}, true},
	}
	for _, c := range cases {
		r, st := r, st
		c.change(&r, &st)
		if got := r.Holds(st); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
