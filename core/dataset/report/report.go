// Package report tells what checks found: as text for a terminal, as a page to
// look at, and as SARIF and JSON for machines.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/mlvc/mlvc/core/dataset"
)

// JSON writes the report as it is.
func JSON(w io.Writer, r *dataset.Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// section is a rule of a scheme and its findings, the waived ones apart.
type section struct {
	dataset.Checked
	About  about
	Open   []dataset.Finding
	Waived []dataset.Finding
}

// OpenCount is the number of findings that no waiver covers.
func (s section) OpenCount() int64 { return s.Checked.Findings - s.Checked.Waived }

// sections returns the rules in order, each with its findings.
func sections(r *dataset.Report) []section {
	type place struct {
		rule   dataset.Rule
		scheme string
	}
	at := map[place]int{}
	list := make([]section, len(r.Rules))
	for i, c := range r.Rules {
		list[i] = section{Checked: c, About: abouts[c.Rule]}
		at[place{c.Rule, c.Scheme}] = i
	}
	for _, f := range r.Findings {
		i, ok := at[place{f.Rule, f.Scheme}]
		if !ok {
			i = len(list)
			at[place{f.Rule, f.Scheme}] = i
			list = append(list, section{Checked: dataset.Checked{Rule: f.Rule, Scheme: f.Scheme, Level: f.Level}, About: abouts[f.Rule]})
		}
		s := &list[i]
		if f.Waived == "" {
			s.Open = append(s.Open, f)
		} else {
			s.Waived = append(s.Waived, f)
		}
	}
	for i := range list { // a report need not count what it names
		s := &list[i]
		s.Checked.Waived = max(s.Checked.Waived, int64(len(s.Waived)))
		s.Checked.Findings = max(s.Checked.Findings, s.Checked.Waived+int64(len(s.Open)))
	}
	return list
}

// sums are the findings that no waiver covers, by level, and those covered.
type sums struct{ Errors, Warnings, Waived int64 }

func sumUp(list []section) sums {
	var n sums
	for _, s := range list {
		n.Waived += s.Checked.Waived
		if s.Level == dataset.Error {
			n.Errors += s.OpenCount()
		} else {
			n.Warnings += s.OpenCount()
		}
	}
	return n
}

// number writes n with commas between thousands.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count writes "1 finding" or "2,000 findings".
func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// sampleName names a sample.
func sampleName(s dataset.Sample) string {
	if s.Row == 0 {
		return s.Path
	}
	return fmt.Sprintf("%s row %d", s.Path, s.Row)
}
