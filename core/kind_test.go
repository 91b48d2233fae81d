package core

import (
	"math"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
)

func TestChooseKind(t *testing.T) {
	parent, full := objects.ID{1}, objects.ID{2}
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	facts := func(change func(*kindFacts)) kindFacts {
		f := kindFacts{
			Rules: DefaultRules().Kinds, Now: now, Parent: parent, Full: full,
			FullBytes: 1000, FullTime: now.Add(-time.Hour), ChainLen: 2, ChainBytes: 100,
			Incremental: 10, Differential: 110,
		}
		if change != nil {
			change(&f)
		}
		return f
	}
	tests := []struct {
		name    string
		asked   objects.CommitKind
		facts   kindFacts
		want    objects.CommitKind
		base    objects.ID
		instead objects.CommitKind
	}{
		{"first", KindAuto, kindFacts{}, objects.Full, objects.ID{}, ""},
		{"first, incremental asked", objects.Incremental, kindFacts{}, objects.Full, objects.ID{}, objects.Incremental},
		{"no base", objects.Differential, facts(func(f *kindFacts) { f.Full = objects.ID{} }), objects.Full, objects.ID{}, objects.Differential},
		{"asked full", objects.Full, facts(nil), objects.Full, objects.ID{}, ""},
		{"asked incremental", objects.Incremental, facts(nil), objects.Incremental, parent, ""},
		{"asked differential", objects.Differential, facts(nil), objects.Differential, full, ""},
		{"auto", KindAuto, facts(nil), objects.Incremental, parent, ""},
		{"auto, first after the full", KindAuto, facts(func(f *kindFacts) { f.Parent, f.Differential = full, 10 }), objects.Incremental, full, ""},
		{"auto, differential as cheap", KindAuto, facts(func(f *kindFacts) { f.Differential = 15 }), objects.Differential, full, ""},
		{"auto, differential a little dearer", KindAuto, facts(func(f *kindFacts) { f.Differential = 16 }), objects.Incremental, parent, ""},
		{"auto, chain of 7", KindAuto, facts(func(f *kindFacts) { f.ChainLen = 6 }), objects.Incremental, parent, ""},
		{"auto, chain of 8", KindAuto, facts(func(f *kindFacts) { f.ChainLen = 7 }), objects.Differential, full, ""},
		{"auto, chain of 31", KindAuto, facts(func(f *kindFacts) { f.ChainLen = 30 }), objects.Full, objects.ID{}, ""},
		{"auto, heavy chain", KindAuto, facts(func(f *kindFacts) { f.ChainBytes = 1991 }), objects.Full, objects.ID{}, ""},
		{"auto, chain of twice the full", KindAuto, facts(func(f *kindFacts) { f.ChainBytes = 1990 }), objects.Incremental, parent, ""},
		{"auto, old full", KindAuto, facts(func(f *kindFacts) { f.Rules.MaxFullAgeDays = 1; f.FullTime = now.Add(-25 * time.Hour) }), objects.Full, objects.ID{}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := chooseKind(test.asked, test.facts)
			if got.Kind != test.want || got.Base != test.base || got.Instead != test.instead {
				t.Errorf("got %+v, want %v on %v", got, test.want, test.base.Short())
			}
			if got.Why == "" {
				t.Error("no reason given")
			}
		})
	}
}

// What a commit will hold goes by what those before it came to.
func TestStoreRate(t *testing.T) {
	full := history.Commit{Commit: objects.Commit{Delta: objects.Delta{Bytes: 1000}, Stored: &objects.Stored{Grown: 500, Held: 500}}}
	old := history.Commit{Commit: objects.Commit{Kind: objects.Full, Delta: objects.Delta{Bytes: 1000}}}
	for _, c := range []struct {
		name  string
		chain history.Chain
		want  storeRate
	}{
		{"nothing is known", history.Chain{Full: old}, storeRate{1, 1}},
		{"an empty full", history.Chain{}, storeRate{1, 1}},
		{"no edits yet", history.Chain{Full: full, New: 1000, Grown: 500}, storeRate{0.5, 0.5}},
		{"edits", history.Chain{Full: full, New: 1000, Edited: 800, Grown: 580}, storeRate{0.5, 0.1}},
		{"edits that cost more than whole files", history.Chain{Full: full, Edited: 100, Grown: 90}, storeRate{0.5, 0.5}},
		{"new files that were there already", history.Chain{Full: full, New: 1000, Edited: 100}, storeRate{0.5, 0}},
		{"edits on an old full", history.Chain{Full: old, New: 100, Edited: 1000, Grown: 200}, storeRate{1, 0.2}},
	} {
		if got := storeRateOf(c.chain); math.Abs(got.whole-c.want.whole)+math.Abs(got.edited-c.want.edited) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	f := kindFacts{ChainBytes: 30}
	f.expect(storeRate{0.5, 0.1}, 100, 200, 1000)
	if f.Incremental != 70 || f.Differential != 100 {
		t.Errorf("expects %+v", f)
	}
}
