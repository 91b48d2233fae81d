package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/objects"
)

// inherited are the waivers of all parents.
func (e *examining) inherited(ctx context.Context) ([]objects.Waiver, error) {
	list := slices.Clone(e.waivers)
	for _, id := range e.parents {
		c, err := e.commit(ctx, id)
		if err != nil {
			return nil, err
		}
		list = append(list, c.Waivers...)
	}
	return list, nil
}

// Waive is a wish to let the findings of a rule stand.
type Waive struct {
	Rule   dataset.Rule
	Reason string
}

// checkWaives fails for rules that there are not, before anything is read.
func checkWaives(wishes []Waive) error {
	for _, w := range wishes {
		if !slices.Contains(check.Rules, w.Rule) {
			return &UsageError{What: fmt.Sprintf("there is no rule %q to waive", w.Rule), Hint: "rules are " + ruleNames()}
		}
	}
	return nil
}

// waive covers findings by new waivers. Their rules were checked.
func (c *Consistency) waive(wishes []Waive) error {
	for _, w := range wishes {
		waiver, err := check.Waive(c.Report, w.Rule, w.Reason)
		switch {
		case errors.Is(err, check.ErrNothingToWaive):
			return &UsageError{What: fmt.Sprintf("nothing is found by the rule %s that no waiver covers", w.Rule), Hint: "leave out --waive"}
		case err != nil:
			return err
		}
		c.waivers = append(c.waivers, waiver)
	}
	return nil
}

func ruleNames() string {
	names := make([]string, len(check.Rules))
	for i, rule := range check.Rules {
		names[i] = string(rule)
	}
	return strings.Join(names, ", ")
}

// RefusedError refuses a commit for what the checks found. Nothing moved.
type RefusedError struct{ *Consistency }

func (e *RefusedError) Error() string {
	var parts []string
	for _, c := range e.Report.Rules {
		if open := c.Findings - c.Waived; c.Level == dataset.Error && open > 0 {
			parts = append(parts, fmt.Sprintf("%s (%d)", c.Rule, open))
		}
	}
	slices.Sort(parts)
	return "the data break the rules of mlvc.toml: " + strings.Join(slices.Compact(parts), ", ")
}
