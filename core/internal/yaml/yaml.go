// Package yaml reads the part of YAML that tools write for each other: block
// and flow mappings and sequences, plain, quoted and block scalars, comments,
// anchors with their aliases, and merged mappings ("<<"). Tags, complex keys and
// further documents are refused.
package yaml

import (
	"fmt"
	"strings"
)

// Error says what cannot be read, and where.
type Error struct {
	Line int // from 1
	What string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.What) }

// maxDepth bounds how deep collections lie in each other.
const maxDepth = 64

// Parse reads a document: a map[string]any, a []any, a string for every
// scalar, whatever its type, or nil for nothing. What an alias stands for is
// not copied: take the result as read-only, and do not walk all of it, as a
// short text may name one part very often. It fails with an *Error.
func Parse(text []byte) (v any, err error) {
	p := &parser{lines: strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), anchors: make(map[string]any)}
	defer func() {
		if e, ok := recover().(*Error); ok {
			v, err = nil, e
		} else if e != nil {
			panic(e)
		}
	}()
	if _, text, ok := p.peek(); ok && strings.TrimSpace(uncomment(text)) == "---" {
		p.at++
	}
	v = p.block(0)
	if _, text, ok := p.peek(); ok {
		p.failf("%q does not belong there", text)
	}
	return v, nil
}

// parser goes down the lines. It reports by panicking with an *Error, which
// Parse catches.
type parser struct {
	lines   []string
	at      int
	depth   int
	anchors map[string]any
}

func (p *parser) failf(format string, args ...any) {
	panic(&Error{Line: min(p.at+1, len(p.lines)), What: fmt.Sprintf(format, args...)})
}

// peek returns the next line that says something, and how far it is indented.
func (p *parser) peek() (indent int, text string, ok bool) {
	for ; p.at < len(p.lines); p.at++ {
		text = strings.TrimLeft(p.lines[p.at], " ")
		if text == "" || text[0] == '#' || strings.TrimSpace(text) == "" {
			continue
		}
		if text[0] == '\t' {
			p.failf("indented by a tab")
		}
		return len(p.lines[p.at]) - len(text), text, true
	}
	return 0, "", false
}

func isItem(text string) bool { return text == "-" || strings.HasPrefix(text, "- ") }

// block reads what is indented by at least least; nil if nothing is.
func (p *parser) block(least int) any {
	indent, text, ok := p.peek()
	if !ok || indent < least {
		return nil
	}
	if p.depth++; p.depth > maxDepth {
		p.failf("nested too deep")
	}
	defer func() { p.depth-- }()
	if isItem(text) {
		return p.sequence(indent)
	}
	if _, _, isKey := p.key(text); isKey {
		return p.mapping(indent)
	}
	return p.value(text, least-1)
}

func (p *parser) sequence(indent int) any {
	list := []any{}
	for {
		at, text, ok := p.peek()
		if !ok || at < indent || at == indent && !isItem(text) {
			return list
		}
		if at > indent {
			p.failf("indented further than what it belongs to")
		}
		rest := strings.TrimLeft(text[1:], " ")
		if uncomment(rest) == "" {
			p.at++
			list = append(list, p.block(indent+1))
			continue
		}
		// What follows the dash is as if it stood on a line of its own.
		inner := indent + len(text) - len(rest)
		p.lines[p.at] = strings.Repeat(" ", inner) + rest
		if isBlockScalar(rest) {
			list = append(list, p.value(rest, indent))
		} else {
			list = append(list, p.block(indent+1))
		}
	}
}

func (p *parser) mapping(indent int) any {
	m := make(map[string]any)
	for {
		at, text, ok := p.peek()
		if !ok || at < indent {
			return p.merged(m)
		}
		name, rest, isKey := p.key(text)
		if at > indent || !isKey {
			p.failf("%q is no key of the mapping around it", text)
		}
		if _, twice := m[name]; twice {
			p.failf("the key %q is there twice", name)
		}
		if uncomment(rest) != "" {
			m[name] = p.value(rest, indent)
			continue
		}
		p.at++
		m[name] = p.below(indent)
	}
}

