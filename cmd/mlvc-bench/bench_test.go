package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
	}
}

// TestJudged: the part of a budget that was used is judged pair by pair, so
// that a slow moment of the machine spoils one pair and not the comparison.
func TestJudged(t *testing.T) {
	r := result{Pairs: []pair{
		{Mlvc: sample{Seconds: 1, Anon: 5}, Ref: sample{Seconds: 2}},
		{Mlvc: sample{Seconds: 9, Anon: 7}, Ref: sample{Seconds: 20}},
		{Mlvc: sample{Seconds: 3, RSS: 6}, Ref: sample{Seconds: 2}},
	}}
	got := r.judged(check{seconds, "at most 1.0 ×", times(1)})
	want := result{Of: "time", Budget: "at most 1.0 ×", Got: 3, RefValue: 2, Limit: 2, Used: 0.5, OK: true, Peak: 7}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(result{}, "Pairs", "quantity")); diff != "" {
		t.Error(diff)
	}
	if r.judged(check{seconds, "", fixed(2)}).OK {
		t.Error("3 s were judged to be within 2 s")
	}
	if got := r.judged(check{seconds, "", nil}); !got.OK || got.Limit != 0 || got.Got != 3 || got.RefValue != 2 {
		t.Errorf("without a budget: %+v", got)
	}
	if got := r.judged(check{seconds, "", above(1)}).Limit; got != 3 {
		t.Errorf("one second above the reference is %v, want 3", got)
	}
}

func TestReportText(t *testing.T) {
	rep := report{When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Mlvc: "mlvc v1", Results: []result{
		{Work: "a", Left: "no room"},
		{Work: "b", Row: "b", Error: "exit\nstatus 1"},
		result{Work: "c", Ref: "cp", Pairs: []pair{{Mlvc: sample{Seconds: 1.5, Anon: 2 << 20}, Ref: sample{Seconds: 3}}}}.
			judged(check{seconds, "at most 0.4 ×", times(0.4)}),
		result{Work: "d", Pairs: []pair{{Mlvc: sample{Seconds: 2, Writes: 41}}}}.judged(check{written, "at most 40", fixed(40)}),
		result{Work: "e", Pairs: []pair{{Mlvc: sample{Seconds: 2}}}}.judged(check{seconds, "", nil}),
	}}
	var out strings.Builder
	if err := rep.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"mlvc v1, measured 2026-01-02",
		"| a | left out: no room |",
		"| b | failed: exit status 1 |",
		"| d (writes) | 41 |  |  | at most 40 | 40 | 102 % | no |  |",
		"| e (time) | 2.00 s |  |  |  |  |  |  |  |",
		"| c (time) | 1.50 s | cp: 3.00 s | 0.50 | at most 0.4 × | 1.20 s | 125 % | no | 2.0 MiB |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
	if err := rep.failed(); err == nil || !strings.Contains(err.Error(), "row b") {
		t.Errorf("failed: %v, want an error naming row b", err)
	}
}

func TestFill(t *testing.T) {
	z := sizes{Files: 100_000, Many: 1_000_000, Images: 2000, Size: 1 << 30, Huge: 10 << 30}
	if got, want := z.fill("{files} {many} {images} {size} {huge}"), "100,000 1,000,000 2,000 1.00 GiB 10.00 GiB"; got != want {
		t.Errorf("filled in: %q, want %q", got, want)
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 123456: "123,456"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands of %d: %q, want %q", n, got, want)
		}
	}
}

func TestLongestMount(t *testing.T) {
	mounts := "/dev/a / ext4 rw 0 0\ntmpfs /var tmpfs rw 0 0\n/dev/b /var/tmp xfs rw 0 0\nshort\n"
	for dir, want := range map[string]string{"/home": "ext4", "/var": "tmpfs", "/var/tmp/x": "xfs", "/var/tmpx": "tmpfs"} {
		if got, _ := longestMount(mounts, dir); got != want {
			t.Errorf("%s is on %s, want %s", dir, got, want)
		}
	}
}

