package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/backupplan"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

func planOf(d *data, opt core.BackupPlanOptions) (backupplan.Plan, error) {
	return within(d, func(r *core.Repo) (backupplan.Plan, error) { return r.BackupPlan(d.t.Context(), opt) })
}

// planNoise is what does not compress, of one chunk.
func planNoise(seed, size int) string {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b) //nolint:errcheck // it never fails
	return string(b)
}

// about reports whether got is want and at most a little more: records have
// headers, trees and commits are stored too.
func planAbout(got, want int64) bool { return got >= want && got <= want+want/20+30_000 }

// What a set holds follows what is new in history, not how often it is there:
// what comes back, is copied or was renamed costs nothing.
func TestBackupPlan(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	const size = 200_000
	for i := range 10 {
		d.write(fmt.Sprintf("f%d", i), planNoise(i, size))
	}
	d.commit(core.CommitOptions{Message: "ten"})
	d.write("f0", planNoise(100, size))
	d.write("copy", planNoise(5, size))
	d.commit(core.CommitOptions{Message: "one other, and a copy"})
	d.write("f0", planNoise(0, size))
	d.must(os.Rename(filepath.Join(d.root, "f1"), filepath.Join(d.root, "g1")))
	d.commit(core.CommitOptions{Message: "back again, and renamed"})
	for i := 2; i < 6; i++ {
		d.must(os.Remove(filepath.Join(d.root, fmt.Sprintf("f%d", i))))
	}
	d.commit(core.CommitOptions{Message: "fewer"}) // f5 is still there as the copy
	p, err := planOf(d, core.BackupPlanOptions{Parity: core.ParityOff, Rate: 1e6})
	d.must(err)
	by := map[string]backupplan.Outcome{}
	for _, o := range p.Strategies {
		by[o.Strategy] = o
	}
	inc, full := by[backupplan.Incremental], by[backupplan.FullOnly]
	if p.Commits != 4 || !planAbout(inc.Stored, 11*size) || !planAbout(inc.Restore, 7*size) || inc.RestoreSets != 4 {
		t.Errorf("incremental of %d commits: %+v", p.Commits, inc)
	}
	if !planAbout(full.Stored, (10+11+11+11)*size) || full.RestoreSets != 1 {
		t.Errorf("full: %+v", full)
	}
	if p.RateIs != "given" || p.Parity != core.ParityOff || p.FullEvery != 30 {
		t.Errorf("%+v", p)
	}
	old, err := planOf(d, core.BackupPlanOptions{Rev: "HEAD~3"})
	d.must(err)
	if old.Commits != 1 || old.RateIs != "assumed" || old.Recommended != backupplan.Auto {
		t.Errorf("of one commit: %+v", old)
	}
}

// Of a large file, only what is other in it counts; what a merge brings is
// held, once.
func TestBackupPlanLargeAndMerged(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	large := []byte(planNoise(1, 8<<20))
	d.write("large", string(large))
	d.commit(core.CommitOptions{})
	first, err := planOf(d, core.BackupPlanOptions{Parity: core.ParityOff})
	d.must(err)
	large[4<<20] ^= 1
	d.write("large", string(large))
	d.commit(core.CommitOptions{})
	second, err := planOf(d, core.BackupPlanOptions{Parity: core.ParityOff})
	d.must(err)
	inc := func(p backupplan.Plan) backupplan.Outcome { return p.Strategies[1] }
	if more := inc(second).Stored - inc(first).Stored; more > 300_000 {
		t.Errorf("one byte other costs %d bytes", more)
	}
	if grew := inc(second).Restore - inc(first).Restore; grew > 300_000 || grew < -300_000 {
		t.Errorf("a restore reads %d bytes more for one byte other", grew)
	}
	_, err = within(d, func(r *core.Repo) (core.CheckoutResult, error) {
		return r.Switch(t.Context(), core.SwitchOptions{Branch: "side", Create: true})
	})
	d.must(err)
	const size = 150_000
	d.write("side", planNoise(2, size))
	d.commit(core.CommitOptions{})
	d.write("side", planNoise(3, size))
	d.commit(core.CommitOptions{})
	_, err = within(d, func(r *core.Repo) (core.CheckoutResult, error) {
		return r.Switch(t.Context(), core.SwitchOptions{Branch: "main"})
	})
	d.must(err)
	d.write("main", "main")
	d.commit(core.CommitOptions{})
	before, err := planOf(d, core.BackupPlanOptions{Parity: core.ParityOff})
	d.must(err)
	_, err = within(d, func(r *core.Repo) (core.MergeResult, error) {
		return r.Merge(t.Context(), core.MergeOptions{Rev: "side"})
	})
	d.must(err)
	after, err := planOf(d, core.BackupPlanOptions{Parity: core.ParityOff})
	d.must(err)
	if more := inc(after).Stored - inc(before).Stored; after.Commits != before.Commits+1 || !planAbout(more, 2*size) {
		t.Errorf("a merge of two contents adds %d bytes in %d commits", more, after.Commits-before.Commits)
	}
}

