package split

import (
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// globs are patterns from the root: doublestar's wildcards. One that ends in a
// name without wildcards also matches what is below a folder of that name, as
// patterns do elsewhere.
type globs []string

func newGlobs(patterns []string) globs {
	var g globs
	for _, p := range patterns {
		p = strings.TrimSuffix(strings.TrimPrefix(p, "./"), "/")
		g = append(g, p)
		if last := p[strings.LastIndexByte(p, '/')+1:]; !strings.ContainsAny(last, `*?[{\`) {
			g = append(g, p+"/**")
		}
	}
	return g
}

// match reports whether one of the patterns matches path.
func (g globs) match(path string) bool {
	return slices.ContainsFunc(g, func(p string) bool { return matches(p, path) })
}

// matches compares what stands before the first wildcard as it is, which
// settles most.
func matches(pattern, path string) bool {
	if i := strings.IndexAny(pattern, `*?[{\`); i >= 0 {
		return strings.HasPrefix(path, strings.TrimSuffix(pattern[:i], "/")) && doublestar.MatchUnvalidated(pattern, path)
	}
	return pattern == path
}

// literal returns the one path that the patterns name, if they do.
func (g globs) literal() (string, bool) {
	if len(g) != 2 || strings.ContainsAny(g[0], `*?[{\`) {
		return "", false
	}
	return g[0], true
}

// listFile returns the path of a list file ("@list.txt").
func listFile(pattern string) (string, bool) {
	list, ok := strings.CutPrefix(pattern, "@")
	return strings.TrimPrefix(list, "./"), ok
}

// badPattern says what is wrong with a pattern, or nothing.
func badPattern(pattern string) string {
	if list, ok := listFile(pattern); ok {
		pattern = list
	}
	switch {
	case pattern == "":
		return "is empty"
	case pattern[0] == '/':
		return "is absolute; patterns are relative to the root"
	case slices.Contains(strings.Split(pattern, "/"), ".."):
		return "leads upwards"
	case !doublestar.ValidatePattern(pattern):
		return "is not a valid glob"
	}
	return ""
}
