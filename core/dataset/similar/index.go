package similar

// index finds, for each band of a hash, those that have the same bits there:
// a list of numbers for every value, all lists of a band in one slice.
type index struct {
	offsets [][]uint32 // where the list of each value begins, and the end
	refs    [][]uint32
}

// newIndex indexes the numbers below n; values are below the given number. A
// number that has has no value in a band has it nowhere.
func newIndex(bands, values, n int, value func(band, i int) (uint32, bool)) *index {
	x := &index{offsets: make([][]uint32, bands), refs: make([][]uint32, bands)}
	for band := range bands {
		offsets := make([]uint32, values+1)
		for i := range n {
			if v, ok := value(band, i); ok {
				offsets[v]++
			}
		}
		sum := uint32(0)
		for v := range offsets {
			sum += offsets[v]
			offsets[v] = sum // the end, which moves to the beginning below
		}
		refs := make([]uint32, sum)
		for i := n - 1; i >= 0; i-- {
			if v, ok := value(band, i); ok {
				offsets[v]--
				refs[offsets[v]] = uint32(i)
			}
		}
		x.offsets[band], x.refs[band] = offsets, refs
	}
	return x
}

// list returns, in order, the numbers that have a value in a band.
func (x *index) list(band int, value uint32) []uint32 {
	return x.refs[band][x.offsets[band][value]:x.offsets[band][value+1]]
}
