package split

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What floating point says of two scores is what whole numbers say, however
// near they are.
func TestScoreLess(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	exact := func(a, b uint64, wa, wb int64) bool { return minusLog2(a)*uint64(wb) < minusLog2(b)*uint64(wa) }
	near := 0
	for range 20_000 {
		a, wa, wb := rng.Uint64()>>rng.IntN(64), 1+rng.Int64N(1<<rng.IntN(20)), 1+rng.Int64N(1<<rng.IntN(20))
		// b is where its score is, by their weights, that of a.
		u := math.Exp2(-newScore(a).about * float64(wb) / float64(wa))
		b := uint64(min(u, 1-1e-16)*(1<<64)) + uint64(rng.Int64N(1<<rng.IntN(40))) - 1<<rng.IntN(30)
		for _, b := range []uint64{b, rng.Uint64(), a, a + 1, a - 1, 0, math.MaxUint64} {
			got, want := newScore(a).less(newScore(b), wa, wb), exact(a, b, wa, wb)
			if got != want {
				t.Fatalf("%d of weight %d less than %d of weight %d: %t, want %t", a, wa, b, wb, got, want)
			}
			if d := newScore(a).about*float64(wb) - newScore(b).about*float64(wa); math.Abs(d) < nearness*float64(wa+wb)*16 {
				near++
			}
		}
	}
	if near < 5_000 {
		t.Errorf("only %d were near", near)
	}
}
