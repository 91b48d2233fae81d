package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// sharing is a place, and repositories that push to it by the real binary.
type sharing struct {
	t         *testing.T
	bin, base string
}

func newSharing(t *testing.T) *sharing {
	s := &sharing{t: t, bin: realBinary(t), base: memoryDir(t)}
	s.write("first", "base", "base\n")
	s.must("first", "init")
	s.must("first", "commit", "-m", "base")
	s.must("first", "remote", "add", "origin", "../place")
	s.must("first", "push")
	return s
}

func (s *sharing) path(parts ...string) string {
	return filepath.Join(append([]string{s.base}, parts...)...)
}

func (s *sharing) write(repo, name, text string) {
	if err := os.MkdirAll(s.path(repo), 0o777); err != nil {
		s.t.Error(err)
	}
	if err := os.WriteFile(s.path(repo, name), []byte(text), 0o666); err != nil {
		s.t.Error(err)
	}
}

// run runs the binary in a repository, killed after a delay if that is not
// zero, and returns its exit status; -1 if it was killed.
func (s *sharing) run(delay time.Duration, repo string, args ...string) (status int, out, errs string) {
	cmd := exec.Command(s.bin, args...)
	cmd.Dir = s.path(repo)
	cmd.Env = append(os.Environ(), "MLVC_AUTHOR_NAME=Ada", "MLVC_AUTHOR_EMAIL=ada@example.org")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		s.t.Error(err)
		return -1, "", ""
	}
	if delay > 0 {
		defer time.AfterFunc(delay, func() { cmd.Process.Kill() }).Stop() //nolint:errcheck // it may have ended
	}
	cmd.Wait() //nolint:errcheck // the exit status says it
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

func (s *sharing) must(repo string, args ...string) string {
	status, out, errs := s.run(0, repo, args...)
	if status != 0 {
		s.t.Errorf("%s: mlvc %s: exit status %d\n%s%s", repo, strings.Join(args, " "), status, out, errs)
	}
	return out
}

// ids are the commits that "mlvc commit --json" and "mlvc log --json" print.
func (s *sharing) ids(out string) map[string]bool {
	found := make(map[string]bool)
	for line := range strings.Lines(out) {
		var res struct{ ID string }
		if err := json.Unmarshal([]byte(line), &res); err != nil {
			s.t.Errorf("%v: %q", err, line)
		}
		found[res.ID] = true
	}
	return found
}

// acknowledged are commits by the branch that a push said to hold them.
type acknowledged struct {
	mu       sync.Mutex
	branches map[string]map[string]bool
	refused  int
}

func (a *acknowledged) add(branch string, ids map[string]bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.branches[branch] == nil {
		a.branches[branch] = make(map[string]bool)
	}
	for id := range ids {
		a.branches[branch][id] = true
	}
}

// TestPushAtOnce lets several processes push for MLVC_SECONDS, each to its own
// branch and all to the same one. A push succeeds, or is refused because the
// other was first, and then merges. In the end the place has every commit that
// a push acknowledged.
func TestPushAtOnce(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	acks := &acknowledged{branches: make(map[string]map[string]bool)}
	until := time.Now().Add(time.Duration(number("MLVC_SECONDS", 5)) * time.Second)
	var group sync.WaitGroup
	for i := range 3 {
		repo := fmt.Sprintf("r%d", i)
		s.must(".", "clone", "place", repo)
		group.Go(func() {
			for n := 0; !t.Failed() && (n < 2 || time.Now().Before(until)); n++ {
				s.share(repo, n, acks)
			}
		})
	}
	group.Wait()
	s.must(".", "clone", "place", "last")
	s.must("last", "verify", "--full")
	count := 0
	for branch, want := range acks.branches {
		have := s.ids(s.must("last", "log", "--json", "origin/"+branch))
		for id := range want {
			if count++; !have[id] {
				t.Errorf("%s lacks %s", branch, id)
			}
		}
	}
	t.Logf("%d commits acknowledged, %d pushes refused as not forward", count, acks.refused)
}

// share commits, and pushes to the common branch and to its own.
func (s *sharing) share(repo string, n int, acks *acknowledged) {
	name := fmt.Sprintf("%s-%d", repo, n)
	s.write(repo, name, strings.Repeat(name+"\n", 1+n*100))
	ids := s.ids(s.must(repo, "commit", "-m", name, "--json"))
	for {
		status, _, errs := s.run(0, repo, "push", "origin", "main", "--json")
		if status == 0 {
			acks.add("main", ids)
			break
		}
		if status != 3 || !strings.Contains(errs, `"rejected"`) {
			s.t.Errorf("%s: push: exit status %d: %s", repo, status, errs)
			return
		}
		acks.mu.Lock()
		acks.refused++
		acks.mu.Unlock()
		s.must(repo, "fetch")
		s.must(repo, "merge", "origin/main")
	}
	s.must(repo, "branch", "-f", repo, "HEAD")
	s.must(repo, "push", "origin", repo)
	acks.add(repo, ids)
}

// TestPushKill kills pushes and pulls at random moments, MLVC_KILLS of them;
// the next one ends what they began, and nothing is lost on either side.
func TestPushKill(t *testing.T) {
	t.Parallel()
	seed := uint64(number("MLVC_SEED", int(time.Now().UnixNano()%1e9)))
	rnd := rand.New(rand.NewPCG(seed, 2))
	kills := number("MLVC_KILLS", 200) / 10
	if testing.Short() {
		kills = min(kills, 4)
	}
	s := newSharing(t)
	s.must(".", "clone", "place", "second")
	took := 60 * time.Millisecond
	killed := 0
	for n := 0; killed < kills && !t.Failed(); n++ {
		from, to := "first", "second"
		if n%2 == 1 {
			from, to = to, from
		}
		name := fmt.Sprintf("f%d", n)
		data := make([]byte, 1+rnd.IntN(3<<20))
		rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(data) //nolint:errcheck // it never fails
		s.write(from, name, string(data))
		ids := s.ids(s.must(from, "commit", "-m", name, "--json"))
		for _, verb := range []struct{ repo, word string }{{from, "push"}, {to, "pull"}} {
			if status, _, _ := s.run(1+time.Duration(rnd.Int64N(int64(took))), verb.repo, verb.word); status < 0 {
				killed++
			}
			began := time.Now()
			s.must(verb.repo, verb.word)
			took = time.Since(began)
		}
		for id := range ids {
			if !s.ids(s.must(to, "log", "--json"))[id] {
				t.Errorf("%s is not in %s", id, to)
			}
		}
		if got, err := os.ReadFile(s.path(to, name)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %v, %d bytes of %d", name, err, len(got), len(data))
		}
	}
	for _, repo := range []string{"first", "second"} {
		s.must(repo, "verify", "--full")
	}
	if t.Failed() {
		t.Logf("again: MLVC_SEED=%d", seed)
	}
}
