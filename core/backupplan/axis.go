package backupplan

import (
	"fmt"
	"math"
)

// axis maps values onto a height from 0 to 1.
type axis struct {
	low, high float64
	log       bool
	ticks     []tick
	text      func(float64) string
}

type tick struct {
	at    float64
	label string
}

func (a axis) place(v float64) float64 {
	if a.log {
		return (math.Log(max(v, a.low)) - math.Log(a.low)) / (math.Log(a.high) - math.Log(a.low))
	}
	return (v - a.low) / (a.high - a.low)
}

// spread is how many times the highest line may be the lowest one before the
// axis is logarithmic.
const spread = 8

// byteAxis is for bytes: the least of all, the least and the most of what the
// lines come to. It begins at 0 unless it is logarithmic.
func byteAxis(least, lowest, highest float64) axis {
	if least >= 1 && highest > spread*lowest {
		return logAxis(least, highest)
	}
	unit, name := byteUnit(highest)
	a := axis{text: byteText}
	step := niceStep(highest/unit, 5)
	for i := 0; ; i++ {
		v := float64(i) * step
		a.ticks = append(a.ticks, tick{v * unit, fmt.Sprintf("%g %s", v, name)})
		if a.high = v * unit; i > 0 && a.high >= highest {
			return a
		}
	}
}

func logAxis(least, highest float64) axis {
	a := axis{log: true, text: byteText}
	low, high := math.Floor(math.Log2(least)), math.Ceil(math.Log2(highest))
	a.low, a.high = math.Exp2(low), math.Exp2(high)
	step := max(1, math.Ceil((high-low)/6))
	for e := low; e <= high; e += step {
		v := math.Exp2(e)
		unit, name := byteUnit(v)
		a.ticks = append(a.ticks, tick{v, fmt.Sprintf("%g %s", v/unit, name)})
	}
	return a
}

// countAxis is for small numbers of things.
func countAxis(highest float64) axis {
	a := axis{text: func(v float64) string { return fmt.Sprintf("%.0f", v) }}
	a.ticks = countTicks(highest, 5)
	a.high = a.ticks[len(a.ticks)-1].at
	if a.high < highest {
		step := a.high - a.ticks[len(a.ticks)-2].at
		a.high += step
		a.ticks = append(a.ticks, tick{a.high, fmt.Sprintf("%.0f", a.high)})
	}
	return a
}

// countTicks are whole numbers from 0 up to highest, about n of them.
func countTicks(highest float64, n int) []tick {
	step := max(1, niceStep(highest, n))
	var all []tick
	for v := 0.0; v <= max(highest, 1); v += step {
		all = append(all, tick{v, fmt.Sprintf("%.0f", v)})
	}
	return all
}

// niceStep is 1, 2 or 5 times a power of ten, so that about n of them make up
// v.
func niceStep(v float64, n int) float64 {
	if v <= 0 {
		return 1
	}
	raw := v / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= raw {
			return f * power
		}
	}
	return 10 * power
}

// byteUnit is the unit that people would write v in.
func byteUnit(v float64) (unit float64, name string) {
	unit, name = 1, "B"
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		if v < 1024*unit {
			break
		}
		unit, name = unit*1024, larger
	}
	return unit, name
}

func byteText(v float64) string {
	unit, name := byteUnit(v)
	if unit == 1 {
		return fmt.Sprintf("%.0f B", v)
	}
	return fmt.Sprintf("%.1f %s", v/unit, name)
}
