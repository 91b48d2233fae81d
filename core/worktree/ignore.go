package worktree

import (
	"bytes"
	"path"
	"strings"
)

// IgnoreName is the file that says what of its folder, and below, is not part
// of the dataset. Its syntax and meaning are gitignore's; names are compared
// byte by byte on every system, so that a dataset is the same everywhere.
const IgnoreName = ".mlvcignore"

// Ignore is the rules of one ignore file. The nil Ignore ignores nothing.
// Values do not change; safe for concurrent use.
type Ignore struct {
	patterns []pattern
}

// Problem is a line of an ignore file that can never match anything.
type Problem struct {
	Line   int // from 1
	Text   string
	Reason string
}

// pattern is one rule. A rule with a slash before its end is anchored: it is
// compared with the whole path, one without with the last name alone.
type pattern struct {
	negated  bool
	dirOnly  bool
	anchored bool
	literal  string // what comes before the first wildcard
	suffix   bool   // "*" before literal, and nothing else
	rest     glob   // what comes after literal
}

// ParseIgnore reads the text of an ignore file. It never fails: as in git, a
// line that makes no sense matches nothing, and is returned as a problem.
func ParseIgnore(text []byte) (*Ignore, []Problem) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	ig := &Ignore{}
	var problems []Problem
	number := 0
	for line := range bytes.Lines(text) {
		number++
		rule := cleanLine(line)
		if rule == "" {
			continue
		}
		p, reason := parsePattern(rule)
		if reason != "" {
			problems = append(problems, Problem{Line: number, Text: rule, Reason: reason})
			continue
		}
		ig.patterns = append(ig.patterns, p)
	}
	return ig, problems
}

// cleanLine returns the rule that a line holds, or "" for a comment or blank.
func cleanLine(line []byte) string {
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	line, _, _ = bytes.Cut(line, []byte{0})
	if len(line) == 0 || line[0] == '#' {
		return ""
	}
	return string(trimSpaces(line))
}

// trimSpaces removes the spaces at the end that no backslash protects.
func trimSpaces(line []byte) []byte {
	end := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			continue
		case '\\':
			i++ // the next byte is protected, whatever it is
		}
		end = min(i+1, len(line))
	}
	return line[:end]
}

func parsePattern(rule string) (pattern, string) {
	var p pattern
	rule, p.negated = strings.CutPrefix(rule, "!")
	rule, p.dirOnly = strings.CutSuffix(rule, "/")
	if rule == "" {
		return p, "names nothing"
	}
	p.anchored = strings.Contains(rule, "/")
	if p.anchored {
		rule = strings.TrimPrefix(rule, "/")
	}
	plain := strings.IndexAny(rule, `*?[\`)
	switch {
	case plain < 0:
		p.literal = rule
		return p, ""
	case !p.anchored && rule[0] == '*' && !strings.ContainsAny(rule[1:], `*?[\`):
		p.literal, p.suffix = rule[1:], true
		return p, ""
	case !p.anchored:
		plain = 0
	}
	p.literal = rule[:plain]
	var reason string
	p.rest, reason = parseGlob(rule[plain:])
	return p, reason
}

// match reports whether the rule speaks of a path whose last name is name.
func (p *pattern) match(whole, name string, isDir bool) bool {
	if p.dirOnly && !isDir {
		return false
	}
	text := name
	if p.anchored {
		text = whole
	}
	if p.suffix {
		return strings.HasSuffix(text, p.literal)
	}
	text, ok := strings.CutPrefix(text, p.literal)
	return ok && p.rest.match(text)
}

// decide returns what the last rule that speaks of a path says of it. The
// path is relative to the ignore file's folder.
func (ig *Ignore) decide(whole string, isDir bool) (ignored, decided bool) {
	if ig == nil {
		return false, false
	}
	name := whole[strings.LastIndexByte(whole, '/')+1:]
	for i := len(ig.patterns) - 1; i >= 0; i-- {
		if p := &ig.patterns[i]; p.match(whole, name, isDir) {
			return !p.negated, true
		}
	}
	return false, false
}

// Match reports whether the rules name this very path, which is relative to
// the ignore file's folder and '/'-separated. A path is also ignored when a
// folder above it is, see Covers: a walk does not enter such a folder.
func (ig *Ignore) Match(path string, isDir bool) bool {
	ignored, _ := ig.decide(path, isDir)
	return ignored
}

// Covers reports whether the rules name this path or a folder above it.
func (ig *Ignore) Covers(path string, isDir bool) bool {
	for i := range len(path) {
		if path[i] == '/' && ig.Match(path[:i], true) {
			return true
		}
	}
	return ig.Match(path, isDir)
}

// scope is the ignore files that hold in one folder: its own and those above.
// The rules of a deeper file go before those of the files above it.
type scope struct {
	above *scope
	skip  int // bytes of a path that lead to the ignore file's folder
	rules *Ignore
}

// enter adds the rules of the ignore file in folder dir ("" is the root).
func (s *scope) enter(dir string, rules *Ignore) *scope {
	skip := 0
	if dir != "" {
		skip = len(path.Clean(dir)) + 1
	}
	return &scope{above: s, skip: skip, rules: rules}
}

func (s *scope) match(whole string, isDir bool) bool {
	for ; s != nil; s = s.above {
		if ignored, decided := s.rules.decide(whole[s.skip:], isDir); decided {
			return ignored
		}
	}
	return false
}

// empty reports whether no rule holds, so that no path need be built to ask.
func (s *scope) empty() bool {
	for ; s != nil; s = s.above {
		if len(s.rules.patterns) > 0 {
			return false
		}
	}
	return true
}
