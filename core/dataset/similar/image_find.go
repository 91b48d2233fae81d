package similar

import (
	"cmp"
	"math"
	"slices"
)

// imageFinder finds images that are near. Looks are points on a sphere, and
// those of near-duplicates are no farther apart in any direction than their
// angle allows: so a grid of that width is laid over the four frequencies
// that vary most, and only the 81 cells around a look are searched.
//
// (Of the bits, those of images that are much alike are too unevenly spread for
// an index of them to tell many apart.)
type imageFinder struct {
	groups  []group
	images  []*Image      // of each group
	entries []entry       // cell by cell, so that those of a cell are read in a row
	starts  []uint32      // where each cell's begin, and the end
	axes    [gridAxes]int // the frequencies
	width   float64       // of a cell
	cells   int           // along an axis
	limits  Limits
	degrees float64
}

// entry is one way to see the images of a group.
type entry struct {
	Bits
	group int32
	turn  Turn
}

const (
	gridAxes = 4
	maxCells = 24 // along an axis
)

func newImageFinder(groups []group, images []*Image, limits Limits) *imageFinder {
	f := &imageFinder{groups: groups, images: images, limits: limits, degrees: limits.degrees()}
	// The chord of the angle, and a little for rounding.
	f.width = max(2*math.Sin(f.degrees*math.Pi/360)+1e-6, 2.0/maxCells)
	f.cells = int(2/f.width) + 1
	f.axes = widestAxes(images)
	f.layOut(allEntries(images))
	return f
}

func allEntries(images []*Image) []entry {
	var all []entry
	for i, m := range images {
		all = append(all, entry{Bits: m.Bits, group: int32(i)})
		for _, t := range m.Turned {
			all = append(all, entry{t.Bits, int32(i), t.Turn})
		}
	}
	return all
}

// layOut puts the entries into their cells; those whose looks have no direction
// are left out.
func (f *imageFinder) layOut(all []entry) {
	values := f.cells * f.cells * f.cells * f.cells
	x := newIndex(1, values, len(all), func(_, i int) (uint32, bool) {
		at, ok := f.cell(f.look(&all[i]))
		return uint32(f.value(at)), ok
	})
	f.starts, f.entries = x.offsets[0], make([]entry, len(x.refs[0]))
	for k, i := range x.refs[0] {
		f.entries[k] = all[i]
	}
}

// widestAxes are the frequencies that vary most.
func widestAxes(images []*Image) (axes [gridAxes]int) {
	var sums, squares [lookSize]float64
	for _, m := range images {
		for k, v := range m.Look {
			sums[k] += float64(v)
			squares[k] += float64(v) * float64(v)
		}
	}
	var all [lookSize]int
	for k := range all {
		all[k] = k
		squares[k] -= sums[k] * sums[k] / float64(max(1, len(images)))
	}
	slices.SortStableFunc(all[:], func(a, b int) int { return cmp.Compare(squares[b], squares[a]) })
	copy(axes[:], all[:])
	return axes
}

func (f *imageFinder) look(e *entry) Look { return f.images[e.group].Look.turned(e.turn) }

// cell returns where a look lies in the grid; nowhere if it has no direction.
func (f *imageFinder) cell(l Look) (at [gridAxes]int, ok bool) {
	squares := 0
	for _, v := range l {
		squares += int(v) * int(v)
	}
	if squares == 0 {
		return at, false
	}
	length := math.Sqrt(float64(squares))
	for k, axis := range f.axes {
		at[k] = min(f.cells-1, int((float64(l[axis])/length+1)/f.width))
	}
	return at, true
}

func (f *imageFinder) value(at [gridAxes]int) int {
	return ((at[0]*f.cells+at[1])*f.cells+at[2])*f.cells + at[3]
}

// find compares the image as it is stored with every other as it may be seen,
// and the other way round.
func (f *imageFinder) find(u int32, emit func(match) bool) {
	m := f.images[u]
	if !f.near(entry{Bits: m.Bits, group: u}, emit) {
		return
	}
	for _, t := range m.Turned {
		if !f.near(entry{t.Bits, u, t.Turn}, emit) {
			return
		}
	}
}

// near finds what is near to one entry, in the cells around it.
func (f *imageFinder) near(e entry, emit func(match) bool) bool {
	look := f.look(&e)
	at, ok := f.cell(look)
	if !ok {
		return true
	}
	for neighbour := range 27 { // the last axis is one run of cells
		beside := [gridAxes]int{at[0] + neighbour/9 - 1, at[1] + neighbour/3%3 - 1, at[2] + neighbour%3 - 1, 0}
		if slices.ContainsFunc(beside[:3], func(c int) bool { return c < 0 || c >= f.cells }) {
			continue
		}
		row := f.value(beside)
		from, to := f.starts[row+max(0, at[3]-1)], f.starts[row+min(f.cells-1, at[3]+1)+1]
		for i := from; i < to; i++ {
			if !f.try(&e, look, &f.entries[i], emit) {
				return false
			}
		}
	}
	return true
}

// try hands out an entry if it is near.
func (f *imageFinder) try(a *entry, look Look, b *entry, emit func(match) bool) bool {
	d, p := a.Distance(b.Bits)
	if d > f.limits.Images || p > f.limits.pBits() || a.group == b.group || a.turn != 0 && b.turn != 0 || f.groups[a.group].inOne(&f.groups[b.group]) {
		return true
	}
	angle := look.Angle(f.look(b))
	if angle > f.degrees {
		return true
	}
	return emit(match{
		group: b.group,
		far:   float64(d+p) + angle/180,
		pair:  Pair{D: d, P: p, Angle: angle, Turn: a.turn | b.turn},
	})
}
