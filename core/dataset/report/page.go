package report

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"time"

	"github.com/mlvc/mlvc/core/dataset"
)

// Page is a report to look at, with what stands around it.
type Page struct {
	Dataset string // its name
	Commit  string // what was checked; empty: files that are not committed
	Message string // of the commit
	When    time.Time
	Version string // of mlvc
	Schemes []Scheme
	Report  *dataset.Report

	// Thumbnail returns a small picture of a sample: no data if it is no
	// image. nil: there are no pictures.
	Thumbnail func(ctx context.Context, s dataset.Sample) (mime string, data []byte, err error)
	// Row returns the cells of a row, in the order of the columns. nil: rows
	// are named alone.
	Row func(ctx context.Context, s dataset.Sample) ([]Cell, error)
}

// Scheme is one scheme of splits as the page shows it.
type Scheme struct {
	Name   string
	Splits []Split
}

// HasFiles reports whether files are samples of the scheme.
func (s Scheme) HasFiles() bool {
	return slices.ContainsFunc(s.Splits, func(s Split) bool { return s.Files > 0 })
}

// HasRows reports whether rows are samples of the scheme.
func (s Scheme) HasRows() bool {
	return slices.ContainsFunc(s.Splits, func(s Split) bool { return s.Rows > 0 })
}

// HasClasses reports whether the samples' classes are known.
func (s Scheme) HasClasses() bool {
	return slices.ContainsFunc(s.Splits, func(s Split) bool { return len(s.Classes) > 0 })
}

// Split is one split.
type Split struct {
	Name               string
	Files, Rows, Bytes int64
	Classes            []Class // the largest first
	Frozen, Sealed     bool
	Fingerprint        string
}

// Class is a class and its number of samples.
type Class struct {
	Name    string
	Samples int64
}

// Cell is a column of a row.
type Cell struct{ Column, Value string }

// pageFirst is how many findings of a rule a page shows: its pictures make it
// large.
const pageFirst = 100

//go:embed page.html
var pageText string

//go:embed page.css
var pageCSS string

// HTML writes the page: one file that needs nothing beside it. It asks for
// pictures and rows as it goes; on an error, part of the page is written.
func HTML(ctx context.Context, w io.Writer, p Page) error {
	v := &view{ctx: ctx, Page: p, Sections: sections(p.Report)}
	v.Sums = sumUp(v.Sections)
	t, err := template.New("page").Funcs(v.funcs()).Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, v)
}

// view is what the template sees.
type view struct {
	ctx context.Context
	Page
	Sections []section
	Sums     sums
}

func (v *view) funcs() template.FuncMap {
	return template.FuncMap{
		"css":      func() template.CSS { return template.CSS(pageCSS) },
		"number":   number,
		"count":    count,
		"bytes":    bytesText,
		"distance": func(f dataset.Finding) string { return dataset.DistanceText(f.Distance, f.Measure) },
		"sample":   sampleName,
		"tone":     tone,
		"shades":   shades,
		"legend":   legend,
		"word":     levelWord,
		"kind":     v.kind,
		"pictures": v.pictures,
		"rows":     v.rows,
		"first":    func(list []dataset.Finding) []dataset.Finding { return list[:min(pageFirst, len(list))] },
		"rest":     func(s section) int64 { return s.OpenCount() - int64(min(pageFirst, len(s.Open))) },
		"short":    func(s string) string { return s[:min(12, len(s))] },
		"took":     func(d time.Duration) string { return d.Round(time.Millisecond).String() },
	}
}

// tone is the colour of a rule.
func tone(s section) string {
	switch {
	case s.Level == dataset.Off || s.Skipped != "":
		return "faint"
	case s.OpenCount() == 0:
		return "good"
	case s.Level == dataset.Error:
		return "bad"
	}
	return "caution"
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	f, unit := float64(n), 0
	for units := 4; f >= 1024 && unit < units; unit++ {
		f /= 1024
	}
	name := []string{"B", "KiB", "MiB", "GiB", "TiB"}[unit]
	if unit == 0 || f >= 100 {
		return fmt.Sprintf("%.0f %s", f, name)
	}
	return fmt.Sprintf("%.1f %s", f, name)
}

// shade is a part of the bar of a split's classes.
type shade struct {
	Class
	Tone    int // of the palette
	Percent float64
}

// maxShades is how many classes a bar shows; the others are one.
const maxShades = 12

// shades are the parts of a split's bar. A class has the same tone in every
// split of a scheme.
func shades(all []Split, s Split) []shade {
	tones := classTones(all)
	var total, others int64
	for _, c := range s.Classes {
		total += c.Samples
	}
	var list []shade
	for _, c := range s.Classes {
		if t, ok := tones[c.Name]; ok {
			list = append(list, shade{c, t, percent(c.Samples, total)})
		} else {
			others += c.Samples
		}
	}
	slices.SortStableFunc(list, func(a, b shade) int { return a.Tone - b.Tone })
	if others > 0 {
		list = append(list, shade{Class{"others", others}, maxShades, percent(others, total)})
	}
	return list
}

