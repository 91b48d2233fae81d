package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/report"
	"github.com/mlvc/mlvc/objects"
)

func content(text string) objects.ID { return objects.Sum(objects.KindChunk, []byte(text)) }

func file(path, split string) dataset.Sample {
	return dataset.Sample{Path: path, Split: split, Content: content(path)}
}

// sample is a report with something of everything.
func sample() *dataset.Report {
	row := func(path string, n int64, split string) dataset.Sample {
		return dataset.Sample{Path: path, Row: n, Split: split, Content: content("row")}
	}
	return &dataset.Report{
		Rules: []dataset.Checked{
			{Rule: "overlap", Scheme: "default", Level: "error", Samples: 1234567},
			{Rule: "content", Scheme: "default", Level: "error", Samples: 1234567, Findings: 25_000, Waived: 1},
			{Rule: "frozen", Scheme: "default", Level: "error", Skipped: "there is no earlier commit with this scheme"},
			{Rule: "rows", Scheme: "by-patient", Level: "warn", Samples: 10, Findings: 1},
			{Rule: "near", Scheme: "default", Level: "warn", Samples: 12, Findings: 1},
			{Rule: "drift", Scheme: "default", Level: "off"},
		},
		Findings: []dataset.Finding{
			{
				ID: "c1", Rule: "content", Level: "error", Scheme: "default", Message: "the same content is in test and train: test/a b.png, train/é:1.png",
				Samples: []dataset.Sample{file("test/a b.png", "test"), file("train/é:1.png", "train")},
			},
			{
				ID: "c2", Rule: "content", Level: "error", Scheme: "default", Message: "the same content is in test and train: test/w.png, train/w.png",
				Samples: []dataset.Sample{file("test/w.png", "test"), file("train/w.png", "train")}, Waived: "known",
			},
			{
				ID: "r1", Rule: "rows", Level: "warn", Scheme: "by-patient", Message: "the same row is in test and train: m.csv row 3, m.csv row 1,200",
				Samples: []dataset.Sample{row("m.csv", 3, "test"), row("m.csv", 1200, "train")},
			},
			{
				ID: "n1", Rule: "near", Level: "warn", Scheme: "default", Message: "test/n.png in test is nearly train/n.png in train",
				Samples: []dataset.Sample{file("test/n.png", "test"), file("train/n.png", "train")}, Distance: 3, Measure: "bits of dHash",
			},
		},
		Unread: []dataset.Unread{{Path: "x.csv", Place: "line 17", Why: "3 fields where the header has 4"}},
	}
}

const wantText = `   rule     scheme      level    samples  findings  waived
✓  overlap  default     error  1,234,567         -       -
✗  content  default     error  1,234,567    24,999       1
–  frozen   default     error          0         -       -  not checked: there is no earlier commit with this scheme
!  rows     by-patient  warn          10         1       -
!  near     default     warn          12         1       -
–  drift    default     off            0         -       -

✗ content: 24,999 findings (checked: no content is in two splits)
  the same content is in test and train: test/a b.png, train/é:1.png
  and 24,998 more

! rows of by-patient: 1 finding (checked: no row is in two splits)
  the same row is in test and train: m.csv row 3, m.csv row 1,200

! near: 1 finding (checked: no near-duplicates are in two splits)
  test/n.png in test is nearly train/n.png in train (3 bits of dHash)

24,999 errors, 2 warnings, 1 waived
`

func TestText(t *testing.T) {
	var b strings.Builder
	if err := report.Text(&b, sample(), report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantText, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTextOptions(t *testing.T) {
	var b strings.Builder
	style := func(r report.Role, s string) string { return "[" + string(r) + ":" + s + "]" }
	r := sample()
	r.Findings[0].Message = "control \x1b[31m \x00 \xff and " + strings.Repeat("x", 100)
	if err := report.Text(&b, r, report.TextOptions{All: true, Style: style}); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{
		"[bad:✗ content]: 24,999 findings", "test: test/a b.png", "waived: known", `control \x1b[31m \x00`, "[faint:  and 24,998 more]",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.ContainsAny(got, "\x1b\x00") {
		t.Error("control characters go through")
	}
}

func TestNothingFound(t *testing.T) {
	var b strings.Builder
	r := &dataset.Report{Rules: []dataset.Checked{{Rule: "content", Scheme: "default", Level: "error", Samples: 3}}}
	if err := report.Text(&b, r, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "✓  content") || !strings.HasSuffix(b.String(), "\nnothing found\n") {
		t.Error(b.String())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteFails(t *testing.T) {
	for name, err := range map[string]error{
		"text":  report.Text(full{}, sample(), report.TextOptions{}),
		"json":  report.JSON(full{}, sample()),
		"sarif": report.SARIF(full{}, sample(), "1"),
		"html":  report.HTML(t.Context(), full{}, report.Page{Report: sample()}),
	} {
		if err == nil {
			t.Error(name, "does not tell that writing failed")
		}
	}
}

func TestJSONReadsBack(t *testing.T) {
	var b bytes.Buffer
	if err := report.JSON(&b, sample()); err != nil {
		t.Fatal(err)
	}
	var got dataset.Report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*sample(), got); diff != "" {
		t.Error(diff)
	}
}
