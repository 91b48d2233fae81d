package prolly

import (
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects/objecttest"
)

// DiffRange is Diff, of the keys in the range.
func TestDiffRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := objecttest.NewStore()
		mustApply(t, s, Map{}, model{}.edits(), tiny)
		first, second := make(model), make(model)
		a := mustApply(t, s, Map{}, first.apply(drawEdits(t, "first")), tiny)
		b, edits := a, drawEdits(t, "edits")
		maps.Copy(second, first)
		if rapid.Bool().Draw(t, "run") {
			edits = second.rangeEdits(rapid.Uint64().Draw(t, "seed"))
		}
		b = mustApply(t, s, b, second.apply(edits), tiny)
		bound := rapid.StringMatching(`([0-9a-f](/[0-9]{0,3})?)?`)
		from, to := bound.Draw(t, "from"), bound.Draw(t, "to")
		end, within := []byte(to), func(k string) bool { return k >= from && k < to }
		if to == "" {
			end, within = nil, func(k string) bool { return k >= from }
		}
		var want []Change
		for _, c := range first.diff(second) {
			if within(string(c.Key)) {
				want = append(want, c)
			}
		}
		requireSame(t, "changes", want, collect(t, DiffRange(tContext, s, a, b, []byte(from), end)))
	})
}

// What changed elsewhere is not read.
func TestDiffRangeReadsLittle(t *testing.T) {
	s := objecttest.NewStore()
	first := bulk(1, 50000)
	a := build(t, s, first)
	second := maps.Clone(first)
	b := mustApply(t, s, a, second.apply(bulkEdits(1, 50000, 5000)), standard)
	s.ResetCounts()
	got := len(collect(t, DiffRange(t.Context(), s, a, b, []byte("images/train/100/"), []byte("images/train/101/"))))
	if got == 0 || s.Gets() > 60 {
		t.Errorf("%d changes took %d reads", got, s.Gets())
	}
}
