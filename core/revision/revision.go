// Package revision reads what people write to name a commit, and finds it.
//
//	main, v1, origin/main    a branch, a tag, a branch of a remote
//	branch/main, tag/v1      the same in full, where the short form is ambiguous
//	HEAD, @                  what the working tree stands on
//	3f9c                     a commit by the first digits of its ID, at least 4
//	X~2, X^, X^2             the second first parent back, the parent, the second parent
//	X@{2}                    what the name X stood for two values ago
//	X@{yesterday}            what X stood for then; see ParseTime
//	@{2}, @{yesterday}       the same of HEAD
//	REV:PATH                 a path in a commit
//	A..B                     what B reaches and A does not
//	git:REV, model:ID        a git revision and a model, which others look up
//
// Parsing needs no repository; a Resolver has one.
package revision

import (
	"fmt"
	"strconv"
	"strings"
)

// The schemes of a Spec that name something other than a commit of mlvc.
const (
	Git   = "git"
	Model = "model"
)

// Spec is a revision, and a path in it if one is given.
type Spec struct {
	// Scheme is Git or Model, and Outside what follows it, not looked at; or
	// it is empty and Rev is set.
	Scheme  string
	Outside string
	Rev     Rev
	// Path follows the first colon after the revision; it may be empty.
	Path    string
	HasPath bool
}

// Rev is a parsed revision.
type Rev struct {
	Base  string // a name or the digits of an ID; never empty
	At    At
	Steps []Step
}

// At asks for an earlier value of a name. The zero At asks for the current one.
type At struct {
	Set  bool
	Back int    // so many values ago
	When string // words for a moment, if not empty
}

// Step goes from a commit to one that it comes from.
type Step struct {
	Ancestor bool // N first parents back; else to the N-th parent
	N        int
}

// SyntaxError is for text that is not a revision.
type SyntaxError struct{ Text, Why string }

func (e *SyntaxError) Error() string { return fmt.Sprintf("%q is not a revision: %s", e.Text, e.Why) }

// maxNumber bounds the numbers in a revision.
const maxNumber = 1 << 30

// ParseSpec reads REV, REV:PATH, git:REV[:PATH] or model:ID[:PATH]. A branch
// with the name git or model is written branch/git where a path follows.
func ParseSpec(text string) (Spec, error) {
	var spec Spec
	rest := text
	for _, scheme := range []string{Git, Model} {
		if after, ok := strings.CutPrefix(rest, scheme+":"); ok {
			spec.Scheme, rest = scheme, after
			break
		}
	}
	if colon := indexOutsideBraces(rest, ":"); colon >= 0 {
		spec.Path, spec.HasPath = rest[colon+1:], true
		rest = rest[:colon]
	}
	if spec.Scheme != "" {
		spec.Outside = rest
		if rest == "" {
			return Spec{}, &SyntaxError{text, "nothing follows " + spec.Scheme + ":"}
		}
		return spec, nil
	}
	var err error
	spec.Rev, err = Parse(rest)
	if err != nil && rest != text {
		err = &SyntaxError{text, err.(*SyntaxError).Why}
	}
	if err != nil {
		return Spec{}, err
	}
	return spec, nil
}

// ParseRange reads A..B, where a side left out is HEAD. It reports false if
// text has no "..", so that it can only be a single revision.
func ParseRange(text string) (from, to Spec, ok bool, err error) {
	dots := indexOutsideBraces(text, "..")
	if dots < 0 {
		return Spec{}, Spec{}, false, nil
	}
	a, b := text[:dots], text[dots+2:]
	if strings.HasPrefix(b, ".") {
		return Spec{}, Spec{}, true, &SyntaxError{text, `ranges are written with two dots`}
	}
	if a == "" && b == "" {
		return Spec{}, Spec{}, true, &SyntaxError{text, "both sides of the range are empty"}
	}
	if from, err = parseSide(a); err == nil {
		to, err = parseSide(b)
	}
	if err != nil {
		return Spec{}, Spec{}, true, err
	}
	return from, to, true, nil
}

func parseSide(text string) (Spec, error) {
	if text == "" {
		text = "HEAD"
	}
	spec, err := ParseSpec(text)
	if err == nil && spec.HasPath {
		err = &SyntaxError{text, "a side of a range has no path"}
	}
	return spec, err
}

