package cli

import (
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset/report"
)

// events shows what happens while a verb runs: warnings and waiting on the
// error stream, progress on a terminal.
type events struct {
	mu   sync.Mutex
	out  *output
	bar  *progress             // nil: none is shown
	said map[core.Warning]bool // a path may be met more than once
	rest map[string]int64      // how many of a code were not said, for people
	told map[string]int64      // how many were
}

// maxSaid bounds the warnings that are remembered; people are told maxTold of
// a code, and how many more there were.
const (
	maxSaid = 10_000
	maxTold = 20
)

var _ core.Events = (*events)(nil)

func newEvents(out *output, w io.Writer, showProgress bool) *events {
	e := &events{out: out, said: make(map[core.Warning]bool), rest: make(map[string]int64), told: make(map[string]int64)}
	if showProgress {
		e.bar = newProgress(w)
	}
	return e
}

// Progress implements core.Events.
func (e *events) Progress(p core.Progress) {
	if e.bar != nil {
		e.bar.update(p)
	}
}

// warning is a core.Warning as JSON.
type warning struct {
	Code    string `json:"code"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

// Warn implements core.Events.
func (e *events) Warn(w core.Warning) {
	if e.muted(w) {
		return
	}
	e.print(struct {
		Warning warning `json:"warning"`
	}{warning{w.Code, w.Path, w.Message}}, func(t *text) {
		subject := ""
		if w.Path != "" {
			subject = quoted(w.Path) + ": "
		}
		t.line("%s %s%s", t.paint(yellow, "warning:"), subject, report.Printable(w.Message))
	})
}

// muted reports whether a warning was said before, or is one too many.
func (e *events) muted(w core.Warning) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.said[w] {
		return true
	}
	if len(e.said) < maxSaid {
		e.said[w] = true
	}
	if e.told[w.Code]++; e.told[w.Code] > maxTold && !e.out.json {
		e.rest[w.Code]++
		return true
	}
	return false
}

// waiting is a core.Holder as JSON.
type waiting struct {
	Waiting core.Holder `json:"waiting"`
}

// Waiting implements core.Events.
func (e *events) Waiting(h core.Holder) {
	if e.out.quiet && !e.out.json {
		return
	}
	e.print(waiting{h}, func(t *text) {
		t.line("Waiting for %v to finish …", h)
	})
}

// print writes at once, above the progress if there is one.
func (e *events) print(v any, human func(t *text)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bar != nil {
		e.bar.above(func(w io.Writer) { human(&text{w, e.out.style}) })
		return
	}
	// What cannot be said on the error stream is lost: there is no other.
	_ = e.out.answer(v, human)
	_ = e.out.flush()
}

// end takes the progress away, and sums up what was not said.
func (e *events) end() {
	if e.bar != nil {
		e.bar.end()
	}
	e.mu.Lock()
	rest := e.rest
	e.rest = make(map[string]int64)
	e.mu.Unlock()
	for _, code := range slices.Sorted(maps.Keys(rest)) {
		e.print(nil, func(t *text) {
			t.line("%s … and %s more of this kind (%s; --json has all)", t.paint(yellow, "warning:"), decimal(rest[code]), code)
		})
	}
}
