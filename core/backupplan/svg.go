package backupplan

import (
	"bytes"
	"fmt"
	"html"
	"slices"
	"strings"
)

// Mark begins every plot, so that one can be told from other files.
const Mark = "<!-- mlvc backup plan -->\n"

// The plot has three panels over the commits: what is stored, what a restore
// reads, and from how many sets. Sizes are in units of the SVG.
const (
	plotWidth            = 940
	panelLeft, panelEnd  = 90, 740
	panelHeight, between = 220, 70
	plotTop              = 96
)

// lines are how the strategies are drawn, told apart by dash as well as colour.
var lines = map[string]string{FullOnly: "full", Incremental: "incr", Differential: "diff", Auto: "auto"}

// plotStyle is light, and dark where the reader is; without variables, which
// not every viewer knows.
const plotStyle = `<style>
text { font: 13px system-ui, sans-serif; fill: #1b1f24; }
.soft { fill: #59616b; } .title { font-size: 17px; font-weight: 600; } .head { font-weight: 600; }
.end { text-anchor: end; } .mid { text-anchor: middle; }
.paper { fill: #ffffff; } .later { fill: #f1f4f7; }
.grid { stroke: #d8dce1; } .axis { stroke: #59616b; } .now { stroke: #59616b; stroke-dasharray: 2 3; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.full { stroke: #b3261e; } .incr { stroke: #0b62c4; stroke-dasharray: 8 3; }
.diff { stroke: #0a7a54; stroke-dasharray: 3 2; } .auto { stroke: #8e3fb0; stroke-dasharray: 10 3 2 3; }
@media (prefers-color-scheme: dark) {
text { fill: #e8ebef; } .soft { fill: #a4acb6; } .paper { fill: #14171b; } .later { fill: #1e2329; }
.grid { stroke: #343a42; } .axis, .now { stroke: #a4acb6; }
.full { stroke: #ff8a80; } .incr { stroke: #7db7ff; } .diff { stroke: #5fd3a8; } .auto { stroke: #d59bf0; }
}
</style>
`

// SVG draws the plan: one file that needs no other, light or dark as the
// reader's.
func (p Plan) SVG() []byte {
	d := &drawing{p: p}
	panels := d.panels()
	height := plotTop + len(panels)*(panelHeight+between)
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="mlvc backup plan">`+"\n", plotWidth, height)
	d.printf("%s%s", Mark, plotStyle)
	d.printf(`<rect width="100%%" height="100%%" class="paper"/>` + "\n")
	d.text(panelLeft, 28, "title", "Backup strategies over "+d.span())
	for i, line := range wrapped("Recommended: "+p.Recommended+": "+p.Reason+".", 110) {
		d.text(panelLeft, float64(50+18*i), "soft", line)
	}
	for i, panel := range panels {
		d.panel(panel, plotTop+24+i*(panelHeight+between))
	}
	d.printf("</svg>\n")
	return d.out.Bytes()
}

// wrapped breaks text into lines of at most width bytes, where it has blanks.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// span says what the horizontal axis is.
func (d *drawing) span() string {
	text := fmt.Sprintf("%d commits", d.p.Commits)
	if d.p.Commits == 1 {
		text = "1 commit"
	}
	if d.p.Horizon > 0 {
		text += fmt.Sprintf(" and %d to come", d.p.Horizon)
	}
	return text
}

// drawing is an SVG being written.
type drawing struct {
	p   Plan
	out bytes.Buffer
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(&d.out, format, args...) }

func (d *drawing) text(x, y float64, class, text string) {
	d.printf(`<text x="%.1f" y="%.1f" class="%s">%s</text>`+"\n", x, y, class, html.EscapeString(text))
}

// panel is one set of axes: a value of each point, by strategy.
type panel struct {
	title string
	of    func(Point) float64
	below bool // not the first
	axis  axis
}

func (d *drawing) panels() []panel {
	all := []panel{
		{title: "Stored at the destination", of: func(p Point) float64 { return float64(p.Stored) }},
		{title: "Sets that a restore of the newest needs", of: func(p Point) float64 { return float64(p.Sets) }},
		{title: "Bytes that a restore of the newest reads: each once, whatever the strategy", of: func(p Point) float64 { return float64(p.Restore) }},
	}
	for i := range all {
		all[i].below = i > 0
		var least, most []float64 // of each strategy
		for _, s := range d.p.Strategies {
			values := make([]float64, 0, len(s.Points))
			for _, pt := range s.Points {
				values = append(values, all[i].of(pt))
			}
			least, most = append(least, slices.Min(values)), append(most, slices.Max(values))
		}
		if i == 1 {
			all[i].axis = countAxis(slices.Max(most))
		} else {
			all[i].axis = byteAxis(slices.Min(least), slices.Min(most), slices.Max(most))
		}
	}
	return all
}

func (d *drawing) panel(p panel, top int) {
	y := func(v float64) float64 { return float64(top) + panelHeight*(1-p.axis.place(v)) }
	last := d.p.Commits + d.p.Horizon
	if d.p.Horizon > 0 {
		now := d.x(d.p.Commits)
		d.printf(`<rect x="%.1f" y="%d" width="%.1f" height="%d" class="later"/>`+"\n", now, top, panelEnd-now, panelHeight)
		d.printf(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" class="now"/>`+"\n", now, top, now, top+panelHeight)
		if panelEnd-now > 60 && !p.below {
			d.text(now+6, float64(top+panelHeight-8), "soft", "to come")
		}
	}
	title := p.title
	if p.axis.log {
		title += " (logarithmic)"
	}
	d.text(panelLeft, float64(top-10), "head", title)
	for _, t := range p.axis.ticks {
		d.printf(`<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" class="grid"/>`+"\n", panelLeft, y(t.at), panelEnd, y(t.at))
		d.text(panelLeft-8, y(t.at)+4, "soft end", t.label)
	}
	for _, t := range countTicks(float64(last), 8) {
		if n := int64(t.at); n >= 1 {
			d.printf(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" class="axis"/>`+"\n", d.x(n), top+panelHeight, d.x(n), top+panelHeight+4)
			d.text(d.x(n), float64(top+panelHeight+18), "soft mid", t.label)
		}
	}
	d.printf(`<line x1="%d" y1="%d" x2="%d" y2="%d" class="axis"/>`+"\n", panelLeft, top+panelHeight, panelEnd, top+panelHeight)
	d.text((panelLeft+panelEnd)/2, float64(top+panelHeight+34), "soft mid", "commits")
	for _, s := range d.p.Strategies {
		d.line(lines[s.Strategy], s.Points, func(pt Point) float64 { return y(p.of(pt)) })
	}
	d.legend(p, top, y)
}

