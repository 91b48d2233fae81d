package backup

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/objects"
)

var exampleList = List{
	Version: 1, Repository: "00112233445566778899aabbccddeeff",
	Sets: []Set{
		{
			Label: "20261123-041900F", Manifest: objects.ID{1}, Commit: objects.ID{2}, Bytes: 1000,
			Verified: &Check{When: 1764064800, OK: true, Percent: 100}, Drilled: &Check{When: 1764064900, Percent: 5},
		},
		{Label: "20261123-041900F_20261124-040000I", Base: "20261123-041900F", Manifest: objects.ID{3}, Commit: objects.ID{4}, Bytes: 10},
		{Label: "20261123-041900F_20261125-040000D", Base: "20261123-041900F", Manifest: objects.ID{5}, Commit: objects.ID{6}, Bytes: 20, Expiring: 1764151200},
	},
}

var exampleManifest = Manifest{
	Version: 1, Label: "20261123-041900F_20261125-040000I", Repository: "00112233445566778899aabbccddeeff", Kind: objects.Incremental,
	Chain:  []Link{{"20261123-041900F", objects.ID{1}}, {"20261123-041900F_20261124-040000D", objects.ID{3}}},
	Commit: objects.ID{4}, Tree: objects.ID{5}, Files: 7, Content: 8000, Operation: objects.ID{6}, TipOnly: true, Parity: "10+1",
	Index: &IndexRef{ID: objects.ID{7}, Size: 300, Records: 3},
	Tip:   Count{Objects: 2, Packs: 1, Bytes: 500}, Rest: Count{Objects: 1, Packs: 1, Bytes: 90},
}

func TestLabel(t *testing.T) {
	at := time.Date(2026, 11, 24, 5, 0, 0, 0, time.FixedZone("", 3600))
	for _, kind := range []objects.CommitKind{objects.Full, objects.Incremental, objects.Differential} {
		l := newLabel("20261123-041900F_20261123-050000I", kind, at)
		got, err := ParseLabel(string(l))
		if err != nil || got != l || l.Kind() != kind || !l.Time().Equal(at) {
			t.Errorf("%s: %v, %v, %v", l, err, l.Kind(), l.Time())
		}
		if back, ok := LabelOf(l.folder() + "x.pack"); !ok || back != l {
			t.Errorf("%s: the folder %s is that of %s", l, l.folder(), back)
		}
		if want := Label("20261123-041900F"); kind != objects.Full && l.Full() != want {
			t.Errorf("%s is on %s", l, l.Full())
		}
	}
	for _, s := range []string{
		"", "F", "20261123-041900", "20261123-041900I", "20261123-041900f", "20261323-041900F", "20261123-246000F",
		"20261123-041900F_20261124-040000F", "20261123-041900I_20261124-040000I", "20261123-041900F-20261124-040000I",
		"20261123-041900F_20261124-040000I_20261124-040000I", "../../../../aaF", "2026112/-041900F",
	} {
		if l, err := ParseLabel(s); err == nil {
			t.Errorf("%q is %s", s, l)
		}
	}
}

func TestEveryChangeIsNoticed(t *testing.T) {
	list, err := EncodeList(exampleList)
	if err != nil {
		t.Fatal(err)
	}
	manifest, id, err := EncodeManifest(exampleManifest)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data   []byte
		decode func([]byte) error
	}{
		"list": {list, func(b []byte) error {
			got, err := DecodeList(b)
			if err == nil && !cmp.Equal(got, exampleList) {
				t.Error(cmp.Diff(exampleList, got))
			}
			return err
		}},
		"manifest": {manifest, func(b []byte) error {
			got, err := DecodeManifest(b, id)
			if err == nil && !cmp.Equal(got, exampleManifest) {
				t.Error(cmp.Diff(exampleManifest, got))
			}
			return err
		}},
	} {
		if err := c.decode(c.data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i := range c.data {
			if err := c.decode(c.data[:i]); !errors.Is(err, objects.ErrCorrupt) {
				t.Fatalf("%s: %d bytes: %v", name, i, err)
			}
			for bit := range 8 {
				flipped := bytes.Clone(c.data)
				flipped[i] ^= 1 << bit
				if err := c.decode(flipped); !errors.Is(err, objects.ErrCorrupt) {
					t.Fatalf("%s: bit %d of byte %d flipped: %v", name, bit, i, err)
				}
			}
		}
	}
}

