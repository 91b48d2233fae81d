package prolly

import (
	"bytes"
	"testing"

	"github.com/mlvc/mlvc/objects"
)

func encode(n *Node) []byte {
	b := builder{level: n.level}
	for i := range n.Len() {
		b.add(n.Key(i), n.Value(i), 1)
	}
	return b.object().Data
}

func FuzzDecodeNode(f *testing.F) {
	leaf := builder{}
	leaf.add([]byte("a"), nil, 1)
	leaf.add([]byte("ab"), []byte("value"), 1)
	leaf.add([]byte("b"), bytes.Repeat([]byte("x"), 200), 1)
	inner := builder{level: 1}
	inner.add([]byte("b"), appendRef(nil, leaf.object().ID(), 3), 1)
	inner.add([]byte("c"), appendRef(nil, emptyRoot, 300), 1)
	for _, o := range []objects.Object{emptyNode, leaf.object(), inner.object()} {
		f.Add(o.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := DecodeNode(objects.Object{Kind: objects.KindNode, Data: data})
		if err != nil {
			return
		}
		if again := encode(n); !bytes.Equal(again, data) {
			t.Fatalf("accepted bytes %x re-encode to %x", data, again)
		}
		var count int64
		for i := range n.Len() {
			if i > 0 && bytes.Compare(n.Key(i-1), n.Key(i)) >= 0 {
				t.Fatalf("keys %q, %q", n.Key(i-1), n.Key(i))
			}
			if n.search(n.Key(i)) != i {
				t.Fatalf("key %q is not found", n.Key(i))
			}
			if n.Level() > 0 {
				count += n.childCount(i)
			} else {
				count++
			}
		}
		if n.Count() != count {
			t.Fatalf("count %d, want %d", n.Count(), count)
		}
	})
}

// What decodes to more than a node may hold is refused before it is held.
func TestDecodeNodeBoundsMemory(t *testing.T) {
	b := builder{}
	key := bytes.Repeat([]byte("k"), MaxKey)
	for i := range 200 {
		key[MaxKey-1] = byte(i)
		b.add(key, nil, 1)
	}
	data := b.object().Data
	if _, err := DecodeNode(objects.Object{Kind: objects.KindNode, Data: data}); err == nil {
		t.Errorf("%d bytes decoded to %d", len(data), 200*MaxKey)
	}
}
