package prolly

import "encoding/binary"

// splitter decides after which entries a level is cut into nodes. Its numbers
// are part of the format: other numbers give other roots for equal maps.
//
// Sizes count in weights, so that one rule serves short and long entries: an
// entry weighs its bytes of key and value in units of 128, rounded down, and
// at least 1. A node is closed by its own entries alone, never by what
// follows, so where a node ends depends on where it began and on nothing
// earlier.
type splitter struct {
	min  int  // a node lighter than this is not closed
	max  int  // a node this heavy is always closed
	bits uint // between them an entry of weight w closes it with chance w / 2^bits
}

// standard is the splitter of every stored map: 64 entries at the least, 127
// on average, 512 at the most, when entries are shorter than 256 bytes.
var standard = splitter{min: 64, max: 512, bits: 6}

const weightUnit = 128

// weight returns how much an entry counts in its node.
func weight(key, value []byte) int {
	return max(1, (len(key)+len(value))/weightUnit)
}

// closes reports whether a node ends after the entry with this key, where own
// is the entry's weight and total the node's, with the entry.
func (s splitter) closes(level uint8, key []byte, own, total int) bool {
	if total < s.min {
		return false
	}
	return total >= s.max || cutHash(level, key)>>(64-s.bits) < uint64(own)
}

// cutHash is the hash that cuts are decided by; fixed for ever. It starts from
// the level and the key's length, and takes in the key as little-endian words
// of 8 bytes, the last one filled with zeros, each through the bijective
// finaliser of splitmix64.
func cutHash(level uint8, key []byte) uint64 {
	h := mix(uint64(level)<<32 | uint64(len(key)))
	for len(key) >= 8 {
		h = mix(h ^ binary.LittleEndian.Uint64(key))
		key = key[8:]
	}
	if len(key) > 0 {
		var tail [8]byte
		copy(tail[:], key)
		h = mix(h ^ binary.LittleEndian.Uint64(tail[:]))
	}
	return h
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