func sealList(record []byte) []byte {
	sum := objects.Derive(listContext, record)
	return append(bytes.Clone(record), sum[:]...)
}

func TestListRefuses(t *testing.T) {
	set := func(i int, fn func(*Set)) func(*List) { return func(l *List) { fn(&l.Sets[i]) } }
	for name, change := range map[string]func(*List){
		"no repository":           func(l *List) { l.Repository = "" },
		"much about encryption":   func(l *List) { l.Crypt = make([]byte, maxCrypt+1) },
		"out of order":            func(l *List) { l.Sets[1], l.Sets[2] = l.Sets[2], l.Sets[1] },
		"a set twice":             func(l *List) { l.Sets[1] = l.Sets[0] },
		"no label":                set(0, func(s *Set) { s.Label = "x" }),
		"no manifest":             set(0, func(s *Set) { s.Manifest = objects.ID{} }),
		"no commit":               set(0, func(s *Set) { s.Commit = objects.ID{} }),
		"negative":                set(0, func(s *Set) { s.Bytes = -1 }),
		"percent":                 set(0, func(s *Set) { s.Verified = &Check{When: 1, Percent: 101} }),
		"a full with a base":      set(0, func(s *Set) { s.Base = "20261122-041900F" }),
		"no base":                 set(1, func(s *Set) { s.Base = "" }),
		"another chain's base":    set(1, func(s *Set) { s.Base = "20261122-041900F" }),
		"its own base":            set(1, func(s *Set) { s.Base = s.Label }),
		"the base is not there":   func(l *List) { l.Sets = l.Sets[1:] },
		"differential on another": set(2, func(s *Set) { s.Base = "20261123-041900F_20261124-040000I" }),
	} {
		l := exampleList.clone()
		change(&l)
		record, err := objects.MarshalRecord(l, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeList(sealList(record)); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := EncodeList(l); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
	newer, err := objects.MarshalRecord(map[string]any{"version": 2, "other": "fields"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeList(sealList(newer)); !errors.Is(err, objects.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
	if _, err := DecodeManifest(newer, objects.Derive(manifestContext, newer)); !errors.Is(err, objects.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

func TestManifestRefuses(t *testing.T) {
	for name, change := range map[string]func(*Manifest){
		"no label":             func(m *Manifest) { m.Label = "" },
		"another kind":         func(m *Manifest) { m.Kind = objects.Differential },
		"no repository":        func(m *Manifest) { m.Repository = "" },
		"no commit":            func(m *Manifest) { m.Commit = objects.ID{} },
		"no tree":              func(m *Manifest) { m.Tree = objects.ID{} },
		"no chain":             func(m *Manifest) { m.Chain = nil },
		"chain without a full": func(m *Manifest) { m.Chain = m.Chain[1:] },
		"chain of another":     func(m *Manifest) { m.Chain = []Link{{"20261122-041900F", objects.ID{1}}} },
		"chain without ID":     func(m *Manifest) { m.Chain = []Link{{m.Chain[0].Label, objects.ID{}}} },
		"negative":             func(m *Manifest) { m.Rest.Bytes = -1 },
		"index without ID":     func(m *Manifest) { m.Index = &IndexRef{Size: 1, Records: 1} },
		"index of no bytes":    func(m *Manifest) { m.Index = &IndexRef{ID: objects.ID{1}, Records: 1} },
	} {
		m := exampleManifest
		change(&m)
		data, err := objects.MarshalRecord(m, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeManifest(data, objects.Derive(manifestContext, data)); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := EncodeManifest(m); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

// FuzzList gives the list any bytes; the checksum is made right.
func FuzzList(f *testing.F) {
	data, err := EncodeList(exampleList)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:len(data)-objects.IDSize])
	f.Fuzz(func(t *testing.T, record []byte) {
		data := sealList(record)
		l, err := DecodeList(data)
		if err != nil {
			return
		}
		if again, err := EncodeList(l); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted bytes are encoded differently: %v", err)
		}
		for _, s := range l.Sets {
			if chain := l.Chain(s.Label); len(chain) == 0 || chain[0].Base != "" {
				t.Fatalf("chain of %s: %v", s.Label, chain)
			}
		}
	})
}

// FuzzManifest gives the manifest any bytes; the ID is made right.
func FuzzManifest(f *testing.F) {
	data, _, err := EncodeManifest(exampleManifest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeManifest(data, objects.Derive(manifestContext, data))
		if err != nil {
			return
		}
		if again, _, err := EncodeManifest(m); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted bytes are encoded differently: %v", err)
		}
	})
}

// What an object is shows in its key, also while it waits to take the place of a
// damaged one.
func TestKinds(t *testing.T) {
	for key, want := range map[string]struct{ record, sealed bool }{
		"sets/20261123-041900f/x.manifest":      {true, true},
		"sets/20261123-041900f/x.copy":          {true, true},
		"sets/20261123-041900f/x.idx":           {true, true},
		"sets/20261123-041900f/x.idx.healed":    {true, true},
		"sets/20261123-041900f/x.pack":          {false, true},
		"sets/20261123-041900f/begun":           {false, true},
		"sets/20261123-041900f/x.parity":        {false, false},
		"sets/20261123-041900f/x.parity.healed": {false, false},
		"keys/backup":                           {false, false},
		"keys/0123.age":                         {false, false},
		"backup":                                {false, false},
	} {
		if got := IsRecord(key); got != want.record {
			t.Errorf("%s: a record: %v", key, got)
		}
		if got := IsSealed(key); got != want.sealed {
			t.Errorf("%s: sealed: %v", key, got)
		}
	}
}

func FuzzLabel(f *testing.F) {
	f.Add("20261123-041900F_20261124-040000I")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLabel(s)
		if err != nil {
			return
		}
		if back, ok := LabelOf(l.folder() + "x"); !ok || back != l || string(l) != s {
			t.Fatalf("%q: the folder %q is that of %q", s, l.folder(), back)
		}
	})
}

var update = flag.Bool("update", false, "write the vectors anew; only for a new version of a format")

const vectorFile = "../../testdata/vectors/backup.json"

// vectors are the frozen examples of the formats of a destination.
type vectors struct {
	List struct {
		Record List   `json:"record"`
		Hex    string `json:"hex"`
	} `json:"list"`
	Manifest struct {
		Record Manifest   `json:"record"`
		ID     objects.ID `json:"id"`
		Hex    string     `json:"hex"`
	} `json:"manifest"`
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	raw, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	list, err := EncodeList(v.List.Record)
	if err != nil || hex.EncodeToString(list) != v.List.Hex {
		t.Errorf("list: %x, %v", list, err)
	}
	manifest, id, err := EncodeManifest(v.Manifest.Record)
	if err != nil || hex.EncodeToString(manifest) != v.Manifest.Hex || id != v.Manifest.ID {
		t.Errorf("manifest: %x, %s, %v", manifest, id, err)
	}
}

func writeVectors(t *testing.T) {
	var v vectors
	list, err := EncodeList(exampleList)
	if err != nil {
		t.Fatal(err)
	}
	manifest, id, err := EncodeManifest(exampleManifest)
	if err != nil {
		t.Fatal(err)
	}
	v.List.Record, v.List.Hex = exampleList, hex.EncodeToString(list)
	v.Manifest.Record, v.Manifest.ID, v.Manifest.Hex = exampleManifest, id, hex.EncodeToString(manifest)
	out, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = os.WriteFile(vectorFile, append(out, '\n'), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}
