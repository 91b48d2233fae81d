package objects_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/objects"
)

func sample() objects.Commit {
	return objects.Commit{
		Version: 1,
		Tree:    objects.Sum(objects.KindNode, []byte("tree")),
		Parents: []objects.ID{objects.Sum(objects.KindCommit, []byte("parent"))},
		Kind:    objects.Incremental,
		Base:    objects.Sum(objects.KindCommit, []byte("parent")),
		Delta:   objects.Delta{Added: 3, AddedBytes: 1000, Files: 10, Bytes: 1 << 40},
		Author:  objects.Signature{Name: "Ada", Email: "ada@example.org"},
		Time:    time.Date(2026, 11, 24, 5, 0, 0, 0, time.FixedZone("", 3600)),
		Message: "more rows",
		Meta:    map[string]string{"source": "camera 3"},
	}
}

func TestCommitRoundTrip(t *testing.T) {
	want := sample()
	want.Unknown = map[string]cbor.RawMessage{"zz_later": {0x01}}
	o, err := objects.EncodeCommit(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := objects.DecodeCommit(o)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Time.Equal(want.Time) {
		t.Fatalf("time %v, want %v", got.Time, want.Time)
	}
	again, err := objects.EncodeCommit(got)
	if err != nil || again.ID() != o.ID() {
		t.Fatalf("re-encoding changed the commit: %v", err)
	}
	got.Time = want.Time
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestCommitOfNewerVersion(t *testing.T) {
	data, err := objects.MarshalRecord(map[string]any{"version": 2, "kind": "full"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = objects.DecodeCommit(objects.Object{Kind: objects.KindCommit, Data: data})
	if !errors.Is(err, objects.ErrNewer) {
		t.Fatalf("got %v, want ErrNewer", err)
	}
}

func FuzzDecodeCommit(f *testing.F) {
	o, err := objects.EncodeCommit(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(o.Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := objects.DecodeCommit(objects.Object{Kind: objects.KindCommit, Data: data})
		if err != nil {
			return
		}
		again, err := objects.EncodeCommit(c)
		if err != nil || string(again.Data) != string(data) {
			t.Fatalf("accepted bytes do not re-encode to themselves: %v", err)
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	id := objects.Sum(objects.KindChunk, []byte("x"))
	f.Add(objects.Entry{Mode: objects.ModeDir}.Append(nil))
	f.Add(objects.Entry{Mode: objects.ModeFile, Size: 1, Content: id}.Append(nil))
	f.Add(objects.Entry{Mode: objects.ModeExec, Size: 1 << 40, Content: id, List: id}.Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := objects.DecodeEntry(data)
		if err != nil {
			return
		}
		if again := e.Append(nil); string(again) != string(data) {
			t.Fatalf("accepted bytes %x re-encode to %x", data, again)
		}
	})
}
