package core

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// hashedPaths is a set of paths at 16 bytes each. Paths are told apart by keyed
// hashes of 128 bits, whose keys are drawn anew for each set: no one can make
// two paths that it takes for the same.
type hashedPaths struct {
	seeds  [2]maphash.Seed
	hashes []pathHash
}

type pathHash [2]uint64

func newHashedPaths() hashedPaths {
	return hashedPaths{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

// add adds a path; the set must be sorted before it is asked.
func (s *hashedPaths) add(path []byte) {
	s.hashes = append(s.hashes, pathHash{maphash.Bytes(s.seeds[0], path), maphash.Bytes(s.seeds[1], path)})
}

func (s *hashedPaths) sort() {
	slices.SortFunc(s.hashes, comparePathHashes)
	s.hashes = slices.Compact(s.hashes)
}

func (s *hashedPaths) has(path string) bool {
	if len(s.hashes) == 0 {
		return false
	}
	h := pathHash{maphash.String(s.seeds[0], path), maphash.String(s.seeds[1], path)}
	_, found := slices.BinarySearchFunc(s.hashes, h, comparePathHashes)
	return found
}

func comparePathHashes(a, b pathHash) int {
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
}
