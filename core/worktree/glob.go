package worktree

import "strings"

// glob is a compiled wildcard pattern: a run of tokens.
type glob []token

type token struct {
	kind tokenKind
	lit  byte
	set  *byteSet
}

type tokenKind uint8

const (
	tokenByte  tokenKind = iota // exactly lit
	tokenSet                    // one byte of set
	tokenStar                   // any run of bytes without a slash
	tokenDeep                   // any run of bytes
	tokenDepth                  // nothing, or any run of bytes that ends in a slash
)

// byteSet is a set of bytes. The slash is never in the set of a wildcard.
type byteSet [4]uint64

func (s *byteSet) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *byteSet) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

func (s *byteSet) addRange(from, to byte) {
	for c := int(from); c <= int(to); c++ {
		s.add(byte(c))
	}
}

// parseGlob compiles a pattern. A pattern that can match nothing has a reason.
func parseGlob(text string) (glob, string) {
	var g glob
	for i := 0; i < len(text); {
		switch text[i] {
		case '*':
			end := i
			for end < len(text) && text[end] == '*' {
				end++
			}
			tok := starToken(text, i, end)
			if tok == tokenDepth {
				end++ // it takes the slash with it
			}
			g, i = append(g, token{kind: tok}), end
		case '?':
			set := &byteSet{}
			set.addRange(0, 255)
			g, i = append(g, token{kind: tokenSet, set: set.forPath()}), i+1
		case '[':
			set, size, reason := parseSet(text[i:])
			if reason != "" {
				return nil, reason
			}
			g, i = append(g, token{kind: tokenSet, set: set}), i+size
		case '\\':
			if i+1 == len(text) {
				return nil, "ends in a backslash"
			}
			g, i = append(g, token{lit: text[i+1]}), i+2
		default:
			g, i = append(g, token{lit: text[i]}), i+1
		}
	}
	return g, ""
}

// starToken says what the stars text[from:to] mean: two or more that are all
// of a path's component cross slashes, others are one star.
func starToken(text string, from, to int) tokenKind {
	rest := text[to:]
	switch {
	case to-from < 2, from > 0 && text[from-1] != '/':
		return tokenStar
	case rest == "", strings.HasPrefix(rest, `\/`):
		return tokenDeep
	case rest[0] == '/':
		return tokenDepth
	}
	return tokenStar
}

// parseSet compiles the bracket expression that text starts with and returns
// its length.
func parseSet(text string) (*byteSet, int, string) {
	const unclosed = "has a [ without its ]"
	set := &byteSet{}
	i := 1
	negated := i < len(text) && (text[i] == '!' || text[i] == '^')
	if negated {
		i++
	}
	last := byte(0) // the byte that a range may start from, or 0
	for first := true; ; first = false {
		if i >= len(text) {
			return nil, 0, unclosed
		}
		c := text[i]
		if c == ']' && !first {
			break
		}
		switch {
		case c == '[' && strings.HasPrefix(text[i+1:], ":"):
			size, reason := set.addClass(text[i:])
			if reason != "" {
				return nil, 0, reason
			}
			if size > 0 {
				i, last = i+size, 0
				continue
			}
		case c == '-' && last != 0 && i+1 < len(text) && text[i+1] != ']':
			i++
			if text[i] == '\\' {
				i++
			}
			if i >= len(text) {
				return nil, 0, unclosed
			}
			set.addRange(last, text[i])
			i, last = i+1, 0
			continue
		case c == '\\':
			i++
			if i >= len(text) {
				return nil, 0, unclosed
			}
			c = text[i]
		}
		set.add(c)
		i, last = i+1, c
	}
	if negated {
		for w := range set {
			set[w] = ^set[w]
		}
	}
	return set.forPath(), i + 1, ""
}

func (s *byteSet) forPath() *byteSet {
	s['/'>>6] &^= 1 << ('/' & 63)
	return s
}

// addClass adds the class that text starts with ("[:alpha:]…") and returns
// its length, or 0 when it is not a class but plain bytes.
func (s *byteSet) addClass(text string) (int, string) {
	end := strings.IndexByte(text, ']')
	if end < 0 {
		return 0, "has a [ without its ]"
	}
	if end < 3 || text[end-1] != ':' {
		return 0, ""
	}
	in := classes[text[2:end-1]]
	if in == nil {
		return 0, "has an unknown class " + text[:end+1]
	}
	for c := byte(0); c < 0x80; c++ {
		if in(c) {
			s.add(c)
		}
	}
	return end + 1, ""
}

// classes are ASCII only, with git's idea of a space.
var classes = map[string]func(byte) bool{
	"alnum":  func(c byte) bool { return isLower(c|0x20) || isDigit(c) },
	"alpha":  func(c byte) bool { return isLower(c | 0x20) },
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < 0x20 || c == 0x7f },
	"digit":  isDigit,
	"graph":  func(c byte) bool { return c > 0x20 && c < 0x7f },
	"lower":  isLower,
	"print":  func(c byte) bool { return c >= 0x20 && c < 0x7f },
	"punct":  func(c byte) bool { return c > 0x20 && c < 0x7f && !isLower(c|0x20) && !isDigit(c) },
	"space":  func(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' },
	"upper":  func(c byte) bool { return isLower(c|0x20) && !isLower(c) },
	"xdigit": func(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' },
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// match reports whether the whole text matches. Its time is bounded by the
// product of both lengths for each star kind that is retried:
//
//  1. A star first takes nothing; when what follows fails, the nearest star
//     takes one byte more. Earlier stars need no retry: whatever they could
//     take, the nearest one can.
//  2. When the nearest star meets a slash, the nearest run that may cross
//     slashes takes more, and the stars after it start again.
func (g glob) match(text string) bool {
	p, t := 0, 0
	star, starAt := -1, 0
	deep, deepAt := -1, 0
	for {
		if p == len(g) && t == len(text) {
			return true
		}
		if p < len(g) {
			switch tok := &g[p]; tok.kind {
			case tokenStar:
				p++
				star, starAt = p, t
				continue
			case tokenDeep, tokenDepth:
				p++
				deep, deepAt, star = p, t, -1
				continue
			default:
				if t < len(text) && tok.takes(text[t]) {
					p, t = p+1, t+1
					continue
				}
			}
		}
		switch {
		case star >= 0 && starAt < len(text) && text[starAt] != '/':
			starAt++
			p, t = star, starAt
		case deep >= 0:
			star = -1
			step := 1
			if g[deep-1].kind == tokenDepth {
				step = strings.IndexByte(text[deepAt:], '/') + 1
			}
			if step == 0 || deepAt+step > len(text) {
				return false
			}
			deepAt += step
			p, t = deep, deepAt
		default:
			return false
		}
	}
}

func (tok *token) takes(c byte) bool {
	if tok.kind == tokenSet {
		return tok.set.has(c)
	}
	return c == tok.lit
}
