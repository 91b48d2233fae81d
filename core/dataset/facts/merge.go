package facts

import (
	"bytes"
	"encoding/binary"

	"github.com/mlvc/mlvc/objects"
)

// merge returns the file of a table with fresh facts added; of two of one
// content the fresh one stays. Both are gone through in order, once for each
// part of the file, and what lies together in the table is copied together.
func merge(kind string, t *table, fresh map[objects.ID]value) []byte {
	m := merger{t: t, fresh: fresh, ids: sortedIDs(fresh)}
	s := m.sizes()
	out := make([]byte, headerSize, headerSize+s.n*(objects.IDSize+endSize)+s.bytes+sumSize)
	copy(out, magic)
	binary.LittleEndian.PutUint64(out[8:], uint64(s.n))
	binary.LittleEndian.PutUint64(out[16:], uint64(s.bytes))
	binary.LittleEndian.PutUint64(out[24:], s.large)
	m.each(
		func(i, j int) { out = append(out, t.ids[i*objects.IDSize:j*objects.IDSize]...) },
		func(id objects.ID, _ value) { out = append(out, id[:]...) })
	if s.width == 0 {
		out = m.appendEnds(out)
	}
	m.each(
		func(i, j int) { out = append(out, t.vals[t.start(i):t.start(j)]...) },
		func(_ objects.ID, v value) { out = append(append(out, v.tag), v.data...) })
	hash := sum(kind, out)
	return append(out, hash[:]...)
}

// merger goes through a table and fresh facts in the order of their IDs.
type merger struct {
	t     *table
	fresh map[objects.ID]value
	ids   []objects.ID
}

// each calls old for each run of facts of the table that stay, and add for
// each fresh one.
func (m *merger) each(old func(i, j int), add func(id objects.ID, v value)) {
	i, n := 0, m.t.len()
	for _, id := range m.ids {
		j := m.t.search(id, i)
		if i < j {
			old(i, j)
		}
		add(id, m.fresh[id])
		if i = j; i < n && bytes.Equal(m.t.id(i), id[:]) {
			i++
		}
	}
	if i < n {
		old(i, n)
	}
}

// sizes are what the header of a file says.
type sizes struct {
	n, bytes int
	width    int // of every value; 0 if they differ
	large    uint64
}

func (m *merger) sizes() sizes {
	var s sizes
	widths := make(map[int]bool)
	m.each(func(i, j int) {
		s.n, s.bytes = s.n+j-i, s.bytes+m.t.start(j)-m.t.start(i)
		widths[m.t.width] = true // 0 where they differ
		s.large += m.t.largeIn(i, j)
	}, func(_ objects.ID, v value) {
		s.n, s.bytes = s.n+1, s.bytes+1+len(v.data)
		widths[1+len(v.data)] = true
		s.large += v.large()
	})
	if len(widths) == 1 {
		for s.width = range widths {
		}
	}
	return s
}

func (m *merger) appendEnds(out []byte) []byte {
	end := 0
	m.each(func(i, j int) {
		base := end - m.t.start(i)
		for ; i < j; i++ {
			end = base + m.t.start(i+1)
			out = binary.LittleEndian.AppendUint64(out, uint64(end))
		}
	}, func(_ objects.ID, v value) {
		end += 1 + len(v.data)
		out = binary.LittleEndian.AppendUint64(out, uint64(end))
	})
	return out
}
