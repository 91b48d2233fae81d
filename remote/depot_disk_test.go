package remote

import (
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// A local disk that fails costs a try, and never what the depot says.
func TestDepotDiskSweep(t *testing.T) {
	t.Parallel()
	for i := 1; ; i++ {
		if !depotDiskFault(t, faultfs.Plan{At: i, Kind: faultfs.ShortWrite}) {
			if i < 30 {
				t.Fatalf("only %d operations", i)
			}
			return
		}
	}
}

// depotDiskFault pushes and reads with one fault of the local disk, and reports
// whether there was one.
func depotDiskFault(t *testing.T, plan faultfs.Plan) bool {
	t.Helper()
	b := buckettest.Memory()
	first := depotOpen(t, b, t.TempDir())
	if err := depotPush(first, t, 0); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	f := faultfs.New(depotFS{vfs.OS}, plan)
	err := depotDiskTry(t, b, f, cache)
	if f.Failed() == "" && err != nil {
		t.Fatal(err)
	}
	fresh := depotOpen(t, b, t.TempDir())
	if fresh.Operation() == first.Operation() {
		if err == nil {
			t.Fatalf("%s: acknowledged and not there", f.Failed())
		}
		depotCheck(t, fresh, 0)
		if err := depotPush(depotOpen(t, b, cache), t, 1); err != nil {
			t.Fatalf("%s: again: %v", f.Failed(), err)
		}
	}
	depotCheck(t, depotOpen(t, b, cache), 0, 1)
	return f.Failed() != ""
}

func depotDiskTry(t *testing.T, b bucket.Bucket, fs vfs.FS, cache string) error {
	d, err := OpenDepot(t.Context(), b, DepotOptions{FS: fs, Cache: cache})
	if err != nil {
		return err
	}
	defer d.Close()
	chunk, commit := depotObject(objects.KindChunk, 0, 1000), depotObject(objects.KindCommit, 0, 100)
	places, err := d.Locate(t.Context(), []objects.ID{chunk.ID(), commit.ID()})
	if err != nil {
		return err
	}
	for _, p := range places {
		name, _, err := d.Fetch(t.Context(), p.Pack)
		if err != nil {
			return err
		}
		r, err := pack.Open(vfs.OS, name, p.Pack)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Verify(t.Context()); err != nil {
			t.Fatalf("what was fetched is damaged: %v", err)
		}
		r.Close()
	}
	return depotPush(d, t, 1)
}
