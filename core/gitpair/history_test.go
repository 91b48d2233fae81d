package gitpair

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
)

func words(list []objects.ID, known ...string) (names []string) {
	for _, w := range known {
		if slices.Contains(list, sum(w)) {
			names = append(names, w)
		}
	}
	if len(names) != len(list) {
		names = append(names, "others")
	}
	return names
}

func TestNamedCommits(t *testing.T) {
	eachReader(t, func(t *testing.T, s *sandbox, opt Options) {
		all := []string{"one", "two", "side", "amended", "stashed", "stash index", "tagged", "gone", "staged", "linked", "in conflict"}
		s.commit("data.mlvc", "one")
		s.commit("data.mlvc", "two")
		s.git("checkout", "-q", "-b", "side")
		s.commit("sets/other.mlvc", "side")
		s.commit("data.mlvc", "tagged")
		s.git("tag", "-a", "-m", "x", "v1")
		s.git("checkout", "-q", "main")
		s.git("branch", "-q", "-D", "side")
		s.commit("data.mlvc", "gone")
		s.point("data.mlvc", "amended")
		s.git("commit", "-q", "-a", "--amend", "-m", "amended")
		s.point("data.mlvc", "stash index")
		s.git("add", "-A")
		s.point("data.mlvc", "stashed")
		s.git("stash")
		s.write("data.mlvc", "<<<<<<< a\ncommit "+sum("in conflict").String()+"\n")
		s.git("commit", "-q", "-a", "-m", "a pointer that is none")
		wt := filepath.Join(t.TempDir(), "wt")
		s.git("worktree", "add", "-q", "--detach", wt, "HEAD^")
		linked := &sandbox{t: t, dir: wt, at: s.at}
		linked.point("data.mlvc", "linked")
		linked.git("add", "-A")
		s.point("data.mlvc", "staged")
		s.git("add", "-A")

		cache := filepath.Join(t.TempDir(), "cache", "git")
		for range 2 {
			r := s.open(opt)
			h := must(r.History(t.Context(), cache))
			if diff := cmp.Diff(all, words(h.NamedCommits(), all...)); diff != "" {
				t.Error(diff)
			}
		}
		// Packed and without reflog it is the same but for what only that had.
		s.git("reset", "-q", "--hard")
		linked.git("reset", "-q", "--hard")
		s.git("stash", "drop", "-q")
		s.git("reflog", "expire", "--expire=now", "--all")
		s.git("gc", "-q", "--prune=now")
		r := s.open(opt)
		h := must(r.History(t.Context(), cache))
		left := []string{"one", "two", "side", "amended", "tagged", "in conflict"}
		if diff := cmp.Diff(left, words(h.NamedCommits(), all...)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCacheIsOnlyACache(t *testing.T) {
	s := newSandbox(t)
	for i := range 30 {
		s.commit("data.mlvc", itoa(i))
	}
	cache := filepath.Join(t.TempDir(), "git")
	want := must(s.open(Options{}).History(t.Context(), "")).NamedCommits()
	if len(want) != 30 {
		t.Fatal(len(want))
	}
	must(s.open(Options{}).History(t.Context(), cache))
	good := must(os.ReadFile(cache))
	for i := 0; i < len(good); i += 7 {
		bad := slices.Clone(good)
		bad[i] ^= 0x40
		for _, text := range [][]byte{bad, good[:i]} {
			if err := os.WriteFile(cache, text, 0o666); err != nil {
				t.Fatal(err)
			}
			r := s.open(Options{})
			if g := r.loadGraph(cache); len(g.commits) != 0 {
				t.Fatalf("byte %d: damage was taken", i)
			}
		}
	}
	h := must(s.open(Options{}).History(t.Context(), cache))
	if diff := cmp.Diff(want, h.NamedCommits()); diff != "" {
		t.Error(diff)
	}
	if again := must(os.ReadFile(cache)); !slices.Equal(again, good) {
		t.Error("the cache was not written anew")
	}
	s.commit("data.mlvc", "more")
	if h := must(s.open(Options{}).History(t.Context(), cache)); len(h.NamedCommits()) != 31 {
		t.Error(len(h.NamedCommits()))
	}
}

// What a shallow clone did not have is read once it is there.
func TestCacheAcrossUnshallow(t *testing.T) {
	s := newSandbox(t)
	for _, w := range []string{"one", "two", "three"} {
		s.commit("data.mlvc", w)
	}
	dir := filepath.Join(t.TempDir(), "clone")
	s.git("clone", "-q", "--depth=1", "file://"+s.dir, dir)
	cache := filepath.Join(t.TempDir(), "git")
	if h := must(openAt(t, dir, Options{}).History(t.Context(), cache)); len(h.NamedCommits()) != 1 {
		t.Error(h.NamedCommits())
	}
	(&sandbox{t: t, dir: dir}).git("fetch", "-q", "--unshallow")
	if h := must(openAt(t, dir, Options{}).History(t.Context(), cache)); len(h.NamedCommits()) != 3 {
		t.Error(h.NamedCommits())
	}
}

func TestDamagedHistoryIsAnError(t *testing.T) {
	s := newSandbox(t)
	one := s.commit("data.mlvc", "one")
	s.commit("data.mlvc", "two")
	if err := os.Remove(s.path(".git/objects/" + one[:2] + "/" + one[2:])); err != nil {
		t.Fatal(err)
	}
	if h, err := s.open(Options{}).History(t.Context(), ""); err == nil {
		t.Error("damage was taken for the end of history:", h.NamedCommits())
	}
}

func TestFirstNaming(t *testing.T) {
	eachReader(t, func(t *testing.T, s *sandbox, opt Options) {
		s.commit("data.mlvc", "one")
		gone := s.commit("data.mlvc", "two")
		s.git("commit", "-q", "--amend", "-m", "again")
		two := s.git("rev-parse", "HEAD")
		s.commit("data.mlvc", "three")
		s.commit("data.mlvc", "two") // back
		s.git("checkout", "-q", "-b", "side", two)
		s.write("code", "1")
		s.commit("data.mlvc", "two")
		lost := s.commit("data.mlvc", "lost")
		s.git("reset", "-q", "--hard", "HEAD^")
		if gone == two {
			t.Fatal("not amended")
		}
		h := must(s.open(opt).History(t.Context(), ""))
		if got, ok := h.FirstNaming(sum("two")); !ok || got != two {
			t.Errorf("%s, want %s", got, two)
		}
		if got, ok := h.FirstNaming(sum("lost")); !ok || got != lost {
			t.Errorf("%s, want %s", got, lost)
		}
		if got, ok := h.FirstNaming(sum("none")); ok {
			t.Error(got)
		}
	})
}

func TestForPush(t *testing.T) {
	eachReader(t, func(t *testing.T, s *sandbox, opt Options) {
		remote := filepath.Join(t.TempDir(), "remote.git")
		format := s.git("rev-parse", "--show-object-format")
		s.git("init", "-q", "--bare", "--object-format="+format, remote)
		s.git("remote", "add", "origin", remote)
		one := s.commit("data.mlvc", "one")
		s.git("push", "-q", "origin", "main")
		two := s.commit("data.mlvc", "two")
		s.write("code", "1")
		s.commit("data.mlvc", "two")
		three := s.commit("data.mlvc", "three")
		s.git("checkout", "-q", "-b", "side", "main^")
		side := s.commit("sets/other.mlvc", "side")
		if err := os.WriteFile(s.path(".git/hooks/pre-push"), []byte("#!/bin/sh\ncat >stdin\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		r := s.open(opt)
		push := func(args ...string) (list []PushedNaming) {
			s.git(append([]string{"push", "-q", "--dry-run", "origin"}, args...)...)
			return must(r.ForPush(t.Context(), "", "origin", must(ParsePushed([]byte(s.read("stdin"))))))
		}
		at := func(path, word, git string) PushedNaming { return PushedNaming{Naming{path, sum(word)}, git} }
		want := []PushedNaming{at("data.mlvc", "two", two), at("data.mlvc", "three", three)}
		if diff := cmp.Diff(want, push("main")); diff != "" {
			t.Error(diff)
		}
		want = append(want, at("sets/other.mlvc", "side", side))
		if diff := cmp.Diff(want, push("main", "side")); diff != "" {
			t.Error(diff)
		}
		if list := push("main:other", ":main"); len(list) != 2 {
			t.Error(list)
		}
		// The remote is ahead by what is not held here.
		refs := []PushedRef{{"refs/heads/main", three, "refs/heads/main", notHeld(one)}}
		if list := must(r.ForPush(t.Context(), "", "", refs)); len(list) != 3 {
			t.Error(list)
		}
	})
}

func notHeld(hash string) string {
	b := []byte(hash)
	slices.Reverse(b)
	return string(b)
}

// Whatever the cache says, reading it ends, and what is taken is whole.
func FuzzCache(f *testing.F) {
	f.Add([]byte{20, 1, 0, 0})
	f.Add(append(append([]byte{20, 1, 0, 1}, make([]byte, 20)...), 0, 0, 0))
	f.Fuzz(func(t *testing.T, body []byte) {
		data := append([]byte(cacheMagic), body...)
		check := blake3.Sum256(data)
		g := newGraph(&Repo{})
		if !g.decode(append(data, check[:]...)) {
			return
		}
		for hash := range g.commits {
			g.names(hash)
		}
		again := newGraph(&Repo{})
		if !again.decode(g.encode()) || len(again.commits) != len(g.commits) {
			t.Fatalf("%x", body)
		}
	})
}
