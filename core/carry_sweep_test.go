package core_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// The verbs that change files, each tried from the same start: HEAD on main,
// which parted from branch other; beside it a file in no commit, and a local
// change in a file that the verb does not touch.
func TestSweepCarry(t *testing.T) {
	verbs := map[string]*carrySweep{
		"checkout": {do: func(d *data, r *core.Repo) error {
			_, err := r.Checkout(d.t.Context(), core.CheckoutOptions{Rev: "other"})
			return err
		}, ends: "other"},
		"undo": {prepare: func(d *data) {
			d.checkout(core.CheckoutOptions{Rev: "other"})
			d.checkout(core.CheckoutOptions{Rev: "main"})
		}, do: func(d *data, r *core.Repo) error {
			if headOf(d.t, d.open()) == d.branch("other") {
				// It was taken back; once more would take back more.
				_, err := r.Checkout(d.t.Context(), core.CheckoutOptions{})
				return err
			}
			_, err := r.Undo(d.t.Context(), core.UndoOptions{})
			return err
		}, ends: "other"},
		"merge": {do: func(d *data, r *core.Repo) error {
			_, err := r.Merge(d.t.Context(), core.MergeOptions{Rev: "other", Theirs: []string{"."}})
			return err
		}, merges: true},
		"restore": {do: func(d *data, r *core.Repo) error {
			_, err := r.Restore(d.t.Context(), core.RestoreOptions{Rev: "other", Paths: []string{"new", "swap", "large.bin"}})
			return err
		}, restores: true},
	}
	for verb, c := range verbs {
		for fault, plan := range faults {
			t.Run(verb+"/"+fault, func(t *testing.T) {
				t.Parallel()
				own := *c
				sweep(t, plan, 41, &own)
			})
		}
	}
}

// carrySweep tries one verb that changes files.
type carrySweep struct {
	prepare  func(*data)
	do       func(*data, *core.Repo) error
	ends     string // the branch at which it ends
	merges   bool
	restores bool
	rules    string // mlvc.toml of the first commit; empty: as init makes it

	commits     known
	main, other objects.ID
}

// local are what the user has beside the commits.
var local = map[string]string{"mine.txt": "in no commit", "kept/edited.txt": "edited, in no commit"}

func (c *carrySweep) begin(t *testing.T) *data {
	d := newDataIn(t, fastDir(t))
	c.commits = make(known)
	if c.rules != "" {
		d.write(core.RulesFile, c.rules)
	}
	d.write("kept/edited.txt", "as committed")
	d.edit(1)
	commit := func(msg string) objects.ID {
		id := d.commit(core.CommitOptions{Message: msg}).ID
		c.commits[id] = takeDisk(t, d.root)
		return id
	}
	commit("base")
	r := d.open()
	_, err := r.Switch(t.Context(), core.SwitchOptions{Branch: "other", Create: true})
	d.must(err)
	d.edit(2)
	c.other = commit("theirs")
	d.checkout(core.CheckoutOptions{Rev: "main"})
	d.edit(3)
	c.main = commit("ours")
	for path, text := range local {
		d.write(path, text)
	}
	return d
}

func (c *carrySweep) end(d *data) {
	c.commits.check(d.t, d.open())
	d.verify(true)
}

func (d *data) checkout(opt core.CheckoutOptions) {
	d.t.Helper()
	r := d.open()
	defer r.Close()
	_, err := r.Checkout(d.t.Context(), opt)
	d.must(err)
}

func (d *data) branch(name string) objects.ID {
	d.t.Helper()
	r := d.open()
	defer r.Close()
	list, err := r.Branches(d.t.Context())
	d.must(err)
	for _, b := range list {
		if b.Name == name {
			return b.Commit
		}
	}
	return objects.ID{}
}

// withLocal is a picture with the user's local files.
func withLocal(p picture) picture {
	p = maps.Clone(p)
	for path, text := range local {
		p[path] = fileLook(false, objects.Sum(objects.KindChunk, []byte(text)))
	}
	return p
}

