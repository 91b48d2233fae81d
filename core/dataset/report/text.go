package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mlvc/mlvc/core/dataset"
)

// Role says what a piece of text is, for whoever colours it.
type Role string

// The roles.
const (
	Good    Role = "good"
	Caution Role = "caution"
	Bad     Role = "bad"
	Faint   Role = "faint"
	Head    Role = "head"
)

// textFirst is how many findings of a rule are shown, unless all are.
const textFirst = 10

// TextOptions say how a report is written for people. The zero value is plain.
type TextOptions struct {
	All bool // every finding, and every sample that it names
	// Style puts on what shows the role; it must not change the width. nil:
	// text stays plain.
	Style func(role Role, text string) string
}

// Text writes a report for people: a table of the rules, then the first
// findings of each, then what could not be read.
func Text(w io.Writer, r *dataset.Report, o TextOptions) error {
	if o.Style == nil {
		o.Style = func(_ Role, text string) string { return text }
	}
	t := &text{w: w, TextOptions: o}
	list := sections(r)
	t.table(list)
	for _, s := range list {
		t.section(s)
	}
	t.verdict(sumUp(list))
	return t.err
}

// text writes lines and remembers the first failure.
type text struct {
	TextOptions
	w   io.Writer
	err error
}

func (t *text) line(s string) {
	if t.err == nil {
		_, t.err = io.WriteString(t.w, strings.TrimRight(s, " ")+"\n")
	}
}

// mark is the sign and role of a rule.
func mark(s section) (string, Role) {
	switch {
	case s.Level == dataset.Off || s.Skipped != "":
		return "–", Faint
	case s.OpenCount() == 0:
		return "✓", Good
	case s.Level == dataset.Error:
		return "✗", Bad
	}
	return "!", Caution
}

// table writes a line for each rule.
func (t *text) table(list []section) {
	header := []string{"", "rule", "scheme", "level", "samples", "findings", "waived"}
	rows := [][]string{header}
	for _, s := range list {
		sign, _ := mark(s)
		rows = append(rows, []string{
			sign, string(s.Rule), Printable(s.Scheme), string(s.Level), number(s.Samples), none(s.OpenCount()), none(s.Checked.Waived),
		})
	}
	widths := make([]int, len(header))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range rows {
		cells := make([]string, len(row))
		for c, cell := range row {
			cells[c] = pad(cell, widths[c], c >= 4)
		}
		role := Head
		if i > 0 {
			_, role = mark(list[i-1])
			cells[0] = t.Style(role, cells[0])
			t.line(strings.Join(cells, "  ") + t.why(list[i-1]))
			continue
		}
		t.line(t.Style(role, strings.TrimRight(strings.Join(cells, "  "), " ")))
	}
}

func (t *text) why(s section) string {
	if s.Skipped == "" {
		return ""
	}
	return "  " + t.Style(Faint, "not checked: "+s.Skipped)
}

func none(n int64) string {
	if n == 0 {
		return "-"
	}
	return number(n)
}

func pad(s string, width int, right bool) string {
	space := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
	if right {
		return space + s
	}
	return s + space
}

// section writes the first findings of a rule.
func (t *text) section(s section) {
	if len(s.Open) == 0 && (!t.All || len(s.Waived) == 0) {
		return
	}
	sign, role := mark(s)
	title := string(s.Rule)
	if s.Scheme != "" && s.Scheme != "default" {
		title += " of " + Printable(s.Scheme)
	}
	t.line("")
	t.line(t.Style(role, sign+" "+title) + ": " + count(s.OpenCount(), "finding") + t.Style(Faint, " (checked: "+s.About.Holds+")"))
	show := s.Open
	if !t.All {
		show = show[:min(textFirst, len(show))]
	}
	for _, f := range show {
		t.finding(f)
	}
	if rest := s.OpenCount() - int64(len(show)); rest > 0 {
		t.line(t.Style(Faint, "  and "+number(rest)+" more"))
	}
	if t.All {
		for _, f := range s.Waived {
			t.finding(f)
		}
	}
}

func (t *text) finding(f dataset.Finding) {
	line := f.Message
	if d := dataset.DistanceText(f.Distance, f.Measure); d != "" {
		line += " (" + d + ")"
	}
	if f.Waived != "" {
		line += " - waived: " + f.Waived
	}
	t.line("  " + Printable(line))
	if !t.All || len(f.Samples) < 2 {
		return
	}
	for _, s := range f.Samples {
		line := sampleName(s)
		if s.Split != "" {
			line = s.Split + ": " + line
		}
		t.line("    " + Printable(line))
	}
}

// verdict ends the report in one line.
func (t *text) verdict(n sums) {
	t.line("")
	waived := ""
	if n.Waived > 0 {
		waived = ", " + number(n.Waived) + " waived"
	}
	switch {
	case n.Errors > 0:
		t.line(t.Style(Bad, count(n.Errors, "error")+", "+count(n.Warnings, "warning")+waived))
	case n.Warnings > 0:
		t.line(t.Style(Caution, count(n.Warnings, "warning")+waived))
	default:
		t.line(t.Style(Good, "nothing found"+waived))
	}
}

// Printable shows what a terminal would obey, line ends too, by escapes: a
// message that names paths stays one line.
func Printable(s string) string {
	if !strings.ContainsFunc(s, unprintable) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unprintable(r):
			b.WriteString(strings.Trim(fmt.Sprintf("%+q", r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
