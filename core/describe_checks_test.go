package core_test

import (
	"testing"

	"github.com/mlvc/mlvc/core"
)

// checksSeen counts what is told of checks.
type checksSeen struct {
	core.NoEvents
	n int
}

func (c *checksSeen) Progress(p core.Progress) {
	if p.Phase == core.PhaseCheck {
		c.n++
	}
}

// Only who tells of the checks runs them.
func TestDescribeChecks(t *testing.T) {
	d := newDataIn(t, fastDir(t))
	d.record(files{core.RulesFile: folderRules, "train/a": "same", "train/t.csv": "id,x\n1,2\n", "test/b": "other"})
	for _, checks := range []bool{false, true} {
		saw := &checksSeen{}
		d.env.Events = saw
		_, err := within(d, func(r *core.Repo) (any, error) {
			res, err := r.Describe(t.Context(), core.DescribeOptions{Checks: checks})
			if len(res.Splits) != 2 || res.Files != 3 || len(res.Checks) > 0 != checks {
				t.Errorf("checks %v: %+v", checks, res)
			}
			return res, err
		})
		if err != nil || saw.n > 0 != checks {
			t.Errorf("checks %v: %v, %d told", checks, err, saw.n)
		}
	}
}
