package split

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxWeight bounds the sum of the weights, once they have no common divisor:
// with it, quotas of a billion samples in a thousand splits stay within int64.
const maxWeight = 1_000_000

// integer reads a whole number, as TOML or JSON gives it.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	}
	return 0, false
}

// millionths reads a number of at most six decimals.
func millionths(v any) (int64, bool) {
	if n, ok := integer(v); ok {
		return n * maxWeight, n > 0 && n <= maxWeight
	}
	f, ok := v.(float64)
	if !ok || f <= 0 || f > maxWeight {
		return 0, false
	}
	whole, part, _ := strings.Cut(strconv.FormatFloat(f, 'f', -1, 64), ".")
	if len(part) > 6 {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", 6-len(part)), 10, 64)
	return n, err == nil
}

// ratios reads the weights, and takes out what divides them all.
func (p *parser) ratios() []Ratio {
	if !p.has("ratios") {
		return nil
	}
	tree, ok := p.tree["ratios"].(map[string]any)
	if !ok || len(tree) < 2 || len(tree) > maxSplits {
		p.fail("ratios", "want a table of 2 to %d splits, such as { train = 80, test = 20 }", maxSplits)
		return nil
	}
	var ratios []Ratio
	var divisor, sum int64
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		weight, ok := millionths(tree[name])
		switch {
		case !nameForm.MatchString(name):
			p.fail("ratios", "%q %s", name, nameRule)
		case !ok:
			p.fail("ratios."+name, "want a number above 0 with at most six decimals")
			return nil
		}
		ratios = append(ratios, Ratio{name, weight})
		divisor = gcd(divisor, weight)
	}
	for i := range ratios {
		ratios[i].Weight /= divisor
		sum += ratios[i].Weight
	}
	if sum > maxWeight {
		p.fail("ratios", "too fine: as whole numbers without a common divisor they add up to %d, more than %d", sum, maxWeight)
	}
	return ratios
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (p *parser) time() *Time {
	if !p.has("time") {
		return nil
	}
	tree, ok := p.tree["time"].(map[string]any)
	if !ok {
		p.fail("time", `want a table, such as { column = "taken", until = { train = "2025-01-01" }, rest = "test" }`)
		return nil
	}
	q := p.sub("time", tree, "column", "path", "until", "rest")
	t := &Time{Column: q.text("column"), Path: q.text("path"), Rest: q.text("rest"), Until: q.until()}
	if (t.Column == "") == (t.Path == "") {
		q.fail("column", "want either column, or path: a regular expression with the date in its first group")
	}
	if _, err := regexp.Compile(t.Path); err != nil {
		q.fail("path", "%v", err)
	}
	if t.Rest != "" && !nameForm.MatchString(t.Rest) {
		q.fail("rest", "%q %s", t.Rest, nameRule)
	}
	if slices.ContainsFunc(t.Until, func(u Until) bool { return u.Split == t.Rest }) {
		q.fail("rest", "%q has an until, too; want another split", t.Rest)
	}
	p.take(q)
	return t
}

func (p *parser) until() []Until {
	tree, ok := p.tree["until"].(map[string]any)
	if !ok || len(tree) == 0 || len(tree) > maxSplits {
		p.fail("until", `want a date a split, such as { train = "2025-01-01" }`)
		return nil
	}
	var list []Until
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		at, ok := dateOf(tree[name])
		switch {
		case !nameForm.MatchString(name):
			p.fail("until", "%q %s", name, nameRule)
		case !ok:
			p.fail("until."+name, "want a date, such as \"2025-01-31\" or \"2025-01-31T12:00:00Z\"")
		}
		list = append(list, Until{name, at})
	}
	slices.SortStableFunc(list, func(a, b Until) int { return a.At.Compare(b.At) })
	for i := 1; i < len(list); i++ {
		if list[i].At.Equal(list[i-1].At) {
			p.fail("until."+list[i].Split, "the same date as %s, so that nothing could be in it", list[i-1].Split)
		}
	}
	return list
}

// dateOf reads a date as TOML gives it: text, a time, or a local date.
func dateOf(v any) (time.Time, bool) {
	switch v := v.(type) {
	case string:
		return parseDate(v)
	case time.Time:
		return v.UTC(), true
	case fmt.Stringer:
		return parseDate(v.String())
	}
	return time.Time{}, false
}

// layouts are the dates that are read; without a zone they are UTC.
var layouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04",
	"2006-01-02", "2006/01/02", "2006.01.02", "2006_01_02", "20060102", "2006-01", "2006",
}

func parseDate(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
