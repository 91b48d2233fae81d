package backup_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/backup"
)

var policyNow = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// policyList makes a list of words such as "F1@25", "D1", "I1": a full, a
// differential on the last full, an incremental on the last set; after @ the
// age in days, else an hour less than the one before; "?" behind: never
// verified, "!": damaged. It also returns the word of each label.
func policyList(t *testing.T, words string) (backup.List, map[backup.Label]string) {
	t.Helper()
	l := backup.List{Version: 1, Repository: repository}
	names := make(map[backup.Label]string)
	when := policyNow.Add(-100 * 24 * time.Hour)
	var full, last backup.Label
	for word := range strings.FieldsSeq(words) {
		name, age, aged := strings.Cut(strings.TrimRight(word, "?!"), "@")
		when = when.Add(time.Hour)
		if aged {
			var days float64
			if _, err := fmt.Sscan(age, &days); err != nil {
				t.Fatal(err)
			}
			when = policyNow.Add(-time.Duration(days * 24 * float64(time.Hour)))
		}
		s := backup.Set{
			Label: backup.Label(when.Format("20060102-150405") + name[:1]), Manifest: objects.ID{1}, Commit: objects.ID{2},
			Verified: &backup.Check{When: 1, OK: true, Percent: 100},
		}
		switch name[0] {
		case 'F':
			full = s.Label
		case 'D':
			s.Base, s.Label = full, full+"_"+s.Label
		case 'I':
			s.Base, s.Label = last, full+"_"+s.Label
		}
		switch word[len(word)-1] {
		case '?':
			s.Verified = nil
		case '!':
			s.Verified.OK = false
		}
		last = s.Label
		names[s.Label] = name
		l.Sets = append(l.Sets, s)
	}
	if _, err := backup.EncodeList(l); err != nil {
		t.Fatal(err)
	}
	return l, names
}

