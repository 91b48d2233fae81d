package backup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DefaultGrace is how long a set that was marked to go is left as it is, so
// that a restore or a backup that has begun with it can end. It is a little less
// than a day, for runs once a day.
const DefaultGrace = 20 * time.Hour

// ExpireOptions say what goes.
type ExpireOptions struct {
	Policy Policy
	// Labels are sets that go whatever the policy says, with all that is
	// based on them; but the newest full that was verified stays.
	Labels []Label
	Grace  time.Duration
	DryRun bool // nothing is changed
}

// Expired says what Expire did, or would do.
type Expired struct {
	Decisions []Decision // of all sets that were not marked before
	Marked    []Set      // now, the newest dependents first
	Removed   []Set      // that were marked and whose grace time is over
	Waiting   []Set      // that were marked before, and whose is not
}

// LastFullError is for a set that must stay.
type LastFullError struct {
	Label    Label
	Verified bool // else no full set was, and all would go
}

func (e *LastFullError) Error() string {
	if !e.Verified {
		return fmt.Sprintf("backup set %s is the newest full set, and none that stays was verified", e.Label)
	}
	return fmt.Sprintf("backup set %s is the newest full set that was verified", e.Label)
}

// Expire takes sets away in two phases: it marks in the list those that go, and
// removes those that were marked before and whose grace time is over. A set leaves
// the list with or after all that is based on it, and before any byte of it: what
// an interruption leaves is not seen any more, and removed by Sweep. It
// fails with a *NoSetError and with a *LastFullError.
func (d *Destination) Expire(ctx context.Context, opt ExpireOptions) (Expired, error) {
	list, err := d.Reload(ctx)
	if err != nil || list.Repository == "" {
		return Expired{}, err
	}
	now := d.opt.Now()
	var done Expired
	if opt.DryRun {
		done, err = d.expire(&list, opt, now)
		return done, err
	}
	tries := 0
	err = d.Update(ctx, func(l *List) error {
		again, err := d.expire(l, opt, now)
		if tries++; tries == 1 || len(again.Marked)+len(again.Removed) > 0 {
			done = again // else the try before has happened
		}
		return err
	})
	if err != nil {
		return Expired{}, err
	}
	for _, s := range done.Removed {
		if err := d.remove(ctx, s.Label); err != nil {
			return done, err
		}
	}
	return done, nil
}

// expire changes the list.
func (d *Destination) expire(l *List, opt ExpireOptions, now time.Time) (Expired, error) {
	done := Expired{Decisions: opt.Policy.Plan(*l, now)}
	if err := d.withLabels(*l, opt.Labels, done.Decisions); err != nil {
		return done, err
	}
	for _, s := range slices.Backward(slices.Clone(l.Sets)) { // dependents first
		switch age := now.Sub(time.Unix(s.Expiring, 0)); {
		case s.Expiring == 0:
		case age >= opt.Grace && len(l.Dependents(s.Label)) == 0:
			l.remove(s.Label)
			done.Removed = append(done.Removed, s)
		default:
			done.Waiting = append(done.Waiting, s)
		}
	}
	for _, decision := range slices.Backward(done.Decisions) {
		if !decision.Keep {
			l.change(decision.Set.Label, func(s *Set) { s.Expiring = now.Unix() })
			done.Marked = append(done.Marked, decision.Set)
		}
	}
	return done, nil
}

// withLabels adds the sets that were named to what goes.
func (d *Destination) withLabels(l List, labels []Label, plan []Decision) error {
	for _, label := range labels {
		if _, ok := l.Find(label); !ok {
			return &NoSetError{d.String(), label}
		}
		goes := map[Label]bool{label: true}
		for _, s := range l.Dependents(label) {
			goes[s.Label] = true
		}
		for i, decision := range plan {
			if goes[decision.Set.Label] {
				plan[i].Keep, plan[i].Reason = false, fmt.Sprintf("%s was named", label)
			}
		}
	}
	return checkLast(plan)
}

// checkLast refuses to take the newest sound full away, or all of them while none
// was verified.
func checkLast(plan []Decision) error {
	var kept, gone Label
	for _, decision := range slices.Backward(plan) {
		switch s := decision.Set; {
		case s.Base != "":
		case sound(s) && !decision.Keep:
			return &LastFullError{Label: s.Label, Verified: true}
		case sound(s):
			return nil
		case decision.Keep:
			kept = s.Label
		case gone == "":
			gone = s.Label
		}
	}
	if kept == "" && gone != "" {
		return &LastFullError{Label: gone}
	}
	return nil
}

// remove deletes the objects of a set that the list does not name any more.
func (d *Destination) remove(ctx context.Context, label Label) error {
	var keys []string
	for info, err := range d.bucket.List(ctx, label.folder()) {
		if err != nil {
			return d.failed(label.folder(), err)
		}
		keys = append(keys, info.Key)
	}
	for _, key := range deletionOrder(keys) {
		if err := d.bucket.Delete(ctx, key); err != nil {
			return d.failed(key, err)
		}
	}
	return nil
}

// deletionOrder puts manifests and their copies first, then indexes, and the rest
// behind.
func deletionOrder(keys []string) []string {
	rank := func(key string) int {
		switch {
		case strings.Contains(key, recordSuffix), strings.Contains(key, copySuffix):
			return 0
		case strings.Contains(key, indexSuffix):
			return 1
		}
		return 2
	}
	keys = slices.Clone(keys)
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
	return keys
}
