package worktree

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIgnoreCases(t *testing.T) {
	cases := []struct {
		rules, path string
		dir, want   bool
	}{
		{"*.tmp", "a/b.tmp", false, true},
		{"/a", "b/a", false, false},
		{"a/b", "x/a/b", false, false},
		{"cache/", "x/cache", true, true},
		{"cache/", "x/cache", false, false},
		{"**/x", "x", false, true},
		{"**/x", "a/b/x", false, true},
		{"a/**/x", "a/x", false, true},
		{"a/**", "a", true, false},
		{"a/**", "a/b/c", false, true},
		{"a/*", "a/b", false, true},
		{"*\n!keep", "keep", false, false},
		{"a  ", "a", false, true},
		{`a\ `, "a ", false, true},
		{"a\r\n", "a", false, true},
		{"\xef\xbb\xbfa", "a", false, true},
		{`\#a`, "#a", false, true},
		{"#a", "#a", false, false},
		{"[a-c]x", "bx", false, true},
		{"A", "a", false, false},
		{strings.Repeat("*a", 60) + "b", strings.Repeat("a", 250), false, false},
		{strings.Repeat("**/a/", 60) + "b", strings.Repeat("a/", 1000) + "a", false, false},
	}
	for _, c := range cases {
		ig, _ := ParseIgnore([]byte(c.rules))
		if got := ig.Match(c.path, c.dir); got != c.want {
			t.Errorf("rules %.40q, path %.40q, folder %v: %v, want %v", c.rules, c.path, c.dir, got, c.want)
		}
	}
}

func TestIgnoreCoversWhatLiesBelow(t *testing.T) {
	ig, _ := ParseIgnore([]byte("a/\n!a/x"))
	if !ig.Covers("a/x", false) || ig.Match("a/x", false) {
		t.Error("a path below an ignored folder cannot be taken back")
	}
}

func TestIgnoreProblems(t *testing.T) {
	_, problems := ParseIgnore([]byte("ok\n[a\n\n# [\n!\na\\\n[[:nope:]]\n"))
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d %s %s", p.Line, p.Text, p.Reason))
	}
	want := []string{
		"2 [a has a [ without its ]",
		"5 ! names nothing",
		`6 a\ ends in a backslash`,
		"7 [[:nope:]] has an unknown class [:nope:]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzIgnore shows that no rules and no path make the matcher fail or hang.
func FuzzIgnore(f *testing.F) {
	f.Add("*.txt\n!a/**/b\n[a-z]?\\*", "a/b/c.txt")
	f.Add("[[:alpha:]]*[!]-a]", "abc")
	f.Fuzz(func(t *testing.T, rules, path string) {
		ig, _ := ParseIgnore([]byte(rules))
		if ig.Match(path, true) && !ig.Covers(path, true) {
			t.Error("Match without Covers")
		}
	})
}

func BenchmarkIgnoreMatch(b *testing.B) {
	ig, _ := ParseIgnore([]byte("*.tmp\n*.swp\n.DS_Store\n__pycache__/\n/build/\nlogs/**/*.log\n.ipynb_checkpoints/\n*~\n"))
	for b.Loop() {
		ig.Match("train/class07/img_0012345.png", false)
	}
}