// below reads what stands in the lines after a key that is indented by indent.
func (p *parser) below(indent int) any {
	// A sequence may begin as far to the left as its key.
	if at, text, ok := p.peek(); ok && at == indent && isItem(text) {
		return p.nested(func() any { return p.sequence(indent) })
	}
	return p.block(indent + 1)
}

// mergeKey brings the keys of other mappings into the one that it is in, where
// that does not have them.
const mergeKey = "<<"

func (p *parser) merged(m map[string]any) map[string]any {
	from, ok := m[mergeKey]
	if !ok {
		return m
	}
	list, ok := from.([]any)
	if !ok {
		list = []any{from}
	}
	delete(m, mergeKey)
	for _, v := range list {
		other, ok := v.(map[string]any)
		if !ok {
			p.failf("%q stands for mappings alone", mergeKey)
		}
		for key, v := range other {
			if _, own := m[key]; !own {
				m[key] = v
			}
		}
	}
	return m
}

// anchored reads a value that begins with "&name" and remembers it.
func (p *parser) anchored(text string, parent int) any {
	name, rest, _ := strings.Cut(uncommentAnchor(text[1:]), " ")
	var v any
	if rest = strings.TrimLeft(rest, " "); rest == "" {
		p.at++
		v = p.below(parent)
	} else {
		v = p.value(rest, parent)
	}
	p.anchors[name] = v
	return v
}

// uncommentAnchor cuts off a comment if it follows the name at once.
func uncommentAnchor(text string) string {
	if name, rest, ok := strings.Cut(text, " "); ok && uncomment(strings.TrimLeft(rest, " ")) == "" {
		return name
	}
	return text
}

// alias returns what the anchor of that name stands for.
func (p *parser) alias(name string) any {
	v, ok := p.anchors[name]
	if !ok {
		p.failf("nothing above is called %q", name)
	}
	return v
}

func (p *parser) nested(read func() any) any {
	if p.depth++; p.depth > maxDepth {
		p.failf("nested too deep")
	}
	defer func() { p.depth-- }()
	return read()
}

// key splits "key: rest".
func (p *parser) key(text string) (name, rest string, ok bool) {
	if text[0] == '"' || text[0] == '\'' {
		word, after, closed := p.quoted(text)
		after = strings.TrimLeft(after, " ")
		if !closed || !strings.HasPrefix(after, ":") || len(after) > 1 && after[1] != ' ' {
			return "", "", false
		}
		return word, strings.TrimLeft(after[1:], " "), true
	}
	if strings.ContainsRune("[{", rune(text[0])) {
		return "", "", false
	}
	if strings.HasPrefix(text, "? ") {
		p.failf("a key that is no word cannot be read")
	}
	text = strings.TrimRight(text, " ")
	i := strings.Index(text, ": ")
	if hash := strings.Index(text, " #"); i < 0 || hash >= 0 && hash < i {
		line := uncomment(text)
		if !strings.HasSuffix(line, ":") {
			return "", "", false
		}
		return plain(line[:len(line)-1]), "", true
	}
	return plain(text[:i]), strings.TrimLeft(text[i+2:], " "), true
}

func plain(text string) string { return strings.TrimSpace(text) }

// uncomment cuts off a comment behind a plain scalar.
func uncomment(text string) string {
	if strings.HasPrefix(text, "#") {
		return ""
	}
	if i := strings.Index(text, " #"); i >= 0 {
		text = text[:i]
	}
	return strings.TrimRight(text, " \t")
}

func isBlockScalar(text string) bool { return text[0] == '|' || text[0] == '>' }

