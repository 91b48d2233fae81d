package split

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// gap is a sample that is in no split or in several, or a name without a file.
type gap struct {
	path    string
	row     int64
	content objects.ID
	text    string // the splits, or why, or where it is named
}

func compareGaps(a, b gap) int {
	return cmp.Or(strings.Compare(a.path, b.path), cmp.Compare(a.row, b.row), strings.Compare(a.text, b.text))
}

// gaps are the first gaps of a kind, in the order of their paths, and the
// number of all.
type gaps struct {
	total int64
	list  []gap
	tidy  bool // list is sorted, and no longer than maxGaps
}

// maxGaps is how many gaps are told and kept.
const maxGaps = dataset.MaxFindings

func (g *gaps) add(what gap) {
	g.total++
	if g.tidy && len(g.list) == maxGaps && compareGaps(what, g.list[maxGaps-1]) > 0 {
		return
	}
	what.path, g.tidy = strings.Clone(what.path), false
	g.list = append(g.list, what)
	if len(g.list) >= 2*maxGaps {
		g.settle()
	}
}

// settle sorts the list and cuts it off.
func (g *gaps) settle() {
	if !g.tidy {
		slices.SortFunc(g.list, compareGaps)
		g.list = slices.Clip(g.list[:min(len(g.list), maxGaps)])
		g.tidy = true
	}
}

// remove takes out the gaps of one path, n in all, and reports whether what is
// left still has the first ones.
func (g *gaps) remove(path string, n int64) bool {
	g.settle()
	whole := g.total == int64(len(g.list))
	from, _ := slices.BinarySearchFunc(g.list, path, func(e gap, p string) int { return strings.Compare(e.path, p) })
	to := from
	for to < len(g.list) && g.list[to].path == path {
		to++
	}
	g.list = slices.Delete(g.list, from, to)
	g.total -= n
	if whole {
		return g.total == int64(len(g.list))
	}
	return to == from
}

// text returns what is said of the first gap of a path; nothing if it has none
// among the first.
func (g *gaps) text(path string) string {
	g.settle()
	i, ok := slices.BinarySearchFunc(g.list, path, func(e gap, p string) int { return strings.Compare(e.path, p) })
	if !ok {
		return ""
	}
	return g.list[i].text
}

// findings of the three kinds, in the order overlap, covered, readable. Their
// levels are for the checks to set.
func (a *assigner) findings() []dataset.Finding {
	var found []dataset.Finding
	for _, g := range a.overlap.list {
		f := a.finding(dataset.RuleOverlap, g, g.content.String(), g.text)
		f.Message = "in " + strings.Join(dataset.SplitNames(g.text), " and ")
		f.Samples[0].Split = g.text
		found = append(found, f)
	}
	for _, g := range a.uncovered.list {
		f := a.finding(dataset.RuleCovered, g, g.content.String())
		f.Message = "in no split: " + g.text
		found = append(found, f)
	}
	for _, g := range a.missing.list {
		f := a.finding(dataset.RuleReadable, g, g.path)
		f.Message = fmt.Sprintf("there is no such file, which %s names", g.text)
		found = append(found, f)
	}
	return found
}

func (a *assigner) finding(rule dataset.Rule, g gap, about ...string) dataset.Finding {
	return dataset.Finding{
		ID: dataset.FindingID(rule, a.s.Name, about...), Rule: rule, Scheme: a.s.Name,
		Samples: []dataset.Sample{{Path: g.path, Row: g.row, Content: g.content}},
	}
}
