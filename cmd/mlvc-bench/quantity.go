package main

import (
	"fmt"
	"slices"
)

// sample is what one run measured.
type sample struct {
	Seconds float64 `json:"seconds"`
	// Bytes is what a commit added to the repository, in allocated bytes; of
	// a reference, the size of what it made.
	Bytes float64 `json:"bytes,omitempty"`
	// Writes is how many objects a push wrote at the remote.
	Writes float64 `json:"writes,omitempty"`
	// Peak memory of the process, bytes: as the system counts it, mapped
	// files included, and without them (anonymous memory, sampled; zero
	// where the system does not say).
	RSS  float64 `json:"rss,omitempty"`
	Anon float64 `json:"rss_anon,omitempty"`
}

// plus adds a second step to a sample.
func (s sample) plus(o sample) sample {
	return sample{Seconds: s.Seconds + o.Seconds, Bytes: s.Bytes + o.Bytes, Writes: s.Writes + o.Writes, RSS: max(s.RSS, o.RSS), Anon: max(s.Anon, o.Anon)}
}

// quantity is a thing that a budget limits.
type quantity struct {
	name string
	of   func(sample) float64
	text func(float64) string
}

var (
	seconds = quantity{"time", func(s sample) float64 { return s.Seconds }, formatSeconds}
	stored  = quantity{"stored", func(s sample) float64 { return s.Bytes }, formatBytes}
	written = quantity{"writes", func(s sample) float64 { return s.Writes }, formatCount}
	memory  = quantity{"memory", func(s sample) float64 {
		if s.Anon > 0 {
			return s.Anon
		}
		return s.RSS
	}, formatBytes}
)

// check is one budget of a row: a limit, given the reference's value. Without
// a limit the value is reported and not judged.
type check struct {
	quantity quantity
	budget   string
	limit    func(ref float64) float64
}

func times(f float64) func(float64) float64 { return func(ref float64) float64 { return f * ref } }
func above(d float64) func(float64) float64 { return func(ref float64) float64 { return ref + d } }
func fixed(v float64) func(float64) float64 { return func(float64) float64 { return v } }

// median returns the middle value, or the mean of the two middle ones; 0 of
// none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	mid := len(v) / 2
	if len(v)%2 == 1 {
		return v[mid]
	}
	return (v[mid-1] + v[mid]) / 2
}

func formatSeconds(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.0f ms", s*1000)
	}
	return fmt.Sprintf("%.2f s", s)
}

func formatCount(n float64) string { return fmt.Sprintf("%.0f", n) }

func formatBytes(b float64) string {
	switch {
	case b >= 1<<30:
		return fmt.Sprintf("%.2f GiB", b/(1<<30))
	case b >= 1<<20:
		return fmt.Sprintf("%.1f MiB", b/(1<<20))
	case b >= 1<<10:
		return fmt.Sprintf("%.0f KiB", b/(1<<10))
	}
	return fmt.Sprintf("%.0f B", b)
}
