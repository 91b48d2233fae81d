package prolly

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/mlvc/mlvc/objects"
)

// The limits of a map. What is outside of them is refused by Build and Apply,
// and as damage by DecodeNode.
const (
	MaxKey   = 4096      // bytes; a key has at least one
	MaxValue = 64 << 10  // bytes
	MaxLen   = 512       // entries of a node
	MaxBytes = 256 << 10 // bytes of an encoded node, and of the keys and values in it
	maxLevel = 32
	maxCount = 1 << 62 // entries of a map
)

const nodeVersion = 1

// Node is one decoded node of a map. A leaf (level 0) holds entries; an inner
// node holds, for each child in order, the child's last key, its ID and the
// number of entries below it. What its methods return must not be changed; it
// stays valid for as long as it is held.
type Node struct {
	level uint8
	count int64
	data  []byte // the object's bytes; values lie in it
	keys  []byte // all keys, one after the other
	spans []span
}

type span struct{ keyEnd, valueStart, valueEnd uint32 }

// Level returns 0 for a leaf, else one more than the level of the children.
func (n *Node) Level() int { return int(n.level) }

// Len returns the number of entries, or of children.
func (n *Node) Len() int { return len(n.spans) }

// Count returns the number of map entries in the node and below it.
func (n *Node) Count() int64 { return n.count }

// Key returns the key of entry i, or the last key of child i.
func (n *Node) Key(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = n.spans[i-1].keyEnd
	}
	end := n.spans[i].keyEnd
	return n.keys[start:end:end]
}

// Value returns the value of entry i of a leaf; it is never nil.
func (n *Node) Value(i int) []byte {
	s := n.spans[i]
	return n.data[s.valueStart:s.valueEnd:s.valueEnd]
}

// Child returns the ID of child i of an inner node.
func (n *Node) Child(i int) objects.ID { return objects.ID(n.Value(i)[:objects.IDSize]) }

// childCount returns the number of map entries below child i.
func (n *Node) childCount(i int) int64 { return refCount(n.Value(i)) }

func (n *Node) last() []byte { return n.Key(len(n.spans) - 1) }

// search returns the first i whose key is not below key, or Len.
func (n *Node) search(key []byte) int {
	low, high := 0, len(n.spans)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if bytes.Compare(n.Key(mid), key) < 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// A ref is the value that an inner node has for a child: the child's ID, then
// the number of entries below it as an unsigned varint.

func appendRef(dst []byte, id objects.ID, count int64) []byte {
	return binary.AppendUvarint(append(dst, id[:]...), uint64(count))
}

func refCount(ref []byte) int64 {
	count, _ := binary.Uvarint(ref[objects.IDSize:])
	return int64(count)
}

// validRef reports whether b is the one encoding of a ref.
func validRef(b []byte) bool {
	if len(b) <= objects.IDSize {
		return false
	}
	count, n := objects.Uvarint(b[objects.IDSize:])
	return n == len(b)-objects.IDSize && count >= 1 && count <= maxCount
}

// DecodeNode reads a node. It accepts only the one valid encoding (FORMAT.md)
// and fails with ErrNewer for a version that this build does not know, and
// with ErrCorrupt for anything else. The node keeps o.Data.
func DecodeNode(o objects.Object) (*Node, error) {
	if o.Kind != objects.KindNode {
		return nil, fmt.Errorf("%w: a %v where a map node should be", objects.ErrCorrupt, o.Kind)
	}
	if len(o.Data) > 0 && o.Data[0] > nodeVersion {
		return nil, fmt.Errorf("map node of version %d (this mlvc reads up to %d): %w", o.Data[0], nodeVersion, objects.ErrNewer)
	}
	n, fault := decode(o.Data)
	if fault != "" {
		return nil, fmt.Errorf("%w: map node: %s", objects.ErrCorrupt, fault)
	}
	return n, nil
}

// decode returns the node, or what is wrong with the bytes.
func decode(data []byte) (n *Node, fault string) {
	if len(data) < 3 || len(data) > MaxBytes || data[0] != nodeVersion {
		return nil, "size or version"
	}
	d := decoder{data: data, pos: 2, level: data[1]}
	length := d.uvarint(MaxLen)
	if d.bad || d.level > maxLevel || length == 0 && d.level > 0 {
		return nil, "level or length"
	}
	d.spans = make([]span, 0, min(length, len(data)/4))
	d.keys = make([]byte, 0, len(data)+len(data)/2)
	for range length {
		if fault := d.entry(); fault != "" {
			return nil, fault
		}
	}
	if d.pos != len(data) {
		return nil, "bytes after the end"
	}
	return &Node{level: d.level, count: d.count, data: data, keys: d.keys, spans: d.spans}, ""
}

// decoder reads the entries of a node from data at pos; once bad it stays so.
type decoder struct {
	data  []byte
	pos   int
	bad   bool
	level uint8

	count  int64
	keys   []byte
	spans  []span
	last   int // where the last key starts in keys
	values int // bytes of values
}

// entry reads one entry and returns what is wrong with it.
func (d *decoder) entry() string {
	previous := d.keys[d.last:]
	shared := d.uvarint(len(previous))
	suffix := d.bytes(d.uvarint(MaxKey - shared))
	if d.bad || len(suffix) == 0 {
		return "key"
	}
	// Prefixes are as long as they can be, so the first byte that is not
	// shared decides the order, and must be there.
	if shared < len(previous) && suffix[0] <= previous[shared] {
		return "keys not in order"
	}
	value := d.bytes(d.uvarint(MaxValue))
	if d.bad {
		return "value"
	}
	d.last = len(d.keys)
	d.keys = append(append(d.keys, previous[:shared]...), suffix...)
	d.values += len(value)
	if len(d.keys)+d.values > MaxBytes {
		return "too large"
	}
	d.spans = append(d.spans, span{uint32(len(d.keys)), uint32(d.pos - len(value)), uint32(d.pos)})
	if d.level == 0 {
		d.count++
		return ""
	}
	if !validRef(value) || refCount(value) > maxCount-d.count {
		return "child"
	}
	d.count += refCount(value)
	return ""
}

func (d *decoder) uvarint(limit int) int {
	if d.pos < len(d.data) && d.data[d.pos] < 0x80 && int(d.data[d.pos]) <= limit {
		d.pos++
		return int(d.data[d.pos-1])
	}
	v, n := objects.Uvarint(d.data[d.pos:])
	if n <= 0 || v > uint64(limit) {
		d.bad = true
		return 0
	}
	d.pos += n
	return int(v)
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.data)-d.pos {
		d.bad = true
		return nil
	}
	d.pos += n
	return d.data[d.pos-n : d.pos]
}
