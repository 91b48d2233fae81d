package core_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// Whatever operation of gc fails, the repository verifies and the run after it
// ends the work.
func TestGCInterrupted(t *testing.T) {
	t.Parallel()
	d := fourCommits(t)
	d.config("gc.keep_days", "0")
	d.write("loose", noise(77, 400_000))
	r := d.open()
	if err := r.StoreUnnamed(t.Context(), filepath.Join(d.root, "loose")); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := os.Remove(filepath.Join(d.root, "loose")); err != nil {
		t.Fatal(err)
	}
	for _, plan := range []faultfs.Plan{{Kind: faultfs.EIO}, {Kind: faultfs.ShortWrite, Sticky: true}} {
		total := collectWith(t, d, faultfs.Plan{})
		first, step := stride(max(1, total/12))
		for plan.At = first; plan.At <= total; plan.At += step {
			collectWith(t, d, plan)
		}
	}
}

// collectWith runs gc on a copy with a failing disk, and then with a sound one.
func collectWith(t *testing.T, from *data, plan faultfs.Plan) int {
	t.Helper()
	d := &data{t: t, root: filepath.Join(fastDir(t), "copy"), env: from.env}
	if err := os.CopyFS(d.root, os.DirFS(from.root)); err != nil {
		t.Fatal(err)
	}
	fsys := faultfs.New(vfs.OS, plan)
	d.env.FS = fsys
	if r, err := core.Open(t.Context(), d.env, d.root); err == nil {
		_, gcErr := r.GC(t.Context(), core.GCOptions{Grace: atOnce})
		if gcErr == nil && fsys.Failed() == "" && plan.At > 0 {
			t.Logf("operation %d was not reached", plan.At)
		}
		r.Close()
	}
	d.env.FS = vfs.OS
	d.verify(true)
	d.gc(core.GCOptions{Grace: atOnce})
	if res := d.gc(core.GCOptions{Grace: atOnce}); res.Marked.Objects > 0 || res.Compacted.Removed > 0 {
		t.Fatalf("operation %d (%s): still work to do: %+v", plan.At, fsys.Failed(), res)
	}
	if res := d.verify(true); res.Commits != 4 {
		t.Fatalf("operation %d: %d commits", plan.At, res.Commits)
	}
	return fsys.Count()
}

// gc beside readers that are never stopped: what they read stays whole.
func TestGCBesideReaders(t *testing.T) {
	t.Parallel()
	d := fourCommits(t)
	d.config("gc.keep_days", "0")
	stop := make(chan struct{})
	failed := make(chan error, 2)
	for range 2 {
		go func() {
			for {
				select {
				case <-stop:
					failed <- nil
					return
				default:
				}
				if err := readOnce(t, d); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	for i := range max(2, 6/core.UnderRace) {
		name := filepath.Join(d.root, "loose")
		if err := os.WriteFile(name, []byte(noise(uint64(100+i), 300_000)), 0o666); err != nil {
			t.Fatal(err)
		}
		r := d.open()
		if err := r.StoreUnnamed(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		r.Close()
		os.Remove(name)
		d.write("table.csv", noise(uint64(i), 700_000))
		d.commit(core.CommitOptions{Message: "more"})
		d.gc(core.GCOptions{Grace: atOnce})
	}
	close(stop)
	for range 2 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	d.verify(true)
}

func readOnce(t *testing.T, d *data) error {
	env := d.env
	env.Now = time.Now
	r, err := core.Open(t.Context(), env, d.root)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = r.Verify(t.Context(), core.VerifyOptions{}, func(damage core.Damage) error {
		t.Errorf("a reader met damage: %+v", damage)
		return nil
	})
	return err
}