func TestKibField(t *testing.T) {
	if got := kibField("VmRSS:\t  12 kB\nRssAnon:\t    3 kB\n", "RssAnon:"); got != 3<<10 {
		t.Errorf("RssAnon is %d, want 3072", got)
	}
	for _, text := range []string{"", "RssAnon:", "RssAnon: x kB"} {
		if got := kibField(text, "RssAnon:"); got != 0 {
			t.Errorf("%q gives %d, want 0", text, got)
		}
	}
}

// TestRowsFit: each row names a set, has something to measure, and compares
// only if it says with what.
func TestRowsFit(t *testing.T) {
	sets := newSets(t.TempDir(), sizes{})
	names := rowNames()
	for _, r := range rows {
		if sets[r.set] == nil {
			t.Errorf("row %s is about the unknown set %q", r.name, r.set)
		}
		if r.mlvc == nil || len(r.checks) == 0 || (r.ref == "") != (r.refer == nil) {
			t.Errorf("row %s is not complete", r.name)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(rows) {
		t.Error("two rows have one name")
	}
}

// TestMakeFiles: so many files of that size in folders, the same each time,
// and an edit changes one file and not its size.
func TestMakeFiles(t *testing.T) {
	ctx := context.Background()
	trees := make([]string, 2)
	for i := range trees {
		s := &set{dir: t.TempDir(), files: 250}
		if err := makeFiles(ctx, s.data(), s.files, 3000); err != nil {
			t.Fatal(err)
		}
		var files int
		if trees[i], files = treeHash(t, s.data()); files != s.files {
			t.Fatalf("made %d files, want %d", files, s.files)
		}
		if i == 0 {
			continue
		}
		if err := editFile(s, s.files+5); err != nil {
			t.Fatal(err)
		}
		if hash, files := treeHash(t, s.data()); hash == trees[i] || files != s.files {
			t.Errorf("after an edit there are %d files, changed: %v", files, hash != trees[i])
		}
		if info, err := os.Stat(s.file(5)); err != nil || info.Size() != 3000 {
			t.Errorf("the edited file: %v, %v; want 3000 bytes", info, err)
		}
	}
	if trees[0] != trees[1] {
		t.Error("two runs made other bytes")
	}
}

func TestCSV(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "data", "table.csv")
	if err := os.Mkdir(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := makeCSV(name, 10_000); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(name)
	if err != nil || len(old) < 10_000 || len(old) > 10_200 {
		t.Fatalf("a table of %d bytes, %v; want a little over 10000", len(old), err)
	}
	if err := insertRow(name, 1); err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	rest, ok := bytes.CutPrefix(now, []byte(csvHeader))
	_, after, _ := bytes.Cut(rest, []byte("\n"))
	if !ok || !bytes.Equal(after, old[len(csvHeader):]) {
		t.Error("the table is not the old one with a row more at its front")
	}
}

func TestExtract(t *testing.T) {
	dir := t.TempDir()
	archive, to := filepath.Join(dir, "a.tgz"), filepath.Join(dir, "out")
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	w := tar.NewWriter(gz)
	for _, name := range []string{"package/other", "package/data.json"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(name))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), gz.Close(), os.WriteFile(archive, buf.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := extract(archive, "package/data.json", to); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != "package/data.json" {
		t.Errorf("extracted %q, %v", got, err)
	}
	if err := extract(archive, "missing", to); err == nil {
		t.Error("a member that is not there was extracted")
	}
}

// TestWrites: what is new at a remote counts, and what was replaced; what stayed,
// what went, and what is only being written do not.
func TestWrites(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "remote")
	put := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	look := func() map[string]string {
		t.Helper()
		objects, err := objectsAt(dir)
		if err != nil {
			t.Fatal(err)
		}
		return objects
	}
	none := look()
	put("packs/a.pack", "a")
	put("packs/.mlvc-tmp-1", "b")
	put("indexes/c.idx", "c")
	put("current", "1")
	first := look()
	if n := writes(none, first); n != 3 {
		t.Errorf("the first push wrote %d objects, want 3", n)
	}
	if n := writes(first, look()); n != 0 {
		t.Errorf("no push wrote %d objects", n)
	}
	put("indexes/d.idx", "d")
	put("current", "2")
	if err := os.Remove(filepath.Join(dir, "indexes", "c.idx")); err != nil {
		t.Fatal(err)
	}
	if n := writes(first, look()); n != 2 {
		t.Errorf("the second push wrote %d objects, want 2", n)
	}
}

// TestDiscard: what is in the way is gone afterwards; of many files it is only
// renamed; nothing there is no error.
func TestDiscard(t *testing.T) {
	b := &bench{dir: t.TempDir()}
	for _, numerous := range []bool{false, true} {
		name := filepath.Join(b.dir, "copy")
		for range 2 {
			if err := b.discard(name, numerous); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.MkdirAll(filepath.Join(name, "x"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := b.discard(name, numerous); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is still there: %v", err)
		}
	}
	if entries, err := os.ReadDir(b.dir); err != nil || len(entries) != 1 {
		t.Errorf("%d things are left, %v; want the renamed one", len(entries), err)
	}
}

// TestRowReports: a row of a data set that was not asked for says so, and so
// does one whose program fails.
func TestRowReports(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// This test binary, asked for flags that it does not know, exits with 2.
	opt := runOptions{sizes: sizes{Files: 100, Size: 1 << 20}, mlvc: self, dir: dir, pairs: 1}
	b, err := newBench(opt, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.row(t.Context(), rows[slices.Index(rowNames(), "first-many")], opt.sizes); len(got) != 1 || got[0].Left != "not asked for" {
		t.Errorf("a row of a set of no files: %+v", got)
	}
	got := b.row(t.Context(), rows[slices.Index(rowNames(), "csv")], opt.sizes)
	if len(got) != 1 || !strings.Contains(got[0].Error, "exit status 2") {
		t.Errorf("a row whose program fails: %+v", got)
	}
	if err := (report{Results: got}).failed(); err == nil {
		t.Error("the report does not say that a row failed")
	}
}

// TestEditHundredth: of many files one in a hundred is other, of few a
// hundredth of each; none changes its size.
func TestEditHundredth(t *testing.T) {
	for _, c := range []struct {
		files       int
		size        int64
		wantFiles   int
		wantChanged int64
	}{{300, 1000, 3, 3 * 1000}, {4, 100_000, 4, 4 * 1000}} {
		s := &set{dir: t.TempDir(), files: c.files}
		if err := makeFiles(t.Context(), s.data(), s.files, c.size); err != nil {
			t.Fatal(err)
		}
		before := make([][]byte, c.files)
		read := func(i int) []byte {
			b, err := os.ReadFile(s.file(i))
			if err != nil || int64(len(b)) != c.size {
				t.Fatalf("file %d has %d bytes: %v", i, len(b), err)
			}
			return b
		}
		for i := range before {
			before[i] = read(i)
		}
		if err := editHundredth(s); err != nil {
			t.Fatal(err)
		}
		files, changed := 0, int64(0)
		for i, old := range before {
			now := read(i)
			if !bytes.Equal(old, now) {
				files++
			}
			for k := range now {
				if now[k] != old[k] {
					changed++
				}
			}
		}
		if files != c.wantFiles || changed > c.wantChanged || changed < c.wantChanged*9/10 {
			t.Errorf("of %d files %d are other, in %d bytes", c.files, files, changed)
		}
	}
}

// TestNeedsRestic: without it the rows say so, before anything is made.
func TestNeedsRestic(t *testing.T) {
	t.Setenv("PATH", "")
	b := &bench{dir: t.TempDir()}
	for _, step := range []step{createFirst, resticFirst} {
		if _, err := step(t.Context(), b, &set{dir: t.TempDir()}); !errors.Is(err, needsRestic) {
			t.Errorf("without restic: %v", err)
		}
	}
}
