package worktree_test

import (
	"errors"
	"testing"

	"github.com/mlvc/mlvc/core/worktree"
)

func TestPatterns(t *testing.T) {
	tests := []struct {
		pattern, path string
		match, below  bool
	}{
		{"a", "a", true, true},
		{"a", "a/b/c", true, true},
		{"a", "ab", false, false},
		{"a", "b/a", false, false},
		{"a/b", "a", false, true},
		{"a/b", "a/c", false, false},
		{"./a//b/", "a/b/c", true, true},
		{"a/**", "a", false, true},
		{"a/**", "a/b/c", true, true},
		{"a/**", "b", false, false},
		{"**/b", "b", true, true},
		{"**/b", "a/x/b/c", true, true},
		{"**/b", "a/x", false, true},
		{"a/**/b", "a/b", true, true},
		{"a/**/b", "a/x/y/b/z", true, true},
		{"a/**/b", "a/x/y", false, true},
		{"a/**/b/**/c", "a/b/b/x/c", true, true},
		{"a/**/b/**/c", "a/c/b", false, true},
		{"*.png", "x.png", true, true},
		{"*.png", "a/x.png", false, false},
		{"*/x?", "a/xy/z", true, true},
		{"*/x?", "a", false, true},
		{"[ab]/c", "b/c", true, true},
		{"[ab]/c", "c/c", false, false},
		{`\!a`, "!a", true, true},
		{`a\*`, "ab", false, false},
		{".", "anything/at/all", true, true},
		{"**", "anything", true, true},
		{"\xff", "\xff/x", true, true},
	}
	for _, c := range tests {
		p, err := worktree.ParsePatterns([]string{"nothing/of/this", c.pattern})
		if err != nil {
			t.Fatal(err)
		}
		if match, below := p.Match(c.path), p.MatchBelow(c.path); match != c.match || below != c.below {
			t.Errorf("%q of %q: %v, below %v", c.pattern, c.path, match, below)
		}
	}
	for _, bad := range []string{"", "/a", "../a", "a/../b", "!a", "[a", `a\`, "[a/b]", "a\x00"} {
		var refused *worktree.PatternError
		if _, err := worktree.CleanPattern(bad); !errors.As(err, &refused) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// FuzzPatterns: the clean form is one form and selects the same; whatever lies
// in a folder that is selected is selected; and above what is selected lie
// folders with something selected below.
func FuzzPatterns(f *testing.F) {
	f.Add("a/**/b*", "a/x/bc", "d")
	f.Add("**", "a", "b/c")
	f.Fuzz(func(t *testing.T, pattern, path, name string) {
		clean, err := worktree.CleanPattern(pattern)
		if err != nil || worktree.CheckPath(path) != nil || worktree.CheckPath(path+"/"+name) != nil {
			return
		}
		if again, err := worktree.CleanPattern(clean); err != nil || again != clean {
			t.Fatalf("%q, again %q %v", clean, again, err)
		}
		p, _ := worktree.ParsePatterns([]string{pattern})
		if q, _ := worktree.ParsePatterns([]string{clean}); p.Match(path) != q.Match(path) {
			t.Fatalf("%q and %q differ at %q", pattern, clean, path)
		}
		if p.Match(path) && !p.Match(path+"/"+name) {
			t.Fatalf("%q has %q, not %q in it", pattern, path, name)
		}
		if p.Match(path+"/"+name) && !p.MatchBelow(path) || p.Match(path) && !p.MatchBelow(path) {
			t.Fatalf("%q has nothing below %q, yet %q", pattern, path, name)
		}
	})
}
