package gitpair

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/objects"
)

var update = flag.Bool("update", false, "write the vectors anew; only for a new version of a format")

const vectorName = "../../testdata/vectors/pointer.json"

func sum(text string) objects.ID { return objects.Sum(objects.KindChunk, []byte(text)) }

func examplePointer() Pointer {
	return Pointer{
		Path: "data", Commit: sum("commit"), Tree: sum("tree"), Kind: objects.Incremental, Files: 70000, Bytes: 31457280,
		Splits: []SplitMark{{"holdout", "train", sum("train")}, {"holdout", "test", sum("test")}},
		Remote: "file:///mnt/share/images",
	}
}

func mustFormat(t testing.TB, p Pointer) []byte {
	t.Helper()
	text, err := p.Format()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

type pointerVectors struct {
	Valid   []validPointer   `json:"valid"`
	Refused []refusedPointer `json:"refused"`
}

type validPointer struct {
	Text    string  `json:"text"`
	Pointer Pointer `json:"pointer"`
}

type refusedPointer struct {
	Why  string `json:"why"`
	Text string `json:"text"`
	Err  string `json:"error"`
}

func refusedPointers(t testing.TB) []refusedPointer {
	good := string(mustFormat(t, examplePointer()))
	commit := "commit " + sum("commit").String()
	edit := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the example", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	theirs := "commit " + sum("theirs").String()
	return []refusedPointer{
		{Why: "empty", Text: ""},
		{Why: "something else", Text: "<html>\n"},
		{Why: "newer", Text: "mlvc-pointer 2\nwhatever\n"},
		{Why: "version zero", Text: edit("mlvc-pointer 1", "mlvc-pointer 0")},
		{Why: "version with a leading zero", Text: edit("mlvc-pointer 1", "mlvc-pointer 01")},
		{Why: "conflict", Text: edit(commit, "<<<<<<< HEAD\n"+commit+"\n=======\n"+theirs+"\n>>>>>>> side")},
		{Why: "conflict with the base", Text: edit(commit, "<<<<<<< HEAD\n"+commit+"\n||||||| b\ncommit "+sum("base").String()+"\n=======\n"+theirs+"\n>>>>>>> side")},
		{Why: "a newer one in conflict", Text: "<<<<<<< a\nmlvc-pointer 2\n=======\nmlvc-pointer 1\n>>>>>>> b\n"},
		{Why: "line ends of Windows", Text: strings.ReplaceAll(good, "\n", "\r\n")},
		{Why: "a truncated ID", Text: edit(commit, commit[:40])},
		{Why: "an upper-case ID", Text: edit(commit, "commit "+strings.ToUpper(commit[7:]))},
		{Why: "a zero ID", Text: edit(commit, "commit "+strings.Repeat("0", 64))},
		{Why: "a line left out", Text: edit("kind incremental\n", "")},
		{Why: "an unknown line", Text: good + "colour blue\n"},
		{Why: "an unknown kind", Text: edit("incremental", "partial")},
		{Why: "a leading zero", Text: edit("files 7", "files 07")},
		{Why: "a negative number", Text: edit("files 7", "files -7")},
		{Why: "a blank at the end", Text: edit("path data", "path data ")},
		{Why: "needless quotes", Text: edit("path data", `path "data"`)},
		{Why: "half quotes", Text: edit("path data", `path "data`)},
		{Why: "no last line feed", Text: strings.TrimSuffix(good, "\n")},
		{Why: "cut off", Text: good[:100]},
		{Why: "an empty line at the end", Text: good + "\n"},
		{Why: "splits out of order", Text: swapLines(good, 7, 8)},
		{Why: "a split twice", Text: swapLines(good, 7, 7)},
		{Why: "a split without a scheme", Text: edit("split holdout/test", "split test")},
		{Why: "a password", Text: edit("file:///mnt", "https://me:secret@example.org")},
	}
}

func swapLines(text string, a, b int) string {
	lines := strings.Split(text, "\n")
	if a == b {
		lines[a+1] = lines[a]
	}
	lines[a], lines[b] = lines[b], lines[a]
	return strings.Join(lines, "\n")
}

func TestPointerVectors(t *testing.T) {
	var made pointerVectors
	odd := examplePointer()
	odd.Path, odd.Remote, odd.Kind = " \"a\nb\xff", "", objects.Full
	odd.Splits = []SplitMark{{"fold", "a/b c", sum("x")}, {"fold", "", sum("y")}}
	for _, p := range []Pointer{
		examplePointer(), odd,
		{Path: ".", Commit: sum("commit"), Tree: sum("tree"), Kind: objects.Differential},
	} {
		p.Splits = sortedMarks(p.Splits)
		made.Valid = append(made.Valid, validPointer{string(mustFormat(t, p)), p})
	}
	for _, r := range refusedPointers(t) {
		_, err := ParsePointer("data.mlvc", []byte(r.Text))
		if err == nil {
			t.Fatalf("%s: accepted:\n%s", r.Why, r.Text)
		}
		made.Refused = append(made.Refused, refusedPointer{r.Why, r.Text, err.Error()})
	}
	if *update {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		if err := enc.Encode(vectorForm(made)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorName, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(vectorName)
	if err != nil {
		t.Fatal(err)
	}
	var want pointerVectors
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, vectorForm(made)); diff != "" {
		t.Error(diff)
	}
	for _, v := range made.Valid {
		got, err := ParsePointer("data.mlvc", []byte(v.Text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v.Pointer, got, cmp.Transformer("nil", func(l []SplitMark) int { return len(l) })); diff != "" {
			t.Error(diff)
		}
	}
}

// vectorForm makes text that JSON can hold of the odd pointer's path.
func vectorForm(v pointerVectors) pointerVectors {
	v.Valid = append([]validPointer(nil), v.Valid...)
	for i := range v.Valid {
		v.Valid[i].Pointer.Path = quote(v.Valid[i].Pointer.Path)
	}
	return v
}

func TestConflictNamesBothSides(t *testing.T) {
	for _, r := range refusedPointers(t) {
		if !strings.HasPrefix(r.Why, "conflict") {
			continue
		}
		_, err := ParsePointer("data.mlvc", []byte(r.Text))
		var c *ConflictMarkersError
		if !errors.As(err, &c) || c.Ours != sum("commit") || c.Theirs != sum("theirs") || c.Line != 3 {
			t.Errorf("%s: %+v", r.Why, err)
		}
	}
	_, err := ParsePointer("data.mlvc", []byte("mlvc-pointer 2\n"))
	if !errors.Is(err, objects.ErrNewer) {
		t.Error(err)
	}
}

func TestPointerRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Int64Range(0, 1<<62)
		p := Pointer{
			Path: rapid.StringN(1, 20, -1).Draw(t, "path"), Commit: sum("c"), Tree: sum("t"), Kind: objects.Full,
			Files: number.Draw(t, "files"), Bytes: number.Draw(t, "bytes"), Remote: rapid.String().Draw(t, "remote"),
		}
		if StripSecrets(p.Remote) != p.Remote {
			p.Remote = ""
		}
		for i := range rapid.IntRange(0, 4).Draw(t, "splits") {
			p.Splits = append(p.Splits, SplitMark{fmt.Sprint("s", i), rapid.String().Draw(t, "name"), sum("f")})
		}
		text, err := p.Format()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParsePointer("x", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzParsePointer(f *testing.F) {
	f.Add(mustFormat(f, examplePointer()))
	for _, r := range refusedPointers(f) {
		f.Add([]byte(r.Text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePointer("x", data)
		if err != nil {
			return
		}
		if again := mustFormat(t, p); !bytes.Equal(again, data) {
			t.Fatalf("%q is written as %q", data, again)
		}
		if named := CommitsNamed(data); len(named) != 1 || named[0] != p.Commit {
			t.Fatalf("named %v, want %v", named, p.Commit)
		}
	})
}

func TestStripSecrets(t *testing.T) {
	for in, want := range map[string]string{
		"https://me:secret@example.org/x.git":        "https://example.org/x.git",
		"https://token@example.org/x.git":            "https://example.org/x.git",
		"https://me:a@b@example.org":                 "https://example.org",
		"ssh://git@example.org/x.git":                "ssh://git@example.org/x.git",
		"ssh://git:pw@example.org/x.git":             "ssh://git@example.org/x.git",
		"git@example.org:x.git":                      "git@example.org:x.git",
		"/srv/x.git":                                 "/srv/x.git",
		"s3://bucket/x?region=eu&secret_key=1#f":     "s3://bucket/x?region=eu#f",
		"s3://bucket/x?endpoint=http://h:1&region=e": "s3://bucket/x?endpoint=http://h:1&region=e",
		"https://bucket/x?X-Amz-Signature=1":         "https://bucket/x",
	} {
		if got := StripSecrets(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
