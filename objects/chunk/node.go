package chunk

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mlvc/mlvc/objects"
)

// Run is one chunk that comes Repeat times in a row. In a list runs are as
// long as they can be, so that the zeros of a sparse file are one run.
type Run struct {
	ID     objects.ID
	Length int   // of the chunk, in bytes
	Repeat int64 // at least 1
}

// child is what an inner node holds of a node below it.
type child struct {
	id    objects.ID
	bytes int64 // of content below it
	count int64 // of runs below it
}

// node is one node of a list: runs at level 0, children above.
type node struct {
	level    int
	runs     []Run
	children []child
}

const (
	fanMin   = 32   // a node ends at no fewer items, unless it is its level's last
	fanMask  = 63   // then at one item in 64
	fanMax   = 1024 // and at this many in any case
	levelMax = 15
	bytesMax = math.MaxInt64 / 2 // of content; more than a tree entry can have
)

// ends reports whether a node of that level ends after its n-th item, whose
// chunk or child is id.
func ends(level, n int, id objects.ID) bool {
	return n >= fanMax || n >= fanMin && cutHash(level, id)&fanMask == 0
}

// cutHash mixes an ID with the level, so that an item that ends nodes on one
// level does not on the next.
func cutHash(level int, id objects.ID) uint64 {
	h := binary.LittleEndian.Uint64(id[:8]) + uint64(level)*0x9e3779b97f4a7c15
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// total returns the bytes of content and the runs below the node.
func (n node) total() (bytes, count int64, err error) {
	add := func(size, times, runs int64) {
		if err != nil {
			return
		}
		if size < 1 || times < 1 || runs < 1 || times > (bytesMax-bytes)/size || runs > bytesMax-count {
			err = fmt.Errorf("%w: chunk list node of impossible size", objects.ErrCorrupt)
			return
		}
		bytes += size * times
		count += runs
	}
	for _, r := range n.runs {
		add(int64(r.Length), r.Repeat, 1)
	}
	for _, c := range n.children {
		add(c.bytes, 1, c.count)
	}
	return bytes, count, err
}

// object returns the canonical encoding: the level, then the items.
func (n node) object() objects.Object {
	data := make([]byte, 1, 1+(len(n.runs)+len(n.children))*(objects.IDSize+8))
	data[0] = byte(n.level)
	for _, r := range n.runs {
		data = append(data, r.ID[:]...)
		data = binary.AppendUvarint(data, uint64(r.Length))
		data = binary.AppendUvarint(data, uint64(r.Repeat))
	}
	for _, c := range n.children {
		data = append(data, c.id[:]...)
		data = binary.AppendUvarint(data, uint64(c.bytes))
		data = binary.AppendUvarint(data, uint64(c.count))
	}
	return objects.Object{Kind: objects.KindList, Data: data}
}

// decode reads a node. It accepts exactly what object writes for nodes that a
// builder makes; everything else is ErrCorrupt.
func decode(o objects.Object) (node, error) {
	if o.Kind != objects.KindList {
		return node{}, fmt.Errorf("%w: a %v where a chunk list should be", objects.ErrCorrupt, o.Kind)
	}
	if len(o.Data) < 1+objects.IDSize || len(o.Data) > objects.MaxObject || o.Data[0] > levelMax {
		return node{}, fmt.Errorf("%w: chunk list node of %d bytes", objects.ErrCorrupt, len(o.Data))
	}
	n := node{level: int(o.Data[0])}
	for count, rest := 1, o.Data[1:]; len(rest) > 0; count++ {
		id, a, b, after, err := decodeItem(rest)
		if err != nil {
			return node{}, err
		}
		rest = after
		if len(rest) > 0 && ends(n.level, count, id) {
			return node{}, fmt.Errorf("%w: chunk list node goes on after its end", objects.ErrCorrupt)
		}
		if n.level > 0 {
			n.children = append(n.children, child{id, a, b})
			continue
		}
		if a > objects.SingleChunk {
			return node{}, fmt.Errorf("%w: chunk of %d bytes", objects.ErrCorrupt, a)
		}
		if len(n.runs) > 0 && n.runs[len(n.runs)-1].ID == id {
			return node{}, fmt.Errorf("%w: chunk list run in two parts", objects.ErrCorrupt)
		}
		n.runs = append(n.runs, Run{id, int(a), b})
	}
	if _, _, err := n.total(); err != nil {
		return node{}, err
	}
	return n, nil
}

func decodeItem(b []byte) (id objects.ID, first, second int64, rest []byte, err error) {
	if len(b) < len(id) {
		return id, 0, 0, nil, fmt.Errorf("%w: chunk list item cut short", objects.ErrCorrupt)
	}
	rest = b[copy(id[:], b):]
	var numbers [2]int64
	for i := range numbers {
		v, n := objects.Uvarint(rest)
		if n <= 0 || v < 1 || v > bytesMax {
			return id, 0, 0, nil, fmt.Errorf("%w: number in a chunk list", objects.ErrCorrupt)
		}
		numbers[i], rest = int64(v), rest[n:]
	}
	return id, numbers[0], numbers[1], rest, nil
}
