package split

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

var update = flag.Bool("update", false, "write the vectors anew; only for a new version of a format")

const vectorFile = "../../../testdata/vectors/split.json"

// vectors is testdata/vectors/split.json, which FORMAT.md explains.
type vectors struct {
	Elements     []elementVector     `json:"elements"`
	Fingerprints []fingerprintVector `json:"fingerprints"`
	Orders       []orderVector       `json:"orders"`
	Logarithms   []logarithmVector   `json:"logarithms"`
	Draws        []drawVector        `json:"draws"`
	Assigned     []assignedVector    `json:"assigned"`
	Epochs       []epochVector       `json:"epochs"`
}

type sampleVector struct {
	Kind string     `json:"kind"`
	Path string     `json:"path"`
	ID   objects.ID `json:"id"`
}

type elementVector struct {
	Sample sampleVector `json:"sample"`
	First  string       `json:"first"` // 32 bytes
	Last   string       `json:"last"`  // 32 bytes
}

type fingerprintVector struct {
	Samples     []sampleVector `json:"samples"`
	Times       int            `json:"times"`
	Fingerprint objects.ID     `json:"fingerprint"`
}

type orderVector struct {
	Seed string `json:"seed"`
	Kind string `json:"kind"`
	Key  string `json:"key"`
	ID   string `json:"id"`
}

type logarithmVector struct {
	X   string `json:"x"`
	Log string `json:"log"`
}

type drawVector struct {
	Rule   string   `json:"rule"`
	Groups []string `json:"groups"`
	Splits []string `json:"splits"`
}

type assignedVector struct {
	Ratios []Ratio       `json:"ratios"`
	Seed   string        `json:"seed"`
	Groups []groupVector `json:"groups"`
}

type groupVector struct {
	Key    string `json:"key"`
	Label  uint32 `json:"label"`
	Count  uint32 `json:"count"`
	Before string `json:"before,omitempty"`
	Split  string `json:"split"`
}

type epochVector struct {
	Seed  string   `json:"seed"`
	Epoch int      `json:"epoch"`
	Paths []string `json:"paths"`
}

func TestVectors(t *testing.T) {
	made := vectors{
		Elements: madeElements(), Fingerprints: madeFingerprints(), Orders: madeOrders(), Logarithms: madeLogarithms(),
		Draws: madeDraws(t), Assigned: madeAssigned(), Epochs: madeEpochs(t),
	}
	if *update {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		if err := enc.Encode(made); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Error(diff)
	}
}

func sampleVectors() []sampleVector {
	abc := objects.Sum(objects.KindChunk, []byte("abc"))
	return []sampleVector{{"f", "train/a.png", abc}, {"f", "", objects.Sum(objects.KindChunk, nil)}, {"r", "train/a.png", abc}}
}

func madeElements() (list []elementVector) {
	for _, v := range sampleVectors() {
		var e element
		newExpander().expand(appendSample(nil, v.Kind[0], v.Path, v.ID), &e)
		list = append(list, elementVector{v, hex.EncodeToString(e[:32]), hex.EncodeToString(e[len(e)-32:])})
	}
	return list
}

func madeFingerprints() (list []fingerprintVector) {
	all := sampleVectors()
	for _, v := range []fingerprintVector{
		{Samples: []sampleVector{}, Times: 1},
		{Samples: all[:1], Times: 1},
		{Samples: all, Times: 1},
		{Samples: all[2:], Times: 65536},
	} {
		sum := sumOf(v.Samples...)
		for n := 1; n < v.Times; n *= 2 {
			sum.join(sum)
		}
		v.Fingerprint = sum.Fingerprint()
		list = append(list, v)
	}
	return list
}

func sumOf(samples ...sampleVector) *Sum {
	s := newSummer()
	for _, e := range samples {
		s.add([]int{0}, false, e.Kind[0], e.Path, e.ID)
	}
	if sums := s.finish(); len(sums) > 0 {
		return sums[0]
	}
	return &Sum{}
}

func madeOrders() (list []orderVector) {
	for _, v := range []orderVector{{"", "p", "train/a.png", ""}, {"s", "p", "train/a.png", ""}, {"s", "k", "patient-7", ""}, {"", "k", "", ""}} {
		id := orderOf(v.Seed, v.Kind[0], v.Key)
		v.ID = hex.EncodeToString(id[:])
		list = append(list, v)
	}
	return list
}

