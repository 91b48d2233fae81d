package store

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/mlvc/mlvc/objects"
)

// numberSet is a set of numbers that costs 8 to 24 bytes for each.
type numberSet struct {
	slots []uint64 // open addressing; 0 is free
	count int
	zero  bool
}

func (s *numberSet) add(n uint64) {
	if n == 0 {
		s.zero = true
		return
	}
	if 3*(s.count+1) > 2*len(s.slots) {
		s.grow()
	}
	if i := s.find(n); s.slots[i] == 0 {
		s.slots[i] = n
		s.count++
	}
}

func (s *numberSet) has(n uint64) bool {
	if n == 0 {
		return s.zero
	}
	return len(s.slots) > 0 && s.slots[s.find(n)] == n
}

// find returns the slot that holds n, or the free one where it would lie.
func (s *numberSet) find(n uint64) int {
	h := n * 0x9e3779b97f4a7c15
	mask := uint64(len(s.slots) - 1)
	for i := (h ^ h>>32) & mask; ; i = (i + 1) & mask {
		if s.slots[i] == 0 || s.slots[i] == n {
			return int(i)
		}
	}
}

func (s *numberSet) grow() {
	old := s.slots
	s.slots = make([]uint64, max(1024, 2*len(old)))
	for _, n := range old {
		if n != 0 {
			s.slots[s.find(n)] = n
		}
	}
}

// Live is the set of objects that gc keeps. Metadata objects are held by their
// whole IDs, chunks by 8 bytes of theirs: two chunks that agree in these can
// only keep each other. Not safe for concurrent use.
type Live struct {
	meta   map[objects.ID]bool
	chunks numberSet
}

// NewLive returns the empty set.
func NewLive() *Live { return &Live{meta: make(map[objects.ID]bool)} }

// Add adds a metadata object and reports whether it is new to the set.
func (l *Live) Add(id objects.ID) bool {
	if l.meta[id] {
		return false
	}
	l.meta[id] = true
	return true
}

// AddChunk adds a chunk.
func (l *Live) AddChunk(id objects.ID) { l.chunks.add(binary.LittleEndian.Uint64(id[:])) }

// Len returns how many objects there are.
func (l *Live) Len() int { return len(l.meta) + l.chunks.count }

// Has reports whether a metadata object is in the set.
func (l *Live) Has(id objects.ID) bool { return l.meta[id] }

// LenMeta returns how many of them are metadata objects.
func (l *Live) LenMeta() int { return len(l.meta) }

func (l *Live) has(id objects.ID) bool {
	return l.meta[id] || l.chunks.has(binary.LittleEndian.Uint64(id[:]))
}

// Seen is a set of contents that were looked at. What is not in it may, with a
// chance that nobody can raise, be said to be in it. The zero value is empty.
type Seen struct {
	seed maphash.Seed
	set  numberSet
	made bool
}

// Add adds a content and its list, and reports whether it is new.
func (s *Seen) Add(content, list objects.ID) bool {
	if !s.made {
		s.seed, s.made = maphash.MakeSeed(), true
	}
	n := maphash.Comparable(s.seed, [2]objects.ID{content, list})
	if s.set.has(n) {
		return false
	}
	s.set.add(n)
	return true
}