// x is where commit n is, counted from 1.
func (d *drawing) x(n int64) float64 {
	last := d.p.Commits + d.p.Horizon
	if last == 1 {
		return panelLeft
	}
	return panelLeft + (panelEnd-panelLeft)*float64(n-1)/float64(last-1)
}

// line draws a strategy. Of the points that fall onto one column, the lowest
// and the highest are drawn.
func (d *drawing) line(class string, points []Point, y func(Point) float64) {
	d.printf(`<path class="line %s" d="`, class)
	if len(points) == 1 { // a line of no length is not seen
		d.printf("M%d %.1fH%d", panelLeft, y(points[0]), panelEnd)
	}
	from := 0
	command := "M"
	for i := range points {
		at := int(d.x(int64(i + 1)))
		if i+1 < len(points) && int(d.x(int64(i+2))) == at {
			continue // the column has more
		}
		for _, k := range extremes(points[from:i+1], y) {
			d.printf("%s%.1f %.1f", command, d.x(int64(from+k+1)), y(points[from+k]))
			command = "L"
		}
		from = i + 1
	}
	d.printf("\"/>\n")
}

// extremes are the lowest and the highest of points and the last of them, in
// their order.
func extremes(points []Point, y func(Point) float64) []int {
	low, high := 0, 0
	for i, p := range points {
		if y(p) < y(points[low]) {
			low = i
		}
		if y(p) > y(points[high]) {
			high = i
		}
	}
	all := []int{low, high, len(points) - 1}
	slices.Sort(all)
	return slices.Compact(all)
}

// legend names each line at its end, with its value, where they do not overlap.
func (d *drawing) legend(p panel, top int, y func(float64) float64) {
	type label struct {
		strategy string
		value, y float64
	}
	var labels []label
	for _, s := range d.p.Strategies {
		v := p.of(s.Points[len(s.Points)-1])
		labels = append(labels, label{s.Strategy, v, y(v)})
	}
	slices.SortStableFunc(labels, func(a, b label) int { return int(a.y) - int(b.y) })
	const apart = 18
	at := float64(top) + 6
	for i, l := range labels {
		lowest := float64(top+panelHeight) - apart*float64(len(labels)-1-i)
		at = min(max(at, l.y), lowest)
		d.printf(`<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" class="line %s"/>`+"\n", panelEnd+8, at, panelEnd+34, at, lines[l.strategy])
		d.text(panelEnd+40, at+4, "", l.strategy+" "+p.axis.text(l.value))
		at += apart
	}
}
