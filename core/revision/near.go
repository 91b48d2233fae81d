package revision

import (
	"cmp"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/refs"
)

// maxNear is the most names that are suggested.
const maxNear = 3

// Nearest returns those of names that look like text, as one writes them: the
// nearest first, three at most.
func Nearest(text string, names []string) []string {
	n := nearest{text: text}
	for _, name := range names {
		n.add(name)
	}
	return n.names()
}

// nearest gathers the names that look like a text.
type nearest struct {
	text string
	best []near
}

type near struct {
	name     string
	distance int
}

// add adds a name, which may also be written in another way.
func (n *nearest) add(name string, also ...string) {
	limit := max(2, len(n.text)/3)
	if len(n.text) < 3 {
		limit = 1
	}
	d := distance(n.text, name)
	for _, other := range also {
		d = min(d, distance(n.text, other))
	}
	if strings.EqualFold(n.text, name) {
		d = 0
	}
	if d > limit {
		return
	}
	n.best = append(n.best, near{name, d})
	slices.SortStableFunc(n.best, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	n.best = n.best[:min(len(n.best), maxNear)]
}

func (n *nearest) names() []string {
	var names []string
	for _, one := range n.best {
		names = append(names, one.name)
	}
	return names
}

// distance is the number of letters to insert, delete or replace to get from
// a to b. Long texts are cut: they are no name.
func distance(a, b string) int {
	a, b = a[:min(len(a), refs.MaxName)], b[:min(len(b), refs.MaxName)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
