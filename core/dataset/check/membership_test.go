package check

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
)

func drawEntries(r *rapid.T, name string) []entry {
	return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) entry {
		return entry{rapid.Uint64Range(0, 9).Draw(r, "key"), uint16(rapid.IntRange(0, 3).Draw(r, "split"))}
	}), 0, 30).Draw(r, name)
}

// Merging is what filling with everything would have been.
func TestMergeIsFill(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		old, in := drawEntries(r, "old"), drawEntries(r, "in")
		var out []entry
		for i, e := range old {
			if i%3 == 0 {
				out = append(out, e)
			}
		}
		var want, got membership
		rest := slices.Clone(old)
		for _, e := range out {
			i := slices.Index(rest, e)
			rest = slices.Delete(rest, i, i+1)
		}
		want.fill(append(rest, in...))
		got.fill(slices.Clone(old))
		if err := got.merge(out, in); err != nil || !bytes.Equal(got.entries, want.entries) {
			r.Fatal(err, got.entries, want.entries)
		}
		if got.merge([]entry{{key: 100}}, nil) == nil {
			r.Fatal("took out what was not there")
		}
	})
}

func TestCrossing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		all := drawEntries(r, "entries")
		splits := map[uint64]map[uint16]bool{}
		for _, e := range all {
			if splits[e.key] == nil {
				splits[e.key] = map[uint16]bool{}
			}
			splits[e.key][e.split] = true
		}
		var want []uint64
		for key, s := range splits {
			if len(s) > 1 {
				want = append(want, key)
			}
		}
		slices.Sort(want)
		var m membership
		m.fill(all)
		if got := m.crossing(); !slices.Equal(got, want) {
			r.Fatal(got, want)
		}
	})
}

// Whatever is read back as a membership reads the same when written again;
// nothing else does harm.
func FuzzMembership(f *testing.F) {
	m := membership{names: []string{"a", "b"}, overlap: pathSet{"x"}, bare: pathSet{"y"}, found: map[uint64][]string{7: {"p", "q"}}}
	m.fill([]entry{{7, 0}, {7, 1}})
	text, _ := objects.Unseal(membershipContext, m.encode())
	f.Add(text)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMembership(objects.Seal(membershipContext, b))
		if err != nil {
			return
		}
		again, err := decodeMembership(m.encode())
		if err != nil || !bytes.Equal(again.encode(), m.encode()) {
			t.Fatal("reads differently when written again", err)
		}
		m.crossing()
	})
}

func FuzzTableRows(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := decodeTableRows(objects.Seal(rowsContext, b), "t.csv")
		if err != nil {
			return
		}
		for range rows.all() {
		}
	})
}
