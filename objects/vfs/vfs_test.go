package vfs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, data string) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(data), 0o644))
}

func TestFileRoundTrip(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	f, err := vfs.OS.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	must(t, err)
	_, err = f.Write([]byte("hello"))
	must(t, err)
	must(t, f.Sync())
	buf := make([]byte, 3)
	_, err = f.ReadAt(buf, 1)
	must(t, err)
	if string(buf) != "ell" {
		t.Errorf("read %q", buf)
	}
	must(t, f.Truncate(2))
	stat, err := f.Stat()
	must(t, err)
	if stat.Size != 2 || stat.Type != vfs.TypeRegular || f.Name() != name {
		t.Errorf("stat %+v of %s", stat, f.Name())
	}
	must(t, f.Close())
	f, err = vfs.OS.OpenFile(name, os.O_WRONLY|vfs.Append, 0)
	must(t, err)
	_, err = f.Write([]byte("!"))
	must(t, err)
	must(t, f.Close())
	got, err := vfs.ReadFile(vfs.OS, name)
	if err != nil || string(got) != "he!" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := vfs.OS.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create again: %v, want ErrExist", err)
	}
}

func TestErrorsNameThePath(t *testing.T) {
	name := filepath.Join(t.TempDir(), "missing")
	_, lstat := vfs.OS.Lstat(name)
	_, open := vfs.OS.Open(name)
	_, openDir := vfs.OS.OpenDir(name)
	for _, err := range []error{lstat, open, openDir, vfs.OS.Chtimes(name, time.Now()), vfs.OS.Remove(name)} {
		var path *fs.PathError
		if !errors.As(err, &path) || path.Path != name || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v, want a PathError of %s that is ErrNotExist", err, name)
		}
	}
	var link *os.LinkError
	if err := vfs.OS.Rename(name, name+"2"); !errors.As(err, &link) {
		t.Errorf("rename: %v, want a LinkError", err)
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	write(t, target, "data")
	if err := vfs.OS.Symlink("target", link); err != nil {
		t.Logf("no links here: %v", err)
		return
	}
	before, err := vfs.OS.Lstat(target)
	must(t, err)
	stat, err := vfs.OS.Lstat(link)
	must(t, err)
	if stat.Type != vfs.TypeSymlink {
		t.Errorf("type %d, want a link", stat.Type)
	}
	if _, err := vfs.OS.OpenFile(link, os.O_RDONLY|vfs.NoFollow, 0); err == nil {
		t.Error("NoFollow opened a link")
	}
	if _, err := vfs.OS.OpenDir(link); err == nil {
		t.Error("OpenDir opened a link")
	}
	when := time.Unix(1_000_000_000, 123_456_789)
	must(t, vfs.OS.Chtimes(link, when))
	after, err := vfs.OS.Lstat(target)
	must(t, err)
	if after.Mtime != before.Mtime {
		t.Error("Chtimes followed the link")
	}
	if got, err := vfs.OS.Readlink(link); err != nil || got != "target" {
		t.Errorf("readlink: %q, %v", got, err)
	}
}

func TestChtimes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	write(t, name, "")
	for _, when := range []time.Time{time.Unix(1_700_000_000, 123_456_000), time.Unix(-5, 0), time.Unix(0, 0)} {
		f, err := vfs.OS.OpenFile(name, os.O_RDWR, 0)
		must(t, err)
		must(t, f.Chtimes(when))
		stat, err := f.Stat()
		must(t, err)
		must(t, f.Close())
		if stat.Mtime != when.UnixNano() {
			t.Errorf("open file: %d, want %d", stat.Mtime, when.UnixNano())
		}
		must(t, vfs.OS.Chtimes(name, when.Add(time.Second)))
		stat, err = vfs.OS.Lstat(name)
		must(t, err)
		if stat.Mtime != when.Add(time.Second).UnixNano() {
			t.Errorf("name: %d, want %d", stat.Mtime, when.UnixNano())
		}
	}
}

func TestDir(t *testing.T) {
	dir := t.TempDir()
	want := []string{"sub"}
	must(t, vfs.OS.Mkdir(filepath.Join(dir, "sub"), 0o755))
	for i := range 3000 { // more than one call's worth
		name := strings.Repeat("n", i%100+1) + string(rune('a'+i%26)) + strings.Repeat("0", i/100)
		if !slices.Contains(want, name) {
			want = append(want, name)
			write(t, filepath.Join(dir, name), "x")
		}
	}
	d, err := vfs.OS.OpenDir(dir)
	must(t, err)
	for range 2 { // listing again begins anew
		names, err := d.Names()
		must(t, err)
		var got []string
		for _, n := range names {
			got = append(got, n.Name)
			wantType := vfs.TypeRegular
			if n.Name == "sub" {
				wantType = vfs.TypeDir
			}
			stat, err := d.Lstat(n.Name)
			if err != nil || stat.Type != wantType || (n.Type != 0 && n.Type != wantType) {
				t.Fatalf("%s: type %d, stat %+v, %v", n.Name, n.Type, stat, err)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%d names, want %d", len(got), len(want))
		}
	}
	if _, err := d.Lstat("missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lstat: %v, want ErrNotExist", err)
	}
	if _, err := d.Lstat(strings.Repeat("x", 300)); err == nil {
		t.Error("lstat of a name that is too long did not fail")
	}
	must(t, d.Close())
}

