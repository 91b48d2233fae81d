package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// report is a whole run.
type report struct {
	When    time.Time `json:"when"`
	Mlvc    string    `json:"mlvc"`
	Machine machine   `json:"machine"`
	Sizes   sizes     `json:"sizes"`
	Results []result  `json:"results"`
}

// pair is one measurement of mlvc and of the reference, side by side.
type pair struct {
	Mlvc sample `json:"mlvc"`
	Ref  sample `json:"ref"`
}

// line says what a pair took.
func (p pair) line(ref string) string {
	text := "mlvc " + formatSeconds(p.Mlvc.Seconds) + ", peak " + formatBytes(memory.of(p.Mlvc))
	if p.Mlvc.Writes != 0 {
		text += ", " + formatCount(p.Mlvc.Writes) + " writes"
	}
	if p.Mlvc.Bytes != 0 {
		text += ", stored " + formatBytes(p.Mlvc.Bytes)
	}
	if ref != "" {
		text += "; " + ref + " " + formatSeconds(p.Ref.Seconds)
	}
	return text
}

// result is one budget and what came of it.
type result struct {
	Row    string `json:"row"`
	Work   string `json:"work"`
	Ref    string `json:"ref,omitempty"`
	Of     string `json:"of,omitempty"`     // time, stored, writes or memory
	Budget string `json:"budget,omitempty"` // in words
	Pairs  []pair `json:"pairs,omitempty"`

	// Medians over the pairs, in seconds or bytes; Used is the part of the
	// budget that was used, the median of each pair's own.
	Got      float64 `json:"got"`
	RefValue float64 `json:"ref_value,omitempty"`
	Limit    float64 `json:"limit,omitempty"` // zero: there is no budget
	Used     float64 `json:"used,omitempty"`
	OK       bool    `json:"ok"`
	Peak     float64 `json:"peak_memory,omitempty"` // of mlvc, the most of all pairs

	Left  string `json:"left_out,omitempty"`
	Error string `json:"error,omitempty"`

	quantity quantity
}

// judged returns the result for one of the row's budgets.
func (r result) judged(c check) result {
	var got, ref, limit, used []float64
	for _, p := range r.Pairs {
		g, f := c.quantity.of(p.Mlvc), c.quantity.of(p.Ref)
		got, ref = append(got, g), append(ref, f)
		if c.limit != nil {
			l := c.limit(f)
			limit, used = append(limit, l), append(used, g/l)
		}
		r.Peak = max(r.Peak, memory.of(p.Mlvc))
	}
	r.quantity, r.Of, r.Budget = c.quantity, c.quantity.name, c.budget
	r.Got, r.RefValue, r.Limit, r.Used = median(got), median(ref), median(limit), median(used)
	r.OK = r.Used <= 1
	return r
}

// failed is an error that names the rows that could not be measured, or nil.
func (rep report) failed() error {
	var errs []error
	for _, r := range rep.Results {
		if r.Error != "" {
			errs = append(errs, fmt.Errorf("row %s: %s", r.Row, r.Error))
		}
	}
	return errors.Join(errs...)
}

// write prints the report as Markdown.
func (rep report) write(out io.Writer) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "%s, measured %s on %s. Medians of pairs, warm cache.\n\n", rep.Mlvc, rep.When.Format(time.DateOnly), rep.Machine)
	fmt.Fprintln(w, "| work | mlvc | reference | ratio | budget | limit | used | kept | peak memory |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|")
	for _, r := range rep.Results {
		fmt.Fprintln(w, "| "+strings.Join(r.cells(), " | ")+" |")
	}
	return w.Flush()
}

// cells are the columns of one result.
func (r result) cells() []string {
	switch {
	case r.Left != "":
		return []string{r.Work, "left out: " + r.Left, "", "", "", "", "", "", ""}
	case r.Error != "":
		return []string{r.Work, "failed: " + strings.Join(strings.Fields(r.Error), " "), "", "", "", "", "", "no", ""}
	}
	ref, ratio := "", ""
	if r.RefValue > 0 {
		ref = r.Ref + ": " + r.quantity.text(r.RefValue)
		ratio = fmt.Sprintf("%.2f", r.Got/r.RefValue)
	}
	limit, used, kept, peak := "", "", "", ""
	if r.Peak > 0 {
		peak = formatBytes(r.Peak)
	}
	if r.Limit > 0 {
		limit, used, kept = r.quantity.text(r.Limit), fmt.Sprintf("%.0f %%", 100*r.Used), "yes"
	}
	if r.Limit > 0 && !r.OK {
		kept = "no"
	}
	return []string{
		r.Work + " (" + r.Of + ")", r.quantity.text(r.Got), ref, ratio, r.Budget, limit,
		used, kept, peak,
	}
}

// fill puts the sizes into a row's description.
func (z sizes) fill(work string) string {
	return strings.NewReplacer(
		"{files}", thousands(z.Files),
		"{many}", thousands(z.Many),
		"{images}", thousands(z.Images),
		"{size}", formatBytes(float64(z.Size)),
		"{huge}", formatBytes(float64(z.Huge)),
	).Replace(work)
}

// thousands writes a number with a comma after each three digits.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
