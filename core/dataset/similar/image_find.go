package similar

import "math/bits"

// imageFinder finds images that are near. The dHash is cut into four bands of
// 16 bits: where at most n bits differ, one band differs in at most n/4, so it
// is enough to look up all values so near in each.
type imageFinder struct {
	groups  []group
	images  []*Image // of each group
	entries []entry
	index   *index
	masks   []uint32 // the differences to look up
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
	dBands    = 4
	bandBits  = 64 / dBands
	bandCount = 1 << bandBits
)

func newImageFinder(groups []group, images []*Image, limits Limits) *imageFinder {
	f := &imageFinder{groups: groups, images: images, limits: limits, degrees: limits.degrees()}
	for i, m := range images {
		f.entries = append(f.entries, entry{Bits: m.Bits, group: int32(i)})
		for _, t := range m.Turned {
			f.entries = append(f.entries, entry{t.Bits, int32(i), t.Turn})
		}
	}
	for mask := range uint32(bandCount) {
		if bits.OnesCount32(mask) <= limits.Images/dBands {
			f.masks = append(f.masks, mask)
		}
	}
	f.index = newIndex(dBands, bandCount, len(f.entries), func(band, i int) (uint32, bool) {
		return f.entries[i].band(band), true
	})
	return f
}

func (b Bits) band(i int) uint32 { return uint32(b.D >> (i * bandBits) & (bandCount - 1)) }

// find compares the image as it is stored with every other as it may be seen,
// and the other way round.
func (f *imageFinder) find(u int32, emit func(match) bool) {
	m := f.images[u]
	if !f.near(u, m.Bits, 0, emit) {
		return
	}
	for _, t := range m.Turned {
		if !f.near(u, t.Bits, t.Turn, emit) {
			return
		}
	}
}

// near finds what is near to the image turned.
func (f *imageFinder) near(u int32, b Bits, turn Turn, emit func(match) bool) bool {
	if dBands*len(f.masks) > len(f.entries) { // fewer images than values
		for i := range f.entries {
			if !f.try(u, b, turn, &f.entries[i], emit) {
				return false
			}
		}
		return true
	}
	for band := range dBands {
		for _, mask := range f.masks {
			for _, i := range f.index.list(band, b.band(band)^mask) {
				if !f.try(u, b, turn, &f.entries[i], emit) {
					return false
				}
			}
		}
	}
	return true
}

// try hands out an entry if it is near.
func (f *imageFinder) try(u int32, b Bits, turn Turn, e *entry, emit func(match) bool) bool {
	d, p := b.Distance(e.Bits)
	if d > f.limits.Images || p > f.limits.pBits() || e.group == u || turn != 0 && e.turn != 0 || f.groups[u].inOne(&f.groups[e.group]) {
		return true
	}
	angle := f.images[u].Look.turned(turn).Angle(f.images[e.group].Look.turned(e.turn))
	if angle > f.degrees {
		return true
	}
	return emit(match{
		group: e.group,
		far:   float64(d+p) + angle/180,
		pair:  Pair{D: d, P: p, Angle: angle, Turn: turn | e.turn},
	})
}
