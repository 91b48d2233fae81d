package store

import (
	"bytes"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
)

// Numbers frozen by FORMAT.md.
func TestRecordVectors(t *testing.T) {
	loc := location{Pack: 1, Offset: 16, Length: 300, Size: 290}
	if got, want := loc.append(nil), []byte{1, 16, 0xac, 2, 0xa2, 2}; !bytes.Equal(got, want) {
		t.Errorf("location %x, want %x", got, want)
	}
	m := Marking{Generation: 2, Time: time.Unix(1_000_000_000, 0)}
	want := append([]byte{2, 0x80, 0x94, 0xeb, 0xdc, 3}, make([]byte, 32)...)
	if got := m.encode(); !bytes.Equal(got, want) {
		t.Errorf("marking %x, want %x", got, want)
	}
}

func FuzzDecodeRecords(f *testing.F) {
	f.Add(location{Pack: 1, Offset: 16, Length: 300, Size: 290}.append(nil))
	f.Add(Marking{Generation: 2, Time: time.Unix(1e9, 0)}.encode())
	node := objects.Object{Kind: objects.KindNode, Data: []byte{1, 0, 0}}
	f.Add(encodeMeta(pack.Compress(node.ID(), node)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if loc, err := decodeLocation(objects.ID{}, b); err == nil && !bytes.Equal(loc.append(nil), b) {
			t.Errorf("location %x", b)
		}
		if m, err := decodeMarking(b); err == nil && !bytes.Equal(m.encode(), b) {
			t.Errorf("marking %x", b)
		}
		if o, err := decodeMeta(node.ID(), b); err == nil && o.ID() != node.ID() {
			t.Errorf("object %x", b)
		}
	})
}
