package core_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// followed is a dataset that is paired with a git repository, whose hooks do
// not run: the tests call what they would.
type followed struct {
	*data
}

func newFollowed(t *testing.T) *followed {
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	f := &followed{&data{t: t, root: t.TempDir()}}
	now := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	f.env = core.Env{
		FS: vfs.OS, Now: func() time.Time { now = now.Add(time.Second); return now }, Events: core.NoEvents{},
		Who: objects.Signature{Name: "Ada", Email: "ada@example.org"}, Command: "test",
	}
	f.git("init", "-q", "-b", "main")
	f.write("data/a", "one")
	_, err := core.Pair(t.Context(), f.env, core.PairOptions{Dir: f.root, Track: []string{"data"}, Hook: "/none/mlvc"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *followed) git(args ...string) string {
	f.t.Helper()
	args = append([]string{"-C", f.root, "-c", "core.hooksPath=" + os.DevNull, "-c", "user.name=Ada", "-c", "user.email=a@b.c"}, args...)
	out, err := exec.Command("git", args...).CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// both commits to mlvc and to git.
func (f *followed) both(message string) objects.ID {
	f.t.Helper()
	id := f.commit(core.CommitOptions{Message: message}).ID
	f.git("add", "-A")
	f.git("commit", "-q", "-m", message)
	return id
}

func (f *followed) follow() core.FollowResult {
	f.t.Helper()
	res, err := f.open().Follow(f.t.Context(), core.FollowOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	return res
}

// agree fails unless files, HEAD, branch and pointer are those of a commit,
// and git sees no change.
func (f *followed) agree(branch string, id objects.ID, a string) {
	f.t.Helper()
	st, err := f.open().Status(f.t.Context(), nil, func(core.StatusEntry) error { return nil })
	if err != nil {
		f.t.Fatal(err)
	}
	if !st.Clean || st.Head != id || st.Branch != branch || st.Git.State != core.StandingAgreed {
		f.t.Fatalf("status %+v, git %+v, want %s at %s", st, st.Git, branch, id)
	}
	if text, err := os.ReadFile(filepath.Join(f.root, "data/a")); err != nil || string(text) != a {
		f.t.Fatalf("data/a is %q, want %q (%v)", text, a, err)
	}
	if changed := f.git("status", "--porcelain", "--untracked-files=no"); changed != "" {
		f.t.Fatalf("git sees changes:\n%s", changed)
	}
}

func (f *followed) pointer() gitpair.Pointer {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.root, "data.mlvc"))
	if err != nil {
		f.t.Fatal(err)
	}
	p, err := gitpair.ParsePointer("data.mlvc", text)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// faulty does something with files that fail from the i-th operation on, as
// in a process that dies; it reports whether it came so far.
func (f *followed) faulty(at int, do func(r *core.Repo) error) bool {
	env := f.env
	fsys := faultfs.New(vfs.OS, faultfs.Plan{At: at, Sticky: true})
	env.FS = fsys
	r, err := core.Open(f.t.Context(), env, f.root)
	if err == nil {
		err = errors.Join(do(r), r.Close())
	}
	if err == nil && fsys.Count() >= at {
		f.t.Logf("operation %d failed and nobody minded", at)
	}
	return fsys.Count() >= at
}

// Following that dies anywhere is finished by the next one, or given up for
// where git has gone meanwhile; git sees a pointer as it left it.
func TestFollowDies(t *testing.T) {
	f := newFollowed(t)
	one := f.both("one")
	f.git("checkout", "-q", "-b", "side")
	f.write("data/a", "two")
	f.write("data/b", "more")
	f.follow()
	two := f.both("two")
	at := map[string]objects.ID{"main": one, "side": two}
	texts := map[string]string{"main": "one", "side": "two"}
	from, to := "side", "main"
	for i, more := 0, true; more; i++ {
		f.git("checkout", "-q", to)
		more = f.faulty(1+5*i, func(r *core.Repo) error {
			_, err := r.Follow(t.Context(), core.FollowOptions{Early: i%4 == 3})
			return err
		})
		if i%2 == 0 {
			f.git("checkout", "-q", from) // git goes back while the data are anywhere
			f.follow()
			f.agree(from, at[from], texts[from])
			f.git("checkout", "-q", to)
		}
		f.follow()
		f.agree(to, at[to], texts[to])
		from, to = to, from
	}
}

// A commit that dies anywhere is there or is not, and the pointer names what
// is there at the next look.
func TestFollowCommitDies(t *testing.T) {
	f := newFollowed(t)
	f.both("one")
	for i, more := 1, true; more; i++ {
		text := strings.Repeat("x", i)
		f.write("data/a", text)
		more = f.faulty(1+5*i, func(r *core.Repo) error {
			_, err := r.Commit(t.Context(), core.CommitOptions{Message: "next", Kind: core.KindAuto})
			return err
		})
		f.follow()
		if head := headOf(t, f.open()); f.pointer().Commit != head {
			t.Fatalf("operation %d: the pointer names %s, HEAD is %s", i, f.pointer().Commit, head)
		}
		id := f.commit(core.CommitOptions{Message: "again"}).ID
		if id.IsZero() {
			id = headOf(t, f.open())
		}
		f.git("commit", "-q", "--allow-empty", "-a", "-m", "next")
		f.agree("main", id, text)
	}
}

// What git put there while the data could not follow is not written over by a
// commit that saves them.
func TestFollowForeign(t *testing.T) {
	f := newFollowed(t)
	one := f.both("one")
	f.git("checkout", "-q", "-b", "side")
	f.write("data/a", "two")
	f.follow()
	two := f.both("two")
	f.write("data/a", "edited")
	f.git("checkout", "-q", "main")
	_, err := f.open().Follow(t.Context(), core.FollowOptions{})
	var obstacles *core.ObstaclesError
	if !errors.As(err, &obstacles) {
		t.Fatal(err)
	}
	saved := f.commit(core.CommitOptions{Message: "saved"})
	if saved.ID.IsZero() || saved.Parents[0] != two || f.pointer().Commit != one {
		t.Fatalf("%+v, the pointer names %s", saved, f.pointer().Commit)
	}
	f.follow()
	f.agree("main", one, "one")
	// Back on its branch, git's pointer rules; the commit is told, not lost.
	f.git("checkout", "-q", "side")
	if res := f.follow(); res.Left != saved.ID {
		t.Fatalf("%+v does not say that %s was left", res, saved.ID)
	}
	f.agree("side", two, "two")
}

// The two pointers of one dataset merge into one commit, whichever comes
// first, and the same merge again makes no other.
func TestFollowMergesOnce(t *testing.T) {
	f := newFollowed(t)
	f.both("base")
	base := f.pointerText()
	f.git("checkout", "-q", "-b", "side")
	f.follow()
	f.write("data/side", "s")
	f.both("side")
	theirs := f.pointerText()
	f.git("checkout", "-q", "main")
	f.follow()
	f.write("data/main", "m")
	f.both("main")
	ours := f.pointerText()
	texts := core.PointerMerge{File: "data.mlvc", Base: base, Ours: ours, Theirs: theirs}
	first, err := f.open().MergePointers(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.open().MergePointers(t.Context(), texts)
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%v\n%s\n%s", err, first, second)
	}
	if err := os.WriteFile(filepath.Join(f.root, "data.mlvc"), first, 0o666); err != nil {
		t.Fatal(err)
	}
	f.follow()
	p, err := gitpair.ParsePointer("data.mlvc", first)
	if err != nil || headOf(t, f.open()) != p.Commit {
		t.Fatalf("HEAD is not the merge (%v)", err)
	}
	for _, name := range []string{"data/side", "data/main"} {
		if _, err := os.Stat(filepath.Join(f.root, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func (f *followed) pointerText() []byte {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.root, "data.mlvc"))
	if err != nil {
		f.t.Fatal(err)
	}
	return text
}

// A look that puts HEAD on git's branch leaves no place among the readers.
func TestAttachLetsReadersGo(t *testing.T) {
	f := newFollowed(t)
	one := f.both("one")
	f.git("branch", "-m", "trunk")
	r, err := core.Open(t.Context(), f.env, f.root)
	if err != nil {
		t.Fatal(err)
	}
	st, err := r.GitStatus(t.Context(), "/none/mlvc")
	if err = errors.Join(err, r.Close()); err != nil || !st.Paired {
		t.Fatalf("%+v, %v", st, err)
	}
	l := flock.New(filepath.Join(f.root, ".mlvc/readers/0"))
	if free, err := l.TryLock(); err != nil || !free {
		t.Errorf("somebody still reads (%v)", err)
	}
	l.Close()
	f.agree("trunk", one, "one")
}

// A hook that puts HEAD on git's branch does so in somebody's name.
func TestHookAttachSigns(t *testing.T) {
	for _, hook := range []string{"pre-commit", "post-commit"} {
		f := newFollowed(t)
		f.both("one")
		f.git("branch", "-m", "trunk")
		env := f.env
		env.Who = objects.Signature{}
		call := core.HookCall{Name: hook, Who: func() objects.Signature { return objects.Signature{Name: "Eve", Email: "eve@example.org"} }}
		if err := core.GitHook(t.Context(), env, f.root, call, func(core.HookReport) {}); err != nil {
			t.Fatal(err)
		}
		for op, err := range f.open().OpLog(t.Context()) {
			if err != nil || op.Who.Name != "Eve" {
				t.Errorf("%s: the last operation is %+v (%v)", hook, op, err)
			}
			break
		}
	}
}

// What is remembered of git is in no remote's way, however that is called.
func TestRemoteCalledGit(t *testing.T) {
	f := newFollowed(t)
	f.both("one")
	shareOpen(f.data, buckettest.Memory())
	head := strings.TrimSpace(f.git("rev-parse", "HEAD"))
	call := core.HookCall{Name: "pre-push", Input: strings.NewReader("refs/heads/main " + head + " refs/heads/main " + strings.Repeat("0", 40) + "\n")}
	err := core.GitHook(t.Context(), f.env, f.root, call, func(core.HookReport) {})
	var unpushed *core.UnpushedError
	if !errors.As(err, &unpushed) {
		t.Fatal(err)
	}
	if _, err := f.open().AddRemote(t.Context(), "git", "/place"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.open().Push(t.Context(), core.PushOptions{}); err != nil {
		t.Fatal(err)
	}
}

// worktree adds a linked work tree with a branch of its own.
func (f *followed) worktree(branch string) *followed {
	f.t.Helper()
	dir := filepath.Join(f.t.TempDir(), branch)
	f.git("worktree", "add", "-q", "-b", branch, dir)
	return &followed{&data{t: f.t, root: dir, env: f.env}}
}

func (f *followed) gitFetch(env core.Env) error {
	opt := core.GitFetchOptions{Dir: f.root, Hook: "/none/mlvc"}
	return core.GitFetch(f.t.Context(), env, opt, func(core.GitFetched) {})
}

// Work trees have data from each other, also where git names them relatively.
func TestFollowTakesFromSibling(t *testing.T) {
	f := newFollowed(t)
	f.both("one")
	side := f.worktree("side")
	if err := side.gitFetch(f.env); err != nil {
		t.Fatal(err)
	}
	side.write("data/a", "two")
	two := side.both("two")
	linked := filepath.Join(f.root, ".git/worktrees/side")
	rel, err := filepath.Rel(linked, filepath.Join(side.root, ".git"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(linked, "gitdir"), []byte(filepath.ToSlash(rel)+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	f.git("merge", "-q", "side")
	f.follow()
	f.agree("main", two, "two")
}

// Where git has no mlvc.toml, a fetch that dies anywhere leaves no `.mlvc`
// that does not know what is tracked.
func TestGitFetchDies(t *testing.T) {
	f := newFollowed(t)
	shareOpen(f.data, buckettest.Memory())
	f.commit(core.CommitOptions{Message: "one"})
	if _, err := f.open().AddRemote(t.Context(), "origin", "/place"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.open().Push(t.Context(), core.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	f.git("add", "data.mlvc")
	f.git("commit", "-q", "-m", "one")
	side := f.worktree("side")
	made := false
	for at := 1; at <= 200 && !made; at++ {
		env := f.env
		env.FS = faultfs.New(vfs.OS, faultfs.Plan{At: at, Sticky: true})
		if err := side.gitFetch(env); err == nil {
			t.Fatal("nothing failed")
		}
		_, err := os.Stat(filepath.Join(side.root, ".mlvc"))
		made = err == nil
	}
	if !made {
		t.Fatal("never made")
	}
	if err := side.gitFetch(f.env); err != nil {
		t.Fatal(err)
	}
	rules, err := side.open().Rules()
	if err != nil || len(rules.Track) != 1 || rules.Track[0] != "data" {
		t.Errorf("%q is tracked (%v)", rules.Track, err)
	}
}

// The name that holds a merge until the data follow it is nobody else's.
func TestFetchLeavesMerges(t *testing.T) {
	f := newFollowed(t)
	place := buckettest.Memory()
	shareOpen(f.data, place)
	f.both("base")
	base := f.pointerText()
	f.git("checkout", "-q", "-b", "side")
	f.follow()
	f.write("data/side", "s")
	f.both("side")
	theirs := f.pointerText()
	f.git("checkout", "-q", "main")
	f.follow()
	f.write("data/main", "m")
	f.both("main")
	texts := core.PointerMerge{File: "data.mlvc", Base: base, Ours: f.pointerText(), Theirs: theirs}
	if _, err := f.open().MergePointers(t.Context(), texts); err != nil {
		t.Fatal(err)
	}
	if _, err := f.open().AddRemote(t.Context(), "origin", "/place"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.open().Push(t.Context(), core.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	c := &data{t: t, root: filepath.Join(t.TempDir(), "clone"), env: f.env}
	if _, err := core.Clone(t.Context(), c.env, core.CloneOptions{URL: "/place", Dir: c.root}); err != nil {
		t.Fatal(err)
	}
	for op, err := range c.open().OpLog(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range op.Moves {
			if strings.HasPrefix(string(m.Name), "git/merged/") {
				t.Errorf("the clone has %s", m.Name)
			}
		}
	}
}
