package history

import (
	"slices"
	"strings"

	"github.com/mlvc/mlvc/objects"
)

// Graph draws the lines beside a log: one lane for each commit that is still
// to come as somebody's parent. The zero Graph has drawn nothing yet.
type Graph struct {
	lanes []objects.ID // the commit that each lane leads to, each once
}

// Rows are the prefixes of the lines of one commit.
type Rows struct {
	// Commit is for the commit's first line: its lane has the star.
	Commit string
	// Edges are for the lines after it, which lead the lanes to where the
	// next commit expects them. There may be none.
	Edges []string
	// Rest is for all further lines of the commit.
	Rest string
}

// Next draws one commit. Commits come in the order of Walk: a commit after
// its children.
func (g *Graph) Next(id objects.ID, parents []objects.ID) Rows {
	at := slices.Index(g.lanes, id)
	if at < 0 {
		at = len(g.lanes)
		g.lanes = append(g.lanes, id)
	}
	rows := Rows{Commit: draw(len(g.lanes), func(lane int) (int, byte) {
		if lane == at {
			return 2 * lane, '*'
		}
		return 2 * lane, '|'
	})}
	if len(parents) == 0 {
		rows.Edges = g.end(at)
	} else {
		g.lanes[at] = parents[0]
		rows.Edges = g.fork(at, parents[1:])
		rows.Edges = append(rows.Edges, g.join()...)
	}
	rows.Rest = draw(len(g.lanes), func(lane int) (int, byte) { return 2 * lane, '|' })
	return rows
}

// Skip passes over a commit that is not drawn: the lane that leads to it leads
// on to its first parent. The rows, if any, come before the next commit.
func (g *Graph) Skip(id objects.ID, parents []objects.ID) []string {
	at := slices.Index(g.lanes, id)
	switch {
	case at < 0:
		return nil
	case len(parents) == 0:
		return g.end(at)
	}
	g.lanes[at] = parents[0]
	return g.join()
}

// end removes the lane of a root; the lanes right of it move left by one.
func (g *Graph) end(at int) []string {
	g.lanes = slices.Delete(g.lanes, at, at+1)
	if at == len(g.lanes) {
		return nil
	}
	return []string{draw(len(g.lanes), func(lane int) (int, byte) {
		if lane < at {
			return 2 * lane, '|'
		}
		return 2*lane + 1, '/'
	})}
}

// fork opens lanes right of the lane at, one row a parent, the last parent
// first so that they end up in order.
func (g *Graph) fork(at int, parents []objects.ID) []string {
	var rows []string
	for _, parent := range slices.Backward(parents) {
		g.lanes = slices.Insert(g.lanes, at+1, parent)
		rows = append(rows, draw(len(g.lanes), func(lane int) (int, byte) {
			if lane <= at {
				return 2 * lane, '|'
			}
			return 2*lane - 1, '\\'
		}))
	}
	return rows
}

// join leads lanes to the same commit together into the leftmost of them, and
// closes the gaps. In each row every lane that is not yet where it belongs
// moves left by one, so no two lanes ever share a gap; a lane that is already
// there is crossed.
func (g *Graph) join() []string {
	var unique []objects.ID
	position := make([]int, len(g.lanes))
	target := make([]int, len(g.lanes))
	for lane, id := range g.lanes {
		position[lane] = lane
		target[lane] = slices.Index(unique, id)
		if target[lane] < 0 {
			target[lane] = len(unique)
			unique = append(unique, id)
		}
	}
	g.lanes = unique
	var rows []string
	for !slices.Equal(position, target) {
		rows = append(rows, draw(len(position), func(lane int) (int, byte) {
			if position[lane] == target[lane] {
				return 2 * position[lane], '|'
			}
			position[lane]--
			return 2*position[lane] + 1, '/'
		}))
	}
	return rows
}

// draw places one mark a lane at its column.
func draw(lanes int, mark func(lane int) (column int, c byte)) string {
	line := []byte(strings.Repeat(" ", 2*lanes+1))
	for lane := range lanes {
		column, c := mark(lane)
		line[column] = c
	}
	return strings.TrimRight(string(line), " ")
}