// indexOutsideBraces finds the first sep that is not between "@{" and "}",
// and for anything but a colon only before the first colon that begins a path.
func indexOutsideBraces(text, sep string) int {
	skip := 0
	for _, scheme := range []string{Git, Model} {
		if sep != ":" && strings.HasPrefix(text, scheme+":") {
			skip = len(scheme) + 1
		}
	}
	for i := skip; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], sep):
			return i
		case text[i] == ':':
			return -1
		case strings.HasPrefix(text[i:], "@{"):
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return -1
			}
			i += end
		}
	}
	return -1
}

// Parse reads a revision without a path. Errors are *SyntaxError.
func Parse(text string) (Rev, error) {
	base, rest := text, ""
	if end := strings.IndexAny(text, "~^"); end >= 0 {
		base, rest = text[:end], text[end:]
	}
	if at := strings.Index(text, "@{"); at >= 0 && at <= len(base) {
		base, rest = text[:at], text[at:]
	}
	rev := Rev{Base: base}
	if why := badBase(base, rest); why != "" {
		return Rev{}, &SyntaxError{text, why}
	}
	if base == "" || base == "@" {
		rev.Base = "HEAD"
	}
	if strings.HasPrefix(rest, "@{") {
		var why string
		if rev.At, rest, why = parseAt(rest); why != "" {
			return Rev{}, &SyntaxError{text, why}
		}
	}
	for rest != "" {
		var why string
		var step Step
		if step, rest, why = parseStep(rest); why != "" {
			return Rev{}, &SyntaxError{text, why}
		}
		rev.Steps = append(rev.Steps, step)
	}
	return rev, nil
}

func badBase(base, rest string) string {
	switch {
	case base == "" && rest == "":
		return "it is empty"
	case base == "" && rest[0] != '@':
		return "nothing stands before " + rest[:1]
	case strings.HasPrefix(base, "-"):
		return `it begins with "-"`
	case strings.Contains(base, ":"):
		return "no path is expected here"
	case strings.Contains(base, ".."):
		return "no range is expected here"
	}
	return ""
}

// parseAt reads "@{…}" and returns what follows.
func parseAt(text string) (at At, rest, why string) {
	end := strings.IndexByte(text, '}')
	if end < 0 {
		return At{}, "", `"@{" is not closed`
	}
	inner, rest := strings.TrimSpace(text[2:end]), text[end+1:]
	if inner == "" {
		return At{}, "", `"@{}" says neither a number nor a time`
	}
	if strings.Trim(inner, "0123456789") != "" {
		return At{Set: true, When: inner}, rest, ""
	}
	n, err := strconv.Atoi(inner)
	if err != nil || n > maxNumber {
		return At{}, "", "the number is too large"
	}
	return At{Set: true, Back: n}, rest, ""
}

// parseStep reads "~", "~N", "^" or "^N" and returns what follows.
func parseStep(text string) (step Step, rest, why string) {
	switch text[0] {
	case '~':
		step.Ancestor = true
	case '^':
	default:
		return Step{}, "", fmt.Sprintf("%q is neither ~N nor ^N", text)
	}
	rest = strings.TrimLeft(text[1:], "0123456789")
	digits := text[1 : len(text)-len(rest)]
	step.N = 1
	if digits != "" {
		n, err := strconv.Atoi(digits)
		if err != nil || n > maxNumber {
			return Step{}, "", "the number is too large"
		}
		step.N = n
	}
	return step, rest, ""
}

// String returns the revision as Parse reads it.
func (r Rev) String() string {
	var b strings.Builder
	b.WriteString(r.Base)
	switch {
	case r.At.When != "":
		b.WriteString("@{" + r.At.When + "}")
	case r.At.Set:
		fmt.Fprintf(&b, "@{%d}", r.At.Back)
	}
	for _, s := range r.Steps {
		mark := "^"
		if s.Ancestor {
			mark = "~"
		}
		fmt.Fprintf(&b, "%s%d", mark, s.N)
	}
	return b.String()
}

// String returns the spec as ParseSpec reads it.
func (s Spec) String() string {
	text := s.Rev.String()
	if s.Scheme != "" {
		text = s.Scheme + ":" + s.Outside
	}
	if s.HasPath {
		text += ":" + s.Path
	}
	return text
}
