package gitpair

import (
	"bytes"
	"slices"
	"strings"
)

// What mlvc puts into a file of the user's stands between two marks. The
// begin mark ends in notes that say how to leave the file as it was.
const (
	blockBegin = "# >>> mlvc >>> (`mlvc git unpair` takes this out)"
	blockEnd   = "# <<< mlvc <<<"

	noteMade  = " [made]"                 // mlvc made the file
	noteEnd   = " [no line end before]"   // the line above did not end
	noteAside = " [hook of before aside]" // hooks: the user's own is in asideDir
)

// block is what stands between the marks.
type block struct {
	notes string
	lines []string
}

func (b block) has(note string) bool { return strings.Contains(b.notes, note) }

// find returns the block of a text, and where it lies.
func findBlock(text []byte) (b block, from, to int, ok bool) {
	from = -1
	at := 0
	for line := range bytes.Lines(text) {
		s := strings.TrimSuffix(string(line), "\n")
		switch {
		case from < 0 && strings.HasPrefix(s, blockBegin):
			from, b.notes = at, s[len(blockBegin):]
		case from >= 0 && s == blockEnd:
			return b, from, at + len(line), true
		case from >= 0:
			b.lines = append(b.lines, s)
		}
		at += len(line)
	}
	return block{}, 0, 0, false
}

func hasBlock(text []byte) bool {
	_, _, _, ok := findBlock(text)
	return ok
}

// cutBlock takes the block out of a text: what is left is what was there
// before it was put in, and what was changed since.
func cutBlock(text []byte) (rest []byte, b block, ok bool) {
	b, from, to, ok := findBlock(text)
	if !ok {
		return text, b, false
	}
	before, after := text[:from], text[to:]
	if b.has(noteEnd) && len(after) == 0 {
		before = bytes.TrimSuffix(before, []byte("\n"))
	}
	return slices.Concat(before, after), b, true
}

// putBlock puts a block into a text that has none: after the first `after`
// bytes, which end a line or the text.
func putBlock(text []byte, after int, b block) []byte {
	b.notes = strings.ReplaceAll(b.notes, noteEnd, "")
	before, rest := text[:after], text[after:]
	var out bytes.Buffer
	out.Write(before)
	if len(before) > 0 && before[len(before)-1] != '\n' {
		b.notes += noteEnd
		out.WriteByte('\n')
	}
	out.WriteString(blockBegin + b.notes + "\n")
	for _, line := range b.lines {
		out.WriteString(line + "\n")
	}
	out.WriteString(blockEnd + "\n")
	out.Write(rest)
	return out.Bytes()
}
