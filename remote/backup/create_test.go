package backup_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// The three kinds and their bases: what a set holds is what its chain lacks.
func TestKinds(t *testing.T) {
	r, b := newRepo(t, 1), buckettest.Memory()
	big := r.bytes(900 << 10)
	files := map[string]file{"big": {objects.ModeFile, big}, "a": {objects.ModeFile, "a"}}
	c1 := r.commit("main", files)
	full := r.mustCreate(b, r.wanted(c1, objects.Full))
	if want := backup.Label("20261123-042000F"); full.Label != want {
		t.Errorf("label %s, want %s", full.Label, want)
	}
	files["b"] = file{objects.ModeFile, r.bytes(100 << 10)}
	c2 := r.commit("main", files, c1)
	inc := r.mustCreate(b, r.wanted(c2, objects.Incremental))
	files["c"] = file{objects.ModeFile, r.bytes(50 << 10)}
	c3 := r.commit("main", files, c2)
	diff := r.mustCreate(b, r.wanted(c3, objects.Differential))
	inc2 := r.mustCreate(b, func() backup.CreateOptions { o := r.wanted(c3, objects.Incremental); o.Asked = true; return o }())
	for _, want := range []struct {
		backup.Created
		base     backup.Label
		low, top int64
	}{
		{full, "", 900 << 10, 920 << 10},
		{inc, full.Label, 100 << 10, 110 << 10},
		{diff, full.Label, 150 << 10, 160 << 10},
		{inc2, diff.Label, 0, 5 << 10},
	} {
		if want.Set.Base != want.base || want.Why != "" || want.Existed || want.Set.Bytes < want.low || want.Set.Bytes > want.top {
			t.Errorf("%s: %+v, want base %s and %d to %d bytes", want.Label, want.Set, want.base, want.low, want.top)
		}
	}
	if !strings.HasPrefix(string(inc.Label), string(full.Label)+"_") || inc.Label.Kind() != objects.Incremental {
		t.Errorf("label %s", inc.Label)
	}
	r.check(b)
	r.checkHistory(b, inc2.Label)

	again := r.mustCreate(b, r.wanted(c3, objects.Full))
	if !again.Existed || again.Set.Label != inc2.Label {
		t.Errorf("again: %+v", again.Choice)
	}
	asked := r.wanted(c3, objects.Full)
	asked.Asked = true
	if done := r.mustCreate(b, asked); done.Existed || done.Label.Kind() != objects.Full {
		t.Errorf("asked: %+v", done.Choice)
	}
	foreign := r.wanted(c3, objects.Full)
	foreign.Repository = "ff112233445566778899aabbccddeeff"
	var other *backup.ForeignError
	if _, err := r.create(b, foreign); !errors.As(err, &other) {
		t.Errorf("another repository: %v", err)
	}
}

// Without a base that is sound the set is full, and says why.
func TestFullInstead(t *testing.T) {
	r, b := newRepo(t, 2), buckettest.Memory()
	c1 := r.commit("main", map[string]file{"a": {objects.ModeFile, r.bytes(5000)}})
	first := r.mustCreate(b, r.wanted(c1, objects.Incremental))
	if first.Label.Kind() != objects.Full || !strings.Contains(first.Why, "ancestor") {
		t.Errorf("first: %+v", first.Choice)
	}
	for info, err := range b.List(t.Context(), "sets/") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(info.Key, ".pack") {
			if err := b.Delete(t.Context(), info.Key); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	c2 := r.commit("main", map[string]file{"a": {objects.ModeFile, "b"}}, c1)
	second := r.mustCreate(b, r.wanted(c2, objects.Incremental))
	if second.Label.Kind() != objects.Full || !strings.Contains(second.Why, "damaged") {
		t.Errorf("second: %+v", second.Choice)
	}
}

// Two sets bring back all of ten commits.
func TestHistoryInTwoSets(t *testing.T) {
	for _, kind := range []objects.CommitKind{objects.Incremental, objects.Differential} {
		r, b := newRepo(t, 3), buckettest.Memory()
		var last backup.Created
		for i := range 10 {
			id := r.random()
			if i == 4 || i == 9 {
				last = r.mustCreate(b, r.wanted(id, kind))
			}
		}
		r.checkHistory(b, last.Label)
	}
}

// Random histories, kinds, interruptions and expiry: after every step every set
// that is left restores bit for bit, and what is verified is sound.
func TestRandom(t *testing.T) {
	for seed := range uint64(sampled(12, 5, 3)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r, b := newRepo(t, 100+seed), buckettest.Memory()
			r.random()
			for range 14 {
				randomStep(r, b)
				r.check(b)
			}
			d := r.mustOpen(b)
			for _, s := range d.List().Sets {
				if seed%3 == 0 && !r.tipOnly(d, s.Label) {
					r.checkHistory(b, s.Label)
				}
			}
			v, err := d.Verify(t.Context(), backup.VerifyOptions{})
			if err != nil || len(v.Damage) > 0 {
				t.Fatalf("verify: %v, %+v", err, v.Damage)
			}
		})
	}
}