// value reads a scalar or a flow collection that begins with text, at the end
// of the current line, and goes on in lines indented further than parent.
func (p *parser) value(text string, parent int) any {
	switch text[0] {
	case '|', '>':
		return p.blockScalar(text, parent)
	case '"', '\'':
		return p.flowLines(text, func(s string) (any, string, bool) { w, rest, ok := p.quoted(s); return w, rest, ok })
	case '[', '{':
		return p.flowLines(text, func(s string) (any, string, bool) { return p.flow(s, p.depth) })
	case '&':
		return p.nested(func() any { return p.anchored(text, parent) })
	case '*':
		v := p.alias(uncomment(text[1:]))
		p.at++
		return v
	case '!', '%', '@', '`':
		p.failf("%q: tags cannot be read", text)
	}
	words := []string{uncomment(text)}
	p.at++
	for p.at < len(p.lines) {
		line := p.lines[p.at]
		rest := strings.TrimLeft(line, " ")
		if rest == "" || rest[0] == '#' || len(line)-len(rest) <= parent || words[0] != text && strings.Contains(text, " #") {
			break
		}
		if _, _, isKey := p.key(rest); isKey {
			p.failf("%q: a mapping begins inside of a word", rest)
		}
		words = append(words, uncomment(rest))
		p.at++
	}
	return scalar(strings.Join(words, " "))
}

// scalar reads a plain scalar: null is nothing.
func scalar(word string) any {
	if word == "null" || word == "~" || word == "" {
		return nil
	}
	return word
}

