package check_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/objects"
)

func TestWaiver(t *testing.T) {
	w := newWorld(t)
	w.Put("train/a", "same")
	w.Put("test/a", "same")
	r := w.commit()
	if !r.Refused() {
		t.Fatal("a leak is not refused")
	}
	if _, err := check.Waive(r, dataset.RuleContent, ""); !errors.Is(err, check.ErrNoReason) {
		t.Fatal("a waiver without a reason:", err)
	}
	waiver, err := check.Waive(r, dataset.RuleContent, "known and wanted")
	if err != nil || len(waiver.Findings) != 1 || r.Refused() {
		t.Fatal(waiver, err, r.Refused())
	}
	if _, err := check.Waive(r, dataset.RuleContent, "again"); !errors.Is(err, check.ErrNothingToWaive) {
		t.Fatal("waived twice:", err)
	}

	// It goes along while the finding remains, wherever its files go.
	w.in.Waivers = []objects.Waiver{waiver}
	w.Rename("train/a", "train/b")
	r = w.commit()
	if r.Refused() || len(r.Findings) != 1 || r.Findings[0].Waived != "known and wanted" {
		t.Fatal("an inherited waiver does not hold", r.Findings)
	}
	if got := check.Inherit(r, w.in.Waivers); len(got) != 1 || !slices.Equal(got[0].Findings, waiver.Findings) {
		t.Fatal("not inherited", got)
	}

	// A new finding is refused, the old one stays waived.
	w.Put("train/c", "other")
	w.Put("test/c", "other")
	r = w.commit()
	if !r.Refused() || contentOf(r).Findings != 2 || contentOf(r).Waived != 1 {
		t.Fatal("a new finding is not refused", r.Rules)
	}

	// The finding gone, so is the waiver; a rule that is off leaves it.
	w.Remove("train/b")
	w.Remove("train/c")
	if got := check.Inherit(w.check(), w.in.Waivers); len(got) != 0 {
		t.Fatal("a waiver of nothing is kept", got)
	}
	w.in.Config.Levels = map[dataset.Rule]dataset.Level{dataset.RuleContent: dataset.Off}
	if got := check.Inherit(w.check(), w.in.Waivers); len(got) != 1 {
		t.Fatal("a waiver of a rule that was not checked is lost", got)
	}
}

// More findings than a report holds are counted, and cannot be waived at once.
func TestTooManyFindings(t *testing.T) {
	w := newWorld(t)
	const n = dataset.MaxFindings + 10
	for i := range n {
		w.in.Given = append(w.in.Given, dataset.Finding{ID: fmt.Sprint(i), Rule: dataset.RuleCovered, Scheme: "default", Message: "m"})
	}
	r := w.check()
	covered := r.Rules[slices.IndexFunc(r.Rules, func(c dataset.Checked) bool { return c.Rule == dataset.RuleCovered })]
	if covered.Findings != n || len(r.Findings) != dataset.MaxFindings || r.Refused() {
		t.Fatal(covered, len(r.Findings))
	}
	var many *check.TooManyError
	if _, err := check.Waive(r, dataset.RuleCovered, "so many"); !errors.As(err, &many) || many.Findings != n {
		t.Fatal(err)
	}
}

func contentOf(r *dataset.Report) dataset.Checked {
	return r.Rules[slices.IndexFunc(r.Rules, func(c dataset.Checked) bool { return c.Rule == dataset.RuleContent })]
}
