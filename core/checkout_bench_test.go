package core_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// BenchmarkCheckoutEmpty checks 100,000 files of 10 KiB out into an empty
// folder, and does the same with cp -a and sync: the metric ratio is the
// quotient of the sums.
func BenchmarkCheckoutEmpty(b *testing.B) {
	base := b.TempDir()
	root := filepath.Join(base, "from")
	buf := make([]byte, 10<<10)
	for i := range 100_000 {
		if i%1000 == 0 {
			if err := os.MkdirAll(filepath.Join(root, fmt.Sprintf("data/d%03d", i/1000)), 0o777); err != nil {
				b.Fatal(err)
			}
		}
		rand.Read(buf)
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("data/d%03d/f%06d", i/1000, i)), buf, 0o666); err != nil {
			b.Fatal(err)
		}
	}
	env := core.Env{FS: vfs.OS, Now: time.Now, Who: objects.Signature{Name: "Ada"}, Events: core.NoEvents{}}
	r, err := core.Init(b.Context(), env, core.InitOptions{Dir: root})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Commit(b.Context(), core.CommitOptions{Message: "all", Kind: core.KindAuto}); err != nil {
		b.Fatal(err)
	}
	var ours, theirs time.Duration
	n := 0
	for b.Loop() {
		n++
		start := time.Now()
		if err := exec.Command("cp", "-a", filepath.Join(root, "data"), filepath.Join(base, fmt.Sprint("cp", n))).Run(); err != nil {
			b.Fatal(err)
		}
		if err := exec.Command("sync", "-f", base).Run(); err != nil {
			b.Fatal(err)
		}
		pair := time.Since(start)
		start = time.Now()
		if _, err := r.Checkout(b.Context(), core.CheckoutOptions{Into: filepath.Join(base, fmt.Sprint("into", n))}); err != nil {
			b.Fatal(err)
		}
		mine := time.Since(start)
		ours, theirs = ours+mine, theirs+pair
		b.Logf("cp -a + sync %.2fs, checkout %.2fs: %.2f", pair.Seconds(), mine.Seconds(), mine.Seconds()/pair.Seconds())
	}
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
}
