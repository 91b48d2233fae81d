package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/mlvc/mlvc/core"
)

// progress is the line at the bottom of a terminal: the phase, how far it is,
// its rate and the time left. A phase shorter than a moment shows nothing.
type progress struct {
	w io.Writer

	// What is drawn from: mpb asks for it while it answers a call, so it is
	// never held over one.
	drawn   sync.Mutex
	now     core.Progress
	started time.Time // of the phase

	mu    sync.Mutex
	pool  *mpb.Progress // nil until something has lasted
	bar   *mpb.Bar
	ended bool
}

// progressAfter is how long a phase lasts before it is shown.
const progressAfter = 400 * time.Millisecond

func newProgress(w io.Writer) *progress { return &progress{w: w} }

func (p *progress) update(now core.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	begun, lasted := p.note(now)
	if begun {
		p.drop()
	}
	if now.Phase == core.PhaseFinished || lasted < progressAfter {
		return
	}
	if p.bar == nil {
		p.show(now)
	}
	if share, ok := shareOf(now); ok {
		p.bar.SetTotal(barSteps, false)
		p.bar.SetCurrent(int64(share * barSteps))
	}
}

// note keeps what is drawn, and says whether a phase begins with it and how
// long the phase has lasted.
func (p *progress) note(now core.Progress) (begun bool, lasted time.Duration) {
	p.drawn.Lock()
	defer p.drawn.Unlock()
	begun = now.Phase != p.now.Phase
	if begun {
		p.started = time.Now()
	}
	p.now = now
	return begun, time.Since(p.started)
}

// show begins the phase's bar.
func (p *progress) show(now core.Progress) {
	if p.pool == nil {
		p.pool = mpb.New(mpb.WithOutput(p.w), mpb.WithWidth(24), mpb.WithRefreshRate(150*time.Millisecond), mpb.WithAutoRefresh())
	}
	line := decor.Any(func(decor.Statistics) string { return " " + p.line() })
	style := mpb.BarFillerBuilder(mpb.NopStyle())
	if now.TotalBytes > 0 || now.TotalFiles > 0 {
		style = mpb.BarStyle()
	}
	p.bar = p.pool.New(0, style, mpb.PrependDecorators(decor.Name(string(now.Phase)+" ")), mpb.AppendDecorators(line), mpb.BarRemoveOnComplete())
}

// line says how far the phase is.
func (p *progress) line() string {
	p.drawn.Lock()
	now, lasted := p.now, time.Since(p.started)
	p.drawn.Unlock()
	return progressLine(now, lasted)
}

func progressLine(now core.Progress, lasted time.Duration) string {
	of := func(done, total string, known bool) string {
		if known {
			return done + " of " + total
		}
		return done
	}
	var parts []string
	if now.Files > 0 || now.TotalFiles > 0 {
		parts = append(parts, of(decimal(now.Files), decimal(now.TotalFiles), now.TotalFiles > 0)+" files")
	}
	if now.Bytes > 0 || now.TotalBytes > 0 {
		parts = append(parts, of(size(now.Bytes), size(now.TotalBytes), now.TotalBytes > 0), rate(now.Bytes, lasted))
	} else if now.Files > 0 && lasted > 0 {
		parts = append(parts, fmt.Sprintf("%s files/s", decimal(int64(float64(now.Files)/lasted.Seconds()))))
	}
	if left, ok := timeLeft(now, lasted); ok {
		parts = append(parts, took(left)+" left")
	}
	return strings.Join(parts, ", ")
}

// barSteps is how finely a bar is drawn.
const barSteps = 1000

// shareOf is how much of the phase is done, by files or by bytes, whichever is
// less: many small files at the end take their time too.
func shareOf(now core.Progress) (float64, bool) {
	share, known := 1.0, false
	for _, p := range [][2]int64{{now.Files, now.TotalFiles}, {now.Bytes, now.TotalBytes}} {
		if p[1] > 0 {
			share, known = min(share, float64(p[0])/float64(p[1])), true
		}
	}
	return share, known
}

// timeLeft supposes that the rest goes as what was done went.
func timeLeft(now core.Progress, lasted time.Duration) (time.Duration, bool) {
	share, known := shareOf(now)
	if !known || share <= 0 {
		return 0, false
	}
	left := time.Duration(float64(lasted) / share * (1 - share)).Round(time.Second)
	return left, left > 0
}

// drop takes the phase's bar away.
func (p *progress) drop() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bar = nil
	}
}

// above writes lines over the bar.
func (p *progress) above(write func(w io.Writer)) {
	p.mu.Lock()
	pool := p.pool
	p.mu.Unlock()
	var b bytes.Buffer
	write(&b)
	if pool != nil {
		if _, err := pool.Write(b.Bytes()); err == nil {
			return
		}
	}
	_, _ = p.w.Write(b.Bytes()) // nothing else could tell
}

// end takes everything away and waits until it is gone.
func (p *progress) end() {
	p.mu.Lock()
	p.ended = true
	p.drop()
	pool := p.pool
	p.pool = nil
	p.mu.Unlock()
	if pool != nil {
		pool.Shutdown()
	}
}