func TestLstatAgrees(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	write(t, name, "0123456789")
	byName, err := vfs.OS.Lstat(name)
	must(t, err)
	d, err := vfs.OS.OpenDir(dir)
	must(t, err)
	byDir, err := d.Lstat("f")
	must(t, err)
	must(t, d.Close())
	f, err := vfs.OS.Open(name)
	must(t, err)
	byFile, err := f.Stat()
	must(t, err)
	must(t, f.Close())
	if byName != byDir || byName != byFile {
		t.Errorf("three views of one file differ:\n%+v\n%+v\n%+v", byName, byDir, byFile)
	}
}

func TestNextData(t *testing.T) {
	f, err := vfs.OS.OpenFile(filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE, 0o644)
	must(t, err)
	const mib = 1 << 20
	must(t, f.Truncate(3*mib))
	_, err = f.Seek(mib, 0)
	must(t, err)
	_, err = f.Write(bytes.Repeat([]byte("x"), mib))
	must(t, err)
	must(t, f.Sync())
	var data int64
	for at := int64(0); ; {
		start, end, err := f.NextData(at)
		must(t, err)
		if start < at || end < start || end > 3*mib {
			t.Fatalf("from %d: [%d, %d)", at, start, end)
		}
		if start == end {
			if start != 3*mib {
				t.Errorf("ended at %d", start)
			}
			break
		}
		if start > mib || (end < 2*mib && start == mib) {
			t.Errorf("run [%d, %d) leaves data out", start, end)
		}
		data += end - start
		at = end
	}
	if data < mib {
		t.Errorf("%d bytes of data, want at least %d", data, mib)
	}
	if at, err := f.Seek(0, 1); err != nil || at != 2*mib {
		t.Errorf("the offset moved to %d, %v", at, err)
	}
	must(t, f.Close())
}

func TestSyncAndFree(t *testing.T) {
	dir := t.TempDir()
	must(t, vfs.OS.SyncDir(dir))
	if err := vfs.OS.SyncFS(dir); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if n, err := vfs.OS.Free(dir); err != nil || n <= 0 {
		t.Errorf("free: %d, %v", n, err)
	}
}

func TestDirect(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f") // perhaps on a system that refuses
	f, err := vfs.OS.OpenFile(name, os.O_WRONLY|os.O_CREATE|vfs.Direct, 0o644)
	must(t, err)
	must(t, f.Close())
}

func TestWriteFileIsAtomic(t *testing.T) {
	write1 := func(fsys vfs.FS, name string) error {
		return vfs.WriteFile(fsys, name, []byte("new"), 0o644)
	}
	dry := faultfs.New(vfs.OS, faultfs.Plan{})
	must(t, write1(dry, filepath.Join(t.TempDir(), "f")))
	for _, sticky := range []bool{false, true} {
		for at := 1; at <= dry.Count(); at++ {
			dir := t.TempDir()
			name := filepath.Join(dir, "f")
			write(t, name, "old")
			fsys := faultfs.New(vfs.OS, faultfs.Plan{At: at, Kind: faultfs.ShortWrite, Sticky: sticky})
			if err := write1(fsys, name); !errors.Is(err, vfs.ErrNoSpace) {
				t.Errorf("operation %d: %v, want ErrNoSpace", at, err)
			}
			got, err := os.ReadFile(name)
			must(t, err)
			if s := string(got); s != "old" && (s != "new" || at != dry.Count()) {
				t.Errorf("operation %d (%s): %q", at, fsys.Failed(), s)
			}
			entries, err := os.ReadDir(dir)
			must(t, err)
			if len(entries) > 1 && !sticky {
				t.Errorf("operation %d (%s) left a file", at, fsys.Failed())
			}
			for _, e := range entries {
				if e.Name() != "f" && !strings.HasPrefix(e.Name(), vfs.TempPrefix) {
					t.Errorf("left %s", e.Name())
				}
			}
		}
	}
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	count := faultfs.New(vfs.OS, faultfs.Plan{Ops: []string{"SyncDir"}})
	must(t, vfs.MkdirAll(count, filepath.Join(dir, "a", "b", "c"), 0o755))
	if count.Count() != 3 {
		t.Errorf("%d folders synced, want 3", count.Count())
	}
	must(t, vfs.MkdirAll(count, filepath.Join(dir, "a", "b"), 0o755))
	if count.Count() != 3 {
		t.Error("a folder that was there was synced")
	}
	write(t, filepath.Join(dir, "f"), "")
	if err := vfs.MkdirAll(vfs.OS, filepath.Join(dir, "f"), 0o755); err == nil {
		t.Error("a file passed for a folder")
	}
}
