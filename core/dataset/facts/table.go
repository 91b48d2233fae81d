package facts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"sort"

	"github.com/mlvc/mlvc/objects"
	"github.com/zeebo/blake3"
)

// The layout of a generation, little endian:
//
//	8 bytes   magic "mlvcfac1"
//	8 bytes   n, how many facts
//	8 bytes   the size of all values
//	8 bytes   the size of the files of large facts that it names
//	32 n      the content IDs, ascending
//	8 n       where each value ends
//	…         the values: a tag of one byte, then the bytes
//	32 bytes  BLAKE3 of the kind's name, a zero byte and all before
//
// When all values have one size, that is known from n, and there are no ends.
const (
	magic      = "mlvcfac1"
	headerSize = 32
	sumSize    = 32
	endSize    = 8
)

// The tags of a value.
const (
	tagInline byte = 0 // the fact itself
	tagLarge  byte = 1 // its size and its BLAKE3; it lies in a file of its own
)

// value is what a table has of a fact.
type value struct {
	tag  byte
	data []byte
}

// large is the size of the file of its own that it names.
func (v value) large() uint64 {
	if v.tag != tagLarge || len(v.data) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(v.data)
}

var errDamaged = errors.New("the facts are damaged")

// table is a generation as it lies in its file, checked. A nil table is empty.
type table struct {
	data  []byte
	ids   []byte // objects.IDSize each
	ends  []byte // endSize each; none if all values have one width
	vals  []byte
	width int
}

func sum(kind string, body []byte) (out [sumSize]byte) {
	h := blake3.New()
	h.WriteString(kind) //nolint:errcheck // a hash never fails
	h.Write([]byte{0})  //nolint:errcheck // a hash never fails
	h.Write(body)       //nolint:errcheck // a hash never fails
	h.Sum(out[:0])
	return out
}

// parse checks a file's bytes and keeps them.
func parse(kind string, data []byte) (*table, error) {
	if len(data) < headerSize+sumSize || string(data[:8]) != magic {
		return nil, errDamaged
	}
	body := data[:len(data)-sumSize]
	if got := sum(kind, body); !bytes.Equal(got[:], data[len(body):]) {
		return nil, errDamaged
	}
	return layout(body)
}

// mustParse is for what merge made.
func mustParse(kind string, data []byte) *table {
	t, err := layout(data[:len(data)-sumSize])
	if err != nil {
		panic("facts: a merge of " + kind + " is damaged")
	}
	return t
}

// layout finds the parts of a body, which lie within it whatever it says.
func layout(body []byte) (*table, error) {
	n, size := binary.LittleEndian.Uint64(body[8:]), binary.LittleEndian.Uint64(body[16:])
	rest := body[headerSize:]
	if n > uint64(len(rest))/objects.IDSize || size > uint64(len(rest))-n*objects.IDSize {
		return nil, errDamaged
	}
	t := &table{data: body, ids: rest[:n*objects.IDSize], vals: rest[uint64(len(rest))-size:]}
	t.ends = rest[len(t.ids) : len(rest)-len(t.vals)]
	switch {
	case len(t.ends) == 0 && n == 0 && size == 0:
	case len(t.ends) == 0 && n > 0 && size%n == 0 && size >= n:
		t.width = int(size / n)
	case n == 0 || uint64(len(t.ends)) != n*endSize || !t.ascend():
		return nil, errDamaged
	}
	return t, nil
}

// ascend reports whether every value has a tag at least and all of them fill
// the values.
func (t *table) ascend() bool {
	var before uint64
	for at := 0; at < len(t.ends); at += endSize {
		end := binary.LittleEndian.Uint64(t.ends[at:])
		if end <= before || end > uint64(len(t.vals)) {
			return false
		}
		before = end
	}
	return before == uint64(len(t.vals))
}

func (t *table) len() int {
	if t == nil {
		return 0
	}
	return len(t.ids) / objects.IDSize
}

func (t *table) size() int64 {
	if t == nil {
		return 0
	}
	return int64(len(t.data))
}

// largeBytes is the size of the files of large facts that it names.
func (t *table) largeBytes() int64 {
	if t == nil {
		return 0
	}
	return int64(min(binary.LittleEndian.Uint64(t.data[24:]), math.MaxInt64))
}

func (t *table) id(i int) []byte { return t.ids[i*objects.IDSize : (i+1)*objects.IDSize] }

// start is where value i starts, which is where the one before it ends.
func (t *table) start(i int) int {
	switch {
	case t.width > 0:
		return i * t.width
	case i == 0:
		return 0
	}
	return int(binary.LittleEndian.Uint64(t.ends[(i-1)*endSize:]))
}

func (t *table) value(i int) value {
	from, to := t.start(i), t.start(i+1)
	return value{tag: t.vals[from], data: t.vals[from+1 : to : to]}
}

// largeIn is the size of the files that a run of facts names.
func (t *table) largeIn(i, j int) (size uint64) {
	if t.largeBytes() == 0 {
		return 0
	}
	for ; i < j; i++ {
		size += t.value(i).large()
	}
	return size
}

// find looks for a fact. IDs are hashes, so that where one lies is known to
// within a few hundred before the search begins.
func (t *table) find(id objects.ID) (value, bool) {
	n := t.len()
	if n == 0 {
		return value{}, false
	}
	lo, hi := t.around(id, n)
	lo += t.below(id, lo, hi)
	if lo == n || !bytes.Equal(t.id(lo), id[:]) {
		return value{}, false
	}
	return t.value(lo), true
}

// search returns the first fact from i on whose ID is not below id.
func (t *table) search(id objects.ID, i int) int {
	// Most often the next one of interest is near.
	n, step := t.len(), 1
	for i+step < n && bytes.Compare(t.id(i+step), id[:]) < 0 {
		i, step = i+step, 2*step
	}
	return i + t.below(id, i, min(n, i+step))
}

// below counts the IDs of a range that are below id.
func (t *table) below(id objects.ID, lo, hi int) int {
	return sort.Search(hi-lo, func(k int) bool { return bytes.Compare(t.id(lo+k), id[:]) >= 0 })
}

// around returns a range of which the first ID that is not below id is part,
// or its end.
func (t *table) around(id objects.ID, n int) (lo, hi int) {
	guess := int(float64(binary.BigEndian.Uint64(id[:])) / (1 << 64) * float64(n))
	reach := 4 * int(math.Sqrt(float64(n)))
	lo, hi = max(0, guess-reach), min(n, guess+reach)
	if lo >= n || bytes.Compare(t.id(lo), id[:]) >= 0 {
		lo, hi = 0, min(lo+1, n)
	}
	if hi < n && bytes.Compare(t.id(hi), id[:]) < 0 {
		lo, hi = hi, n
	}
	return lo, hi
}
