package dataset

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mlvc/mlvc/objects"
)

// Rule names one check.
type Rule string

// The rules.
const (
	RuleOverlap  Rule = "overlap"  // no sample is in two splits
	RuleCovered  Rule = "covered"  // every sample is in a split
	RuleContent  Rule = "content"  // no content is in two splits
	RuleRows     Rule = "rows"     // no row is in two splits
	RuleGroups   Rule = "groups"   // no group is in two splits
	RuleFrozen   Rule = "frozen"   // a frozen split does not change
	RuleMoved    Rule = "moved"    // nothing goes from a test split to a train split
	RuleNear     Rule = "near"     // no near-duplicates in two splits
	RuleLabels   Rule = "labels"   // every sample has its label, and the reverse
	RuleDrift    Rule = "drift"    // classes and sizes stay within limits
	RuleReadable Rule = "readable" // what the checks must read can be read
)

// Level says what a finding of a rule means.
type Level string

// The levels.
const (
	Off   Level = "off"   // the rule is not checked
	Warn  Level = "warn"  // findings are told
	Error Level = "error" // findings refuse the commit
)

// Finding is one thing that a rule found.
type Finding struct {
	// ID is the same as long as it is the same finding: of the rule, the scheme
	// and the contents concerned, whatever their paths. Waivers name it.
	ID      string   `json:"id"`
	Rule    Rule     `json:"rule"`
	Level   Level    `json:"level"`
	Scheme  string   `json:"scheme,omitempty"`
	Message string   `json:"message"` // one line, lower case, no full stop
	Samples []Sample `json:"samples,omitempty"`
	// Distance is how far apart near-duplicates are, in the unit of Measure.
	Distance float64 `json:"distance,omitempty"`
	Measure  string  `json:"measure,omitempty"` // "bits of dHash", "1 - Jaccard"
	// Waived is the reason of the waiver that covers it.
	Waived string `json:"waived,omitempty"`
}

// DistanceText writes a distance for people: "1 bit of dHash",
// "1 - Jaccard = 0.25"; nothing where there is no measure.
func DistanceText(distance float64, measure string) string {
	if measure == "" {
		return ""
	}
	number := strconv.FormatFloat(distance, 'g', 3, 64)
	of, bits := strings.CutPrefix(measure, "bits ")
	switch {
	case !bits:
		return measure + " = " + number
	case distance == 1:
		return number + " bit " + of
	}
	return number + " " + measure
}

const findingContext = "mlvc 2026-11-26 finding v1"

// FindingID returns the ID of a finding: 16 hexadecimal digits of BLAKE3 over
// the rule, the scheme and what tells it from others, in any order; none of
// these may contain a zero byte.
func FindingID(rule Rule, scheme string, about ...string) string {
	about = slices.Clone(about)
	slices.Sort(about)
	var text []byte
	for _, part := range append([]string{string(rule), scheme}, about...) {
		text = append(append(text, part...), 0)
	}
	id := objects.Derive(findingContext, text)
	return hex.EncodeToString(id[:8])
}

// Unread is something that a check could not read.
type Unread struct {
	Path  string `json:"path"`
	Place string `json:"place,omitempty"` // "line 17", "row 3, column label"
	Why   string `json:"why"`
}

// Checked is what became of one rule.
type Checked struct {
	Rule     Rule   `json:"rule"`
	Scheme   string `json:"scheme,omitempty"`
	Level    Level  `json:"level"`
	Samples  int64  `json:"samples"`  // looked at
	Findings int64  `json:"findings"` // all of them, waived ones included
	Waived   int64  `json:"waived"`
	// Skipped says why the rule was not checked though it is not off; empty: it
	// was.
	Skipped string        `json:"skipped,omitempty"`
	Took    time.Duration `json:"took_ns"`
}

// MaxFindings is how many findings of one rule and scheme a report holds beside
// those that waivers cover; Checked counts all of them.
const MaxFindings = 20_000

// Report is what checks found.
type Report struct {
	Rules    []Checked `json:"rules"`
	Findings []Finding `json:"findings"` // errors first, then by rule and sample
	Unread   []Unread  `json:"unread,omitempty"`
}

// Refused reports whether a finding that no waiver covers is an error.
func (r *Report) Refused() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level == Error && f.Waived == "" })
}