// What pgBackRest's documentation, source and tests say of expiry, and what is
// said of ours beyond it.
func TestPolicy(t *testing.T) {
	const six = "F1 F2 D2 I2 F3 D3" // the list of its tests
	for name, c := range map[string]struct {
		sets   string
		policy backup.Policy
		stay   string
	}{
		"pgBackRest: retention-full not set":            {six, backup.Policy{}, six},
		"pgBackRest: retention-full=2":                  {six, backup.Policy{KeepFull: 2}, "F2 D2 I2 F3 D3"},
		"pgBackRest: retention-full=1":                  {six, backup.Policy{KeepFull: 1}, "F3 D3"},
		"pgBackRest: retention-full=1 again":            {"F3 D3", backup.Policy{KeepFull: 1}, "F3 D3"},
		"pgBackRest: retention-diff=6":                  {six, backup.Policy{KeepDiff: 6}, six},
		"pgBackRest: retention-diff=2, fulls count":     {six, backup.Policy{KeepDiff: 2}, "F1 F2 F3 D3"},
		"pgBackRest: retention-diff=2, the source":      {"F1 D1 D2 F2", backup.Policy{KeepDiff: 2}, "F1 D2 F2"},
		"pgBackRest: retention-diff=1, the oldest":      {"F1 D1 D2", backup.Policy{KeepDiff: 1}, "F1 D2"},
		"pgBackRest: retention-diff=1, the user guide":  {"F1 D1 I1 D2", backup.Policy{KeepDiff: 1}, "F1 D2"},
		"pgBackRest: incrementals go with their full":   {"F1 I1 I2 F2 I3", backup.Policy{KeepFull: 1}, "F2 I3"},
		"pgBackRest: retention-full=2, one full":        {"F1 D1", backup.Policy{KeepFull: 2}, "F1 D1"},
		"pgBackRest: time, 15 days of 25, 20 and 10":    {"F1@25 F2@20 F3@10", backup.Policy{KeepFullDays: 15}, "F2 F3"},
		"pgBackRest: time, 30 days of 25, 35 and older": {"F1@60 F2@50 F3@40 F4@35 F5@25", backup.Policy{KeepFullDays: 30}, "F4 F5"},
		"pgBackRest: time, none old enough":             {"F1@10 F2@5", backup.Policy{KeepFullDays: 15}, "F1 F2"},
		"pgBackRest: time, all too old":                 {"F1@40 D1 F2@30 D2", backup.Policy{KeepFullDays: 15}, "F2 D2"},
		"pgBackRest: time, between differentials":       {"F1@30 D1a@29 D1b@28 D1c@27 F2@20 D2a@19 D2b@18 F3@10 D3a@9 D3b@8", backup.Policy{KeepFullDays: 18}, "F2 D2a D2b F3 D3a D3b"},
		"pgBackRest: full and diff":                     {"F1 D1 F2 D2 D3 I3", backup.Policy{KeepFull: 1, KeepDiff: 1}, "F2 D3 I3"},
		"a full that was not verified does not count":   {"F1 F2? F3?", backup.Policy{KeepFull: 1}, "F1 F2 F3"},
		"nor one that is damaged":                       {"F1 D1 F2! F3", backup.Policy{KeepFull: 2}, "F1 D1 F2 F3"},
		"an old one that was not verified goes":         {"F1? F2 F3", backup.Policy{KeepFull: 2}, "F2 F3"},
		"none was verified":                             {"F1? F2? I2?", backup.Policy{KeepDaily: 1}, "F1 F2 I2"},
		"days, the newest verified full stays":          {"F1@9 F2@3?", backup.Policy{KeepDaily: 1}, "F1 F2"},
		"days keep chains":                              {"F1@5 I1@4 I2@3 I3@2 I4@1", backup.Policy{KeepDaily: 2}, "F1 I1 I2 I3 I4"},
		"days keep one a day":                           {"F1@5 D1@4 D2@3.1 D3@3 D4@2", backup.Policy{KeepDaily: 2}, "F1 D3 D4"},
		"days without a set do not count":               {"F1@50 F2@30 F3@10", backup.Policy{KeepDaily: 2}, "F2 F3"},
		"a damaged one is not a day's":                  {"F1@5 D1@2.1 D2@2! D3@1", backup.Policy{KeepDaily: 2}, "F1 D1 D3"},
		"weeks":                                         {"F1@21 F2@15 F3@14 F4@7 F5@1", backup.Policy{KeepWeekly: 3}, "F3 F4 F5"},
		"months":                                        {"F1@90 F2@40 F3@35 F4@10 F5@1", backup.Policy{KeepMonthly: 2}, "F3 F5"},
		"rules add up":                                  {"F1@90 F2@40 F3@35 F4@10 I4@9 F5@1", backup.Policy{KeepFull: 2, KeepMonthly: 2}, "F3 F4 I4 F5"},
		"nothing there":                                 {"", backup.Policy{KeepFull: 1}, ""},
	} {
		list, names := policyList(t, c.sets)
		var stay []string
		for _, d := range c.policy.Plan(list, policyNow) {
			if d.Keep {
				stay = append(stay, names[d.Set.Label])
			}
			if d.Reason == "" {
				t.Errorf("%s: %s has no reason", name, names[d.Set.Label])
			}
		}
		if got := strings.Join(stay, " "); got != c.stay {
			t.Errorf("%s: of %s stay %s, want %s", name, c.sets, got, c.stay)
		}
	}
}

// Whatever the policy: no chain is broken, the newest verified full stays, what a
// rule of numbers asks for is there, and to plan again takes nothing more.
func TestPolicyLaws(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	for range sampled(3000, 600, 100) {
		words := []string{"F0"}
		for i := range rnd.IntN(20) {
			words = append(words, fmt.Sprintf("%c%d%s", "FFDDI"[rnd.IntN(5)], i+1, []string{"", "", "?", "!"}[rnd.IntN(4)]))
		}
		list, _ := policyList(t, strings.Join(words, " "))
		p := backup.Policy{KeepFull: rnd.IntN(3), KeepFullDays: rnd.IntN(120), KeepDiff: rnd.IntN(4), KeepDaily: rnd.IntN(3), KeepWeekly: rnd.IntN(2), KeepMonthly: rnd.IntN(2)}
		left := backup.List{Version: 1, Repository: repository}
		kept := make(map[backup.Label]bool)
		var lastSound backup.Label
		for _, d := range p.Plan(list, policyNow) {
			if d.Keep {
				left.Sets = append(left.Sets, d.Set)
				kept[d.Set.Label] = true
			}
			if d.Set.Base == "" && d.Set.Verified != nil && d.Set.Verified.OK {
				lastSound = d.Set.Label
			}
		}
		if _, err := backup.EncodeList(left); err != nil {
			t.Fatalf("%+v of %v: %v", p, words, err)
		}
		if lastSound != "" && !kept[lastSound] {
			t.Fatalf("%+v of %v: the last sound full goes", p, words)
		}
		for _, d := range p.Plan(left, policyNow) {
			if !d.Keep {
				t.Fatalf("%+v of %v: %s goes only the second time: %s", p, words, d.Set.Label, d.Reason)
			}
		}
	}
}
