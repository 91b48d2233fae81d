package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/objects"
)

// TestKill kills the real binary at random moments of commit, checkout and gc:
// MLVC_KILLS times, from MLVC_SEED. Whatever the moment, no acknowledged commit
// is lost, everything verifies, and all that the user had is in the working tree
// or in a commit.
func TestKill(t *testing.T) {
	t.Parallel()
	kills, seed := number("MLVC_KILLS", 100), uint64(number("MLVC_SEED", int(time.Now().UnixNano()%1e9)))
	if testing.Short() {
		kills = min(kills, 20)
	}
	k := newKilling(t, seed)
	defer func() {
		if t.Failed() {
			t.Logf("again: MLVC_SEED=%d MLVC_KILLS=%d", seed, kills)
		}
	}()
	tries := 0
	for ; k.killed < kills && !t.Failed(); tries++ {
		switch k.rnd.IntN(5) {
		case 0, 1:
			k.commit()
		case 2, 3:
			k.checkout()
		case 4:
			k.gc()
		}
		if tries%5 == 0 {
			k.verify()
		}
	}
	k.verify()
	for id, want := range k.commits {
		if diff := cmp.Diff(want, k.list(id)); diff != "" {
			t.Errorf("commit %s: %s", id, diff)
		}
	}
	t.Logf("%d runs killed of %d, seed %d; %d commits acknowledged", k.killed, tries, seed, len(k.commits))
}

func number(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return usual
}

// looks are the paths of a dataset: mode and content ID, as "mlvc ls" prints
// them.
type looks map[string]string

type killing struct {
	t         *testing.T
	rnd       *rand.Rand
	bin, root string
	killed    int
	took      map[string]time.Duration // what a verb takes if it is let live
	commits   map[string]looks         // acknowledged
	held      map[string]bool          // contents that some commit holds
	step      int
}

// memoryDir is a temporary folder in memory where the system has one: what is
// killed is a process, which no disk notices.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "mlvc-kill-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newKilling(t *testing.T, seed uint64) *killing {
	k := &killing{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), root: memoryDir(t),
		took: make(map[string]time.Duration), commits: make(map[string]looks), held: make(map[string]bool),
	}
	k.bin = realBinary(t)
	k.must("init")
	k.must("config", "gc.keep_days", "0")
	k.edit()
	k.acknowledge(k.must("commit", "-m", "base", "--json"), k.disk())
	k.must("switch", "-c", "other")
	k.edit()
	k.acknowledge(k.must("commit", "-m", "other", "--json"), k.disk())
	return k
}