// tipOnly reports whether a set of the chain has left out contents of history.
func (r *repo) tipOnly(d *backup.Destination, label backup.Label) bool {
	for _, s := range d.List().Chain(label) {
		m, err := d.Manifest(r.t.Context(), s.Label)
		if err != nil {
			r.t.Fatal(err)
		}
		if m.TipOnly {
			return true
		}
	}
	return false
}

func randomStep(r *repo, b bucket.Bucket) {
	t, rnd := r.t, r.rnd
	r.now = r.now.Add(time.Duration(rnd.IntN(30)) * time.Hour)
	for range rnd.IntN(3) {
		r.random()
	}
	switch rnd.IntN(6) {
	case 0, 1, 2:
		opt := r.wanted(r.commits[max(0, len(r.commits)-1-rnd.IntN(3))], []objects.CommitKind{objects.Full, objects.Incremental, objects.Differential}[rnd.IntN(3)])
		opt.Asked, opt.TipOnly = rnd.IntN(2) == 0, rnd.IntN(5) == 0
		if rnd.IntN(2) == 0 { // it dies somewhere, and is tried again
			f := buckettest.NewFaulty(b, buckettest.Plan{At: 1 + rnd.IntN(12), Kind: buckettest.Kind(rnd.IntN(3)), Sticky: true})
			r.create(f, opt) //nolint:errcheck // it may die
			r.check(b)
		}
		r.mustCreate(b, opt)
	case 3:
		v, err := r.mustOpen(b).Verify(t.Context(), backup.VerifyOptions{Percent: 1 + rnd.IntN(100), Seed: rnd.Uint64()})
		if err != nil || len(v.Damage) > 0 {
			t.Fatalf("verify: %v, %+v", err, v.Damage)
		}
	case 4:
		p := backup.Policy{KeepFull: rnd.IntN(3), KeepDiff: rnd.IntN(3), KeepDaily: rnd.IntN(3), KeepFullDays: rnd.IntN(3)}
		opt := backup.ExpireOptions{Policy: p, Grace: time.Duration(rnd.IntN(2)) * backup.DefaultGrace}
		before := r.mustOpen(b).List()
		if rnd.IntN(2) == 0 {
			f := buckettest.NewFaulty(b, buckettest.Plan{At: 1 + rnd.IntN(12), Kind: buckettest.Kind(rnd.IntN(3)), Sticky: true})
			if d, err := r.open(f); err == nil {
				d.Expire(t.Context(), opt) //nolint:errcheck // it may die
			}
			r.check(b)
		}
		if _, err := r.mustOpen(b).Expire(t.Context(), opt); err != nil {
			t.Fatal(err)
		}
		if len(before.Sets) > 0 && len(r.mustOpen(b).List().Sets) == 0 {
			t.Fatalf("%+v took everything away", p)
		}
	case 5:
		if _, err := r.mustOpen(b).Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
