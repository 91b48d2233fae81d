package core_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
)

func (d *data) gc(opt core.GCOptions) core.GCResult {
	d.t.Helper()
	r := d.open()
	defer r.Close()
	res, err := r.GC(d.t.Context(), opt)
	if err != nil {
		d.t.Fatal(err)
	}
	return res
}

func (d *data) config(key, value string) {
	d.t.Helper()
	r := d.open()
	defer r.Close()
	if err := r.SetConfig(key, &value); err != nil {
		d.t.Fatal(err)
	}
}

func (d *data) verify(full bool) core.VerifyResult {
	d.t.Helper()
	r := d.open()
	defer r.Close()
	res, err := r.Verify(d.t.Context(), core.VerifyOptions{Full: full}, func(damage core.Damage) error {
		d.t.Errorf("damage: %+v", damage)
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return res
}

var atOnce = func() *time.Duration { var zero time.Duration; return &zero }()

// noise writes n bytes that depend on the seed, compressible a little.
func noise(seed uint64, n int) string {
	rnd := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef,\n"[rnd.IntN(18)]
	}
	return string(b)
}

// Work that was begun and never named is garbage; what is named stays.
func TestGCRemovesWhatNothingNames(t *testing.T) {
	d := newData(t)
	d.write("keep.csv", noise(1, 600_000))
	d.commit(core.CommitOptions{Message: "first"})
	d.write("big.csv", noise(2, 3_000_000))
	r := d.open()
	if err := r.StoreUnnamed(t.Context(), filepath.Join(d.root, "big.csv")); err != nil {
		t.Fatal(err)
	}
	r.Close()

	dry := d.gc(core.GCOptions{DryRun: true})
	if dry.Marked.Objects == 0 {
		t.Fatalf("no garbage found: %+v", dry)
	}
	first := d.gc(core.GCOptions{})
	if first.Marked != dry.Marked || first.Removed.Objects != 0 || first.Due.IsZero() {
		t.Fatalf("first run: %+v", first)
	}
	if early := d.gc(core.GCOptions{}); early.Removed.Objects != 0 || early.Marked.Objects != 0 {
		t.Fatalf("before its time: %+v", early)
	}
	second := d.gc(core.GCOptions{Grace: atOnce})
	if second.Removed.Objects != dry.Marked.Objects || second.Freed < 1_000_000 {
		t.Fatalf("second run: %+v", second)
	}
	if again := d.gc(core.GCOptions{Grace: atOnce}); again.Marked.Objects != 0 || again.Compacted.Removed != 0 {
		t.Fatalf("third run: %+v", again)
	}
	d.verify(true)
	d.commit(core.CommitOptions{Message: "big after all"})
	d.verify(true)
}

// A reader from before the mark keeps everything that it may know.
func TestGCWaitsForReaders(t *testing.T) {
	d := newData(t)
	d.write("a.csv", noise(1, 600_000))
	d.commit(core.CommitOptions{Message: "first"})
	d.config("gc.keep_days", "0")
	r := d.open()
	if err := r.StoreUnnamed(t.Context(), filepath.Join(d.root, "a.csv")); err != nil {
		t.Fatal(err)
	}
	d.write("b.csv", noise(3, 400_000))
	if err := r.StoreUnnamed(t.Context(), filepath.Join(d.root, "b.csv")); err != nil {
		t.Fatal(err)
	}
	r.Close()

	reader := d.open()
	if _, err := reader.Status(t.Context(), nil, func(core.StatusEntry) error { return nil }); err != nil {
		t.Fatal(err)
	}
	res := d.gc(core.GCOptions{Grace: atOnce})
	if !res.Readers || res.Marked.Objects == 0 || res.Removed.Objects != 0 {
		t.Fatalf("beside a reader: %+v", res)
	}
	reader.Close()
	if res := d.gc(core.GCOptions{Grace: atOnce}); res.Removed.Objects == 0 || res.Readers {
		t.Fatalf("without it: %+v", res)
	}
	d.verify(true)
}

// Random histories with gc at any time: every commit that is reached reads
// back as it was.
func TestGCRandomHistories(t *testing.T) {
	t.Parallel()
	rounds := 40 / core.UnderRace
	if testing.Short() {
		rounds = min(rounds, 12)
	}
	d := newDataIn(t, fastDir(t))
	d.config("gc.keep_days", "0")
	rnd := rand.New(rand.NewPCG(4, 2))
	table := []byte(noise(9, 900_000))
	made := 0
	for i := range rounds {
		switch rnd.IntN(5) {
		case 0, 1:
			for range 20 {
				table[rnd.IntN(len(table))] = 'x'
			}
			d.write("table.csv", string(table))
			d.write(fmt.Sprintf("f%d.txt", rnd.IntN(8)), noise(uint64(i), 1+rnd.IntN(50_000)))
			if !d.commit(core.CommitOptions{Message: fmt.Sprint(i)}).ID.IsZero() {
				made++
			}
		case 2:
			d.write("loose", noise(uint64(i)<<32, 100_000+rnd.IntN(500_000)))
			r := d.open()
			if err := r.StoreUnnamed(t.Context(), filepath.Join(d.root, "loose")); err != nil {
				t.Fatal(err)
			}
			r.Close()
			os.Remove(filepath.Join(d.root, "loose"))
		case 3:
			d.gc(core.GCOptions{})
		case 4:
			d.gc(core.GCOptions{Grace: atOnce})
		}
		d.verify(i%4 == 0)
	}
	d.gc(core.GCOptions{Grace: atOnce})
	d.gc(core.GCOptions{Grace: atOnce})
	if res := d.verify(true); res.Commits != int64(made) {
		t.Fatalf("%d commits of %d", res.Commits, made)
	}
	_ = objects.ID{}
}
