package gitpair

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// picture is every file below a folder, with its permissions.
func picture(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			files[rel] = "-> " + must(os.Readlink(name))
		case e.IsDir():
			files[rel] = "folder"
		default:
			files[rel] = fmt.Sprintf("%v %q", must(e.Info()).Mode(), must(os.ReadFile(name)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// mlvcThatLogs is a program in place of mlvc: it appends its arguments and
// what it reads to a log, and ends with the status that $MLVC_STATUS says.
func mlvcThatLogs(t *testing.T, log string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "it's mlvc")
	script := "#!/bin/sh\necho \"mlvc $*\" >>" + shellQuote(log) + "\n" +
		"case $3 in pre-push|post-rewrite) sed 's/^/mlvc read: /' >>" + shellQuote(log) + ";; esac\nexit ${MLVC_STATUS:-0}\n"
	if err := os.WriteFile(name, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

func (s *sandbox) hook(name, text string, perm fs.FileMode) {
	s.t.Helper()
	s.write(name, text)
	if err := os.Chmod(s.path(name), perm); err != nil {
		s.t.Fatal(err)
	}
}

// The user's hooks run beside mlvc's, with the same arguments and the same
// input, whatever they are written in; after UninstallHooks all is as before.
func TestHooksRun(t *testing.T) {
	for name, c := range map[string]struct {
		head string // of the user's hooks
		perm fs.FileMode
	}{
		"no hooks":       {"", 0},
		"sh":             {"#!/bin/sh\nset -eu\n", 0o755},
		"bash, exec":     {"#!/usr/bin/env bash\n", 0o775},
		"no interpreter": {"", 0o700},
		"perl":           {"#!/usr/bin/env perl\n", 0o755},
		"switched off":   {"#!/bin/sh\n", 0o644},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSandbox(t)
			remote := filepath.Join(t.TempDir(), "remote.git")
			s.git("init", "-q", "--bare", remote)
			s.git("remote", "add", "origin", remote)
			log := filepath.Join(t.TempDir(), "log")
			for _, h := range Hooks {
				text := c.head + "echo \"own " + h + " $*\" >>" + shellQuote(log) + "\ncat </dev/null\nsed 's/^/own read: /' >>" + shellQuote(log) + "\nexit 0\n"
				if h != "pre-push" && h != "post-rewrite" {
					text = c.head + "echo \"own " + h + " $*\" >>" + shellQuote(log) + "\nexit 0\n"
				}
				if name == "perl" {
					text = c.head + "open(my $f, '>>', '" + log + "') or die;\nprint $f join(' ', 'own " + h + "', @ARGV), \"\\n\";\n"
					if h == "pre-push" || h == "post-rewrite" {
						text += "while (<STDIN>) { print $f \"own read: $_\" }\n"
					}
				}
				if c.perm != 0 {
					s.hook(".git/hooks/"+h, text, c.perm)
				}
			}
			before := picture(t, s.path(".git/hooks"))
			deeds := func() (lines string) {
				os.Remove(log)
				s.write("f", "1")
				s.git("add", "f")
				s.git("commit", "-q", "-m", "one")
				s.git("commit", "-q", "--amend", "-m", "two")
				s.git("checkout", "-q", "-b", "side")
				s.git("checkout", "-q", "main")
				s.git("merge", "-q", "--no-ff", "-m", "x", "side")
				s.git("push", "-q", "origin", "main", "side:a/b")
				s.git("push", "-q", "origin", "main")
				out, _ := os.ReadFile(log)
				return string(out)
			}
			only := func(log, who string) (lines []string) {
				for _, l := range strings.Split(log, "\n") {
					if rest, ok := strings.CutPrefix(l, who); ok {
						lines = append(lines, rest)
					}
				}
				return lines
			}
			r := s.open(Options{})
			mlvc := mlvcThatLogs(t, log)
			for range 2 {
				state := must(r.InstallHooks(t.Context(), InstallOptions{Command: mlvc}))
				for _, h := range state {
					if !h.Installed || !h.Current || h.Tracked {
						t.Errorf("%+v", h)
					}
				}
			}
			said := deeds()
			ours := only(said, "mlvc ")
			if len(ours) < 15 || !strings.Contains(said, "mlvc git hook post-checkout ") || !strings.Contains(said, "mlvc read: refs/heads/side") {
				t.Errorf("mlvc's hooks: %q", ours)
			}
			own := only(said, "own ")
			if c.perm&0o100 != 0 {
				var same []string
				for _, l := range ours {
					same = append(same, strings.TrimPrefix(l, "git hook ")+map[bool]string{true: " "}[(strings.HasSuffix(l, "pre-commit") || strings.HasSuffix(l, "post-commit")) && name != "perl"])
				}
				if diff := cmp.Diff(same, own); diff != "" {
					t.Error(diff)
				}
			} else if len(own) != 0 {
				t.Errorf("what was switched off runs: %q", own)
			}
			if err := r.UninstallHooks(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, picture(t, s.path(".git/hooks"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHookStatus(t *testing.T) {
	s := newSandbox(t)
	log := s.path(".git/log")
	s.commit("data.mlvc", "one")
	r := s.open(Options{})
	mlvc := mlvcThatLogs(t, log)
	s.hook(".git/hooks/post-checkout", "#!/bin/sh\necho own >>"+log+"\n", 0o755)
	must(r.InstallHooks(t.Context(), InstallOptions{Command: mlvc}))
	t.Setenv("MLVC_STATUS", "7")
	if _, err := s.try("commit", "-q", "--allow-empty", "-m", "x"); err == nil {
		t.Error("pre-commit did not stop the commit")
	}
	if _, err := s.try("checkout", "-q", "-b", "side"); err == nil || !strings.HasSuffix(s.read(".git/log"), "own\n") {
		t.Errorf("%v: %s", err, s.read(".git/log"))
	}
	run := func() int { return exitStatus(exec.Command(s.path(".git/hooks/post-checkout")).Run()) }
	if status := run(); status != 7 {
		t.Errorf("status %d", status)
	}
	s.hook(".git/hooks/post-checkout", s.read(".git/hooks/post-checkout")+"exit 3\n", 0o755)
	if status := run(); status != 3 {
		t.Errorf("the user's own status is lost: %d", status)
	}
}

// hideProgram takes mlvc out of the PATH, wherever it is installed.
func hideProgram(t *testing.T) {
	others := t.TempDir()
	path := []string{others}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if _, err := os.Lstat(filepath.Join(dir, "mlvc")); err != nil {
			path = append(path, dir)
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "mlvc" {
				os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(others, e.Name())) //nolint:errcheck // the first of a name counts
			}
		}
	}
	t.Setenv("PATH", strings.Join(path, string(os.PathListSeparator)))
}

func TestHooksWithoutProgram(t *testing.T) {
	hideProgram(t)
	s := newSandbox(t)
	s.commit("data.mlvc", "one")
	r := s.open(Options{})
	must(r.InstallHooks(t.Context(), InstallOptions{Command: "/nowhere/mlvc"}))
	if out, err := s.try("commit", "-q", "--allow-empty", "-m", "x"); err != nil || out != "" {
		t.Errorf("a copy that is not paired is stopped: %v %s", err, out)
	}
	s.git("config", "mlvc.dataset", ".")
	out, err := s.try("commit", "-q", "--allow-empty", "-m", "x")
	if err == nil || !strings.Contains(out, "--no-verify") {
		t.Errorf("%v %s", err, out)
	}
	if out, err := s.try("checkout", "-q", "-b", "side"); err != nil || !strings.Contains(out, "not found") {
		t.Errorf("%v %s", err, out)
	}
	s.git("commit", "-q", "--allow-empty", "--no-verify", "-m", "x")
}

// Husky has scripts of its own in `_`, each of which calls the user's.
func TestHusky(t *testing.T) {
	s := newSandbox(t)
	log := s.path(".git/log")
	s.write(".husky/_/.gitignore", "*")
	runner := "#!/usr/bin/env sh\nn=$(basename \"$0\")\ns=$(dirname \"$(dirname \"$0\")\")/$n\n[ ! -f \"$s\" ] && exit 0\nsh -e \"$s\" \"$@\"\n"
	for _, h := range []string{"pre-commit", "prepare-commit-msg", "post-commit", "post-checkout", "post-merge", "post-rewrite", "pre-push"} {
		s.hook(".husky/_/"+h, runner, 0o755)
	}
	s.write(".husky/pre-commit", "echo own >>"+log+"\n")
	s.git("config", "core.hooksPath", ".husky/_")
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "husky")
	before := picture(t, s.path(".husky"))
	r := s.open(Options{})
	mlvc := mlvcThatLogs(t, log)
	bin := filepath.Dir(mlvc)
	if err := os.Rename(mlvc, filepath.Join(bin, "mlvc")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, h := range must(r.InstallHooks(t.Context(), InstallOptions{Command: filepath.Join(bin, "mlvc")})) {
		if !h.Current || h.Tracked == (h.Name == "post-index-change") {
			t.Errorf("%+v", h)
		}
	}
	if strings.Contains(s.read(".husky/pre-commit"), bin) {
		t.Error("a path of this machine is in a tracked file")
	}
	os.Remove(log)
	s.write("f", "1")
	s.git("add", "f")
	s.git("commit", "-q", "-m", "x")
	if got := s.read(".git/log"); !strings.Contains(got, "mlvc git hook pre-commit") || !strings.Contains(got, "own") || !strings.Contains(got, "post-index-change") {
		t.Error(got)
	}
	if err := r.UninstallHooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, picture(t, s.path(".husky"))); diff != "" {
		t.Error(diff)
	}
}

func TestSharedHooks(t *testing.T) {
	s := newSandbox(t)
	global, hooks := filepath.Join(t.TempDir(), "config"), t.TempDir()
	t.Setenv("GIT_CONFIG_GLOBAL", global)
	s.git("config", "--global", "core.hooksPath", hooks)
	r := s.open(Options{})
	_, err := r.InstallHooks(t.Context(), InstallOptions{Command: "/x/mlvc"})
	if e := (*SharedHooksError)(nil); !errors.As(err, &e) || e.Dir != hooks {
		t.Error(err)
	}
	must(r.InstallHooks(t.Context(), InstallOptions{Command: "/x/mlvc", Shared: true}))
	if err := r.UninstallHooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(picture(t, hooks)) != 1 {
		t.Error(picture(t, hooks))
	}
}

func TestLinkedHook(t *testing.T) {
	s := newSandbox(t)
	s.hook("scripts/check", "#!/bin/sh\necho \"own $(basename \"$0\")\" >>.git/log\n", 0o755)
	if err := os.Symlink("../../scripts/check", s.path(".git/hooks/pre-commit")); err != nil {
		t.Fatal(err)
	}
	before := picture(t, s.dir)
	r := s.open(Options{})
	must(r.InstallHooks(t.Context(), InstallOptions{Command: mlvcThatLogs(t, s.path(".git/log"))}))
	s.git("commit", "-q", "--allow-empty", "-m", "x")
	if got := s.read(".git/log"); !strings.Contains(got, "mlvc git hook pre-commit") || !strings.Contains(got, "own pre-commit") {
		t.Error(got)
	}
	if err := r.UninstallHooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := picture(t, s.dir)
	for name := range after {
		if strings.HasPrefix(name, ".git") && !strings.HasPrefix(name, ".git/hooks") {
			delete(after, name)
			delete(before, name)
		}
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}

// What the user adds to a script of mlvc's stays.
func TestHookEditedSince(t *testing.T) {
	s := newSandbox(t)
	r := s.open(Options{})
	s.hook(".git/hooks/pre-push", "#!/usr/bin/python3\n", 0o755)
	must(r.InstallHooks(t.Context(), InstallOptions{Command: "/x/mlvc"}))
	s.hook(".git/hooks/pre-commit", s.read(".git/hooks/pre-commit")+"make lint\n", 0o755)
	s.hook(".git/hooks/pre-push", s.read(".git/hooks/pre-push")+"make test\n", 0o755)
	err := r.UninstallHooks(t.Context())
	if e := (*HookError)(nil); !errors.As(err, &e) || !strings.HasSuffix(e.Path, "pre-push") {
		t.Error(err)
	}
	if got := s.read(".git/hooks/pre-commit"); got != "#!/bin/sh\nmake lint\n" {
		t.Errorf("%q", got)
	}
	if got := s.read(".git/hooks/mlvc-before/pre-push"); got != "#!/usr/bin/python3\n" {
		t.Errorf("%q", got)
	}
}

// Whatever hooks there are, and wherever installing or taking out is
// interrupted: at no time a hook of the user's is gone, and in the end all is
// byte for byte as before.
func TestHooksLaw(t *testing.T) {
	s := newSandbox(t)
	dir := s.path(".git/hooks")
	command := InstallOptions{Command: "/x/mlvc"}
	rapid.Check(t, func(rt *rapid.T) {
		if err := os.RemoveAll(dir); err != nil {
			rt.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o777); err != nil {
			rt.Fatal(err)
		}
		for _, h := range Hooks {
			drawHook(rt, filepath.Join(dir, h))
		}
		before := picture(t, dir)
		for range rapid.IntRange(0, 3).Draw(rt, "interruptions") {
			plan := faultfs.Plan{At: rapid.IntRange(1, 60).Draw(rt, "at"), Sticky: rapid.Bool().Draw(rt, "sticky")}
			r := must(Open(t.Context(), s.dir, Options{FS: faultfs.New(unsynced{vfs.OS}, plan)}))
			if rapid.Bool().Draw(rt, "install") {
				r.InstallHooks(t.Context(), command)
			} else {
				r.UninstallHooks(t.Context())
			}
			r.Close()
			checkOwn(rt, t, before, dir)
		}
		r := must(Open(t.Context(), s.dir, Options{FS: unsynced{vfs.OS}}))
		defer r.Close()
		if _, err := r.InstallHooks(t.Context(), command); err != nil {
			rt.Fatal(err)
		}
		checkOwn(rt, t, before, dir)
		if _, err := r.InstallHooks(t.Context(), InstallOptions{Command: "/other/mlvc"}); err != nil {
			rt.Fatal(err)
		}
		if err := r.UninstallHooks(t.Context()); err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(before, picture(t, dir)); diff != "" {
			rt.Fatal(diff)
		}
	})
}

// unsynced waits for no disk, so that a law can be tried often.
type unsynced struct{ vfs.FS }

func (unsynced) SyncDir(string) error { return nil }

func (u unsynced) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := u.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

type unsyncedFile struct{ vfs.File }

func (unsyncedFile) Sync() error { return nil }

func drawHook(t *rapid.T, name string) {
	body := rapid.StringOf(rapid.SampledFrom([]rune("ab \n\r#\"'$é"))).Draw(t, "body")
	switch rapid.SampledFrom([]string{"none", "sh", "bare", "shebang only", "python", "binary", "off", "link", "absolute"}).Draw(t, filepath.Base(name)) {
	case "sh":
		body = "#!/bin/sh\n" + body
	case "shebang only":
		body = "#!/bin/sh"
	case "python":
		body = "#!/usr/bin/python3\n" + body
	case "binary":
		body = "\x7fELF\x00" + body
	case "off":
		write(t, name, body, 0o644)
		return
	case "link":
		symlink(t, "../x", name)
		return
	case "absolute":
		symlink(t, "/bin/true", name)
		return
	case "none":
		return
	}
	write(t, name, body, rapid.SampledFrom([]fs.FileMode{0o755, 0o700, 0o775}).Draw(t, "perm"))
}

func write(t *rapid.T, name, text string, perm fs.FileMode) {
	if err := os.WriteFile(name, []byte(text), perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, perm); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *rapid.T, target, name string) {
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

// checkOwn checks that every hook of the user's is there: as it was, with a
// block, or aside and called from mlvc's script.
func checkOwn(rt *rapid.T, t *testing.T, before map[string]string, dir string) {
	now := picture(t, dir)
	for name, was := range before {
		if name == "." || now[name] == was {
			continue
		}
		text := must(os.ReadFile(filepath.Join(dir, name)))
		rest, b, ok := cutBlock(text)
		if !ok {
			rt.Fatalf("%s is neither the user's nor has a block:\n%s", name, text)
		}
		if b.has(noteAside) {
			aside := now[filepath.Join(asideDir, name)]
			if aside != was && aside != strings.Replace(was, "-> ..", "-> ../..", 1) {
				rt.Fatalf("%s is not aside: %s", name, aside)
			}
			continue
		}
		if fmt.Sprintf("%v %q", must(os.Stat(filepath.Join(dir, name))).Mode(), rest) != was {
			rt.Fatalf("%s: %q, want %s", name, rest, was)
		}
	}
}
