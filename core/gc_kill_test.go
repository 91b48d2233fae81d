package core_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// killedRoot names the repository in which a child of TestGCKilled works.
const killedRoot = "MLVC_TEST_KILLED_ROOT"

// A process that is killed at any moment of gc and commit leaves a repository
// that verifies.
func TestGCKilled(t *testing.T) {
	if root := os.Getenv(killedRoot); root != "" {
		work(t, root)
		return
	}
	d := fourCommits(t)
	d.config("gc.keep_days", "0")
	d.env.Now = time.Now // as in the child
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	if n, err := strconv.Atoi(os.Getenv("MLVC_TEST_KILLS")); err == nil {
		rounds = n
	}
	for range rounds {
		child := exec.Command(os.Args[0], "-test.run=^TestGCKilled$")
		child.Env = append(os.Environ(), killedRoot+"="+d.root)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+rand.IntN(600)) * time.Millisecond)
		child.Process.Kill() //nolint:errcheck // it may have ended
		child.Wait()         //nolint:errcheck // it was killed
		d.verify(true)
	}
	os.Remove(filepath.Join(d.root, "loose"))
	d.gc(core.GCOptions{Grace: atOnce})
	d.verify(true)
}

// work commits, stores what nothing names, and collects, until it is killed.
func work(t *testing.T, root string) {
	d := &data{t: t, root: root, env: core.Env{
		FS: vfs.OS, Now: time.Now, Wait: time.Minute, Command: "test", Events: core.NoEvents{},
		Who: objects.Signature{Name: "Ada"},
	}}
	for i := uint64(time.Now().UnixNano()); ; i++ {
		d.write("table.csv", noise(i, 500_000))
		d.commit(core.CommitOptions{Message: "more"})
		d.write("loose", noise(i<<32, 300_000))
		r := d.open()
		if err := r.StoreUnnamed(t.Context(), filepath.Join(root, "loose")); err != nil {
			t.Fatal(err)
		}
		r.Close()
		os.Remove(filepath.Join(root, "loose"))
		d.gc(core.GCOptions{Grace: atOnce})
	}
}
