package objects_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/objects"
)

var update = flag.Bool("update", false, "write the vectors anew; only for a new version of a format")

const vectorDir = "../testdata/vectors/"

// vectorFile reads a file of vectors, or with -update writes it.
func vectorFile[T any](t *testing.T, name string, made T) T {
	t.Helper()
	if *update {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		if err := enc.Encode(made); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorDir+name, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(vectorDir + name)
	if err != nil {
		t.Fatal(err)
	}
	var want T
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type idVector struct {
	Kind objects.Kind `json:"kind"`
	Name string       `json:"name"`
	Text string       `json:"text"`
	ID   objects.ID   `json:"id"`
}

func TestIDVectors(t *testing.T) {
	var made []idVector
	for kind := objects.KindChunk; kind.Valid(); kind++ {
		for _, text := range []string{"", "abc"} {
			made = append(made, idVector{kind, kind.String(), text, objects.Sum(kind, []byte(text))})
		}
	}
	if diff := cmp.Diff(vectorFile(t, "id.json", made), made); diff != "" {
		t.Error(diff)
	}
}

type entryVectors struct {
	Entries []entryVector `json:"entries"`
	Refused []refused     `json:"refused"`
}

type entryVector struct {
	Mode    string     `json:"mode"`
	Size    int64      `json:"size"`
	Content objects.ID `json:"content,omitzero"`
	List    objects.ID `json:"list,omitzero"`
	Hex     string     `json:"hex"`
}

type refused struct {
	Why string `json:"why"`
	Hex string `json:"hex"`
}

func TestEntryVectors(t *testing.T) {
	abc, list := objects.Sum(objects.KindChunk, []byte("abc")), objects.Sum(objects.KindList, []byte("abc"))
	entries := []objects.Entry{
		{Mode: objects.ModeFile, Size: 3, Content: abc},
		{Mode: objects.ModeExec, Size: 0, Content: objects.Sum(objects.KindChunk, nil)},
		{Mode: objects.ModeFile, Size: objects.SingleChunk, Content: abc},
		{Mode: objects.ModeFile, Size: objects.SingleChunk + 1, Content: abc, List: list},
		{Mode: objects.ModeSymlink, Size: 3, Content: abc},
		{Mode: objects.ModeDir},
	}
	var made entryVectors
	for _, e := range entries {
		made.Entries = append(made.Entries, entryVector{e.Mode.String(), e.Size, e.Content, e.List, hex.EncodeToString(e.Append(nil))})
	}
	file := entries[0].Append(nil)
	for why, b := range map[string][]byte{
		"empty":                       {},
		"mode 0":                      append([]byte{0}, file[1:]...),
		"mode 5":                      append([]byte{5}, file[1:]...),
		"a folder with content":       {4, 0},
		"a size longer than needed":   append([]byte{1, 0x83, 0}, file[2:]...),
		"one byte too few":            file[:len(file)-1],
		"one byte too many":           append(bytes.Clone(file), 0),
		"a large file without a list": entries[3].Append(nil)[:1+3+32],
		"a link target that is large": append([]byte{3}, entries[3].Append(nil)[1:]...),
	} {
		made.Refused = append(made.Refused, refused{why, hex.EncodeToString(b)})
	}
	want := vectorFile(t, "entry.json", made)
	if diff := cmp.Diff(want.Entries, made.Entries); diff != "" {
		t.Error(diff)
	}
	for i, v := range want.Entries {
		if e, err := objects.DecodeEntry(unhex(t, v.Hex)); err != nil || e != entries[i] {
			t.Errorf("%s: %+v, %v", v.Hex, e, err)
		}
	}
	for _, v := range want.Refused {
		if e, err := objects.DecodeEntry(unhex(t, v.Hex)); err == nil {
			t.Errorf("%s is accepted: %+v", v.Why, e)
		}
	}
}

type commitVectors struct {
	Commits []commitVector `json:"commits"`
	Refused []refused      `json:"refused"`
}

type commitVector struct {
	About  string          `json:"about"`
	Commit json.RawMessage `json:"commit"`
	Hex    string          `json:"hex"`
	ID     objects.ID      `json:"id"`
}

// sampleCommits are commits with few fields, with all, and with one of a later
// version.
func sampleCommits() map[string]objects.Commit {
	first := objects.Commit{
		Version: 1, Tree: objects.Sum(objects.KindNode, []byte("tree")), Generation: 1, Kind: objects.Full,
		Delta:  objects.Delta{Added: 2, AddedBytes: 7, Files: 2, Bytes: 7},
		Author: objects.Signature{Name: "Ada"}, Time: time.Date(2026, 11, 24, 5, 0, 0, 0, time.UTC), Message: "first",
	}
	id := objects.Sum(objects.KindCommit, []byte("other"))
	all := sample()
	all.Parents, all.Generation, all.Kind, all.Base = append(all.Parents, id), 7, objects.Differential, id
	all.Change = &objects.Delta{Changed: 1, ChangedBytes: 5, Files: 10, Bytes: 1 << 40}
	all.Splits = []objects.Split{{Scheme: "default", Table: id, Rule: "hash 80/20", Fingerprints: map[string]objects.ID{"train": id}}}
	all.Models = []string{"resnet-3"}
	all.Git = &objects.Git{Revision: "5555", Branch: "main", Remote: "origin", Dirty: true}
	all.Waivers = []objects.Waiver{{Rule: "content", Reason: "they are the same picture", Findings: []string{"a"}}}
	all.Moving = []cbor.ByteString{"log.txt"}
	later := first
	later.Unknown = map[string]cbor.RawMessage{"licence": {0x63, 'C', 'C', '0'}}
	edited := sample()
	edited.Stored = &objects.Stored{Grown: 40, Held: 900}
	return map[string]objects.Commit{"first": first, "all": all, "unknown field": later, "what it takes in packs": edited}
}

func TestCommitVectors(t *testing.T) {
	var made commitVectors
	for _, about := range []string{"first", "all", "unknown field", "what it takes in packs"} {
		o, err := objects.EncodeCommit(sampleCommits()[about])
		if err != nil {
			t.Fatal(err)
		}
		made.Commits = append(made.Commits, commitVector{about, commitText(t, sampleCommits()[about]), hex.EncodeToString(o.Data), o.ID()})
	}
	first := unhex(t, made.Commits[0].Hex)
	for why, b := range map[string][]byte{
		"not a map":               {0x80},
		"cut off":                 first[:len(first)-1],
		"a byte behind":           append(bytes.Clone(first), 0),
		"a full one with a base":  recode(t, first, "base", bytes.Repeat([]byte{7}, 32)),
		"a kind of no name":       recode(t, first, "kind", "partial"),
		"an incremental, no base": recode(t, first, "kind", "incremental"),
		"a later version":         recode(t, first, "version", 2),
		"a field at its zero":     recode(t, first, "generation", 0),
		"a tree of 31 bytes":      recode(t, first, "tree", bytes.Repeat([]byte{7}, 31)),
	} {
		made.Refused = append(made.Refused, refused{why, hex.EncodeToString(b)})
	}
	want := vectorFile(t, "commit.json", made)
	for i, v := range want.Commits {
		data := unhex(t, v.Hex)
		c, err := objects.DecodeCommit(objects.Object{Kind: objects.KindCommit, Data: data})
		if err != nil {
			t.Errorf("%s: %v", v.About, err)
			continue
		}
		var got, stands any
		if err := json.Unmarshal(commitText(t, c), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(v.Commit, &stands); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(stands, got); diff != "" {
			t.Errorf("%s: %s", v.About, diff)
		}
		if v.Hex != made.Commits[i].Hex || v.ID != made.Commits[i].ID || v.ID != objects.Sum(objects.KindCommit, data) {
			t.Errorf("%s is encoded otherwise: %s", v.About, made.Commits[i].Hex)
		}
	}
	for _, v := range want.Refused {
		if c, err := objects.DecodeCommit(objects.Object{Kind: objects.KindCommit, Data: unhex(t, v.Hex)}); err == nil {
			t.Errorf("%s is accepted: %+v", v.Why, c)
		}
	}
}

// commitText is a commit as the vectors show it.
func commitText(t *testing.T, c objects.Commit) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// recode is a record with one field changed, in deterministic CBOR.
func recode(t *testing.T, data []byte, field string, value any) []byte {
	t.Helper()
	var fields map[string]any
	if err := cbor.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	fields[field] = value
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := mode.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
