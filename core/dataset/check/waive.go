package check

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// ErrNothingToWaive is for a rule that has no finding without a waiver.
var ErrNothingToWaive = errors.New("nothing to waive")

// ErrNoReason is for a waiver that nobody could understand later.
var ErrNoReason = errors.New("a waiver needs a reason")

// TooManyError is for more findings than one waiver may cover: what finds so
// much is better turned off, or mended.
type TooManyError struct {
	Rule     dataset.Rule
	Findings int64
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("%s has %d findings, and a waiver covers at most %d", e.Rule, e.Findings, dataset.MaxFindings)
}

// Waive returns a waiver for the findings of a rule that no other covers, and
// marks them in the report. A finding that comes later is not covered.
func Waive(r *dataset.Report, rule dataset.Rule, reason string) (objects.Waiver, error) {
	if reason == "" {
		return objects.Waiver{}, ErrNoReason
	}
	if open := open(r, rule); open > dataset.MaxFindings {
		return objects.Waiver{}, &TooManyError{rule, open}
	}
	w := objects.Waiver{Rule: string(rule), Reason: reason}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Rule == rule && f.Waived == "" {
			f.Waived = reason
			w.Findings = append(w.Findings, f.ID)
			count(r, *f)
		}
	}
	if len(w.Findings) == 0 {
		return objects.Waiver{}, fmt.Errorf("%s: %w", rule, ErrNothingToWaive)
	}
	slices.Sort(w.Findings)
	return w, nil
}

// open is the number of findings of a rule that no waiver covers.
func open(r *dataset.Report, rule dataset.Rule) int64 {
	var n int64
	for _, c := range r.Rules {
		if c.Rule == rule {
			n += c.Findings - c.Waived
		}
	}
	return n
}

// count notes in the rule's line that a finding is waived.
func count(r *dataset.Report, f dataset.Finding) {
	for i := range r.Rules {
		if c := &r.Rules[i]; c.Rule == f.Rule && c.Scheme == f.Scheme {
			c.Waived++
		}
	}
}

// Inherit returns what remains of the parents' waivers: each with the findings
// that are still there. A waiver without any is left out; those of a rule that
// was not checked stay as they are, since nothing is known of their findings.
func Inherit(r *dataset.Report, waivers []objects.Waiver) []objects.Waiver {
	there := map[waiverKey]bool{}
	for _, f := range r.Findings {
		there[waiverKey{f.Rule, f.ID}] = true
	}
	looked := map[string]bool{}
	for _, c := range r.Rules {
		if c.Level != dataset.Off && c.Skipped == "" {
			looked[string(c.Rule)] = true
		}
	}
	var out []objects.Waiver
	taken := map[waiverKey]bool{}
	for _, w := range waivers {
		kept := objects.Waiver{Rule: w.Rule, Reason: w.Reason}
		for _, id := range w.Findings {
			key := waiverKey{dataset.Rule(w.Rule), id}
			if !taken[key] && (there[key] || !looked[w.Rule]) {
				taken[key] = true
				kept.Findings = append(kept.Findings, id)
			}
		}
		if len(kept.Findings) > 0 {
			out = append(out, kept)
		}
	}
	return out
}
