package cli

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core"
)

func TestUnits(t *testing.T) {
	for got, want := range map[string]string{
		size(0):                           "0 B",
		size(1023):                        "1023 B",
		size(1024):                        "1.0 KiB",
		size(1<<20 - 1):                   "1.0 MiB",
		size(5 << 40):                     "5.0 TiB",
		size(-2048):                       "-2.0 KiB",
		decimal(0):                        "0",
		decimal(999):                      "999",
		decimal(-1234567):                 "-1,234,567",
		plural(1, "file"):                 "1 file",
		plural(2000, "file"):              "2,000 files",
		plural(2, "entry", "entries"):     "2 entries",
		took(40 * time.Millisecond):       "40 ms",
		took(90 * time.Second):            "1 min 30 s",
		took(3*time.Hour + time.Minute):   "3 h 1 min",
		rate(1<<20, time.Second):          "1.0 MiB/s",
		rate(1, 0):                        "-",
		tookFor(3, time.Second):           "1.0 s",
		tookFor(1<<20, time.Second):       "1.0 s (1.0 MiB/s)",
		quoted("data/straße"):             "data/straße",
		quoted("a b"):                     "a b",
		quoted("a\nb"):                    `"a\nb"`,
		quoted("a\x1b[2J"):                `"a\x1b[2J"`,
		quoted("\xff"):                    `"\xff"`,
		quoted("a "):                      `"a "`,
		quoted(""):                        `""`,
		shellWord("v1~2:data/a.png"):      "v1~2:data/a.png",
		shellWord("it's"):                 `'it'\''s'`,
		shellWord(""):                     "''",
		commandLine([]string{"a", "b c"}): "a 'b c'",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestProgressLine(t *testing.T) {
	for _, c := range []struct {
		now    core.Progress
		lasted time.Duration
		want   string
	}{
		{core.Progress{}, time.Second, ""},
		{core.Progress{Files: 10}, 2 * time.Second, "10 files, 5 files/s"},
		{core.Progress{Files: 1, Bytes: 1 << 20}, time.Second, "1 files, 1.0 MiB, 1.0 MiB/s"},
		{core.Progress{Files: 5, TotalFiles: 10, Bytes: 1 << 20, TotalBytes: 4 << 20}, time.Second, "5 of 10 files, 1.0 MiB of 4.0 MiB, 1.0 MiB/s, 3.0 s left"},
		{core.Progress{Files: 1, TotalFiles: 10, Bytes: 4, TotalBytes: 4}, time.Second, "1 of 10 files, 4 B of 4 B, 4 B/s, 9.0 s left"},
		{core.Progress{Bytes: 4, TotalBytes: 4}, time.Second, "4 B of 4 B, 4 B/s"},
	} {
		if got := progressLine(c.now, c.lasted); got != c.want {
			t.Errorf("%+v: %q, want %q", c.now, got, c.want)
		}
	}
}

// Progress is drawn from many goroutines at once and goes away.
func TestProgressEnds(t *testing.T) {
	var screen strings.Builder
	p := newProgress(&screen)
	for i := range 20 {
		p.update(core.Progress{Phase: core.PhaseRead, Files: int64(i), TotalFiles: 20})
		time.Sleep(progressAfter / 10)
	}
	p.above(func(w io.Writer) { w.Write([]byte("said\n")) }) //nolint:errcheck // a builder
	p.end()
	p.update(core.Progress{Phase: core.PhaseRead, Files: 1}) // after the end: nothing
	p.end()
}
