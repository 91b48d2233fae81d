package gitpair

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

func TestPointerPlaces(t *testing.T) {
	for _, c := range []struct {
		d    Dataset
		want []string // names of the pointers
	}{
		{Dataset{".", []string{"data"}}, []string{"data.mlvc"}},
		{Dataset{".", []string{"b", "a/x", "a"}}, []string{"a.mlvc", "b.mlvc"}},
		{Dataset{"sets/one", []string{"."}}, []string{"sets/one.mlvc"}},
		{Dataset{"sets/one", []string{".", "labels"}}, []string{"sets/one.mlvc"}},
		{Dataset{"sets", []string{"train", "labels.csv"}}, []string{"sets/labels.csv.mlvc", "sets/train.mlvc"}},
	} {
		var got []string
		for _, p := range must(c.d.Pointers()) {
			got = append(got, p.Name)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v: %s", c.d, diff)
		}
	}
	_, err := Dataset{".", []string{"."}}.Pointers()
	if e := (*WholeTreeError)(nil); !errors.As(err, &e) {
		t.Error(err)
	}
	_, err = Dataset{".", []string{"a\nb"}}.Pointers()
	if e := (*PathError)(nil); !errors.As(err, &e) {
		t.Error(err)
	}
}

// After Pair git sees pointers, rules and no data; the attributes hold; and
// Unpair leaves every byte as it was, whatever the order.
func TestPairAndUnpair(t *testing.T) {
	odd := "sets/o d*d[1] \"q\" é#!"
	datasets := []Dataset{{".", []string{"data", "labels.csv"}}, {odd, []string{"."}}, {"other ", []string{"x "}}}
	for _, has := range []string{"none", "lines", "no last line end"} {
		t.Run(has, func(t *testing.T) {
			s := newSandbox(t)
			for file, text := range map[string]string{".gitignore": "*.o\n", ".gitattributes": "*.png binary\n"} {
				if has == "no last line end" {
					text = strings.TrimSuffix(text, "\n")
				}
				if has != "none" {
					s.write(file, text)
				}
			}
			s.git("remote", "add", "origin", "/x")
			for _, d := range datasets {
				s.write(d.Root+"/mlvc.toml", "")
				s.write(d.Root+"/.mlvcignore", "")
				s.write(d.Root+"/.mlvc/format", "")
			}
			for _, name := range []string{"data/a", "labels.csv", "data.mlvc", "labels.csv.mlvc", odd + "/a/b", odd + ".mlvc", "other /x /y", "other /x .mlvc", "database"} {
				s.write(name, "")
			}
			before := picture(t, s.dir)
			r := s.open(Options{})
			opt := InstallOptions{Command: "/x/mlvc"}
			for range 2 {
				for _, d := range datasets {
					p := must(r.Pair(t.Context(), d, opt))
					if len(p.Tracked) > 0 || len(p.Ignored) > 0 || len(p.Hooks) != len(Hooks) {
						t.Errorf("%+v", p)
					}
				}
			}
			if diff := cmp.Diff([]string{".", "other ", odd}, must(r.Datasets())); diff != "" {
				t.Error(diff)
			}
			if !must(r.DriversInstalled(t.Context())) {
				t.Error("no drivers")
			}
			want := []string{
				".gitattributes", ".gitignore", ".mlvcignore", "data.mlvc", "database", "labels.csv.mlvc", "mlvc.toml",
				"other /.mlvcignore", "other /mlvc.toml", "other /x .mlvc", odd + ".mlvc", odd + "/.mlvcignore", odd + "/mlvc.toml",
			}
			got := s.git("-c", "core.quotePath=false", "ls-files", "-z", "--others", "--exclude-standard")
			if diff := cmp.Diff(want, strings.Split(strings.TrimSuffix(got, "\x00"), "\x00")); diff != "" {
				t.Error(diff)
			}
			for _, name := range []string{"data.mlvc", "labels.csv.mlvc", odd + ".mlvc", "other /x .mlvc", "mlvc.toml", odd + "/.mlvcignore", "other /mlvc.toml"} {
				attr := s.git("check-attr", "-z", "text", "merge", "--", name)
				merge := map[bool]string{true: "mlvc", false: "unspecified"}[strings.HasSuffix(name, ".mlvc")]
				if words := strings.Split(attr, "\x00"); words[2] != "unset" || words[5] != merge {
					t.Errorf("%s: %q", name, words)
				}
			}
			for _, i := range []int{1, 0, 2} {
				if err := r.Unpair(t.Context(), datasets[i].Root); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(before, picture(t, s.dir)); diff != "" {
				t.Error(diff)
			}
			if err := r.Unpair(t.Context(), "."); err != nil {
				t.Error("again:", err)
			}
		})
	}
}

func TestPairSeesWhatIsInTheWay(t *testing.T) {
	s := newSandbox(t)
	s.write("data/a", "1")
	s.write("sub/one/x", "1")
	s.write("sub/one/mlvc.toml", "")
	s.write("sub/.gitignore", "*.mlvc\n")
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "data in git")
	r := s.open(Options{})
	p := must(r.Pair(t.Context(), Dataset{".", []string{"data", "clean"}}, InstallOptions{Command: "/x/mlvc"}))
	if diff := cmp.Diff([]string{"data"}, p.Tracked); diff != "" || len(p.Ignored) > 0 {
		t.Errorf("%s %q", diff, p.Ignored)
	}
	p = must(r.Pair(t.Context(), Dataset{"sub/one", []string{"."}}, InstallOptions{Command: "/x/mlvc"}))
	if diff := cmp.Diff([]string{"sub/one"}, p.Tracked); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"sub/one.mlvc"}, p.Ignored); diff != "" {
		t.Error(diff)
	}
	if err := os.Symlink("x", s.path("link")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.setGroup("link", ".", []string{"x"}); err == nil {
		t.Error("wrote through a link")
	}
}

