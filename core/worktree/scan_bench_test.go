//go:build linux

package worktree

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// plantMany makes n empty files, perFolder in each folder.
func plantMany(b *testing.B, root string, n, perFolder int) {
	for i := range n {
		dir := filepath.Join(root, fmt.Sprintf("train/class%04d", i/perFolder))
		if i%perFolder == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("img_%07d.png", i*7919%n)))
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

// cpuTime returns the processor time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// benchmarkScan compares a scan in which nothing changed with find, by turns.
func benchmarkScan(b *testing.B, n, perFolder int) {
	w := newTree(b)
	plantMany(b, w.root, n, perFolder)
	w.commit(nil)
	index := w.index.open(b)
	var find, scan, findCPU, scanCPU time.Duration
	for b.Loop() {
		start := time.Now()
		cmd := exec.Command("find", w.root, "-printf", "%s %T@\n")
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		find += time.Since(start)
		findCPU += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		start = time.Now()
		used := cpuTime(b)
		var clean Tally
		opt := ScanOptions{WalkOptions: w.walk(), Index: index, Clean: &clean}
		for item, err := range Scan(b.Context(), opt) {
			b.Fatal(item, err)
		}
		scan += time.Since(start)
		scanCPU += cpuTime(b) - used
		if clean.Files != int64(n) {
			b.Fatalf("%d files", clean.Files)
		}
	}
	b.ReportMetric(float64(scan)/float64(find), "x-find")
	b.ReportMetric(float64(scanCPU)/float64(findCPU), "x-find-cpu")
	b.ReportMetric(float64(scan)/float64(b.N)/float64(n), "ns/file")
	b.ReportMetric(float64(find)/float64(b.N)/float64(n), "ns/file-find")
}

func BenchmarkScan100kInFolders(b *testing.B)   { benchmarkScan(b, 100_000, 1000) }
func BenchmarkScan100kInOneFolder(b *testing.B) { benchmarkScan(b, 100_000, 100_000) }
func BenchmarkScan100kTenAFolder(b *testing.B)  { benchmarkScan(b, 100_000, 10) }
func BenchmarkScan1M(b *testing.B)              { benchmarkScan(b, 1_000_000, 1000) }
func BenchmarkScan1MInOneFolder(b *testing.B)   { benchmarkScan(b, 1_000_000, 1_000_000) }
