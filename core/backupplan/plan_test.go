package backupplan_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/core/backupplan"
	"github.com/mlvc/mlvc/objects"
)

var day0 = time.Date(2026, 1, 1, 4, 0, 0, 0, time.UTC)

// steady is a history of a first commit and changes of one size each, of files
// that no other commit changes.
func steady(commits int, first, change int64) backupplan.History {
	h := backupplan.History{Differs: func(full, i int) (int64, error) { return int64(i-full) * change, nil }}
	for i := range commits {
		c := backupplan.Commit{Time: day0.AddDate(0, 0, i), Files: 100, Bytes: first, Tree: first, Held: change, Objects: 1}
		if i == 0 {
			c.Held, c.Objects = first, 100
		}
		h.Commits = append(h.Commits, c)
	}
	return h
}

// alternating is a choice that needs no rules: after a full two incrementals
// and a differential.
func alternating(f backupplan.Facts) objects.CommitKind {
	switch {
	case f.Differential > 3*f.Incremental:
		return objects.Differential
	case f.ChainBytes > f.FullBytes:
		return objects.Full
	}
	return objects.Incremental
}

func options() backupplan.Options {
	return backupplan.Options{Horizon: 10, FullEvery: 5, Rate: 1e6, Parity: 0.1, Choose: alternating}
}

