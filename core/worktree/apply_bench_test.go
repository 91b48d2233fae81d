package worktree

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// oneContent is a Source of which every entry is the same bytes, hashed anew
// each time as a real one does.
type oneContent []byte

func (o oneContent) Batch(context.Context, []objects.Entry) (Batch, error) { return o, nil }

func (o oneContent) WriteContent(_ context.Context, _ int, w io.Writer) error {
	_ = objects.Sum(objects.KindChunk, o)
	_, err := w.Write(o)
	return err
}

func (oneContent) Close() error { return nil }

// manyFiles are changes from nothing to folders of files of one content.
func manyFiles(folders, files int, e objects.Entry) Changes {
	return func(yield func(Change, error) bool) {
		for d := range folders {
			for i := range files {
				if !yield(Change{Path: fmt.Sprintf("d%03d/f%06d", d, i), New: &e}, nil) {
					return
				}
			}
		}
	}
}

var benchFiles = flag.Int("files", 100_000, "how many files BenchmarkApplyEmpty writes")

// BenchmarkApplyEmpty writes files of 10 KiB into an empty folder, 1,000 a
// folder and all in one, and does the same with cp -a and sync: the metric
// ratio is the quotient of the sums. Nothing is deleted between, for ext4 is slow after it.
func BenchmarkApplyEmpty(b *testing.B) {
	for _, shape := range [][2]int{{max(1, *benchFiles/1000), 1000}, {1, *benchFiles}} {
		b.Run(fmt.Sprintf("folders=%d", shape[0]), func(b *testing.B) {
			base := b.TempDir()
			data := make([]byte, 10<<10)
			rand.Read(data)
			e := objects.Entry{Mode: objects.ModeFile, Size: int64(len(data)), Content: objects.Sum(objects.KindChunk, data)}
			changes := manyFiles(shape[0], shape[1], e)
			var ours, theirs time.Duration
			apply := func(name string) time.Duration {
				root := filepath.Join(base, name)
				must(b, os.Mkdir(root, 0o777))
				start := time.Now()
				opt := Options{FS: vfs.OS, Root: root, Hash: hashReader}
				_, err := Apply(b.Context(), opt, Job{Source: oneContent(data), Mtime: start.Add(-3 * time.Second)}, changes)
				must(b, err)
				return time.Since(start)
			}
			apply("from")
			n := 0
			for b.Loop() {
				n++
				start := time.Now()
				must(b, exec.Command("cp", "-a", filepath.Join(base, "from"), filepath.Join(base, fmt.Sprint("cp", n))).Run())
				must(b, exec.Command("sync", "-f", base).Run())
				pair := time.Since(start)
				theirs += pair
				mine := apply(fmt.Sprint("apply", n))
				ours += mine
				b.Logf("cp -a + sync %.2fs, apply %.2fs: %.2f", pair.Seconds(), mine.Seconds(), mine.Seconds()/pair.Seconds())
			}
			b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
			b.ReportMetric(ours.Seconds()/float64(n), "s/apply")
		})
	}
}
