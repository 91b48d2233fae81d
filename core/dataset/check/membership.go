package check

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"sort"
)

// A membership says which keys (of contents or of groups) are in which splits,
// so that the keys in two splits are found by what changed:
//
//  1. Every sample is an entry: the first 8 bytes of its key's hash and the
//     number of its split; a multiset, sorted, 10 bytes an entry.
//  2. A key with entries of two splits is a candidate. Whether two samples
//     really share it is told by whole hashes: for that, the paths of
//     candidates are listed beside (found), or looked up in one walk.
//  3. A new commit's membership is the parent's with the entries of changed
//     paths taken out and put in, by one merge.
//
// It is derived: without the parent's it is built from all files.
type membership struct {
	names   []string // of splits, by number
	entries []byte   // entrySize each, sorted
	found   map[uint64][]string
	overlap pathSet // in two splits
	bare    pathSet // in none
	tables  pathSet // whose rows can be read, in splits or of them
}

const entrySize = 10

// entry is one sample of a membership.
type entry struct {
	key   uint64
	split uint16
}

func compareEntries(a, b entry) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.split, b.split))
}

func (e entry) append(to []byte) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(to, e.key), e.split)
}

func (m *membership) at(i int) entry {
	b := m.entries[i*entrySize:]
	return entry{binary.BigEndian.Uint64(b), binary.BigEndian.Uint16(b[8:])}
}

func (m *membership) len() int { return len(m.entries) / entrySize }

// errManySplits is for more splits than an entry can number.
var errManySplits = errors.New("a scheme has at most 65,535 splits")

// number returns the number of a split, a new one if it is new.
func (m *membership) number(name string) (uint16, error) {
	i := slices.Index(m.names, name)
	if i >= 0 {
		return uint16(i), nil
	}
	if len(m.names) >= 1<<16-1 {
		return 0, errManySplits
	}
	m.names = append(m.names, name)
	return uint16(len(m.names) - 1), nil
}

// fill makes the entries those given, in any order.
func (m *membership) fill(all []entry) {
	slices.SortFunc(all, compareEntries)
	m.entries = make([]byte, 0, len(all)*entrySize)
	for _, e := range all {
		m.entries = e.append(m.entries)
	}
}

// errStale is for a membership that is not that of the parent.
var errStale = errors.New("the kept membership does not fit")

// merge takes entries out and puts others in. It fails with errStale for one
// to be taken out that is not there.
func (m *membership) merge(out, in []entry) error {
	slices.SortFunc(out, compareEntries)
	slices.SortFunc(in, compareEntries)
	merged := make([]byte, 0, len(m.entries)+len(in)*entrySize)
	from := 0 // where the entries not yet copied begin
	for len(out) > 0 || len(in) > 0 {
		takeOut := len(in) == 0 || len(out) > 0 && compareEntries(out[0], in[0]) <= 0
		if takeOut {
			at := m.search(from, out[0])
			if at == m.len() || m.at(at) != out[0] {
				return errStale
			}
			merged = append(merged, m.entries[from*entrySize:at*entrySize]...)
			from, out = at+1, out[1:]
			continue
		}
		at := m.search(from, in[0])
		merged = append(merged, m.entries[from*entrySize:at*entrySize]...)
		merged = in[0].append(merged)
		from, in = at, in[1:]
	}
	m.entries = append(merged, m.entries[from*entrySize:]...)
	return nil
}

// search returns the first place from there on that is not before e.
func (m *membership) search(from int, e entry) int {
	return from + sort.Search(m.len()-from, func(i int) bool { return compareEntries(m.at(from+i), e) >= 0 })
}

// has reports whether a sample of one of the splits has the key.
func (m *membership) has(key uint64, names []string) bool {
	for i := m.search(0, entry{key: key}); i < m.len() && m.at(i).key == key; i++ {
		if slices.Contains(names, m.names[m.at(i).split]) {
			return true
		}
	}
	return false
}

// crossing returns the keys with entries of two splits, sorted.
func (m *membership) crossing() []uint64 {
	var keys []uint64
	b := m.entries
	for i := entrySize; i < len(b); i += entrySize {
		key := binary.BigEndian.Uint64(b[i:])
		if key != binary.BigEndian.Uint64(b[i-entrySize:]) ||
			binary.BigEndian.Uint16(b[i+8:]) == binary.BigEndian.Uint16(b[i-entrySize+8:]) {
			continue
		}
		if len(keys) == 0 || keys[len(keys)-1] != key {
			keys = append(keys, key)
		}
	}
	return keys
}

// pathSet is a sorted set of paths.
type pathSet []string

func (s *pathSet) put(path string, in bool) {
	i, there := slices.BinarySearch(*s, path)
	switch {
	case in && !there:
		*s = slices.Insert(*s, i, path)
	case !in && there:
		*s = slices.Delete(*s, i, i+1)
	}
}
