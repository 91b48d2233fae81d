package prolly

import (
	"encoding/binary"
	"math/bits"

	"github.com/mlvc/mlvc/objects"
)

// builder encodes one node after the other; its buffers are used again.
type builder struct {
	level  uint8
	body   []byte // the encoded entries
	last   []byte // the last key
	len    int
	weight int
	count  int64 // map entries in the node and below
}

// add appends an entry; its key is above all earlier ones. It copies both.
func (b *builder) add(key, value []byte, weight int) {
	shared := sharedPrefix(b.last, key)
	b.body = binary.AppendUvarint(b.body, uint64(shared))
	b.body = binary.AppendUvarint(b.body, uint64(len(key)-shared))
	b.body = append(b.body, key[shared:]...)
	b.body = binary.AppendUvarint(b.body, uint64(len(value)))
	b.body = append(b.body, value...)
	b.last = append(b.last[:shared], key[shared:]...)
	b.len++
	b.weight += weight
	if b.level == 0 {
		b.count++
	} else {
		b.count += refCount(value)
	}
}

// object returns the node as an object, with bytes of its own.
func (b *builder) object() objects.Object {
	data := make([]byte, 0, 4+len(b.body))
	data = append(data, nodeVersion, b.level)
	data = binary.AppendUvarint(data, uint64(b.len))
	return objects.Object{Kind: objects.KindNode, Data: append(data, b.body...)}
}

// reset makes the builder ready for the next node of the level.
func (b *builder) reset() {
	*b = builder{level: b.level, body: b.body[:0], last: b.last[:0]}
}

// sharedPrefix returns how many bytes a and b begin with alike.
func sharedPrefix(a, b []byte) int {
	i, n := 0, min(len(a), len(b))
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}
