package core

import (
	"testing"
	"time"

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
