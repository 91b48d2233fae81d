package core_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// gcSweep tries gc without a grace time on a repository with garbage of each
// kind: commits that were taken back, content that nothing names, and a marking
// from before.
type gcSweep struct {
	commits known
	marked  bool // an earlier run has marked, and this one deletes
}

func TestSweepGC(t *testing.T) {
	for _, marked := range []bool{false, true} {
		for fault, plan := range faults {
			t.Run(fmt.Sprintf("marked=%v/%s", marked, fault), func(t *testing.T) {
				t.Parallel()
				sweep(t, plan, 199, &gcSweep{marked: marked})
			})
		}
	}
}

func (c *gcSweep) begin(t *testing.T) *data {
	d := newDataIn(t, fastDir(t))
	d.config("gc.keep_days", "0")
	c.commits = make(known)
	d.edit(0)
	c.keep(d, "base")
	return d
}

func (c *gcSweep) keep(d *data, msg string) {
	id := d.commit(core.CommitOptions{Message: msg}).ID
	c.commits[id] = takeDisk(d.t, d.root)
}

func (c *gcSweep) end(d *data) {
	c.commits.check(d.t, d.open())
	d.verify(true)
}

func (c *gcSweep) try(d *data, i int, plan faultfs.Plan) bool {
	t := d.t
	d.edit(i)
	c.keep(d, "kept")
	d.litter(i)
	if c.marked {
		d.gc(core.GCOptions{})
		d.litter(-i)
	}
	head := d.head()
	r, fsys, err := d.under(plan)
	if err == nil {
		_, err = r.GC(t.Context(), core.GCOptions{Grace: atOnce})
		r.Close() //nolint:errcheck // it may well fail
	}
	where := fmt.Sprintf("operation %d (%s)", i, fsys.Failed())
	if err != nil && !injected(err) {
		t.Errorf("%s: error does not say what failed: %v", where, err)
	}
	if d.head() != head {
		t.Errorf("%s: the head moved", where)
	}
	c.commits.check(t, d.open(), head)
	d.verify(true)
	d.gc(core.GCOptions{Grace: atOnce})
	d.verify(true)
	if t.Failed() {
		t.Log(where)
	}
	return fsys.Failed() != ""
}

// litter makes garbage: content that nothing names, and a commit on a branch
// that is deleted.
func (d *data) litter(i int) {
	d.t.Helper()
	name := filepath.Join(d.root, "litter")
	d.write("litter", noise(uint64(i), 400_000))
	r := d.open()
	defer r.Close()
	d.must(r.StoreUnnamed(d.t.Context(), name))
	d.must(os.Remove(name))
	_, err := r.Switch(d.t.Context(), core.SwitchOptions{Branch: "side", Create: true})
	d.must(err)
	d.write("litter", noise(uint64(i)+1, 30_000))
	_, err = r.Commit(d.t.Context(), core.CommitOptions{Message: "litter", Kind: objects.Incremental})
	d.must(err)
	_, err = r.Switch(d.t.Context(), core.SwitchOptions{Branch: "main"})
	d.must(err)
	_, err = r.DeleteBranch(d.t.Context(), "side", true)
	d.must(err)
}

// A file whose content the stat cache knows, and that gc has removed from the
// store since, is read and stored again.
func TestCommitOfWhatGCRemoved(t *testing.T) {
	d := newData(t)
	d.write("small.txt", "base")
	d.write("large.csv", noise(1, 900_000))
	base := d.commit(core.CommitOptions{Message: "base"}).ID
	r := d.open()
	_, err := r.Switch(t.Context(), core.SwitchOptions{Branch: "side", Create: true})
	d.must(err)
	d.write("small.txt", "side")
	d.write("large.csv", noise(2, 900_000))
	time.Sleep(100 * time.Millisecond) // so that the stat cache trusts their stats
	d.commit(core.CommitOptions{Message: "side"})
	_, err = r.Undo(t.Context(), core.UndoOptions{}) // the files stay
	d.must(err)
	for _, tag := range []string{"a", "b", "c"} { // later operations, so that gc keeps none that names side
		_, err = r.CreateTag(t.Context(), tag, "", false)
		d.must(err)
	}
	r.Close()
	want := takeDisk(t, d.root)
	past := time.Now().Add(-time.Hour)
	d.must(os.Chtimes(filepath.Join(d.root, core.RulesFile), past, past))
	time.Sleep(100 * time.Millisecond)
	d.status() // refreshes the index, which from now on speaks of the base's tree
	d.config("gc.keep_days", "0")
	if res := d.gc(core.GCOptions{Grace: atOnce}); res.Removed.Objects == 0 {
		t.Fatalf("gc: %+v", res)
	}
	again := d.commit(core.CommitOptions{Message: "again"})
	r = d.open()
	defer r.Close()
	known{base: nil, again.ID: want}.check(t, r, again.ID)
	d.verify(true)
}
