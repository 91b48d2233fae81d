package prolly

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/objecttest"
)

const vectorFile = "../../testdata/vectors/prolly.json"

// vectors is testdata/vectors/prolly.json, which FORMAT.md explains.
type vectors struct {
	About   string       `json:"about"`
	Hashes  []hashVector `json:"hashes"`
	Nodes   []nodeVector `json:"nodes"`
	Refused []struct {
		Why   string   `json:"why"`
		Bytes hexBytes `json:"bytes"`
	} `json:"refused"`
	Maps []mapVector `json:"maps"`
}

type hashVector struct {
	Level uint8    `json:"level"`
	Key   hexBytes `json:"key"`
	Hash  string   `json:"hash"`
}

type nodeVector struct {
	Level   uint8         `json:"level"`
	Entries [][2]hexBytes `json:"entries"`
	Bytes   hexBytes      `json:"bytes"`
	ID      objects.ID    `json:"id"`
}

type mapVector struct {
	Entries int        `json:"entries"`
	Repeat  int        `json:"repeat"`
	Root    objects.ID `json:"root"`
	Nodes   []int      `json:"nodes"` // of each level, leaves first
}

type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

func TestVectors(t *testing.T) {
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	for _, h := range v.Hashes {
		if got := fmt.Sprintf("%016x", cutHash(h.Level, h.Key)); got != h.Hash {
			t.Errorf("hash of %x at level %d: %s, want %s", h.Key, h.Level, got, h.Hash)
		}
	}
	for _, n := range v.Nodes {
		checkNodeVector(t, n)
	}
	for _, r := range v.Refused {
		if _, err := DecodeNode(objects.Object{Kind: objects.KindNode, Data: r.Bytes}); err == nil {
			t.Errorf("accepted: %s", r.Why)
		}
	}
	for _, m := range v.Maps {
		if diff := cmp.Diff(m, sampleMap(t, m.Entries, m.Repeat)); diff != "" {
			t.Errorf("map of %d entries:\n%s", m.Entries, diff)
		}
	}
	if len(v.Hashes) == 0 || len(v.Nodes) == 0 || len(v.Refused) == 0 || len(v.Maps) == 0 {
		t.Error("vectors are missing")
	}
}

func checkNodeVector(t *testing.T, want nodeVector) {
	t.Helper()
	b := builder{level: want.Level}
	for _, e := range want.Entries {
		b.add(e[0], e[1], 1)
	}
	o := b.object()
	if !bytes.Equal(o.Data, want.Bytes) || o.ID() != want.ID {
		t.Errorf("encoded %x with ID %v, want %x with ID %v", o.Data, o.ID(), want.Bytes, want.ID)
	}
	n, err := DecodeNode(objects.Object{Kind: objects.KindNode, Data: want.Bytes})
	if err != nil || n.level != want.Level || n.Len() != len(want.Entries) {
		t.Errorf("decode %x: %v", want.Bytes, err)
	}
}

// sampleMap builds the map that FORMAT.md calls sample: entry i has the key
// "sample/" with i in 8 digits, and as its value the key's BLAKE3, repeated.
func sampleMap(t *testing.T, entries, repeat int) mapVector {
	t.Helper()
	s := objecttest.NewStore()
	m, err := Build(t.Context(), s, func(yield func(Item, error) bool) {
		for i := range entries {
			key := fmt.Appendf(nil, "sample/%08d", i)
			id := objects.Sum(objects.KindChunk, key)
			if !yield(Item{key, bytes.Repeat(id[:], repeat)}, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	v := mapVector{Entries: entries, Repeat: repeat, Root: m.Root()}
	err = m.Walk(t.Context(), s, Visitor{Node: func(_ objects.ID, n *Node, err error) error {
		for err == nil && len(v.Nodes) <= n.Level() {
			v.Nodes = append(v.Nodes, 0)
		}
		v.Nodes[n.Level()]++
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}
