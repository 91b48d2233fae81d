package core

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/mlvc/mlvc/objects"
)

func TestPart(t *testing.T) {
	p, err := selectPart([]string{"images/train/**", "./labels/", "labels", "**/*.txt"})
	if err != nil || len(p.Paths) != 3 {
		t.Fatalf("%+v, %v", p, err)
	}
	for path, want := range map[string]bool{
		"mlvc.toml": true, ".mlvcignore": true, "images/.mlvcignore": true, "labels/deep/x": true,
		"images/train/a": true, "images/val/a": false, "a/b.txt": true, "a/b": false, "images": false,
	} {
		if p.Has(path) != want {
			t.Errorf("has %q: %v", path, !want)
		}
	}
	if p, _ = selectPart([]string{"images/train/**"}); p.Has("labels/.mlvcignore") || !p.HasFolder("images") || p.HasFolder("labels") {
		t.Error("folders that lead to the part, and others")
	}
	none := Part{None: true}
	if none.Has("a") || none.HasFolder("a") || !none.Has("mlvc.toml") {
		t.Error("metadata only")
	}
	if p, err := selectPart([]string{"a", "**"}); err != nil || !p.All {
		t.Errorf("everything: %+v, %v", p, err)
	}
}

// FuzzDecodePart: what is accepted is the one valid form of what it says.
func FuzzDecodePart(f *testing.F) {
	parts := []Part{
		{Paths: []string{"a/**", "b"}},
		{Promised: true, Remote: "origin", None: true},
		{Promised: true, Remote: "origin", All: true},
		{Paths: []string{"\"quoted", "a\xffb"}},
	}
	for _, p := range parts {
		text, err := p.encode()
		if err != nil {
			f.Fatal(err)
		}
		got, err := decodePart(text)
		if err != nil || !got.sameFiles(p) || got.Remote != p.Remote || got.Promised != p.Promised {
			f.Fatalf("%s: %+v, %v", text, got, err)
		}
		f.Add(text)
	}
	if _, err := decodePart([]byte(`{"version": 2, "paths": "another kind"}`)); !errors.Is(err, objects.ErrNewer) {
		f.Errorf("a newer one: %v", err)
	}
	for _, bad := range []Part{{}, {All: true}, {None: true, Paths: []string{"a"}}, {Promised: true, All: true}, {Remote: "x", None: true}, {Paths: []string{"b", "a"}}, {Paths: []string{"a/"}}} {
		text, err := bad.encode()
		if err != nil {
			f.Fatal(err)
		}
		if _, err := decodePart(text); !errors.Is(err, objects.ErrCorrupt) {
			f.Errorf("%s: %v", text, err)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := decodePart(text)
		if err != nil {
			return
		}
		if again, err := p.encode(); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("encodes to\n%s %v", again, err)
		}
	})
}

// Unfinished work that changes the part is of version 2, other work of 1.
func TestUnfinishedPart(t *testing.T) {
	p, err := selectPart([]string{"\"a", "b/**"})
	if err != nil {
		t.Fatal(err)
	}
	u := Unfinished{Verb: "checkout", Command: "checkout", Since: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), Part: &p}
	u.Version = u.version()
	text, err := u.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeUnfinished(text)
	if err != nil || got.Version != 2 || !got.Part.sameFiles(p) || !got.Part.Has("b/x") {
		t.Errorf("%s: %+v, %v", text, got, err)
	}
	for from, to := range map[string]string{`"version": 2`: `"version": 1`, `"b/**"`: `"b/**/"`} {
		if _, err := decodeUnfinished(bytes.Replace(text, []byte(from), []byte(to), 1)); !errors.Is(err, objects.ErrCorrupt) {
			t.Errorf("%s: %v", to, err)
		}
	}
}