func madeLogarithms() (list []logarithmVector) {
	for _, x := range []uint64{0, 1, 2, 1<<63 - 1, 1 << 63, 3<<62 - 1, 0x123456789abcdef, 1<<64 - 2, 1<<64 - 1} {
		list = append(list, logarithmVector{fmt.Sprintf("%016x", x), fmt.Sprintf("%010x", minusLog2(x))})
	}
	return list
}

func madeDraws(t *testing.T) (list []drawVector) {
	for _, rule := range []string{
		`{"group":{"column":"g"},"ratios":{"test":1,"train":8,"val":1},"table":["t.csv"]}`,
		`{"folds":5,"group":{"column":"g"},"seed":"s","table":["t.csv"]}`,
	} {
		s, err := ParseRule("rows", rule)
		if err != nil {
			t.Fatal(err)
		}
		v := drawVector{Rule: rule}
		for i := range 12 {
			g := fmt.Sprintf("group-%d", i)
			name, err := s.RowSplit(Row{Values: []string{g}})
			if err != nil {
				t.Fatal(err)
			}
			v.Groups, v.Splits = append(v.Groups, g), append(v.Splits, name)
		}
		list = append(list, v)
	}
	return list
}

func madeAssigned() (list []assignedVector) {
	for _, ratios := range [][]Ratio{{{"test", 1}, {"train", 8}, {"val", 1}}, {{"fold-1", 1}, {"fold-2", 1}, {"fold-3", 1}}} {
		v := assignedVector{Ratios: ratios, Seed: "s"}
		var groups []group
		for i := range 24 {
			key := fmt.Sprintf("group-%d", i)
			groups = append(groups, group{id: orderOf("s", byKey, key), split: -1, label: uint32(i % 2), count: uint32(1 + i%5)})
		}
		groups[3].split = 1
		q := newQuotas(Scheme{Ratios: ratios})
		q.hold(groups[3].label, 1, int64(groups[3].count))
		q.open(Scheme{Ratios: ratios})
		q.assignNew(groups)
		for i, g := range groups {
			made := groupVector{fmt.Sprintf("group-%d", i), g.label, g.count, "", ratios[g.split].Split}
			if i == 3 {
				made.Before = ratios[1].Split
			}
			v.Groups = append(v.Groups, made)
		}
		list = append(list, v)
	}
	return list
}

func madeEpochs(t *testing.T) (list []epochVector) {
	for epoch := range 2 {
		samples, err := Shuffled(func(yield func(dataset.Sample, error) bool) {
			for i := range 8 {
				if !yield(dataset.Sample{Path: fmt.Sprintf("%d.png", i)}, nil) {
					return
				}
			}
		}, "s", epoch)
		if err != nil {
			t.Fatal(err)
		}
		v := epochVector{Seed: "s", Epoch: epoch}
		for _, s := range samples {
			v.Paths = append(v.Paths, s.Path)
		}
		list = append(list, v)
	}
	return list
}

// 65,536 equal rows add up to nothing in the lanes; the fingerprint is another
// all the same.
func TestManyEqualRows(t *testing.T) {
	sum := func(row string) *Sum {
		s := sumOf(sampleVector{"r", "t.csv", objects.Sum(objects.KindChunk, []byte(row))})
		for range 16 {
			s.join(s)
		}
		return s
	}
	cat, dog := sum("cat"), sum("dog")
	if cat.lanes != dog.lanes || cat.count != dog.count {
		t.Fatal("the lanes do not wrap as they should")
	}
	if cat.Fingerprint() == dog.Fingerprint() {
		t.Error("equal fingerprints of different rows")
	}
}

// What is added and taken out again leaves nothing.
func TestSumUndoes(t *testing.T) {
	var s Sum
	x := newExpander()
	var e [3]element
	for i := range e {
		x.expand([]byte{byte(i)}, &e[i])
		s.add(&e[i])
	}
	kept := s
	s.add(&e[0])
	s.remove(&e[0])
	if s != kept {
		t.Error("adding and removing one is not nothing")
	}
	for i := range e {
		s.remove(&e[i])
	}
	if s != (Sum{}) {
		t.Error("something is left")
	}
}
