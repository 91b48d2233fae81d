package cli

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"golang.org/x/term"
)

// output is where results go: as text for people, or as JSON lines. It is the
// only place that knows which.
type output struct {
	w     *bufio.Writer
	json  bool
	quiet bool
	style style
}

func newOutput(w io.Writer) *output { return &output{w: bufio.NewWriterSize(w, 64<<10)} }

// set makes it print as the flags say from now on.
func (o *output) set(flags globalFlags, colours bool) {
	o.json, o.quiet, o.style = flags.json, flags.quiet, style{colours}
}

func (o *output) flush() error { return o.w.Flush() }

// answer prints what was asked for: v as one line of JSON, or what human
// writes.
func (o *output) answer(v any, human func(t *text)) error {
	if o.json {
		return o.object(v)
	}
	t := &text{o.w, o.style}
	human(t)
	return nil
}

// report is answer for what -q keeps silent: that something was done.
func (o *output) report(v any, human func(t *text)) error {
	if o.quiet && !o.json {
		return nil
	}
	return o.answer(v, human)
}

// each prints a list as it comes, one JSON object a line, and returns how many
// there were.
func each[T any](o *output, seq iter.Seq2[T, error], human func(t *text, v T)) (int64, error) {
	var n int64
	for v, err := range seq {
		if err != nil {
			return n, err
		}
		n++
		if err := o.answer(v, func(t *text) { human(t, v) }); err != nil {
			return n, err
		}
	}
	return n, nil
}

// list prints what is at hand already.
func list[T any](o *output, all []T, human func(t *text, v T)) error {
	_, err := each(o, func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}, human)
	return err
}

// object prints one line of JSON.
func (o *output) object(v any) error {
	line, err := encodeJSON(v)
	if err != nil {
		return err
	}
	_, err = o.w.Write(append(line, '\n'))
	return err
}

// text is written for people.
type text struct {
	w io.Writer
	style
}

// line writes one line; its end is written too.
func (t *text) line(format string, args ...any) {
	fmt.Fprintf(t.w, format+"\n", args...) //nolint:errcheck // the buffer keeps the first error for flush
}

// columns writes rows with their cells aligned, by their widths without
// colours; the last cell is not padded. A cell is a word and its colour.
func (t *text) columns(indent string, rows [][]cell) {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(c.text)))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, c := range row {
			pad := padRight
			if c.right {
				pad = padLeft
			}
			word := c.text
			if i < len(row)-1 || c.right {
				word = pad(word, widths[i])
			}
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString(t.paint(c.colour, word))
		}
		t.line("%s%s", indent, strings.TrimRight(b.String(), " "))
	}
}

// cell is one word of a table.
type cell struct {
	text   string
	colour colour
	right  bool // aligned to the right: numbers
}

// colour is a number of the terminal's.
type colour string

const (
	plain  colour = ""
	bold   colour = "1"
	dim    colour = "2"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	cyan   colour = "36"
)

// style paints words, or leaves them.
type style struct{ colours bool }

func (s style) paint(c colour, word string) string {
	if !s.colours || c == plain || word == "" {
		return word
	}
	return "\x1b[" + string(c) + "m" + word + "\x1b[0m"
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
