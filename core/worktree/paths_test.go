package worktree

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/objects/vfs"
)

func TestCheckPath(t *testing.T) {
	for _, path := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\x00b",
		".git", "a/.GIT/config", ".mlvc", ".MlVc/db", ".git ", ".git.", ".git. .", ".git::$INDEX_ALLOCATION",
		"git~1", "GIT~1/x", "mlvc~1", ".g\u200cit", "\ufeff.git", ".m\u200dlvc", ".. ", "\u200e..", ".\u200f.",
		"\u200b\u200c"[3:], ".mlvc-tmp-1", "a/.MLVC-TMP-x/b",
	} {
		if err := CheckPath(path); !errors.Is(err, ErrUnsafePath) {
			t.Errorf("%q: %v", path, err)
		}
	}
	for _, path := range []string{
		"a", "a/b", "...", "..a", ".gitignore", ".gitattributes", ".mlvcignore", "mlvc.toml", "git", "mlvc", "git~2",
		"a\nb", "\xff\xfe", "a b", " a", "c:x", `a\b`, strings.Repeat("n", 255), ".github/x", "é", "NUL",
	} {
		if err := CheckPath(path); err != nil {
			t.Error(err)
		}
	}
}

// FuzzCheckPath: an accepted path stays inside the root, whatever a disk makes
// of dots and case.
func FuzzCheckPath(f *testing.F) {
	f.Add("a/../b")
	f.Add(".g\u200cit/x")
	f.Fuzz(func(t *testing.T, path string) {
		if CheckPath(path) != nil {
			return
		}
		if !filepath.IsLocal(path) && os.PathSeparator == '/' || filepath.Clean(path) != path {
			t.Fatalf("%q accepted", path)
		}
		for name := range strings.SplitSeq(strings.ToLower(path), "/") {
			if name == ".git" || name == ".mlvc" || name == ".." || strings.HasPrefix(name, vfs.TempPrefix) {
				t.Fatalf("%q accepted", path)
			}
		}
	})
}

func TestWindowsNames(t *testing.T) {
	d := Disk{Windows: true}
	for _, path := range []string{
		"con", "a/NUL.txt", "aux .x", "COM1", "lpt9.log", "COM²", "a:b", `a\b`, "a?", "a.", "a ", "x/\x01", "\xff", "CONIN$",
	} {
		if d.Holds(path) {
			t.Errorf("%q held", path)
		}
		if !(Disk{}).Holds(path) {
			t.Errorf("%q refused elsewhere", path)
		}
	}
	for _, path := range []string{"console", "com", "COM10", "a.b", ".x", "lptx", "é/ü"} {
		if !d.Holds(path) {
			t.Errorf("%q refused", path)
		}
	}
}

// foldingFS is a disk that keeps every name in lower case.
type foldingFS struct{ vfs.FS }

func (f foldingFS) OpenFile(name string, flag int, perm os.FileMode) (vfs.File, error) {
	return f.FS.OpenFile(lowerBase(name), flag, perm)
}
func (f foldingFS) Lstat(name string) (vfs.Stat, error) { return f.FS.Lstat(lowerBase(name)) }
func (f foldingFS) Remove(name string) error            { return f.FS.Remove(lowerBase(name)) }

func lowerBase(name string) string {
	return filepath.Join(filepath.Dir(name), strings.ToLower(filepath.Base(name)))
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	for _, fold := range []bool{false, true} {
		var fsys vfs.FS = vfs.OS
		if fold {
			fsys = foldingFS{vfs.OS}
		}
		got, err := Probe(fsys, dir, false)
		if err != nil || got.Folds != fold {
			t.Errorf("folds %v: %v, %v", fold, got, err)
		}
	}
	wantTree(t, dir, model{})
}

func TestCheckRefusesFoldingNames(t *testing.T) {
	root := t.TempDir()
	a := model{"d/there": {1, "t"}, "renamed": {1, "r"}}
	b := model{
		"A/x": {1, "x"}, "a/y": {1, "y"}, "d/\u212a": {1, "Kelvin"}, "d/k": {1, "k"}, "d/There": {1, "T"}, "d/there": {1, "t"},
		"Renamed": {1, "r2"},
	}
	put(t, root, a)
	opt := testOptions(root)
	opt.FS, opt.Disk = foldingFS{testFS}, Disk{Folds: true}
	got, err := Check(t.Context(), opt, diff(a, b))
	must(t, err)
	want := map[string]Reason{"a": NameFolds, "d/\u212a": NameFolds, "d/There": NameFolds}
	if d := cmp.Diff(want, reasons(got)); d != "" {
		t.Fatal(d)
	}
	opt.Disk = Disk{Windows: true}
	got, err = Check(t.Context(), opt, diff(nil, model{"nul": {1, "x"}}))
	must(t, err)
	if d := cmp.Diff(map[string]Reason{"nul": NameRefused}, reasons(got)); d != "" {
		t.Fatal(d)
	}
}

// FuzzSink: whatever the writes, the file is their bytes.
func FuzzSink(f *testing.F) {
	f.Add([]byte{0, 255, 1, 3, 0, 9})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, plan []byte) {
		file, err := vfs.OS.OpenFile(filepath.Join(dir, "f"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		must(t, err)
		defer file.Close()
		sink := newSink(file, holeMin)
		var want []byte
		for i := 0; i+1 < len(plan) && i < 64; i += 2 {
			piece := make([]byte, int(plan[i+1])*97)
			for k := range piece {
				piece[k] = plan[i] & 1
			}
			want = append(want, piece...)
			n, err := sink.Write(piece)
			must(t, err)
			if n != len(piece) {
				t.Fatalf("wrote %d of %d", n, len(piece))
			}
		}
		must(t, sink.finish())
		got := make([]byte, len(want))
		st, err := file.Stat()
		must(t, err)
		if _, err := file.ReadAt(got, 0); err != nil && !(err == io.EOF && len(got) == 0) {
			t.Fatal(err)
		}
		if st.Size != int64(len(want)) || string(got) != string(want) {
			t.Fatalf("%d bytes, want %d", st.Size, len(want))
		}
	})
}
