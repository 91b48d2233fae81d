package core_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// faults are the ways in which an operation fails.
var faults = map[string]faultfs.Plan{
	"EIO":   {Kind: faultfs.EIO},
	"full":  {Kind: faultfs.ENOSPC},
	"short": {Kind: faultfs.ShortWrite},
	"died":  {Kind: faultfs.EIO, Sticky: true},
}

// injected reports whether an error is what faultfs made.
func injected(err error) bool {
	return errors.Is(err, faultfs.ErrIO) || errors.Is(err, vfs.ErrNoSpace)
}

// stride returns at which operation a sweep begins and how many it passes
// over: from another one each time, so that many runs try all. With
// MLVC_SWEEP=1 it tries every one, and with MLVC_SWEEP=n every n-th.
func stride(usual int) (first, step int) {
	step = usual * core.UnderRace
	if s := os.Getenv("MLVC_SWEEP"); s != "" {
		step, _ = strconv.Atoi(s)
		step = max(step, 1)
	} else if testing.Short() {
		step *= 3
	}
	return 1 + rand.IntN(step), step
}

// sweepEvery is after how many tries a sweep begins a new repository, so that
// what is to be verified stays small.
const sweepEvery = 24

// trial is one verb that a sweep tries.
type trial interface {
	// begin makes a repository to try in.
	begin(t *testing.T) *data
	// try runs the verb under the plan, checks everything, runs it again
	// without, and checks again. It returns whether the failure was reached.
	try(d *data, i int, plan faultfs.Plan) bool
	// end checks the repository as a whole.
	end(d *data)
}

// sweep lets operation i fail, for every i, until the verb ends before its
// i-th operation. usual is the stride where nothing else is asked for.
func sweep(t *testing.T, plan faultfs.Plan, usual int, c trial) {
	d := c.begin(t)
	first, step := stride(usual)
	for n, i := 1, first; !t.Failed(); n, i = n+1, i+step {
		plan.At = i
		if !c.try(d, i, plan) {
			t.Logf("%d operations", i-1)
			break
		}
		if n%sweepEvery == 0 {
			c.end(d)
			d = c.begin(t)
		}
	}
	c.end(d)
}

// fastDir is a temporary folder in memory where the system has one: a sweep
// syncs thousands of times, and looks at the order of things alone.
func fastDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "mlvc-sweep-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// under opens the repository with a file system that fails after the plan.
func (d *data) under(plan faultfs.Plan) (*core.Repo, *faultfs.FS, error) {
	env := d.env
	fsys := faultfs.New(vfs.OS, plan)
	env.FS = fsys
	r, err := core.Open(d.t.Context(), env, d.root)
	return r, fsys, err
}

// edit changes the working tree as the i-th step: a file, a large file in the
// middle, a new file, a removed one, a mode, a link, an empty folder, a folder
// that becomes a file and back.
func (d *data) edit(i int) {
	d.t.Helper()
	d.write("notes.txt", fmt.Sprintf("step %d", i))
	d.write("large.bin", string(largeBytes(i)))
	d.write(fmt.Sprintf("new/%d.txt", i), fmt.Sprintf("new in step %d", i))
	d.remove(fmt.Sprintf("new/%d.txt", i-3))
	d.write("run.sh", "#!/bin/sh\n")
	d.must(os.Chmod(filepath.Join(d.root, "run.sh"), [2]os.FileMode{0o644, 0o755}[i%2]))
	d.remove("link")
	d.must(os.Symlink(fmt.Sprintf("new/%d.txt", i), filepath.Join(d.root, "link")))
	d.remove(fmt.Sprintf("empty-%d", i-1))
	d.must(os.MkdirAll(filepath.Join(d.root, fmt.Sprintf("empty-%d", i)), 0o777))
	d.remove("swap")
	if i%2 == 0 {
		d.write("swap", "a file")
	} else {
		d.write("swap/inside.txt", "in a folder")
	}
}

func (d *data) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *data) remove(path string) {
	d.t.Helper()
	d.must(os.RemoveAll(filepath.Join(d.root, path)))
}

// largeBytes are 600 KiB that differ in a few bytes from step to step.
func largeBytes(i int) []byte {
	data := make([]byte, 600<<10)
	rand.NewChaCha8([32]byte{1}).Read(data) //nolint:errcheck // never fails
	copy(data[100_000+i%400*1000:], fmt.Sprintf("step %d", i))
	return data
}

// known is what a sweep knows of its repository: each acknowledged commit and
// what it must hold.
type known map[objects.ID]picture

// check compares these commits, or with none given all, with what they must
// hold.
func (k known) check(t testing.TB, r *core.Repo, ids ...objects.ID) {
	t.Helper()
	if len(ids) == 0 {
		ids = slices.Collect(maps.Keys(k))
	}
	for _, id := range ids {
		if want, ok := k[id]; ok {
			if diff := cmp.Diff(want, takeCommit(t, r, id)); diff != "" {
				t.Errorf("commit %s: %s", id.Short(), diff)
			}
		}
	}
}

