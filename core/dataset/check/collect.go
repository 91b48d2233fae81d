package check

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// maxUnread is how many unreadable places a report names.
const maxUnread = 1000

// collector gathers findings: it puts levels and waivers to them, counts them
// all, and keeps what a report holds. Findings that waivers cover are kept
// beside the limit, as the waivers bound them.
type collector struct {
	config  Config
	waived  map[waiverKey]string // reason
	checked []dataset.Checked
	rules   map[place]*tally
	unreads []dataset.Unread
	known   map[dataset.Unread]bool
}

type waiverKey struct {
	rule dataset.Rule
	id   string
}

type place struct {
	rule   dataset.Rule
	scheme string
}

// tally is what was found of one rule in one scheme.
type tally struct {
	all, waived int64
	open        int // kept and not waived
	kept        []dataset.Finding
	at          map[string]int // finding → its place in kept
}

func newCollector(c Config, waivers []objects.Waiver) *collector {
	out := &collector{config: c, waived: map[waiverKey]string{}, rules: map[place]*tally{}, known: map[dataset.Unread]bool{}}
	for _, w := range waivers {
		for _, id := range w.Findings {
			out.waived[waiverKey{dataset.Rule(w.Rule), id}] = w.Reason
		}
	}
	return out
}

func (c *collector) tally(rule dataset.Rule, scheme string) *tally {
	at := place{rule, scheme}
	if c.rules[at] == nil {
		c.rules[at] = &tally{at: map[string]int{}}
	}
	return c.rules[at]
}

// add takes a finding. A second one of the same ID is the same finding with
// more samples.
func (c *collector) add(f dataset.Finding) {
	f.Level = c.config.Level(f.Rule)
	if f.Level == dataset.Off {
		return
	}
	t := c.tally(f.Rule, f.Scheme)
	if i, ok := t.at[f.ID]; ok {
		t.kept[i].Samples = mergeSamples(t.kept[i].Samples, f.Samples)
		return
	}
	t.all++
	reason, waived := c.waived[waiverKey{f.Rule, f.ID}]
	switch {
	case waived:
		t.waived++
		f.Waived = reason
	case t.open == dataset.MaxFindings:
		return
	default:
		t.open++
	}
	t.at[f.ID] = len(t.kept)
	t.kept = append(t.kept, f)
}

// more counts findings that are not kept, because there are too many.
func (c *collector) more(rule dataset.Rule, scheme string, n int64) {
	if n > 0 && c.config.Level(rule) != dataset.Off {
		c.tally(rule, scheme).all += n
	}
}

// full reports whether further findings would only be counted.
func (c *collector) full(rule dataset.Rule, scheme string) bool {
	return c.tally(rule, scheme).open >= dataset.MaxFindings && len(c.waived) == 0
}

func mergeSamples(a, b []dataset.Sample) []dataset.Sample {
	for _, s := range b {
		if len(a) >= maxNamed {
			break
		}
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

func (c *collector) rule(done dataset.Checked) { c.checked = append(c.checked, done) }

func (c *collector) unread(list ...dataset.Unread) {
	for _, u := range list {
		if len(c.unreads) < maxUnread && !c.known[u] {
			c.known[u] = true
			c.unreads = append(c.unreads, u)
		}
	}
}

// report puts everything in order: rules as they were checked, findings by
// level, rule, scheme and first sample.
func (c *collector) report() *dataset.Report {
	r := &dataset.Report{Rules: c.counted(), Findings: []dataset.Finding{}, Unread: c.unreads}
	for _, t := range c.rules {
		r.Findings = append(r.Findings, t.kept...)
	}
	slices.SortFunc(r.Findings, compareFindings)
	return r
}

// counted returns the rules with their counts; findings of a rule that nothing
// here looked at, as those given, make a rule of their own.
func (c *collector) counted() []dataset.Checked {
	for at := range c.rules {
		if c.rules[at].all > 0 && !slices.ContainsFunc(c.checked, func(r dataset.Checked) bool { return place{r.Rule, r.Scheme} == at }) {
			c.rule(dataset.Checked{Rule: at.rule, Scheme: at.scheme, Level: c.config.Level(at.rule)})
		}
	}
	for i := range c.checked {
		r := &c.checked[i]
		if t := c.rules[place{r.Rule, r.Scheme}]; t != nil {
			r.Findings, r.Waived = t.all, t.waived
		}
	}
	slices.SortStableFunc(c.checked, func(a, b dataset.Checked) int {
		return cmp.Or(compareBool(a.Scheme == "", b.Scheme == ""), strings.Compare(a.Scheme, b.Scheme), cmp.Compare(order(a.Rule), order(b.Rule)))
	})
	return c.checked
}

// compareBool puts false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func order(r dataset.Rule) int { return slices.Index(Rules, r) }

func compareFindings(a, b dataset.Finding) int {
	rank := func(f dataset.Finding) int {
		if f.Level == dataset.Error {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)), cmp.Compare(order(a.Rule), order(b.Rule)), strings.Compare(a.Scheme, b.Scheme),
		slices.CompareFunc(a.Samples, b.Samples, compareSamples), strings.Compare(a.ID, b.ID),
	)
}

func compareSamples(a, b dataset.Sample) int {
	return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Row, b.Row), strings.Compare(a.Split, b.Split))
}
