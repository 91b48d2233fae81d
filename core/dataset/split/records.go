package split

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// records are the groups of a scheme and their splits, sorted by ID: for each
// label in a group one record, the labels of a group rising. They are read and
// written as they are, since there may be a million.
type records []byte

// A record: ID, split, label, count of samples; big-endian, so that records
// sort as bytes.
const recordSize = len(groupID{}) + 2 + 4 + 4

// noSplit is the split of a group that no split was open for.
const noSplit = 0xffff

type record struct {
	id    groupID
	split uint16
	label uint32
	count uint32
}

func (r records) len() int { return len(r) / recordSize }

func (r records) id(i int) groupID { return groupID(r[i*recordSize:]) }

func (r records) at(i int) record {
	b := r[i*recordSize+len(groupID{}):]
	return record{r.id(i), binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:]), binary.BigEndian.Uint32(b[6:])}
}

func (r records) append(e record) records {
	r = append(r, e.id[:]...)
	r = binary.BigEndian.AppendUint16(r, e.split)
	r = binary.BigEndian.AppendUint32(r, e.label)
	return binary.BigEndian.AppendUint32(r, e.count)
}

// appendGroup appends the records of a group; labels without samples are left
// out.
func (r records) appendGroup(id groupID, split int, labels classes) records {
	if split < 0 {
		split = noSplit
	}
	for _, label := range sortedKeys(labels) {
		if labels[label] > 0 {
			r = r.append(record{id, uint16(split), label, labels[label]})
		}
	}
	return r
}

func sortedKeys(of classes) []uint32 {
	keys := make([]uint32, 0, len(of))
	for k := range of {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// search returns the first record whose ID is not below id.
func (r records) search(id groupID) int {
	from, to := 0, r.len()
	for from < to {
		mid := (from + to) / 2
		if bytes.Compare(r[mid*recordSize:][:len(id)], id[:]) < 0 {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from
}

// group returns the group that record i begins, and where the next one does.
func (r records) group(i int) (id groupID, split int, labels classes, next int) {
	first := r.at(i)
	labels = classes{}
	for next = i; next < r.len() && r.id(next) == first.id; next++ {
		e := r.at(next)
		labels[e.label] = e.count
	}
	split = int(first.split)
	if first.split == noSplit {
		split = -1
	}
	return first.id, split, labels, next
}

// valid reports whether the records are whole, in order, and name splits and
// labels that there are.
func (r records) valid(splits, labels int) bool {
	if len(r)%recordSize != 0 {
		return false
	}
	for i := range r.len() {
		e := r.at(i)
		if e.split != noSplit && int(e.split) >= splits || int(e.label) >= labels {
			return false
		}
		if i > 0 && bytes.Compare(r[(i-1)*recordSize:i*recordSize], r[i*recordSize:][:recordSize]) >= 0 {
			return false
		}
	}
	return true
}

// records returns the groups of a draw; nil if each sample is one, since then
// the table says all.
func (d *draw) records() records {
	if !d.grouped {
		return nil
	}
	order := make([]int32, len(d.groups))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return bytes.Compare(d.groups[a].id[:], d.groups[b].id[:]) })
	r := make(records, 0, len(order)*recordSize)
	for _, i := range order {
		g := d.groups[i]
		labels := d.labels[i]
		if labels == nil {
			labels = classes{g.label: g.count}
		}
		r = r.appendGroup(g.id, int(g.split), labels)
	}
	return r
}