// legend are the tones of a scheme's classes, in order.
func legend(all []Split) []shade {
	tones := classTones(all)
	list := make([]shade, len(tones), len(tones)+1)
	others := false
	for _, s := range all {
		for _, c := range s.Classes {
			t, ok := tones[c.Name]
			if !ok {
				others = true
				continue
			}
			list[t] = shade{Class: Class{Name: c.Name}, Tone: t}
		}
	}
	if others {
		list = append(list, shade{Class: Class{Name: "others"}, Tone: maxShades})
	}
	return list
}

// levelWord is what one finding of the level is called.
func levelWord(l dataset.Level) string {
	if l == dataset.Error {
		return "error"
	}
	return "warning"
}

// classTones gives the largest classes of a scheme their tones.
func classTones(all []Split) map[string]int {
	sums := map[string]int64{}
	var names []string
	for _, s := range all {
		for _, c := range s.Classes {
			if _, ok := sums[c.Name]; !ok {
				names = append(names, c.Name)
			}
			sums[c.Name] += c.Samples
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(sums[b], sums[a]) })
	tones := map[string]int{}
	for i, name := range names[:min(maxShades, len(names))] {
		tones[name] = i
	}
	return tones
}

func percent(n, total int64) float64 {
	if total == 0 {
		return 0
	}
	return math.Round(float64(n)/float64(total)*10000) / 100
}

// kind says how the samples of a finding are shown: as rows, or as files.
func (v *view) kind(f dataset.Finding) string {
	switch {
	case len(f.Samples) == 0:
		return "none"
	case v.Row != nil && !slices.ContainsFunc(f.Samples, func(s dataset.Sample) bool { return s.Row == 0 }):
		return "rows"
	}
	return "files"
}

// picture is a sample with its picture, if there is one.
type picture struct {
	dataset.Sample
	Source template.URL // a data URI
	Why    string       // there is none
}

// maxPictures is how many samples of one finding are shown as pictures.
const maxPictures = 6

// pictures returns the samples of a finding with their pictures.
func (v *view) pictures(f dataset.Finding) ([]picture, error) {
	list := make([]picture, len(f.Samples))
	for i, s := range f.Samples {
		list[i].Sample = s
		if v.Thumbnail == nil || i >= maxPictures {
			continue
		}
		if err := v.ctx.Err(); err != nil {
			return nil, err
		}
		mime, data, err := v.Thumbnail(v.ctx, s)
		switch {
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			return nil, err
		case err != nil:
			list[i].Why = err.Error()
		case len(data) > 0 && slices.Contains(pictureTypes, mime):
			list[i].Source = template.URL("data:" + mime + ";base64," + base64.StdEncoding.EncodeToString(data))
		}
	}
	return list, nil
}

// pictureTypes are what a page shows; what could run is not among them.
var pictureTypes = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// grid is rows side by side: one column a sample, one line a column of theirs.
type grid struct {
	Samples []dataset.Sample
	Lines   []gridLine
	Why     []string // rows that cannot be shown
}

type gridLine struct {
	Column string
	Cells  []gridCell
	Differ bool
}

type gridCell struct {
	Value   string
	Missing bool
}

// maxRows is how many rows of one finding are shown side by side.
const maxRows = 4

// rows puts the rows of a finding side by side.
func (v *view) rows(f dataset.Finding) (grid, error) {
	var g grid
	var read [][]Cell
	for _, s := range f.Samples[:min(maxRows, len(f.Samples))] {
		if err := v.ctx.Err(); err != nil {
			return g, err
		}
		cells, err := v.Row(v.ctx, s)
		if err != nil {
			g.Why = append(g.Why, sampleName(s)+": "+err.Error())
			continue
		}
		g.Samples = append(g.Samples, s)
		read = append(read, cells)
	}
	for _, column := range columns(read) {
		g.Lines = append(g.Lines, lineOf(column, read))
	}
	return g, nil
}

// columns are those of all rows, in the order in which they come.
func columns(rows [][]Cell) []string {
	var names []string
	for _, row := range rows {
		for _, c := range row {
			if !slices.Contains(names, c.Column) {
				names = append(names, c.Column)
			}
		}
	}
	return names
}

func lineOf(column string, rows [][]Cell) gridLine {
	line := gridLine{Column: column}
	for _, row := range rows {
		cell := gridCell{Missing: true}
		if i := slices.IndexFunc(row, func(c Cell) bool { return c.Column == column }); i >= 0 {
			cell = gridCell{Value: clip(row[i].Value)}
		}
		line.Cells = append(line.Cells, cell)
		line.Differ = line.Differ || cell != line.Cells[0]
	}
	return line
}

// clip shortens a cell that would fill the page.
func clip(s string) string {
	const most = 500
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "…"
}
