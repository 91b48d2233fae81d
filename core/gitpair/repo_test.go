package gitpair

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// eachReader runs a test by go-git alone, with the program, and on a
// repository that the program alone can read.
func eachReader(t *testing.T, fn func(t *testing.T, s *sandbox, opt Options)) {
	t.Run("go-git", func(t *testing.T) { fn(t, newSandbox(t), Options{NoProgram: true}) })
	t.Run("both", func(t *testing.T) { fn(t, newSandbox(t), Options{}) })
	t.Run("sha256", func(t *testing.T) { fn(t, newSandbox(t, "--object-format=sha256"), Options{}) })
}

func TestHead(t *testing.T) {
	eachReader(t, func(t *testing.T, s *sandbox, opt Options) {
		r := s.open(opt)
		if h := must(r.Head(t.Context())); h != (Head{Branch: "main"}) {
			t.Fatalf("unborn: %+v", h)
		}
		c := s.commit("data.mlvc", "one")
		if h := must(r.Head(t.Context())); h != (Head{"main", c}) {
			t.Fatalf("%+v", h)
		}
		s.git("pack-refs", "--all")
		s.git("checkout", "-q", "-b", "a/b")
		if h := must(r.Head(t.Context())); h != (Head{"a/b", c}) {
			t.Fatalf("%+v", h)
		}
		s.git("checkout", "-q", "--detach")
		if h := must(r.Head(t.Context())); h != (Head{"", c}) {
			t.Fatalf("detached: %+v", h)
		}
		s.git("tag", "-a", "-m", "x", "v1")
		for _, rev := range []string{"HEAD", "main", "v1", c, "refs/heads/main"} {
			if got := must(r.Resolve(t.Context(), rev)); got != c {
				t.Errorf("%s: %s", rev, got)
			}
		}
		for _, rev := range []string{"nothing", "", "--all", "HEAD^", "HEAD^{tree}x", c[:len(c)-1] + "z"} {
			_, err := r.Resolve(t.Context(), rev)
			if e := (*RevisionError)(nil); !errors.As(err, &e) {
				t.Errorf("%q: %v", rev, err)
			}
		}
	})
}

func TestFiles(t *testing.T) {
	eachReader(t, func(t *testing.T, s *sandbox, opt Options) {
		s.write("deep/er/mlvc.toml", "track = [\"data\"]\n")
		s.write(".mlvc/no", "pointer")
		s.point("deep/er/data.mlvc", "deep")
		one := s.commit("data.mlvc", "one")
		s.write("broken.mlvc", "<<<<<<< a\n")
		s.commit("data.mlvc", "two")
		r := s.open(opt)
		names := func(list []PointerFile) (names []string) {
			for _, p := range list {
				names = append(names, p.Name)
			}
			return names
		}
		at := must(r.PointersAt(t.Context(), one))
		if diff := cmp.Diff([]string{"data.mlvc", "deep/er/data.mlvc"}, names(at)); diff != "" {
			t.Fatal(diff)
		}
		if at[0].Err != nil || at[0].Pointer.Commit != sum("one") {
			t.Errorf("%+v", at[0])
		}
		s.point("data.mlvc", "staged")
		s.git("add", "data.mlvc")
		s.point("data.mlvc", "unstaged")
		in := must(r.PointersInIndex(t.Context()))
		if diff := cmp.Diff([]string{"broken.mlvc", "data.mlvc", "deep/er/data.mlvc"}, names(in)); diff != "" {
			t.Fatal(diff)
		}
		if in[0].Err == nil || in[1].Pointer.Commit != sum("staged") || in[1].Unmerged {
			t.Errorf("%+v", in)
		}
		files := must(r.FilesInIndex(t.Context(), "deep/er/mlvc.toml", "none"))
		if len(files) != 1 {
			t.Errorf("%q", files)
		}
	})
}

