package core_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects/vfs/faultfs"
)

// The part changes while every operation fails in turn: with the head staying
// and with it moving, to less and to other files.
func TestSweepPart(t *testing.T) {
	some := []string{"kept", "new", "swap", "lar*"}
	verbs := map[string]*partSweep{
		"less":  {from: core.CheckoutOptions{All: true}, to: core.CheckoutOptions{Part: some}},
		"more":  {from: core.CheckoutOptions{Part: some}, to: core.CheckoutOptions{All: true}},
		"other": {from: core.CheckoutOptions{Part: some}, to: core.CheckoutOptions{Rev: "other", Part: []string{"kept", "notes.txt", "swap", "run.sh", "empty*"}}, ends: "other"},
		"split": {from: core.CheckoutOptions{All: true}, to: core.CheckoutOptions{Splits: []string{"train"}}},
		"test":  {from: core.CheckoutOptions{Splits: []string{"train"}}, to: core.CheckoutOptions{Rev: "other", Splits: []string{"test"}}, ends: "other"},
		"bound": {from: core.CheckoutOptions{Splits: []string{"train"}}, to: core.CheckoutOptions{Rev: "other"}, ends: "other"},
		"kept":  {from: core.CheckoutOptions{Part: some}, to: core.CheckoutOptions{Rev: "other"}, ends: "other"},
	}
	for verb, c := range verbs {
		for fault, plan := range faults {
			t.Run(verb+"/"+fault, func(t *testing.T) {
				t.Parallel()
				own := *c
				if len(own.from.Splits)+len(own.to.Splits) > 0 {
					own.rules = sweepSplits
				}
				sweep(t, plan, 53, &own)
			})
		}
	}
}

// sweepSplits leave the local changes in no split.
const sweepSplits = `track = ["."]

[splits]
train = ["new/**", "large.bin"]
test = ["notes.txt", "swap", "swap/**", "run.sh"]

[checks]
covered = "off"
`

// partSweep tries one change of the part.
type partSweep struct {
	carrySweep
	from, to core.CheckoutOptions
	ends     string
}

func (c *partSweep) begin(t *testing.T) *data {
	d := c.carrySweep.begin(t)
	d.checkout(c.from)
	return d
}

// held is what the disk should hold.
func (c *partSweep) held(d *data, r *core.Repo) picture {
	part, err := r.Part(d.t.Context())
	d.must(err)
	of := c.commits[headOf(d.t, r)]
	want := maps.Clone(of)
	maps.DeleteFunc(want, func(path, look string) bool { return !partHas(part, path, look) })
	return withLocal(want)
}

func (c *partSweep) try(d *data, i int, plan faultfs.Plan) bool {
	t := d.t
	start := takeDisk(t, d.root)
	r, fsys, err := d.under(plan)
	if err == nil {
		_, err = r.Checkout(t.Context(), c.to)
		r.Close() //nolint:errcheck // it may well fail
	}
	where := fmt.Sprintf("operation %d (%s)", i, fsys.Failed())
	if err != nil && !injected(err) {
		t.Errorf("%s: error does not say what failed: %v", where, err)
	}
	d.holdsLocal(where)
	after := d.open()
	defer after.Close()
	c.next(d, after, where, i, start)
	back := c.from
	back.Rev = "main"
	d.checkout(back)
	if diff := cmp.Diff(start, takeDisk(t, d.root)); diff != "" {
		t.Errorf("%s: back at the start: %s", where, diff)
	}
	return fsys.Failed() != ""
}

// next takes the work back, commits, or does it again, and looks at the disk.
func (c *partSweep) next(d *data, r *core.Repo, where string, i int, start picture) {
	t := d.t
	switch i % 3 {
	case 0:
		_, err := r.Checkout(t.Context(), core.CheckoutOptions{Abort: true})
		if err != nil && !errors.Is(err, core.ErrNothingUnfinished) {
			t.Errorf("%s: abort: %v", where, err)
		}
		if err == nil {
			if diff := cmp.Diff(start, takeDisk(t, d.root)); diff != "" {
				t.Errorf("%s: taken back: %s", where, diff)
			}
		}
	case 1:
		id := headOf(t, r)
		res, err := r.Commit(t.Context(), core.CommitOptions{Message: "between", Kind: core.KindAuto, Paths: []string{core.RulesFile}})
		if err != nil && !refusesUnfinished(err) || !res.ID.IsZero() || headOf(t, r) != id {
			t.Errorf("%s: commit: %+v, %v", where, res, err)
		}
		fallthrough
	case 2:
		if _, err := r.Checkout(t.Context(), c.to); err != nil {
			t.Errorf("%s: the next run: %v", where, err)
		}
		part, err := r.Part(t.Context())
		d.must(err)
		if (len(c.to.Splits) > 0) != (len(part.Splits) > 0) && c.from.Splits == nil {
			t.Errorf("%s: the part is %v", where, part)
		}
		if c.to.Part != nil && len(part.Paths) != len(c.to.Part) || c.to.All != part.All {
			t.Errorf("%s: the part is %v", where, part)
		}
		if c.ends != "" && headOf(t, r) != c.other {
			t.Errorf("%s: not at %s", where, c.ends)
		}
	}
	if work, err := r.Unfinished(); work != nil || err != nil {
		t.Errorf("%s: still unfinished: %v, %v", where, work, err)
	}
	if diff := cmp.Diff(c.held(d, r), takeDisk(t, d.root)); diff != "" {
		t.Errorf("%s: the part and the disk: %s", where, diff)
	}
	c.clean(d, r, where)
	d.leftNothing(where)
}

// clean checks that status speaks of the local files alone.
func (c *partSweep) clean(d *data, r *core.Repo, where string) {
	local := slices.Collect(maps.Keys(local))
	_, err := r.Status(d.t.Context(), nil, func(e core.StatusEntry) error {
		if !slices.Contains(local, e.Path) {
			d.t.Errorf("%s: status: %+v", where, e)
		}
		return nil
	})
	d.must(err)
}
