package backup

import (
	"fmt"
	"slices"
	"time"

	"github.com/mlvc/mlvc/objects"
)

// Policy says which sets stay. A set stays if any rule keeps it, or if one that
// stays needs it; the zero Policy keeps all. Times are those of the labels.
type Policy struct {
	// KeepFull keeps so many of the newest full sets, with all that is based on
	// them. A full counts only if its last verification found it sound, and what
	// is newer than the oldest that counts stays with it. 0: no rule.
	KeepFull int
	// KeepFullDays keeps every full set that is younger than so many days, and
	// the newest of the older ones, so that every moment of those days can be
	// gone back to. 0: no rule.
	KeepFullDays int
	// KeepDiff keeps, of the differential sets based on full sets that stay, so
	// many of the newest; full sets count as differential. What is based on a
	// differential goes with it. 0: all.
	KeepDiff int
	// These keep the newest sound set of so many of the last days, ISO weeks
	// and months that have one, by the zone of the time that Plan is given.
	KeepDaily, KeepWeekly, KeepMonthly int
}

// Decision is what a policy says of a set.
type Decision struct {
	Set    Set
	Keep   bool
	Reason string // for people
}

// Plan decides over every set that is not marked to go already, in the list's
// order. Whatever the rules, the newest full set that was verified stays; while
// none was, every full set does.
func (p Policy) Plan(list List, now time.Time) []Decision {
	r := retention{policy: p, list: list, now: now, keep: make(map[Label]string)}
	for _, s := range list.Sets {
		if s.Expiring == 0 {
			r.sets = append(r.sets, s)
		}
	}
	r.fulls()
	r.differentials()
	r.periods()
	r.last()
	r.chains()
	plan := make([]Decision, 0, len(r.sets))
	for _, s := range r.sets {
		reason, keep := r.keep[s.Label]
		if !keep {
			reason = r.gone(s)
		}
		plan = append(plan, Decision{s, keep, reason})
	}
	return plan
}

// retention is a policy at work.
type retention struct {
	policy Policy
	list   List
	now    time.Time
	sets   []Set // that may stay, the oldest first
	keep   map[Label]string
	old    map[Label]bool // differentials beyond KeepDiff, and what is based on them
}

func sound(s Set) bool { return s.Verified != nil && s.Verified.OK }

// hasRules reports whether any rule says which fulls stay.
func (p Policy) hasRules() bool {
	return p.KeepFull > 0 || p.KeepFullDays > 0 || p.KeepDaily > 0 || p.KeepWeekly > 0 || p.KeepMonthly > 0
}

func (r *retention) stay(l Label, reason string) {
	if _, kept := r.keep[l]; !kept {
		r.keep[l] = reason
	}
}

// fulls keeps full sets.
func (r *retention) fulls() {
	p, count, reached := r.policy, 0, false
	for _, s := range slices.Backward(r.sets) {
		if s.Kind() != objects.Full {
			continue
		}
		if !p.hasRules() {
			r.stay(s.Label, "no rule is about full sets")
		}
		if p.KeepFull > 0 && count < p.KeepFull {
			r.stay(s.Label, fmt.Sprintf("one of the newest %d full", p.KeepFull))
		}
		if p.KeepFullDays > 0 && !reached {
			r.stay(s.Label, fmt.Sprintf("needed for the last %d days", p.KeepFullDays))
		}
		if sound(s) {
			count++
			reached = reached || r.now.Sub(s.Label.Time()) > time.Duration(p.KeepFullDays)*24*time.Hour
		}
	}
}

// differentials keeps what is based on full sets that stay.
func (r *retention) differentials() {
	r.old = make(map[Label]bool)
	count := 0
	for _, s := range slices.Backward(r.sets) {
		switch s.Kind() {
		case objects.Full:
			if sound(s) {
				count++
			}
		case objects.Differential:
			r.old[s.Label] = r.policy.KeepDiff > 0 && count >= r.policy.KeepDiff
			if !s.Damaged() {
				count++
			}
		}
	}
	for _, s := range r.sets { // a base comes first
		if s.Base == "" {
			continue
		}
		r.old[s.Label] = r.old[s.Label] || r.old[s.Base]
		if _, kept := r.keep[s.Label.Full()]; kept && !r.old[s.Label] {
			r.stay(s.Label, fmt.Sprintf("based on %s", s.Base))
		}
	}
}

// periods keeps the newest sound set of days, weeks and months.
func (r *retention) periods() {
	for _, rule := range []struct {
		n      int
		name   string
		period func(time.Time) string
	}{
		{r.policy.KeepDaily, "day", func(t time.Time) string { return t.Format("2006-01-02") }},
		{r.policy.KeepWeekly, "week", func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprintf("%d-W%02d", year, week)
		}},
		{r.policy.KeepMonthly, "month", func(t time.Time) string { return t.Format("2006-01") }},
	} {
		last, count := "", 0
		for _, s := range slices.Backward(r.sets) {
			if count == rule.n {
				break
			}
			period := rule.period(s.Label.Time().In(r.now.Location()))
			if period == last || damaged(r.list.Chain(s.Label)) {
				continue
			}
			last = period
			count++
			r.stay(s.Label, fmt.Sprintf("the newest of the %s %s", rule.name, period))
		}
	}
}

// last keeps the newest full set that was verified, or all if none was.
func (r *retention) last() {
	for _, s := range slices.Backward(r.sets) {
		if s.Kind() == objects.Full && sound(s) {
			r.stay(s.Label, "the newest full that was verified")
			return
		}
	}
	for _, s := range r.sets {
		if s.Kind() == objects.Full {
			r.stay(s.Label, "no full was verified yet")
		}
	}
}

// chains keeps what sets that stay are based on.
func (r *retention) chains() {
	for _, s := range slices.Backward(r.sets) { // the newest first: its base is looked at later
		if _, kept := r.keep[s.Label]; kept && s.Base != "" {
			r.stay(s.Base, fmt.Sprintf("%s is based on it", s.Label))
		}
	}
}

// gone says why a set does not stay.
func (r *retention) gone(s Set) string {
	if _, kept := r.keep[s.Label.Full()]; kept && r.old[s.Label] {
		return fmt.Sprintf("older than the newest %d differential", r.policy.KeepDiff)
	}
	if s.Base == "" {
		return "no rule keeps it"
	}
	return "no rule keeps it or its full"
}
