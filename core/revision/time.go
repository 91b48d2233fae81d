package revision

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseTime reads words for a moment, as they stand in X@{…}, relative to now
// and in its zone:
//
//	now, today (its beginning), yesterday (the same clock time)
//	2 hours ago, an hour ago, last week; second, minute, hour, day, week, month, year
//	2026-11-24 (its beginning), 2026-11-24 10:00, 2026-11-24 10:00:30
//	10:00 (today), and RFC 3339: 2026-11-24T10:00:00+01:00
//
// Dots may stand for blanks between words: 2.hours.ago. A month or a year back
// lands on the same day of the month, or as far after the month's end as that
// day is.
func ParseTime(words string, now time.Time) (time.Time, error) {
	if t, ok := parseDate(words, now); ok {
		return t, nil
	}
	if t, ok := parseAgo(strings.Fields(strings.ReplaceAll(strings.ToLower(words), ".", " ")), now); ok {
		return t, nil
	}
	return time.Time{}, fmt.Errorf(
		`%q is not a time (try "yesterday", "2 hours ago" or "2026-11-24 10:00")`, words)
}

// dateLayouts are read in the zone of now, unless they have their own.
var dateLayouts = []string{
	"2006-01-02",
	"2006-01-02 15:04",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04 -0700",
	"2006-01-02 15:04:05 -0700",
	time.RFC3339,
}

func parseDate(words string, now time.Time) (time.Time, bool) {
	for _, layout := range dateLayouts {
		if t, err := time.ParseInLocation(layout, words, now.Location()); err == nil {
			return t, true
		}
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.ParseInLocation(layout, words, now.Location()); err == nil {
			y, m, d := now.Date()
			return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, now.Location()), true
		}
	}
	return time.Time{}, false
}

func parseAgo(words []string, now time.Time) (time.Time, bool) {
	switch {
	case len(words) == 1:
		return parseDay(words[0], now)
	case len(words) == 2 && words[0] == "last":
		return back(now, 1, words[1])
	case len(words) == 3 && words[2] == "ago":
		n, ok := parseCount(words[0])
		if !ok {
			return time.Time{}, false
		}
		return back(now, n, words[1])
	}
	return time.Time{}, false
}

func parseDay(word string, now time.Time) (time.Time, bool) {
	switch word {
	case "now":
		return now, true
	case "today":
		y, m, d := now.Date()
		return time.Date(y, m, d, 0, 0, 0, 0, now.Location()), true
	case "yesterday":
		return now.AddDate(0, 0, -1), true
	}
	return time.Time{}, false
}

func parseCount(word string) (int, bool) {
	switch word {
	case "a", "an", "one":
		return 1, true
	}
	n, err := strconv.ParseUint(word, 10, 32)
	return int(n), err == nil && n <= 1e6
}

// back goes back n units. Days and more keep the clock time across a change
// of the zone's offset.
func back(now time.Time, n int, unit string) (time.Time, bool) {
	switch strings.TrimSuffix(unit, "s") {
	case "second":
		return now.Add(-time.Duration(n) * time.Second), true
	case "minute":
		return now.Add(-time.Duration(n) * time.Minute), true
	case "hour":
		return now.Add(-time.Duration(n) * time.Hour), true
	case "day":
		return now.AddDate(0, 0, -n), true
	case "week":
		return now.AddDate(0, 0, -7*n), true
	case "month":
		return now.AddDate(0, -n, 0), true
	case "year":
		return now.AddDate(-n, 0, 0), true
	}
	return time.Time{}, false
}
