package refs

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/objects"
)

var update = flag.Bool("update", false, "write the vectors anew; only for a new version of a format")

const vectorFile = "../testdata/vectors/refs.json"

// vectors are the frozen examples of this package's formats.
type vectors struct {
	Values []struct {
		Commit objects.ID `json:"commit,omitzero"`
		Branch Name       `json:"branch,omitempty"`
		Hex    string     `json:"hex"`
	} `json:"values"`
	Operations []vectorOp `json:"operations"`
	Pointers   []struct {
		Operation objects.ID `json:"operation"`
		Text      string     `json:"text"`
	} `json:"pointers"`
}

type vectorOp struct {
	Prev   objects.ID        `json:"prev,omitzero"`
	View   objects.ID        `json:"view"`
	When   time.Time         `json:"when"`
	Who    objects.Signature `json:"who"`
	Reason string            `json:"reason"`
	Moves  []Move            `json:"moves"`
	Undoes objects.ID        `json:"undoes,omitzero"`

	Unseals []Unseal `json:"unseals,omitempty"`

	Hex string     `json:"hex"`
	ID  objects.ID `json:"id"`
}

func (v vectorOp) op() Op {
	op := Op{
		Prev: v.Prev, View: v.View, When: v.When,
		Who: v.Who, Reason: v.Reason, Moves: v.Moves, Undoes: v.Undoes, Unseals: v.Unseals,
	}
	op.Version = op.version()
	return op
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	got := encodeVectors(t, want)
	if *update {
		writeVectors(t, got)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	for _, v := range want.Operations {
		raw, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		op, err := DecodeOp(objects.Object{Kind: objects.KindOperation, Data: raw})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v.op(), op, cmp.Comparer(time.Time.Equal)); diff != "" {
			t.Fatal(diff)
		}
	}
	for _, v := range want.Pointers {
		if id, err := decodePointer([]byte(v.Text)); err != nil || id != v.Operation {
			t.Fatalf("pointer: %s, %v", id, err)
		}
	}
}

// encodeVectors encodes the values of v anew.
func encodeVectors(t *testing.T, v vectors) vectors {
	var got vectors
	got.Values = append(got.Values, v.Values...)
	for i, value := range got.Values {
		data, err := Value{Commit: value.Commit, Branch: value.Branch}.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		got.Values[i].Hex = hex.EncodeToString(data)
	}
	got.Operations = append(got.Operations, v.Operations...)
	for i, op := range got.Operations {
		o, err := EncodeOp(op.op())
		if err != nil {
			t.Fatal(err)
		}
		got.Operations[i].Hex, got.Operations[i].ID = hex.EncodeToString(o.Data), o.ID()
	}
	got.Pointers = append(got.Pointers, v.Pointers...)
	for i, p := range got.Pointers {
		got.Pointers[i].Text = string(encodePointer(p.Operation))
	}
	return got
}

func writeVectors(t *testing.T, v vectors) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}
