package worktree

import (
	"fmt"
	"strings"
)

// Patterns select paths by wildcards. A pattern is a path relative to the root
// whose names may have the wildcards of an ignore file: ? and * and […] within
// a name, and ** for any run of folders. It selects what it names, and of a
// folder all that lies below. Values do not change; safe for concurrent use.
type Patterns struct{ list []pathPattern }

// pathPattern is the names of a pattern; none is the root, and so everything.
type pathPattern []namePattern

// namePattern is one name, or with deep any run of folders.
type namePattern struct {
	deep    bool
	literal string
	glob    glob // nil: the literal name
}

// PatternError is for a pattern that can select nothing, or that leads out.
type PatternError struct{ Text, Reason string }

func (e *PatternError) Error() string { return fmt.Sprintf("the pattern %q %s", e.Text, e.Reason) }

// CleanPattern returns the one form of a pattern: names between single
// slashes; "." is everything.
func CleanPattern(text string) (string, error) {
	bad := func(reason string) (string, error) { return "", &PatternError{Text: text, Reason: reason} }
	switch {
	case text == "":
		return bad("is empty")
	case text[0] == '/':
		return bad("is absolute; patterns are relative to the root")
	case text[0] == '!':
		return bad(`begins with "!", and nothing can be taken out of a selection (a name that begins so is written "\!…")`)
	case strings.ContainsRune(text, 0):
		return bad("has a NUL")
	}
	var names []string
	for name := range strings.SplitSeq(text, "/") {
		switch {
		case name == "" || name == ".":
			continue
		case name == "..":
			return bad("leads upwards")
		case name == "**" && len(names) > 0 && names[len(names)-1] == "**":
			continue
		}
		if _, reason := parseGlob(name); reason != "" {
			return bad(reason)
		}
		names = append(names, name)
	}
	if len(names) == 0 || len(names) == 1 && names[0] == "**" {
		return ".", nil
	}
	return strings.Join(names, "/"), nil
}

// ParsePatterns reads patterns, each in any form.
func ParsePatterns(texts []string) (*Patterns, error) {
	p := &Patterns{}
	for _, text := range texts {
		clean, err := CleanPattern(text)
		if err != nil {
			return nil, err
		}
		p.list = append(p.list, parsePathPattern(clean))
	}
	return p, nil
}

// parsePathPattern compiles a clean pattern.
func parsePathPattern(clean string) pathPattern {
	var p pathPattern
	for name := range strings.SplitSeq(clean, "/") {
		switch {
		case name == ".":
		case name == "**":
			p = append(p, namePattern{deep: true})
		case strings.ContainsAny(name, `*?[\`):
			g, _ := parseGlob(name)
			p = append(p, namePattern{glob: g})
		default:
			p = append(p, namePattern{literal: name})
		}
	}
	return p
}

// Match reports whether a path, or a folder above it, is selected.
func (p *Patterns) Match(path string) bool { return p.match(path, false) }

// MatchBelow reports whether a folder is selected, or something that might lie
// below it.
func (p *Patterns) MatchBelow(folder string) bool { return p.match(folder, true) }

func (p *Patterns) match(path string, folder bool) bool {
	for _, pattern := range p.list {
		if pattern.match(path, folder) {
			return true
		}
	}
	return false
}

// match compares name by name. A folder whose names lead into the pattern
// might have below it what the pattern selects.
func (p pathPattern) match(path string, folder bool) bool {
	for i := range p {
		switch {
		case path == "":
			return folder
		case p[i].deep && (folder || i == len(p)-1):
			return true
		case p[i].deep:
			return p[i+1:].matchDeep(path)
		}
		name, rest, _ := strings.Cut(path, "/")
		if !p[i].takes(name) {
			return false
		}
		path = rest
	}
	return true
}

// matchDeep reports whether what follows a ** matches from any folder on.
func (p pathPattern) matchDeep(path string) bool {
	for more := true; more; _, path, more = strings.Cut(path, "/") {
		if p.match(path, false) {
			return true
		}
	}
	return false
}

func (n *namePattern) takes(name string) bool {
	if n.glob == nil {
		return n.literal == name
	}
	return n.glob.match(name)
}
