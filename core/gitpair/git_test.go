package gitpair

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

func TestMain(m *testing.M) {
	for _, v := range []string{
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
		"GIT_ALLOW_PROTOCOL=file",
	} {
		key, value, _ := strings.Cut(v, "=")
		os.Setenv(key, value)
	}
	os.Exit(m.Run())
}

// sandbox is a git work tree made by the git program.
type sandbox struct {
	t   *testing.T
	dir string
	at  int // the time of the next commit
}

func newSandbox(t *testing.T, init ...string) *sandbox {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &sandbox{t: t, dir: dir, at: 1e9}
	s.git(append([]string{"init", "-q", "-b", "main"}, init...)...)
	return s
}

func (s *sandbox) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s *sandbox) try(args ...string) (string, error) {
	s.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = s.dir
	s.at += 10
	date := "GIT_COMMITTER_DATE=@" + itoa(s.at) + " +0000"
	cmd.Env = append(os.Environ(), date, strings.Replace(date, "COMMITTER", "AUTHOR", 1))
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (s *sandbox) git(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

func (s *sandbox) write(name, text string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o777); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(text), 0o666); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sandbox) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// point writes a pointer that names the commit of that word.
func (s *sandbox) point(name, word string) {
	s.t.Helper()
	s.write(name, string(mustFormat(s.t, Pointer{Path: "data", Commit: sum(word), Tree: sum("tree " + word), Kind: objects.Full})))
}

// commit commits a pointer, and returns the commit's hash.
func (s *sandbox) commit(name, word string) string {
	s.t.Helper()
	s.point(name, word)
	s.git("add", "-A")
	s.git("commit", "-q", "--allow-empty", "-m", word)
	return s.git("rev-parse", "HEAD")
}

func (s *sandbox) open(opt Options) *Repo { return openAt(s.t, s.dir, opt) }

func openAt(t *testing.T, dir string, opt Options) *Repo {
	t.Helper()
	if opt.FS == nil {
		opt.FS = vfs.OS
	}
	r, err := Open(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// must returns a value that was had without error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