func TestSweepCommit(t *testing.T) {
	verbs := map[string]core.CommitOptions{
		"first":        {Kind: core.KindAuto},
		"incremental":  {Kind: objects.Incremental},
		"differential": {Kind: objects.Differential},
		"full":         {Kind: objects.Full},
		"paths":        {Kind: core.KindAuto, Paths: []string{"notes.txt", "new", "swap"}},
	}
	for verb, opt := range verbs {
		for fault, plan := range faults {
			t.Run(verb+"/"+fault, func(t *testing.T) {
				t.Parallel()
				opt.Message = verb
				sweep(t, plan, 61, &commitSweep{opt: opt, first: verb == "first"})
			})
		}
	}
}

// commitSweep tries one kind of commit.
type commitSweep struct {
	opt     core.CommitOptions
	first   bool // each try is the first commit of a repository
	commits known
}

func (c *commitSweep) begin(t *testing.T) *data {
	d := newDataIn(t, fastDir(t))
	c.commits = make(known)
	if !c.first {
		d.edit(0)
		c.commits[d.commit(core.CommitOptions{Message: "base"}).ID] = takeDisk(t, d.root)
	}
	return d
}

func (c *commitSweep) end(d *data) {
	if !c.first {
		c.commits.check(d.t, d.open())
		d.verify(true)
	}
}

// try edits, commits with a failure, and commits again without.
func (c *commitSweep) try(d *data, i int, plan faultfs.Plan) bool {
	t := d.t
	if c.first {
		d = newDataIn(t, fastDir(t))
	}
	d.edit(i)
	before, stats := takeDisk(t, d.root), statAll(t, d.root)
	old := d.head()

	reached, res, err := c.fail(d, plan)
	where := fmt.Sprintf("operation %d (%s)", i, reached)
	if err != nil && !injected(err) {
		t.Errorf("%s: error does not say what failed: %v", where, err)
	}
	if err == nil && res.ID.IsZero() {
		t.Errorf("%s: no error and no commit", where)
	}
	after := d.open()
	defer after.Close()
	head := headOf(t, after)
	if err == nil && head != res.ID {
		t.Errorf("%s: acknowledged %s, yet the head is %s", where, res.ID.Short(), head.Short())
	}
	if head != old && !c.partial() {
		c.commits[head] = before
	}
	if diff := cmp.Diff(before, takeDisk(t, d.root)); diff != "" {
		t.Errorf("%s: files changed: %s", where, diff)
	}
	if diff := cmp.Diff(stats, statAll(t, d.root)); diff != "" {
		t.Errorf("%s: stats changed: %s", where, diff)
	}
	c.commits.check(t, after, old, head)
	c.again(d, where, before)
	return reached != ""
}

func (c *commitSweep) partial() bool { return len(c.opt.Paths) > 0 }

// fail runs the commit under the plan.
func (c *commitSweep) fail(d *data, plan faultfs.Plan) (reached string, res core.CommitResult, err error) {
	r, fsys, err := d.under(plan)
	if err == nil {
		res, err = r.Commit(d.t.Context(), c.opt)
		cerr := r.Close()
		if err == nil && cerr != nil && !injected(cerr) {
			d.t.Errorf("close: %v", cerr)
		}
	}
	return fsys.Failed(), res, err
}

// again commits without a failure: it succeeds, and the commit is what is on
// the disk.
func (c *commitSweep) again(d *data, where string, disk picture) {
	t := d.t
	t.Helper()
	r := d.open()
	defer r.Close()
	res, err := r.Commit(t.Context(), c.opt)
	if err != nil {
		t.Errorf("%s: the next commit: %v", where, err)
		return
	}
	head := headOf(t, r)
	if !res.ID.IsZero() && res.ID != head {
		t.Errorf("%s: the next commit is %s, the head %s", where, res.ID.Short(), head.Short())
	}
	got := takeCommit(t, r, head)
	want := disk
	if c.partial() {
		want = got // what else is in it is the parent's; the paths must be the disk's
		for path, look := range disk {
			if strings.HasPrefix(path, "new/") || strings.HasPrefix(path, "swap") || path == "notes.txt" {
				want[path] = look
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: the next commit: %s", where, diff)
	}
	c.commits[head] = want
	left, err := os.ReadDir(filepath.Join(d.root, core.Dir, "tmp"))
	for _, l := range left {
		// A look that died is swept a day later.
		if l.Name() != "clock" && !strings.HasPrefix(l.Name(), "look-") {
			t.Errorf("%s: left in tmp: %v, %v", where, left, err)
		}
	}
}

// head returns the commit at the head.
func (d *data) head() objects.ID {
	d.t.Helper()
	r := d.open()
	defer r.Close()
	return headOf(d.t, r)
}

// statAll is what a commit must leave alone of every file: size, permissions
// and modification time.
func statAll(t testing.TB, root string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for path := range takeDisk(t, root) {
		st, err := os.Lstat(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		all[path] = fmt.Sprint(st.Size(), st.Mode(), st.ModTime().UnixNano())
	}
	return all
}