// try runs the verb with a failure; then, in turn, runs it again or takes it
// back, and goes back to the start.
func (c *carrySweep) try(d *data, i int, plan faultfs.Plan) bool {
	t := d.t
	if c.prepare != nil {
		c.prepare(d)
	}
	start := takeDisk(t, d.root)
	r, fsys, err := d.under(plan)
	if err == nil {
		err = c.do(d, r)
		r.Close() //nolint:errcheck // it may well fail
	}
	where := fmt.Sprintf("operation %d (%s)", i, fsys.Failed())
	if err != nil && !injected(err) {
		t.Errorf("%s: error does not say what failed: %v", where, err)
	}
	d.holdsLocal(where)
	after := d.open()
	defer after.Close()
	work, uerr := after.Unfinished()
	d.must(uerr)
	if work != nil && headOf(t, after) == c.main { // else the names have moved, and all is done
		if _, err := after.Commit(t.Context(), core.CommitOptions{Message: "no", Kind: core.KindAuto}); !refusesUnfinished(err) {
			t.Errorf("%s: commit while unfinished: %v", where, err)
		}
	}
	if work != nil && i%2 == 0 {
		c.abort(d, where, start)
	} else {
		if err := c.do(d, after); err != nil {
			t.Errorf("%s: the next run: %v", where, err)
		}
		c.ended(d, where)
	}
	c.back(d)
	if diff := cmp.Diff(withLocal(c.commits[c.main]), takeDisk(t, d.root)); diff != "" {
		t.Errorf("%s: back at the start: %s", where, diff)
	}
	return fsys.Failed() != ""
}

func refusesUnfinished(err error) bool {
	var unfinished *core.UnfinishedError
	return errors.As(err, &unfinished)
}

// holdsLocal checks that nothing of the user's is gone.
func (d *data) holdsLocal(where string) {
	d.t.Helper()
	for path, want := range local {
		if got, err := os.ReadFile(filepath.Join(d.root, path)); err != nil || string(got) != want {
			d.t.Errorf("%s: %s holds %q, %v", where, path, got, err)
		}
	}
}

func (c *carrySweep) abort(d *data, where string, start picture) {
	r := d.open()
	defer r.Close()
	_, err := r.Checkout(d.t.Context(), core.CheckoutOptions{Abort: true})
	if err != nil && !errors.Is(err, core.ErrNothingUnfinished) {
		d.t.Errorf("%s: abort: %v", where, err)
		return
	}
	if err == nil {
		if diff := cmp.Diff(start, takeDisk(d.t, d.root)); diff != "" {
			d.t.Errorf("%s: taken back: %s", where, diff)
		}
	}
	d.leftNothing(where)
}

// ended checks the state after a run without failure.
func (c *carrySweep) ended(d *data, where string) {
	t := d.t
	r := d.open()
	defer r.Close()
	head, want := headOf(t, r), picture(nil)
	switch {
	case c.merges:
		want = takeCommit(t, r, head)
		if head == c.main {
			t.Errorf("%s: not merged", where)
		}
	case c.restores:
		want = maps.Clone(c.commits[c.main])
		for _, of := range []picture{want, c.commits[c.other]} {
			maps.DeleteFunc(want, func(path, _ string) bool { return restored(path) })
			for path, look := range of {
				if restored(path) {
					want[path] = look
				}
			}
		}
	default:
		want = c.commits[c.other]
		if head != c.other {
			t.Errorf("%s: head is %s", where, head.Short())
		}
	}
	if diff := cmp.Diff(withLocal(want), takeDisk(t, d.root)); diff != "" {
		t.Errorf("%s: after the next run: %s", where, diff)
	}
	if work, err := r.Unfinished(); work != nil || err != nil {
		t.Errorf("%s: still unfinished: %v, %v", where, work, err)
	}
	d.leftNothing(where)
}

func restored(path string) bool {
	return strings.HasPrefix(path, "new/") || path == "new" || strings.HasPrefix(path, "swap") || path == "large.bin"
}

// leftNothing checks that no file under a reserved name is left.
func (d *data) leftNothing(where string) {
	d.t.Helper()
	err := filepath.WalkDir(d.root, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == core.Dir {
			return filepath.SkipDir
		}
		if err == nil && strings.HasPrefix(e.Name(), vfs.TempPrefix) {
			d.t.Errorf("%s: left %s", where, name)
		}
		return err
	})
	d.must(err)
}

// back goes back to the start, names and files.
func (c *carrySweep) back(d *data) {
	t := d.t
	r := d.open()
	defer r.Close()
	switch {
	case c.merges && headOf(t, r) != c.main:
		_, err := r.Undo(t.Context(), core.UndoOptions{})
		d.must(err)
	case c.restores:
		_, err := r.Restore(t.Context(), core.RestoreOptions{Paths: []string{"new", "swap", "large.bin"}, Force: true})
		d.must(err)
		d.remove("new/2.txt") // the head does not know it, so it was left alone
	default:
		d.checkout(core.CheckoutOptions{Rev: "main"})
	}
}