func TestGitCallsDrivers(t *testing.T) {
	s := newSandbox(t)
	log := s.path(".git/log")
	d := Dataset{".", []string{"data"}}
	r := s.open(Options{})
	must(r.Pair(t.Context(), d, InstallOptions{Command: mlvcThatLogs(t, log)}))
	s.commit("data.mlvc", "base")
	s.git("checkout", "-q", "-b", "side")
	s.commit("data.mlvc", "theirs")
	s.git("checkout", "-q", "main")
	s.commit("data.mlvc", "ours")
	s.git("merge", "-q", "-m", "x", "side")
	s.git("--no-pager", "log", "-p", "-1", "side")
	got := s.read(".git/log")
	if !strings.Contains(got, "mlvc git merge-driver .merge_file_") || !strings.Contains(got, " data.mlvc\n") || !strings.Contains(got, "mlvc git textconv ") {
		t.Error(got)
	}
}

// Lines of any datasets, put in and taken out in any order, leave any file as
// it was.
func TestLinesLaw(t *testing.T) {
	dir := t.TempDir()
	r := &Repo{root: dir, fs: unsynced{vfs.OS}}
	name := dir + "/f"
	rapid.Check(t, func(t *rapid.T) {
		os.Remove(name)
		was := rapid.StringOf(rapid.SampledFrom([]rune("ab# \n\r"))).Draw(t, "text")
		exists := rapid.Bool().Draw(t, "exists")
		if exists {
			write(t, name, was, 0o640)
		}
		roots := []string{".", "a", "a b"}
		for range rapid.IntRange(0, 8).Draw(t, "steps") {
			root := rapid.SampledFrom(roots).Draw(t, "root")
			lines := rapid.SliceOfN(rapid.SampledFrom([]string{"/x", "!/y", "# z"}), 0, 3).Draw(t, "lines")
			if _, err := r.setGroup("f", root, lines); err != nil {
				t.Fatal(err)
			}
			if changed, err := r.setGroup("f", root, lines); changed || err != nil {
				t.Fatal("again:", changed, err)
			}
			if text, err := os.ReadFile(name); err == nil && exists && !strings.HasPrefix(string(text), was) {
				t.Fatalf("%q", text)
			}
		}
		for _, root := range rapid.Permutation(roots).Draw(t, "order") {
			if _, err := r.setGroup("f", root, nil); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(name)
		if exists != (err == nil) || exists && string(text) != was {
			t.Fatalf("%q, want %q (%v)", text, was, err)
		}
	})
}

// A write that fails leaves the file as it was, or as it should be.
func TestLinesSweep(t *testing.T) {
	dir := t.TempDir()
	name := dir + "/f"
	for at := 1; ; at++ {
		if err := os.WriteFile(name, []byte("user\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		faults := faultfs.New(vfs.OS, faultfs.Plan{At: at, Kind: faultfs.ShortWrite})
		r := &Repo{root: dir, fs: faults}
		_, err := r.setGroup("f", ".", []string{"/data"})
		if faults.Failed() == "" {
			break
		}
		text := string(must(os.ReadFile(name)))
		if err == nil && !strings.HasPrefix(faults.Failed(), "File.Close") || text != "user\n" && !strings.HasSuffix(text, "/data\n"+blockEnd+"\n") {
			t.Errorf("%s: %v: %q", faults.Failed(), err, text)
		}
		if files := must(os.ReadDir(dir)); len(files) != 1 {
			t.Errorf("%s: left %v", faults.Failed(), files)
		}
	}
}
