package backupplan

import (
	"cmp"
	"fmt"
	"slices"
)

// worth is how much more may be written and kept for the sake of restores that
// need fewer sets.
const worth = 1.25

// same is how near prices are that come to the same.
const same = 1.01

// recommend chooses a strategy and says why. Of those that write and keep, in
// all, at most a quarter more than the cheapest, it is the one whose restores
// need the fewest sets; of several, the cheapest of them.
func recommend(all []Outcome) (name, why string) {
	cheapest := slices.MinFunc(all, func(a, b Outcome) int { return cmp.Compare(a.price(), b.price()) })
	dearest := slices.MaxFunc(all, func(a, b Outcome) int { return cmp.Compare(a.price(), b.price()) })
	within := func(o Outcome, factor float64) bool { return float64(o.price()) <= factor*float64(cheapest.price()) }
	best := cheapest
	for _, o := range all {
		if within(o, worth) && (o.MostSets < best.MostSets || o.MostSets == best.MostSets && o.price() < best.price()) {
			best = o
		}
	}
	switch {
	case within(dearest, same):
		return best.Strategy, fmt.Sprintf("all strategies come to the same here, and a restore needs %s", atMost(best.MostSets))
	case best.Strategy == cheapest.Strategy:
		return best.Strategy, fmt.Sprintf("it writes and keeps the least, %.2g times less than %s, and a restore needs %s",
			ratio(dearest, best), dearest.Strategy, atMost(best.MostSets))
	}
	return best.Strategy, fmt.Sprintf("a restore needs %s, where %s, which is %.0f %% cheaper to write and keep, needs up to %d",
		atMost(best.MostSets), cheapest.Strategy, 100*(1-1/ratio(best, cheapest)), cheapest.MostSets)
}

func ratio(a, b Outcome) float64 { return float64(a.price()) / float64(max(1, b.price())) }

func atMost(sets int64) string {
	if sets == 1 {
		return "one set alone"
	}
	return fmt.Sprintf("at most %d sets", sets)
}
