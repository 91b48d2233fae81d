package report_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/report"
)

func page(t *testing.T, p report.Page) string {
	t.Helper()
	var b strings.Builder
	if err := report.HTML(t.Context(), &b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func schemes() []report.Scheme {
	classes := []report.Class{{Name: "cat", Samples: 30}, {Name: "dog", Samples: 10}}
	return []report.Scheme{{Name: "default", Splits: []report.Split{
		{Name: "train", Files: 4000, Bytes: 1 << 30, Classes: classes, Fingerprint: strings.Repeat("ab", 32)},
		{Name: "test", Files: 10, Bytes: 1000, Classes: classes[:1], Frozen: true, Sealed: true},
	}}}
}

func TestPage(t *testing.T) {
	got := page(t, report.Page{
		Dataset: "birds", Commit: strings.Repeat("c0ffee", 11)[:64], When: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC),
		Schemes: schemes(), Report: sample(),
		Thumbnail: func(_ context.Context, s dataset.Sample) (string, []byte, error) {
			if s.Path == "train/n.png" {
				return "", nil, errors.New("it is cut short")
			}
			return "image/png", []byte("PNG of " + s.Path), nil
		},
		Row: func(_ context.Context, s dataset.Sample) ([]report.Cell, error) {
			return []report.Cell{{"text", "alike"}, {"id", fmt.Sprint(s.Row)}}, nil
		},
	})
	for _, want := range []string{
		"<b>24,999 errors</b>, 2 warnings, 1 waived", "c0ffeec0ffee", "2026-01-02 03:04 UTC",
		"1.0 GiB", `style="width:75%"`, "frozen", "sealed",
		"data:image/png;base64,UE5HIG9mIHRlc3Qvbi5wbmc=", "no picture: it is cut short", "3 bits of dHash",
		`<tr class="differ"><th>id</th><td>3</td><td>1200</td></tr>`, "<tr><th>text</th><td>alike</td><td>alike</td></tr>",
		"<details><summary>1 waived</summary>", "Waived: known", "and 24,998 more, which are not shown here",
		"not checked: there is no earlier commit with this scheme", "3 fields where the header has 4",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q", want)
		}
	}
	wellFormed(t, got)
}

// wellFormed fails for tags that do not match.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text[strings.Index(text, "<html"):]))
	d.Strict, d.AutoClose, d.Entity = false, []string{"meta", "img", "br"}, xml.HTMLEntity
	var open []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			open = append(open, e.Name.Local)
		case xml.EndElement:
			if open[len(open)-1] != e.Name.Local {
				t.Fatalf("</%s> closes <%s>", e.Name.Local, open[len(open)-1])
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Fatal("left open:", open)
	}
}

var (
	tag      = regexp.MustCompile(`<[a-zA-Z/!][^>]*>`)
	loads    = regexp.MustCompile(`(?i)(src|href|action|data)\s*=\s*"([^"]*)"`)
	handlers = regexp.MustCompile(`(?i)\son[a-z]+\s*=`)
)

// Whatever names and texts say, it is shown and not obeyed, and nothing is
// loaded.
func TestPageEscapes(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>'</style></title><a href="javascript:alert(1)">{{.}}`
	s := []dataset.Sample{{Path: evil, Split: evil}, {Path: evil + "2", Split: evil, Row: 2}}
	rows := []dataset.Sample{{Path: evil, Split: evil, Row: 1}, {Path: evil, Split: evil, Row: 2}}
	got := page(t, report.Page{
		Dataset: evil, Commit: evil, Message: evil, Version: evil,
		Schemes: []report.Scheme{{Name: evil, Splits: []report.Split{{Name: evil, Fingerprint: evil, Classes: []report.Class{{Name: evil, Samples: 1}}}}}},
		Report: &dataset.Report{
			Rules: []dataset.Checked{{Rule: "content", Scheme: evil, Level: "error", Findings: 3, Skipped: evil}},
			Findings: []dataset.Finding{
				{ID: evil, Rule: "content", Scheme: evil, Level: "error", Message: evil, Samples: s, Measure: evil},
				{ID: "2", Rule: "content", Scheme: evil, Level: "error", Message: evil, Samples: rows},
				{ID: "3", Rule: "content", Scheme: evil, Level: "error", Message: evil, Waived: evil},
			},
			Unread: []dataset.Unread{{Path: evil, Place: evil, Why: evil}},
		},
		Thumbnail: func(_ context.Context, s dataset.Sample) (string, []byte, error) {
			if s.Row == 0 {
				return "image/svg+xml", []byte("<svg onload=alert(1)>"), nil
			}
			return "", nil, errors.New(evil)
		},
		Row: func(context.Context, dataset.Sample) ([]report.Cell, error) { return []report.Cell{{evil, evil}}, nil },
	})
	if strings.Contains(got, "svg+xml") {
		t.Error("a picture that can run goes through")
	}
	for _, tag := range tag.FindAllString(got, -1) {
		if strings.HasPrefix(strings.ToLower(tag), "<script") || handlers.MatchString(unquoted(tag)) {
			t.Errorf("goes through: %s", tag)
		}
		for _, m := range loads.FindAllStringSubmatch(tag, -1) {
			if !strings.HasPrefix(m[2], "data:image/") && !strings.HasPrefix(m[2], "#") {
				t.Errorf("loads %s", m[2])
			}
		}
	}
	wellFormed(t, got)
}

var values = regexp.MustCompile(`"[^"]*"`)

// unquoted is a tag without the values of its attributes.
func unquoted(tag string) string { return values.ReplaceAllString(tag, `""`) }

func TestPageIsClean(t *testing.T) {
	got := page(t, report.Page{Report: &dataset.Report{Rules: []dataset.Checked{{Rule: "content", Level: "error"}}}})
	if !strings.Contains(got, "<b>Nothing found</b>") || !strings.Contains(got, "not committed") {
		t.Error(got)
	}
	wellFormed(t, got)
}

// The page shows a bounded number of findings, and stops when told.
func TestPageIsBounded(t *testing.T) {
	r := &dataset.Report{Rules: []dataset.Checked{{Rule: "near", Level: "warn"}}}
	for i := range 500 {
		r.Findings = append(r.Findings, dataset.Finding{ID: fmt.Sprint(i), Rule: "near", Level: "warn", Message: "m", Samples: []dataset.Sample{file("a", "b")}})
	}
	asked := 0
	p := report.Page{Report: r, Thumbnail: func(context.Context, dataset.Sample) (string, []byte, error) { asked++; return "", nil, nil }}
	if got := page(t, p); asked != 100 || !strings.Contains(got, "and 400 more") {
		t.Error(asked, "pictures asked for")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := report.HTML(ctx, io.Discard, p); !errors.Is(err, context.Canceled) {
		t.Error("not stopped:", err)
	}
}
