package similar

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// textFinder finds texts that are near. Each signature is cut into more bands
// than may have a place that differs, so that one at least is equal.
type textFinder struct {
	groups []group
	texts  []*Text
	differ int // how many places may
	words  *bands
	chars  *bands
}

func newTextFinder(groups []group, texts []*Text, limits Limits) *textFinder {
	f := &textFinder{groups: groups, texts: texts, differ: mayDiffer(limits.Text)}
	f.words = newBands(len(texts), f.differ, func(i int) *Signature {
		if !texts[i].HasWords {
			return nil
		}
		return &texts[i].Words
	})
	f.chars = newBands(len(texts), f.differ, func(i int) *Signature {
		if !texts[i].HasChars {
			return nil
		}
		return &texts[i].Chars
	})
	return f
}

// mayDiffer is how many places of two signatures may differ.
func mayDiffer(similar float64) int {
	for differ := permutations; differ > 0; differ-- {
		if similarity(permutations-differ) >= similar {
			return differ
		}
	}
	return 0
}

// find compares words with words and, with texts that have none, characters
// with characters.
func (f *textFinder) find(u int32, emit func(match) bool) {
	t := f.texts[u]
	if f.words.candidates(u, func(v int32) bool { return f.try(u, v, &t.Words, &f.texts[v].Words, emit) }) {
		f.chars.candidates(u, func(v int32) bool {
			if t.HasWords && f.texts[v].HasWords {
				return true
			}
			return f.try(u, v, &t.Chars, &f.texts[v].Chars, emit)
		})
	}
}

func (f *textFinder) try(u, v int32, a, b *Signature, emit func(match) bool) bool {
	if u == v || f.groups[u].inOne(&f.groups[v]) {
		return true
	}
	differ := a.differ(b, f.differ)
	if differ > f.differ {
		return true
	}
	s := similarity(permutations - differ)
	return emit(match{group: v, far: 1 - s, pair: Pair{Similarity: s}})
}

// differ counts the places at which two signatures differ, eight at a time;
// more than enough ends it.
func (s *Signature) differ(o *Signature, enough int) (n int) {
	const low = 0x0101010101010101
	for i := 0; i < permutations && n <= enough; i += 8 {
		x := binary.LittleEndian.Uint64(s[i:]) ^ binary.LittleEndian.Uint64(o[i:])
		x |= x >> 4
		x |= x >> 2
		x |= x >> 1
		n += bits.OnesCount64(x & low)
	}
	return n
}

// bands index signatures by their bands.
type bands struct {
	index *index
	of    func(i int) *Signature // nil: it has none
	width int
	mask  uint32
}

func newBands(n, differ int, of func(i int) *Signature) *bands {
	b := &bands{of: of, width: permutations / (differ + 1)}
	values := 1 << max(8, bits.Len(uint(n/4)))
	b.mask = uint32(values - 1)
	b.index = newIndex(permutations/b.width, values, n, func(band, i int) (uint32, bool) {
		s := of(i)
		if s == nil {
			return 0, false
		}
		return b.value(s, band), true
	})
	return b
}

func (b *bands) value(s *Signature, band int) uint32 {
	hash := uint64(math.MaxUint64)
	for _, v := range s[band*b.width : (band+1)*b.width] {
		hash = join(hash, uint64(v))
	}
	return uint32(hash) & b.mask
}

// candidates hands out what has a band in common with u, until use returns
// false; then it returns false.
func (b *bands) candidates(u int32, use func(v int32) bool) bool {
	s := b.of(int(u))
	if s == nil {
		return true
	}
	for band := range b.index.refs {
		for _, v := range b.index.list(band, b.value(s, band)) {
			if !use(int32(v)) {
				return false
			}
		}
	}
	return true
}