// run runs the binary; with a delay it is killed after that, if it still runs.
func (k *killing) run(delay time.Duration, args ...string) (out string, killed bool, err error) {
	cmd := exec.Command(k.bin, args...)
	cmd.Dir = k.root
	cmd.Env = append(os.Environ(), "MLVC_AUTHOR_NAME=Ada", "MLVC_AUTHOR_EMAIL=ada@example.org")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	if delay > 0 {
		defer time.AfterFunc(delay, func() { cmd.Process.Kill() }).Stop() //nolint:errcheck // it may have ended
	}
	err = cmd.Wait()
	killed = delay > 0 && cmd.ProcessState.ExitCode() < 0
	if killed {
		k.killed++
	}
	if err != nil {
		err = fmt.Errorf("mlvc %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), killed, err
}

func (k *killing) must(args ...string) string {
	k.t.Helper()
	start := time.Now()
	out, _, err := k.run(0, args...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.took[args[0]] = time.Since(start)
	return out
}

// kill runs a verb and kills it at some moment of the time that it usually
// takes. Status and output of one that ended before are returned.
func (k *killing) kill(args ...string) (out string, killed bool) {
	k.t.Helper()
	usual := max(k.took[args[0]], 5*time.Millisecond)
	out, killed, err := k.run(1+time.Duration(k.rnd.Int64N(int64(usual))), args...)
	if err != nil && !killed {
		k.t.Error(err)
	}
	return out, killed
}

// edit changes the user's files.
func (k *killing) edit() {
	k.step++
	write := func(path string, data []byte) {
		name := filepath.Join(k.root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, data, 0o666)); err != nil {
			k.t.Fatal(err)
		}
	}
	table := make([]byte, 400<<10)
	rand.NewChaCha8([32]byte{1}).Read(table) //nolint:errcheck // never fails
	copy(table[k.rnd.IntN(len(table)-100):], fmt.Sprintf("step %d", k.step))
	write("table.bin", table)
	for range 12 {
		write(fmt.Sprintf("d%d/f%d.txt", k.rnd.IntN(4), k.rnd.IntN(10)), fmt.Appendf(nil, "step %d, %d", k.step, k.rnd.IntN(1000)))
	}
	for range 3 {
		os.RemoveAll(filepath.Join(k.root, fmt.Sprintf("d%d/f%d.txt", k.rnd.IntN(4), k.rnd.IntN(10))))
	}
	name := filepath.Join(k.root, fmt.Sprintf("swap%d", k.rnd.IntN(2)))
	os.RemoveAll(name)
	switch k.rnd.IntN(3) {
	case 0:
		write(filepath.Base(name), fmt.Appendf(nil, "a file in step %d", k.step))
	case 1:
		write(filepath.Base(name)+"/in", fmt.Appendf(nil, "in a folder in step %d", k.step))
	}
}

// commit edits, and kills a commit. The next one ends.
func (k *killing) commit() {
	k.edit()
	had := k.disk()
	if out, killed := k.kill("commit", "-m", "killed", "--json"); !killed {
		k.acknowledge(out, had)
	}
	k.keeps(had)
	if diff := cmp.Diff(had, k.disk()); diff != "" {
		k.t.Errorf("commit changed files: %s", diff)
	}
	if k.rnd.IntN(2) == 0 {
		k.acknowledge(k.must("commit", "-m", "next", "--json"), had)
	}
}

// acknowledge notes what "commit --json" says.
func (k *killing) acknowledge(out string, holds looks) {
	k.t.Helper()
	var res struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(out), &res); err != nil {
		k.t.Fatalf("%v: %s", err, out)
	}
	if res.ID == "" {
		res.ID = "HEAD"
	} else {
		k.commits[res.ID] = holds
	}
	for _, look := range holds {
		k.held[look] = true
	}
	if diff := cmp.Diff(holds, k.list(res.ID)); diff != "" {
		k.t.Errorf("commit %s: %s", res.ID, diff)
	}
}

// checkout kills a checkout of the other branch; then comes another one, or a
// commit, or it is taken back.
func (k *killing) checkout() {
	if k.rnd.IntN(2) == 0 {
		os.WriteFile(filepath.Join(k.root, "mine.txt"), fmt.Appendf(nil, "mine, step %d", k.step), 0o666)
		k.step++
	}
	k.acknowledge(k.must("commit", "-m", "before", "--json"), k.disk())
	mine := fmt.Sprintf("loose-%d.txt", k.step)
	if err := os.WriteFile(filepath.Join(k.root, mine), fmt.Appendf(nil, "loose, step %d", k.step), 0o666); err != nil {
		k.t.Fatal(err)
	}
	had := k.disk()
	to := []string{"main", "other"}[k.rnd.IntN(2)]
	k.kill("checkout", to)
	k.keeps(had)
	switch k.rnd.IntN(4) {
	case 0:
		// Refused if the checkout is unfinished; else it records what is there.
		now := k.disk()
		if out, _, err := k.run(0, "commit", "-m", "in between", "--json"); err == nil {
			k.acknowledge(out, now)
		}
	case 1:
		k.run(0, "checkout", "--abort") //nolint:errcheck // there may be nothing to take back
		k.keeps(had)
	case 2:
		k.kill("checkout", to)
		k.keeps(had)
	}
	k.must("checkout", to)
	k.keeps(had)
	want := k.list(to)
	if look, ok := had[mine]; ok {
		if now := k.disk(); now[mine] == look {
			want[mine] = look
		}
	}
	if diff := cmp.Diff(want, k.disk()); diff != "" {
		k.t.Errorf("after checkout %s: %s", to, diff)
	}
	if _, err := os.Stat(filepath.Join(k.root, mine)); err == nil && k.rnd.IntN(2) == 0 {
		os.Remove(filepath.Join(k.root, mine))
	}
}

func (k *killing) gc() {
	k.kill("gc", "--grace", "0s")
	if k.rnd.IntN(3) == 0 {
		k.must("gc", "--grace", "0s")
	}
}

func (k *killing) verify() {
	k.t.Helper()
	if out, _, err := k.run(0, "verify", "--full", "--json"); err != nil {
		k.t.Errorf("%v\n%s", err, out)
	}
}

// keeps checks that every content that the user had is in the working tree or
// in a commit.
func (k *killing) keeps(had looks) {
	k.t.Helper()
	now := make(map[string]bool)
	for look := range maps.Values(k.disk()) {
		now[look] = true
	}
	lost := func() (paths []string) {
		for path, look := range had {
			if !now[look] && !k.held[look] {
				paths = append(paths, path)
			}
		}
		return paths
	}
	if len(lost()) == 0 {
		return
	}
	for _, branch := range []string{"main", "other"} { // of a killed commit, maybe
		for look := range maps.Values(k.list(branch)) {
			now[look] = true
		}
	}
	if paths := lost(); len(paths) > 0 {
		k.t.Errorf("lost: %q", paths)
	}
}

// list returns what a commit holds.
func (k *killing) list(rev string) looks {
	k.t.Helper()
	out, _, err := k.run(0, "ls", "-r", "--json", rev)
	if err != nil {
		k.t.Fatal(err)
	}
	l := make(looks)
	for line := range strings.Lines(out) {
		var e struct{ Path, Mode, Content string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			k.t.Fatal(err)
		}
		l[e.Path] = e.Mode + " " + e.Content
	}
	return l
}

// disk returns what the working tree holds.
func (k *killing) disk() looks {
	k.t.Helper()
	l := make(looks)
	err := filepath.WalkDir(k.root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == k.root {
			return err
		}
		if strings.HasPrefix(d.Name(), ".mlvc") && d.Name() != ".mlvcignore" {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(k.root, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if inside, err := os.ReadDir(name); err == nil && len(inside) == 0 {
				l[filepath.ToSlash(rel)] = "folder "
			}
			return nil
		}
		data, err := os.ReadFile(name)
		sum := objects.Sum(objects.KindChunk, data)
		l[filepath.ToSlash(rel)] = "file " + sum.String()
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return l
}