// flowLines reads with more and more lines until read says that it is whole.
func (p *parser) flowLines(text string, read func(string) (any, string, bool)) any {
	for first := p.at; ; {
		v, rest, ok := read(text)
		if ok {
			if after := uncomment(strings.TrimLeft(rest, " ")); after != "" {
				p.failf("%q follows what is closed", after)
			}
			p.at++
			return v
		}
		if p.at++; p.at >= len(p.lines) || p.at-first > 10_000 {
			p.failf("%.20q is not closed", text)
		}
		next := strings.TrimSpace(p.lines[p.at])
		switch {
		case strings.HasSuffix(text, `\`) && text[0] == '"':
			text = text[:len(text)-1] + next
		case next == "":
			text += "\n"
		case strings.HasSuffix(text, "\n"):
			text += next
		default:
			text += " " + next
		}
	}
}

// quoted reads a quoted scalar; ok is false while it is not closed.
func (p *parser) quoted(text string) (word, rest string, ok bool) {
	quote := text[0]
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote && quote == '\'' && i+1 < len(text) && text[i+1] == '\'':
			b.WriteByte('\'')
			i++
		case c == quote:
			return b.String(), text[i+1:], true
		case c == '\\' && quote == '"':
			n := p.escape(&b, text[i+1:])
			if n == 0 {
				return "", "", false
			}
			i += n
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

var escapes = map[byte]string{
	'0': "\x00", 'a': "\a", 'b': "\b", 't': "\t", '\t': "\t", 'n': "\n", 'v': "\v", 'f': "\f", 'r': "\r", 'e': "\x1b",
	' ': " ", '"': `"`, '/': "/", '\\': `\`, 'N': "\u0085", '_': "\u00a0", 'L': "\u2028", 'P': "\u2029",
}

// escape writes what an escape stands for and returns how many bytes it has
// after the backslash; 0 if the text ends in it.
func (p *parser) escape(b *strings.Builder, text string) int {
	if text == "" {
		return 0
	}
	if s, ok := escapes[text[0]]; ok {
		b.WriteString(s)
		return 1
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[0]]
	if digits == 0 {
		p.failf("unknown escape \\%c", text[0])
	}
	if len(text) < 1+digits {
		return 0
	}
	var r rune
	if _, err := fmt.Sscanf(text[1:1+digits], "%x", &r); err != nil {
		p.failf("bad escape \\%s", text[:1+digits])
	}
	b.WriteRune(r)
	return 1 + digits
}

// flow reads a flow node; ok is false while it is not closed.
func (p *parser) flow(text string, depth int) (v any, rest string, ok bool) {
	if depth > maxDepth {
		p.failf("nested too deep")
	}
	text = strings.TrimLeft(text, " \n")
	if text == "" {
		return nil, "", false
	}
	switch text[0] {
	case '"', '\'':
		return p.quoted(text)
	case '[':
		return p.flowList(text[1:], depth)
	case '{':
		return p.flowMap(text[1:], depth)
	case '&', '!':
		p.failf("%q: tags, and anchors within brackets, cannot be read", text)
	}
	end := strings.IndexAny(text, ",]}")
	if colon := strings.Index(text, ": "); colon >= 0 && (end < 0 || colon < end) {
		end = colon
	}
	if end < 0 {
		return nil, "", false
	}
	if text[0] == '*' {
		return p.alias(strings.TrimSpace(text[1:end])), text[end:], true
	}
	return scalar(strings.TrimSpace(text[:end])), text[end:], true
}

func (p *parser) flowList(text string, depth int) (any, string, bool) {
	list := []any{}
	for {
		if text = strings.TrimLeft(text, " \n"); text == "" {
			return nil, "", false
		}
		if text[0] == ']' {
			return list, text[1:], true
		}
		v, rest, ok := p.flow(text, depth+1)
		if !ok {
			return nil, "", false
		}
		list = append(list, v)
		if text, ok = p.comma(rest, ']'); !ok {
			return nil, "", false
		}
	}
}

func (p *parser) flowMap(text string, depth int) (any, string, bool) {
	m := make(map[string]any)
	for {
		if text = strings.TrimLeft(text, " \n"); text == "" {
			return nil, "", false
		}
		if text[0] == '}' {
			return p.merged(m), text[1:], true
		}
		name, rest, ok := p.flow(text, depth+1)
		if rest = strings.TrimLeft(rest, " \n"); !ok || rest == "" {
			return nil, "", false
		}
		word, isWord := name.(string)
		if !isWord || rest[0] != ':' {
			p.failf("%.20q: a key and a colon should be there", text)
		}
		var v any
		if v, rest, ok = p.flow(rest[1:], depth+1); !ok {
			return nil, "", false
		}
		m[word] = v
		if text, ok = p.comma(rest, '}'); !ok {
			return nil, "", false
		}
	}
}

// comma passes over the comma after an item; before the end there is none.
func (p *parser) comma(text string, end byte) (string, bool) {
	text = strings.TrimLeft(text, " \n")
	switch {
	case text == "":
		return "", false
	case text[0] == ',':
		return text[1:], true
	case text[0] != end:
		p.failf("%.20q: a comma or %c should be there", text, end)
	}
	return text, true
}

// blockScalar reads the lines after "|" or ">".
func (p *parser) blockScalar(head string, parent int) any {
	folded := head[0] == '>'
	keep := strings.Contains(uncomment(head), "+")
	strip := strings.Contains(uncomment(head), "-")
	p.at++
	indent := -1
	var lines []string
	for ; p.at < len(p.lines); p.at++ {
		line := p.lines[p.at]
		rest := strings.TrimLeft(line, " ")
		if rest == "" {
			lines = append(lines, "")
			continue
		}
		if indent < 0 {
			indent = len(line) - len(rest)
		}
		if len(line)-len(rest) <= parent || len(line)-len(rest) < indent {
			break
		}
		lines = append(lines, line[indent:])
	}
	end := len(lines)
	for end > 0 && lines[end-1] == "" {
		end--
	}
	between := "\n"
	if folded {
		between = " "
	}
	text := strings.Join(lines[:end], between)
	switch {
	case keep:
		text += strings.Repeat("\n", len(lines)-end+1)
	case !strip && text != "":
		text += "\n"
	}
	return text
}