func TestIndexForms(t *testing.T) {
	for name, form := range map[string]func(*sandbox){
		"split":                      func(s *sandbox) { s.git("update-index", "--split-index") },
		"version4":                   func(s *sandbox) { s.git("update-index", "--index-version", "4") },
		"sparse":                     func(s *sandbox) { s.git("sparse-checkout", "set", "--cone", "--sparse-index", "other") },
		"fsmonitor, untracked cache": func(s *sandbox) { s.git("update-index", "--untracked-cache") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t)
			s.write("other/x", "x")
			s.point("deep/data.mlvc", "deep")
			s.commit("data.mlvc", "one")
			form(s)
			r := s.open(Options{})
			in := must(r.PointersInIndex(t.Context()))
			if len(in) != 2 || in[1].Name != "deep/data.mlvc" || in[1].Pointer.Commit != sum("deep") {
				t.Errorf("%+v", in)
			}
		})
	}
}

func TestConflictInIndex(t *testing.T) {
	s := newSandbox(t)
	s.commit("data.mlvc", "base")
	s.git("checkout", "-q", "-b", "side")
	s.commit("data.mlvc", "theirs")
	s.git("checkout", "-q", "main")
	s.commit("data.mlvc", "ours")
	if _, err := s.try("merge", "side"); err == nil {
		t.Fatal("no conflict")
	}
	r := s.open(Options{})
	in := must(r.PointersInIndex(t.Context()))
	if len(in) != 1 || !in[0].Unmerged || in[0].Pointer.Commit != sum("ours") {
		t.Errorf("%+v", in)
	}
	_, err := ParsePointer("data.mlvc", []byte(s.read("data.mlvc")))
	if c := (*ConflictMarkersError)(nil); !errors.As(err, &c) || c.Ours != sum("ours") || c.Theirs != sum("theirs") {
		t.Errorf("%+v", err)
	}
	if w := must(r.Work()); w != WorkMerge {
		t.Error(w)
	}
}

func TestPlaces(t *testing.T) {
	s := newSandbox(t)
	c := s.commit("data.mlvc", "one")

	t.Run("linked work tree", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "wt")
		s.git("worktree", "add", "-q", "-b", "side", dir)
		for _, opt := range []Options{{}, {NoProgram: true}} {
			r := openAt(t, filepath.Join(dir, "."), opt)
			if h := must(r.Head(t.Context())); h != (Head{"side", c}) || !r.Linked() || r.CommonDir() != s.path(".git") {
				t.Errorf("%+v %s", h, r.CommonDir())
			}
			if in := must(r.PointersInIndex(t.Context())); len(in) != 1 {
				t.Error(in)
			}
		}
	})
	t.Run("subfolder, GIT_DIR of a hook", func(t *testing.T) {
		s.write("sub/x", "")
		if r := openAt(t, s.path("sub"), Options{}); r.Root() != s.dir {
			t.Error(r.Root())
		}
		r := openAt(t, s.dir, Options{GitDir: ".git", IndexFile: ".git/other"})
		if in := must(r.PointersInIndex(t.Context())); r.Root() != s.dir || len(in) != 0 {
			t.Error(r.Root(), in)
		}
	})
	t.Run("variables of another repository", func(t *testing.T) {
		t.Setenv("GIT_DIR", "/nowhere")
		t.Setenv("GIT_INDEX_FILE", "/nowhere/index")
		r := openAt(t, s.dir, Options{})
		if got := must(r.Resolve(t.Context(), "HEAD")); got != c {
			t.Error(got)
		}
		must(r.Dirty(t.Context()))
	})
	t.Run("submodule", func(t *testing.T) {
		outer := newSandbox(t)
		outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", s.dir, "inner")
		outer.git("commit", "-q", "-m", "x")
		r := openAt(t, outer.path("inner"), Options{})
		if h := must(r.Head(t.Context())); h.Commit != c || r.GitDir() != outer.path(".git/modules/inner") {
			t.Errorf("%+v %s", h, r.GitDir())
		}
		if list := must(outer.open(Options{}).PointersAt(t.Context(), "HEAD")); len(list) != 0 {
			t.Error(list)
		}
		if d := must(r.Dirty(t.Context())); len(d) != 0 {
			t.Error(d)
		}
	})
	t.Run("bare", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "x.git")
		s.git("clone", "-q", "--bare", s.dir, dir)
		_, err := Open(t.Context(), dir, Options{})
		if e := (*BareError)(nil); !errors.As(err, &e) {
			t.Error(err)
		}
		_, err = Open(t.Context(), filepath.Join(dir, "refs"), Options{})
		if e := (*BareError)(nil); !errors.As(err, &e) {
			t.Error(err)
		}
		// A work tree linked to a bare repository is one like any other.
		bare := &sandbox{t: t, dir: dir, at: 1e9}
		wt := filepath.Join(t.TempDir(), "wt")
		bare.git("worktree", "add", "-q", wt, "main")
		if h := must(openAt(t, wt, Options{}).Head(t.Context())); h.Commit != c {
			t.Error(h)
		}
	})
	t.Run("none", func(t *testing.T) {
		if _, err := Open(t.Context(), t.TempDir(), Options{}); !errors.Is(err, ErrNoRepository) {
			t.Error(err)
		}
	})
	t.Run("borrowed objects, partial, shallow", func(t *testing.T) {
		s.commit("data.mlvc", "two")
		s.git("config", "uploadpack.allowFilter", "true")
		for _, arg := range []string{"--shared", "--filter=blob:none", "--depth=1"} {
			dir := filepath.Join(t.TempDir(), "clone")
			s.git("clone", "-q", "--no-checkout", "--no-local", arg, map[bool]string{true: s.dir, false: "file://" + s.dir}[arg == "--shared"], dir)
			r := openAt(t, dir, Options{})
			if list := must(r.PointersAt(t.Context(), "HEAD")); len(list) != 1 || list[0].Pointer.Commit != sum("two") {
				t.Errorf("%s: %+v", arg, list)
			}
			h := must(r.History(t.Context(), ""))
			if n := len(h.NamedCommits()); n != map[bool]int{true: 1, false: 2}[arg == "--depth=1"] {
				t.Errorf("%s: %d", arg, n)
			}
		}
	})
}

