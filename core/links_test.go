package core

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

func TestFollow(t *testing.T) {
	targets := map[string]string{
		"train/1": "../raw/1", "train/2": "1", "out": "../x", "etc": "/etc/passwd", "round": "round", "a": "b", "b": "a",
		"dir": "raw/deep", "train/3": "../dir/../1", "train/4": "./../raw//1", "up": "raw/../../x", "train/5": "../raw/none",
	}
	for i := range maxHops + 1 {
		targets[fmt.Sprintf("hop%d", i+1)] = fmt.Sprintf("hop%d", i)
	}
	for _, c := range []struct{ from, to string }{
		{"train/1", "raw/1"},
		{"train/2", "raw/1"},
		{"train/3", "raw/1"}, // dir is raw/deep, whose parent is raw
		{"train/4", "raw/1"},
		{"train/5", "raw/none"},
		{"dir/x", "raw/deep/x"},
		{"raw/1", "raw/1"},
		{fmt.Sprint("hop", maxHops), "hop0"},
		{fmt.Sprint("hop", maxHops+1), ""},
		{"out", ""},
		{"etc", ""},
		{"round", ""},
		{"a", ""},
		{"up", ""},
	} {
		if to, ok := follow(c.from, targets); to != c.to || ok != (c.to != "") {
			t.Errorf("%s leads to %q, %v; want %q", c.from, to, ok, c.to)
		}
	}
}

func TestLinksAreKept(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := rapid.MapOf(
			rapid.StringMatching(`[a-zé\n]{1,3}(/[a-z]{1,3})?`), rapid.StringMatching(`(\.\./)?[a-z\n ]{1,5}`),
		).Draw(r, "links")
		if got := decodeLinks(encodeLinks(want)); !maps.Equal(got, want) {
			r.Fatal(got)
		}
	})
	for _, bad := range []string{"a", "a\x00", "a\x00b", "a\x00b\x00c\x00d"} {
		if got := decodeLinks([]byte(bad)); got != nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}
