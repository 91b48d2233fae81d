package prolly

import (
	"fmt"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/objecttest"
)

func BenchmarkBuild1M(b *testing.B) {
	for b.Loop() {
		bigMap(b, objecttest.NewStore(), 1_000_000)
	}
}

// BenchmarkItems1M is the part of Build1M that makes the input.
func BenchmarkItems1M(b *testing.B) {
	for b.Loop() {
		for range bigItems(1_000_000) {
		}
	}
}

func BenchmarkApplyOneOf1M(b *testing.B) {
	s := objecttest.NewStore()
	m := bigMap(b, s, 1_000_000)
	i := 0
	for b.Loop() {
		i++
		e := Edit{Key: []byte(bigKey(i * 7919 % 2_000_000)), Value: []byte("a new value")}
		mustApply(b, s, m, sequence([]Edit{e}), standard)
	}
}

func BenchmarkDiffTenOf1M(b *testing.B) {
	s := objecttest.NewStore()
	m := bigMap(b, s, 1_000_000)
	var edits []Edit
	for i := range 10 {
		edits = append(edits, Edit{Key: []byte(bigKey(i * 190_000)), Value: []byte("a new value")})
	}
	changed := mustApply(b, s, m, sequence(edits), standard)
	for b.Loop() {
		if n := len(collect(b, Diff(b.Context(), s, m, changed))); n != 10 {
			b.Fatal(n)
		}
	}
}

func BenchmarkAll1M(b *testing.B) {
	s := objecttest.NewStore()
	m := bigMap(b, s, 1_000_000)
	for b.Loop() {
		for _, err := range m.All(b.Context(), s) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkDecodeNode(b *testing.B) {
	s := objecttest.NewStore()
	m := bigMap(b, s, 10_000)
	var leaf objects.Object
	err := m.Walk(b.Context(), s, Visitor{Node: func(_ objects.ID, n *Node, err error) error {
		if err == nil && n.level == 0 && leaf.Data == nil && n.Len() > 120 {
			leaf = objects.Object{Kind: objects.KindNode, Data: n.data}
		}
		return err
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(leaf.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeNode(leaf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCutHash(b *testing.B) {
	key := []byte(fmt.Sprint(bigKey(4711)))
	b.SetBytes(int64(len(key)))
	for b.Loop() {
		cutHash(0, key)
	}
}
