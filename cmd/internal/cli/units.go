package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mlvc/mlvc/objects"
)

// size writes a number of bytes as people read it, in powers of 1024.
func size(n int64) string {
	if n < 0 {
		return "-" + size(-n)
	}
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n)/1024, 0
	for value >= 1023.95 && unit < 5 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[unit])
}

// decimal writes a number with commas between its thousands.
func decimal(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// plural writes a number and its noun; the plural is the noun with an s,
// unless it is given.
func plural(n int64, noun string, many ...string) string {
	switch {
	case n == 1:
	case len(many) > 0:
		noun = many[0]
	default:
		noun += "s"
	}
	return decimal(n) + " " + noun
}

// took writes how long something lasted.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// rate writes bytes over a time.
func rate(n int64, d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	return size(int64(float64(n)/d.Seconds())) + "/s"
}

// tookFor is took, and at what rate where that says anything.
func tookFor(n int64, d time.Duration) string {
	if n < 1<<20 {
		return took(d)
	}
	return took(d) + " (" + rate(n, d) + ")"
}

// moment writes a time in its own zone.
func moment(t time.Time) string { return t.Format("2006-01-02 15:04:05 -0700") }

// quoted writes a path as it is if it can be read so, else in quotes with
// escapes: what is printed never moves a terminal's cursor, and a path never
// looks like two.
func quoted(path string) string {
	odd := func(r rune) bool { return r == utf8.RuneError || r == '"' || r == '\\' || !unicode.IsPrint(r) }
	if path == "" || strings.IndexFunc(path, odd) >= 0 || path[0] == ' ' || path[len(path)-1] == ' ' {
		return strconv.Quote(path)
	}
	return path
}

// padRight fills s with blanks to a width.
func padRight(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// padLeft is padRight with the blanks before it.
func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s))) + s
}

// shortID writes an ID for people; none where there is none.
func shortID(id objects.ID) string {
	if id.IsZero() {
		return "none"
	}
	return id.Short()
}
