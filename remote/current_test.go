package remote

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/objects"
)

var currentExample = current{
	Version: currentVersion, Repository: "00112233445566778899aabbccddeeff", Operation: objects.ID{1},
	Segments: []segmentRef{{ID: objects.ID{2}, Size: 5000, Records: 100}, {ID: objects.ID{3}, Size: 200, Records: 2}},
	Replaced: []objects.ID{{4}},
	Dropped: []dropped{
		{When: 1764064800, Deleted: true, Packs: []objects.ID{{5}, {6}}},
		{When: 1764151200, Packs: []objects.ID{{7}}},
	},
}

func TestCurrentNoticesEveryChange(t *testing.T) {
	data, err := encodeCurrent(currentExample)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeCurrent(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(currentExample, got); diff != "" {
		t.Fatal(diff)
	}
	for i := range data {
		if _, err := decodeCurrent(data[:i]); !errors.Is(err, objects.ErrCorrupt) {
			t.Fatalf("%d bytes: %v", i, err)
		}
		for bit := range 8 {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << bit
			if _, err := decodeCurrent(flipped); !errors.Is(err, objects.ErrCorrupt) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, i, err)
			}
		}
	}
}

func TestCurrentRefuses(t *testing.T) {
	for name, change := range map[string]func(*current){
		"no repository":     func(c *current) { c.Repository = "" },
		"upper case":        func(c *current) { c.Repository = "00112233445566778899AABBCCDDEEFF" },
		"no operation":      func(c *current) { c.Operation = objects.ID{} },
		"no segment":        func(c *current) { c.Segments = nil },
		"a segment twice":   func(c *current) { c.Segments = []segmentRef{c.Segments[0], c.Segments[0]} },
		"replaced and not":  func(c *current) { c.Replaced = []objects.ID{{2}} },
		"too small":         func(c *current) { c.Segments = []segmentRef{{ID: objects.ID{2}, Size: 100, Records: 3}} },
		"too large":         func(c *current) { c.Segments = []segmentRef{{ID: objects.ID{2}, Size: maxSegment + 1, Records: 3}} },
		"too many records":  func(c *current) { c.Segments = []segmentRef{{ID: objects.ID{2}, Size: 1 << 30, Records: 1 << 62}} },
		"negative":          func(c *current) { c.Segments = []segmentRef{{ID: objects.ID{2}, Size: 100, Records: -3}} },
		"dropped not order": func(c *current) { c.Dropped = []dropped{{Packs: []objects.ID{{6}, {5}}}} },
		"dropped twice":     func(c *current) { c.Dropped = []dropped{{Packs: []objects.ID{{6}}}, {Packs: []objects.ID{{6}}}} },
		"dropped none":      func(c *current) { c.Dropped = []dropped{{When: 1}} },
	} {
		c := currentExample
		change(&c)
		record, err := objects.MarshalRecord(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeCurrent(currentSeal(record)); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := encodeCurrent(c); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
	newer, err := objects.MarshalRecord(map[string]any{"version": 2, "other": "fields"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeCurrent(currentSeal(newer)); !errors.Is(err, objects.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

func currentSeal(record []byte) []byte {
	sum := objects.Derive(currentContext, record)
	return append(bytes.Clone(record), sum[:]...)
}

// FuzzCurrent gives the record any bytes; the checksum is made right.
func FuzzCurrent(f *testing.F) {
	data, err := encodeCurrent(currentExample)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:len(data)-objects.IDSize])
	f.Fuzz(func(t *testing.T, record []byte) {
		data := currentSeal(record)
		c, err := decodeCurrent(data)
		if err != nil {
			return
		}
		if again, err := encodeCurrent(c); err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted bytes are encoded differently: %v", err)
		}
	})
}

var depotUpdate = flag.Bool("update", false, "write the vectors anew; only for a new version of a format")

const depotVectorFile = "../testdata/vectors/depot.json"

// depotVectors are the frozen examples of the formats of a depot.
type depotVectors struct {
	Current []struct {
		Record current `json:"record"`
		Hex    string  `json:"hex"`
	} `json:"current"`
	Segments []depotVectorSegment `json:"segments"`
}

type depotVectorSegment struct {
	Records int64      `json:"records"`
	Packs   int        `json:"packs"`
	ID      objects.ID `json:"id"`
	Hex     string     `json:"hex"`
}

func TestDepotVectors(t *testing.T) {
	if *depotUpdate {
		depotWriteVectors(t)
	}
	raw, err := os.ReadFile(depotVectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v depotVectors
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Current {
		data, err := encodeCurrent(c.Record)
		if err != nil || hex.EncodeToString(data) != c.Hex {
			t.Fatalf("%x, %v", data, err)
		}
	}
	if len(v.Current) == 0 || len(v.Segments) == 0 {
		t.Fatal("no vectors")
	}
	for _, s := range v.Segments {
		data, err := hex.DecodeString(s.Hex)
		if err != nil {
			t.Fatal(err)
		}
		got, err := segmentDecode(t, data, s.Records)
		if err != nil {
			t.Fatal(err)
		}
		if got.ref.ID != s.ID || len(got.packs) != s.Packs || !bytes.Equal(segmentSeed(t), data) {
			t.Fatalf("segment %s", got.ref.ID)
		}
	}
}

func depotWriteVectors(t *testing.T) {
	var v depotVectors
	data, err := encodeCurrent(currentExample)
	if err != nil {
		t.Fatal(err)
	}
	v.Current = append(v.Current, struct {
		Record current `json:"record"`
		Hex    string  `json:"hex"`
	}{currentExample, hex.EncodeToString(data)})
	seed := segmentSeed(t)
	v.Segments = []depotVectorSegment{{Records: 3, Packs: 2, ID: objects.Derive(segmentContext, seed), Hex: hex.EncodeToString(seed)}}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(depotVectorFile, append(out, '\n'), 0o666); err != nil {
		t.Fatal(err)
	}
}