// In parts of all IDs the answer is the same.
func TestBackupPlanInParts(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	for round := range 4 {
		for i := range 40 {
			d.write(fmt.Sprintf("f%d", i), planNoise(i+round*(i%3), 1000))
		}
		d.write("large", planNoise(round, 1<<20))
		d.commit(core.CommitOptions{})
	}
	whole, err := within(d, func(r *core.Repo) ([]backupplan.Commit, error) { return r.WeighLine(t.Context(), 1) })
	d.must(err)
	for _, parts := range []int{2, 8} {
		got, err := within(d, func(r *core.Repo) ([]backupplan.Commit, error) { return r.WeighLine(t.Context(), parts) })
		d.must(err)
		for i := range whole {
			if got[i] != whole[i] {
				t.Errorf("commit %d in %d parts: %+v, want %+v", i, parts, got[i], whole[i])
			}
		}
	}
}

// Auto is what commits do by themselves.
func TestBackupPlanAuto(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	var kinds []objects.CommitKind
	for i := range 14 {
		d.write(fmt.Sprintf("new%d", i), planNoise(i, 2000))
		if i == 0 {
			d.write("base", planNoise(99, 100_000))
		}
		if i%4 == 3 {
			d.write("base", planNoise(i, 20_000))
		}
		// A file that is as young as its commit is read again by the next one,
		// and counted as if it had changed.
		time.Sleep(50 * time.Millisecond)
		kinds = append(kinds, d.commit(core.CommitOptions{}).Kind)
	}
	p, err := planOf(d, core.BackupPlanOptions{})
	d.must(err)
	var planned []objects.CommitKind
	for _, pt := range p.Strategies[3].Points {
		planned = append(planned, pt.Kind)
	}
	if fmt.Sprint(planned) != fmt.Sprint(kinds) {
		t.Errorf("planned %v, committed %v", planned, kinds)
	}
}

// A rate is measured by what is there only while it is measured.
func TestBackupPlanMeasures(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	d.write("a", "a")
	d.commit(core.CommitOptions{})
	place := buckettest.Memory()
	shareOpen(d, place)
	left := "probe-0123456789abcdef"
	d.must(place.PutIfAbsent(t.Context(), left, bytes.NewReader([]byte("x")), 1))
	p, err := planOf(d, core.BackupPlanOptions{Place: "/place"})
	d.must(err)
	if p.RateIs != "measured" || p.Rate <= 0 {
		t.Errorf("%+v", p)
	}
	for info, err := range place.List(t.Context(), "") {
		d.must(err)
		if info.Key != left {
			t.Errorf("%s is left", info.Key)
		}
	}
	for op := 1; op <= 3; op++ { // list, put, delete
		shareOpen(d, buckettest.NewFaulty(place, buckettest.Plan{At: op}))
		_, err = planOf(d, core.BackupPlanOptions{Place: "/place"})
		if e := (*core.PlaceError)(nil); !errors.As(err, &e) {
			t.Errorf("a place that fails: %v", err)
		}
	}
}

// What makes no sense is refused.
func TestBackupPlanRefuses(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	if _, err := planOf(d, core.BackupPlanOptions{}); err == nil {
		t.Error("a plan without a commit")
	}
	d.write("a", "a")
	d.commit(core.CommitOptions{})
	for _, opt := range []core.BackupPlanOptions{{Parity: "x"}, {Parity: "10+0"}, {Parity: "10+1x"}, {Horizon: -1}, {KeepFull: -1}, {FullEvery: -1}, {Rate: -1}} {
		_, err := planOf(d, opt)
		if e := (*core.UsageError)(nil); !errors.As(err, &e) {
			t.Errorf("%+v: %v", opt, err)
		}
	}
}

// What was planned is about what backups come to. They come to a little more: a
// set writes its own commit first, and a delta whose base comes later is stored
// whole.
func TestBackupPlanForetells(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	kinds := []objects.CommitKind{objects.Full, objects.Incremental, objects.Differential}
	places := []bucket.Bucket{buckettest.Memory(), buckettest.Memory(), buckettest.Memory()}
	var table strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&table, "%d,%x\n", i, planNoise(i, 12))
	}
	for round := range 6 {
		for i := range 40 {
			if round == 0 || i%10 == round {
				d.write(fmt.Sprintf("f%d", i), planNoise(100*round+i, 20_000))
			}
		}
		d.write("table.csv", fmt.Sprintf("round %d\n%s", round, table.String()))
		d.commit(core.CommitOptions{})
		for i, place := range places {
			shareOpen(d, place)
			_, err := within(d, func(r *core.Repo) (core.BackupCreateResult, error) {
				return planCreate(t.Context(), d.env, r, kinds[i])
			})
			d.must(err)
		}
	}
	p, err := planOf(d, core.BackupPlanOptions{})
	d.must(err)
	for i, place := range places {
		var stored int64
		for info, err := range place.List(t.Context(), "") {
			d.must(err)
			stored += info.Size
		}
		planned := p.Strategies[i].Stored
		t.Logf("%s: planned %d, stored %d", kinds[i], planned, stored)
		if part := float64(planned) / float64(stored); part < 0.8 || part > 1.1 {
			t.Errorf("%s: %d bytes were planned, and are %d", kinds[i], planned, stored)
		}
	}
}

func planCreate(ctx context.Context, env core.Env, r *core.Repo, kind objects.CommitKind) (res core.BackupCreateResult, err error) {
	place, err := r.BackupPlace("/place", "/place")
	if err != nil {
		return res, err
	}
	place.Cache, place.Memory = place.Cache+"-"+string(kind), "" // three places of one URL
	b, err := core.OpenBackups(ctx, env, place)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return r.CreateBackup(ctx, b, core.BackupCreateOptions{Kind: kind})
}