func plan(t *testing.T, h backupplan.History, opt backupplan.Options) backupplan.Plan {
	t.Helper()
	p, err := backupplan.Make(h, opt)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func table(p backupplan.Plan) string {
	var b strings.Builder
	for _, o := range p.Strategies {
		fmt.Fprintf(&b, "%s: %d sets, %d full; stored %d, then %d; written %d, then %d; backup %d in %v, at most %d; restore %d in %v from %d, at most %d\n",
			o.Strategy, o.Sets, o.Fulls, o.Stored, o.StoredHorizon, o.Written, o.WrittenHorizon,
			o.Backup, o.BackupTime, o.Largest, o.Restore, o.RestoreTime, o.RestoreSets, o.MostSets)
	}
	return b.String() + p.Recommended + ": " + p.Reason
}

// A full of 1,000,000 bytes and 100 objects, and changes of 10,000 bytes and
// one object, without parity: a full is 1,000,000 + 88 × 100 + 4096 bytes, and
// k changes are 10,088 × k + 4096.
func TestGolden(t *testing.T) {
	opt := options()
	opt.Parity, opt.Horizon = 0, 0
	const (
		full = 1_000_000 + 88*100 + 4096
		one  = 10_000 + 88
		set  = 4096
	)
	p := plan(t, steady(8, 1_000_000, 10_000), opt)
	want := map[string]int64{
		backupplan.FullOnly:    8*full + 28*one,
		backupplan.Incremental: full + 4*(one+set) + full + 5*one + 2*(one+set),
		// 1 + 2 + 3 + 4 changes, a full with five, 1 + 2 changes.
		backupplan.Differential: full + 10*one + 4*set + full + 5*one + 3*one + 2*set,
	}
	for _, o := range p.Strategies {
		if w, ok := want[o.Strategy]; ok && o.Stored != w {
			t.Errorf("%s stores %d, want %d", o.Strategy, o.Stored, w)
		}
	}
	golden := `full: 8 sets, 8 full; stored 8385632, then 8385632; written 8385632, then 8385632; backup 1053248 in 1.053248s, at most 1083512; restore 1008804 in 1.008804s from 1, at most 1
incremental: 8 sets, 2 full; stored 2161336, then 2161336; written 2161336, then 2161336; backup 164062 in 164.062ms, at most 1063336; restore 1016996 in 1.016996s from 3, at most 5
differential: 8 sets, 2 full; stored 2231952, then 2231952; written 2231952, then 2231952; backup 174150 in 174.15ms, at most 1063336; restore 1012900 in 1.0129s from 2, at most 2
auto: 8 sets, 1 full; stored 1293768, then 1293768; written 1293768, then 1293768; backup 40124 in 40.124ms, at most 74712; restore 1012900 in 1.0129s from 2, at most 4
auto: it writes and keeps the least, 6.5 times less than full, and a restore needs at most 4 sets`
	if diff := cmp.Diff(golden, table(p)); diff != "" {
		t.Error(diff)
	}
}

// Kept fulls bound what is stored, and never what a restore can have.
func TestKeepFull(t *testing.T) {
	opt := options()
	opt.KeepFull = 2
	p := plan(t, steady(200, 1_000_000, 1000), opt)
	for _, o := range p.Strategies {
		if o.Strategy != backupplan.Auto && o.Stored > 3_000_000 {
			t.Errorf("%s stores %d with two fulls", o.Strategy, o.Stored)
		}
	}
	if p.Recommended == backupplan.FullOnly {
		t.Error("writing everything each time is recommended because it is not kept")
	}
}

func TestDegenerate(t *testing.T) {
	unchanged := steady(9, 1000, 0)
	for i := range unchanged.Commits[1:] {
		unchanged.Commits[i+1].Objects = 0
	}
	shrinking := steady(9, 1_000_000, 0)
	for i := range shrinking.Commits {
		left := int64(9 - i)
		shrinking.Commits[i].Files, shrinking.Commits[i].Bytes, shrinking.Commits[i].Tree = 10*left, 1000*left, 1000*left
	}
	for _, c := range []struct {
		name string
		h    backupplan.History
		want string
	}{
		{"one commit", steady(1, 1000, 0), backupplan.Auto},
		{"one empty commit", steady(1, 0, 0), backupplan.Auto},
		{"no change", unchanged, ""},
		{"only deletions", shrinking, ""},
		{"two commits", steady(2, 1000, 1), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := options()
			p := plan(t, c.h, opt)
			if c.want != "" && p.Recommended != c.want || p.Reason == "" {
				t.Errorf("recommends %s: %s", p.Recommended, p.Reason)
			}
			wellFormed(t, p.SVG())
			for _, o := range p.Strategies {
				for i, pt := range o.Points {
					if pt.Restore < 0 || pt.Stored < 0 || pt.Sets < 1 {
						t.Errorf("%s, point %d: %+v", o.Strategy, i, pt)
					}
				}
			}
		})
	}
	if _, err := backupplan.Make(backupplan.History{}, options()); !errors.Is(err, backupplan.ErrNoCommits) {
		t.Errorf("of nothing: %v", err)
	}
	wrong := errors.New("unreadable")
	h := steady(3, 10, 1)
	h.Differs = func(int, int) (int64, error) { return 0, wrong }
	if _, err := backupplan.Make(h, options()); !errors.Is(err, wrong) {
		t.Errorf("a tree that cannot be read: %v", err)
	}
}

// What is always so, whatever the history.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, opt := anyHistory(t), options()
		if opt.Horizon = rapid.IntRange(0, 40).Draw(t, "horizon"); len(h.Commits) == 1 {
			opt.Horizon = 0
		}
		opt.FullEvery = rapid.IntRange(1, 12).Draw(t, "full every")
		opt.KeepFull = rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(t, "keep")
		p, err := backupplan.Make(h, opt)
		if err != nil {
			t.Fatal(err)
		}
		by := map[string]backupplan.Outcome{}
		for _, o := range p.Strategies {
			by[o.Strategy] = o
			checkOutcome(t, o, h, opt)
		}
		full, inc, diff := by[backupplan.FullOnly], by[backupplan.Incremental], by[backupplan.Differential]
		if full.MostSets != 1 || diff.MostSets > 2 || inc.MostSets > int64(opt.FullEvery) {
			t.Errorf("sets: %d, %d, %d", full.MostSets, diff.MostSets, inc.MostSets)
		}
		if full.Written < diff.Written || diff.Written < inc.Written || full.Written < by[backupplan.Auto].Written {
			t.Errorf("written: full %d, differential %d, incremental %d", full.Written, diff.Written, inc.Written)
		}
		if opt.KeepFull == 0 && (full.StoredHorizon < diff.StoredHorizon || diff.StoredHorizon < inc.StoredHorizon) {
			t.Errorf("stored then: full %d, differential %d, incremental %d", full.StoredHorizon, diff.StoredHorizon, inc.StoredHorizon)
		}
		if _, ok := by[p.Recommended]; !ok || p.Reason == "" {
			t.Errorf("recommends %q: %q", p.Recommended, p.Reason)
		}
		wellFormed(t, p.SVG())
	})
}