func TestRemoteURL(t *testing.T) {
	s := newSandbox(t)
	r := s.open(Options{})
	url := func(branch string) string { return must(r.RemoteURL(t.Context(), branch)) }
	if got := url("main"); got != "" {
		t.Error(got)
	}
	s.git("remote", "add", "up", "https://me:secret@example.org/up.git")
	if got := url("main"); got != "https://example.org/up.git" {
		t.Error(got)
	}
	s.git("remote", "add", "origin", "git@example.org:o.git")
	if got := url(""); got != "git@example.org:o.git" {
		t.Error(got)
	}
	s.git("config", "branch.main.remote", "up")
	if got := url("main"); got != "https://example.org/up.git" {
		t.Error(got)
	}
}

func TestDirty(t *testing.T) {
	eachReader(t, func(t *testing.T, s *sandbox, opt Options) {
		s.write("code.py", "1")
		s.write("other.py", "1")
		s.commit("data.mlvc", "one")
		r := s.open(opt)
		s.write("untracked", "1")
		if d := must(r.Dirty(t.Context())); len(d) != 0 {
			t.Fatal(d)
		}
		s.write("code.py", "22")
		s.point("data.mlvc", "two")
		s.git("add", "data.mlvc")
		if err := os.Remove(s.path("other.py")); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"code.py", "data.mlvc", "other.py"}, must(r.Dirty(t.Context()))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStage(t *testing.T) {
	s := newSandbox(t)
	s.write(".gitignore", "*.mlvc\n")
	s.write("a b.txt", "1")
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "one")
	r := s.open(Options{})
	s.point("data.mlvc", "one")
	if err := os.Remove(s.path("a b.txt")); err != nil {
		t.Fatal(err)
	}
	if err := r.Stage(t.Context(), "data.mlvc", "a b.txt"); err != nil {
		t.Fatal(err)
	}
	if got := s.git("status", "--porcelain"); got != "D  \"a b.txt\"\nA  data.mlvc" {
		t.Error(got)
	}
}

// A hook that stages while some files only are committed: what was staged is
// in the commit, and the index that stays has it, too.
func TestStageDuringPartialCommit(t *testing.T) {
	s := newSandbox(t)
	s.write("code.py", "1")
	s.commit("data.mlvc", "one")
	exe := must(os.Executable())
	s.write(".git/hooks/pre-commit", "#!/bin/sh\nSTAGE=data.mlvc "+shellQuote(exe)+" -test.run '^TestStageHelper$'\n")
	if err := os.Chmod(s.path(".git/hooks/pre-commit"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, args := range [][]string{{"code.py"}, {"-a"}, {}} {
		s.write("code.py", "two"+itoa(i))
		s.point("data.mlvc", "two"+itoa(i))
		if len(args) == 0 {
			s.git("add", "code.py")
		}
		s.git(append([]string{"commit", "-q", "-m", "two"}, args...)...)
		if got := s.git("status", "--porcelain"); got != "" {
			t.Errorf("%q: %s", args, got)
		}
		list := must(s.open(Options{}).PointersAt(t.Context(), "HEAD"))
		if list[0].Pointer.Commit != sum("two"+itoa(i)) {
			t.Errorf("%q: not in the commit", args)
		}
	}
}

// TestStageHelper is the hook of TestStageDuringPartialCommit; by itself it
// stages nothing.
func TestStageHelper(t *testing.T) {
	name := os.Getenv("STAGE")
	if name == "" {
		return
	}
	r := openAt(t, ".", Options{GitDir: os.Getenv("GIT_DIR"), IndexFile: os.Getenv("GIT_INDEX_FILE")})
	if err := r.Stage(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func TestWork(t *testing.T) {
	s := newSandbox(t)
	s.write("f", "1\n")
	s.commit("data.mlvc", "one")
	r := s.open(Options{})
	if w := must(r.Work()); w != "" {
		t.Error(w)
	}
	s.git("checkout", "-q", "-b", "side")
	s.commit("data.mlvc", "side")
	s.git("checkout", "-q", "main")
	s.commit("data.mlvc", "main")
	for _, c := range []struct {
		args []string
		want Work
	}{
		{[]string{"rebase", "side"}, WorkRebase},
		{[]string{"cherry-pick", "side"}, WorkCherryPick},
		{[]string{"revert", "HEAD^"}, WorkRevert},
	} {
		if _, err := s.try(c.args...); err == nil {
			t.Fatal(c.args)
		}
		if w := must(r.Work()); w != c.want {
			t.Errorf("%v: %q", c.args, w)
		}
		s.git(c.args[0], "--abort")
	}
	s.git("bisect", "start")
	if w := must(r.Work()); w != WorkBisect {
		t.Error(w)
	}
}

func TestWorktree(t *testing.T) {
	s := newSandbox(t)
	one := s.commit("data.mlvc", "one")
	s.commit("data.mlvc", "two")
	s.write(".git/hooks/post-checkout", "#!/bin/sh\ntouch "+s.path("ran")+"\n")
	if err := os.Chmod(s.path(".git/hooks/post-checkout"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := s.open(Options{})
	into := filepath.Join(t.TempDir(), "fresh")
	if err := r.AddWorktree(t.Context(), "HEAD^", into); err != nil {
		t.Fatal(err)
	}
	w := openAt(t, into, Options{})
	if h := must(w.Head(t.Context())); h != (Head{"", one}) {
		t.Error(h)
	}
	if _, err := os.Lstat(s.path("ran")); err == nil {
		t.Error("a hook ran")
	}
	if err := r.AddWorktree(t.Context(), "HEAD", into); !errors.Is(err, ErrNotEmpty) {
		t.Error(err)
	}
	if err := r.RemoveWorktree(t.Context(), into); err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveWorktree(t.Context(), into); err != nil {
		t.Fatal(err)
	}
	// One that fails leaves nothing.
	s.write(".gitattributes", "* filter=bad\n")
	s.git("config", "filter.bad.smudge", "false")
	s.git("config", "filter.bad.clean", "cat")
	s.git("config", "filter.bad.required", "true")
	s.git("add", ".gitattributes")
	s.git("commit", "-q", "-m", "bad")
	if err := r.AddWorktree(t.Context(), "HEAD", into); err == nil {
		t.Error("no error")
	}
	if _, err := os.Lstat(into); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if got := s.git("worktree", "list"); slices.Contains([]byte(got), '\n') {
		t.Error(got)
	}
}