// checkOutcome: the sums are those of the points, and one backup follows
// another.
func checkOutcome(t *rapid.T, o backupplan.Outcome, h backupplan.History, opt backupplan.Options) {
	n := len(h.Commits)
	if len(o.Points) != n+opt.Horizon || o.Sets != int64(n) {
		t.Fatalf("%s: %d points, %d sets", o.Strategy, len(o.Points), o.Sets)
	}
	if o.Points[0].Kind != objects.Full {
		t.Errorf("%s begins with %s", o.Strategy, o.Points[0].Kind)
	}
	if o.Stored != o.Points[n-1].Stored || o.StoredHorizon != o.Points[n+opt.Horizon-1].Stored || o.Restore != o.Points[n-1].Restore {
		t.Errorf("%s: %+v", o.Strategy, o)
	}
	if opt.KeepFull == 0 && (o.Stored != o.Written || o.StoredHorizon != o.WrittenHorizon) {
		t.Errorf("%s keeps everything, and stores %d of %d", o.Strategy, o.Stored, o.Written)
	}
	for i, pt := range o.Points {
		if i > 0 && pt.Kind == objects.Incremental && pt.Sets != o.Points[i-1].Sets+1 {
			t.Errorf("%s: an incremental needs %d sets after %d", o.Strategy, pt.Sets, o.Points[i-1].Sets)
		}
		if opt.KeepFull == 0 && i > 0 && pt.Stored <= o.Points[i-1].Stored {
			t.Errorf("%s: backup %d wrote nothing", o.Strategy, i)
		}
	}
}

func anyHistory(t *rapid.T) backupplan.History {
	var h backupplan.History
	var changed []int64
	when := day0
	for i := range rapid.IntRange(1, 40).Draw(t, "commits") {
		c := backupplan.Commit{
			Time: when, Files: rapid.Int64Range(0, 1000).Draw(t, "files"), Bytes: rapid.Int64Range(0, 1<<40).Draw(t, "bytes"),
			Held: rapid.Int64Range(0, 1<<40).Draw(t, "held"), Objects: int64(i),
		}
		c.Tree = rapid.Int64Range(0, c.Bytes).Draw(t, "tree")
		h.Commits = append(h.Commits, c)
		changed = append(changed, rapid.Int64Range(0, 1<<40).Draw(t, "changed"))
		when = when.Add(time.Duration(rapid.IntRange(-10, 1000).Draw(t, "minutes")) * time.Minute)
	}
	h.Differs = func(full, i int) (int64, error) {
		var most int64
		for _, n := range changed[full+1 : max(i, full)+1] {
			most = max(most, n)
		}
		return most, nil
	}
	return h
}

type failer interface{ Errorf(string, ...any) }

func wellFormed(t failer, svg []byte) {
	for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Errorf("the plot: %v", err)
			return
		}
	}
	for _, bad := range []string{"NaN", "Inf", "href", "<script"} {
		if strings.Contains(string(svg), bad) {
			t.Errorf("the plot has %s in it", bad)
		}
	}
}

// However long the history, a plot stays small.
func TestLongPlot(t *testing.T) {
	p := plan(t, steady(50_000, 1_000_000, 10), options())
	if svg := p.SVG(); len(svg) > 300_000 {
		t.Errorf("%d bytes", len(svg))
	}
}
