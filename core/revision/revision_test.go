package revision_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlvc/mlvc/core/revision"
)

func ancestor(n int) revision.Step { return revision.Step{Ancestor: true, N: n} }

func parent(n int) revision.Step { return revision.Step{N: n} }

func TestParse(t *testing.T) {
	for text, want := range map[string]revision.Rev{
		"main":                  {Base: "main"},
		"origin/main":           {Base: "origin/main"},
		"v1.2-rc":               {Base: "v1.2-rc"},
		"user@host":             {Base: "user@host"},
		"@":                     {Base: "HEAD"},
		"@~":                    {Base: "HEAD", Steps: []revision.Step{ancestor(1)}},
		"HEAD~2":                {Base: "HEAD", Steps: []revision.Step{ancestor(2)}},
		"X^":                    {Base: "X", Steps: []revision.Step{parent(1)}},
		"X^2~3^^0":              {Base: "X", Steps: []revision.Step{parent(2), ancestor(3), parent(1), parent(0)}},
		"X~~":                   {Base: "X", Steps: []revision.Step{ancestor(1), ancestor(1)}},
		"@{1}":                  {Base: "HEAD", At: revision.At{Set: true, Back: 1}},
		"main@{0}":              {Base: "main", At: revision.At{Set: true}},
		"main@{yesterday}^":     {Base: "main", At: revision.At{Set: true, When: "yesterday"}, Steps: []revision.Step{parent(1)}},
		"main@{2 hours ago}":    {Base: "main", At: revision.At{Set: true, When: "2 hours ago"}},
		"m@{2026-11-24 10:00}~": {Base: "m", At: revision.At{Set: true, When: "2026-11-24 10:00"}, Steps: []revision.Step{ancestor(1)}},
		"@@{1}":                 {Base: "HEAD", At: revision.At{Set: true, Back: 1}},
	} {
		got, err := revision.Parse(text)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"":                  "empty",
		"~1":                "before ~",
		"^":                 "before ^",
		"-m":                `begins with "-"`,
		"main@{":            "not closed",
		"main@{}":           "neither a number nor a time",
		"main@{ }":          "neither a number nor a time",
		"main@{1}@{2}":      "neither ~N nor ^N",
		"main~1@{2}":        "neither ~N nor ^N",
		"main~1x":           "neither ~N nor ^N",
		"main^{tree}":       "neither ~N nor ^N",
		"main~99999999999":  "too large",
		"main@{9999999999}": "too large",
		"main:path":         "no path",
		"a..b":              "no range",
	} {
		_, err := revision.Parse(text)
		var syntax *revision.SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, want it to say %s", text, err, why)
		}
	}
}

func TestParseSpec(t *testing.T) {
	main := revision.Rev{Base: "main"}
	at := revision.Rev{Base: "main", At: revision.At{Set: true, When: "10:00"}}
	for text, want := range map[string]revision.Spec{
		"main":                {Rev: main},
		"main:":               {Rev: main, HasPath: true},
		"main:a/b":            {Rev: main, HasPath: true, Path: "a/b"},
		"main:a:b":            {Rev: main, HasPath: true, Path: "a:b"},
		"main:a..b":           {Rev: main, HasPath: true, Path: "a..b"},
		"main:@{":             {Rev: main, HasPath: true, Path: "@{"},
		"main@{10:00}:a":      {Rev: at, HasPath: true, Path: "a"},
		"git:HEAD~2":          {Scheme: revision.Git, Outside: "HEAD~2"},
		"git:x@{10:00}:a/b":   {Scheme: revision.Git, Outside: "x@{10:00}", HasPath: true, Path: "a/b"},
		"model:resnet:a.json": {Scheme: revision.Model, Outside: "resnet", HasPath: true, Path: "a.json"},
		"branch/git:a":        {Rev: revision.Rev{Base: "branch/git"}, HasPath: true, Path: "a"},
		"git":                 {Rev: revision.Rev{Base: "git"}},
	} {
		got, err := revision.ParseSpec(text)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, text := range []string{"", ":path", "git:", "model::x", "main~x:path", "a..b:path"} {
		if got, err := revision.ParseSpec(text); err == nil {
			t.Errorf("%q: read as %+v", text, got)
		}
	}
}

func TestParseRange(t *testing.T) {
	for text, want := range map[string][2]string{
		"a..b":               {"a", "b"},
		"..b":                {"HEAD", "b"},
		"a..":                {"a", "HEAD"},
		"a~2..b^":            {"a~2", "b^1"},
		"a@{x..y}..b@{1..2}": {"a@{x..y}", "b@{1..2}"},
		"git:a..b":           {"git:a", "b"},
	} {
		from, to, ok, err := revision.ParseRange(text)
		if err != nil || !ok {
			t.Errorf("%s: %v, %v", text, ok, err)
		}
		if diff := cmp.Diff(want, [2]string{from.String(), to.String()}); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, text := range []string{"a", "", "main:a..b", "main:../x", "a@{1..2}"} {
		if _, _, ok, err := revision.ParseRange(text); ok || err != nil {
			t.Errorf("%q: %v, %v, want no range", text, ok, err)
		}
	}
	for _, text := range []string{"..", "a...b", "a..b:path", "a~x..b", "...", "a..b..c"} {
		if from, to, _, err := revision.ParseRange(text); err == nil {
			t.Errorf("%q: read as %v and %v", text, from, to)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"main~2^3", "@{yesterday}", "main@{2026-11-24 10:00}~:a:b", "git:a..b", "a..b", "model:x:y", "@@{1}", "a@{..}..:",
	} {
		f.Add(text)
	}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, ok, err := revision.ParseRange(text); err != nil && !ok {
			t.Fatalf("an error about what is no range: %v", err)
		}
		spec, err := revision.ParseSpec(text)
		if err != nil {
			return
		}
		again, err := revision.ParseSpec(spec.String())
		if err != nil {
			t.Fatalf("%q printed as %q: %v", text, spec, err)
		}
		if diff := cmp.Diff(spec, again); diff != "" {
			t.Fatal(diff)
		}
		revision.ParseTime(spec.Rev.At.When, now) //nolint:errcheck // that it returns is enough
	})
}

func TestParseTime(t *testing.T) {
	zone := time.FixedZone("", 3600)
	now := time.Date(2026, 11, 24, 15, 30, 45, 0, zone)
	for words, want := range map[string]string{
		"now":                       "2026-11-24T15:30:45+01:00",
		"today":                     "2026-11-24T00:00:00+01:00",
		"yesterday":                 "2026-11-23T15:30:45+01:00",
		"Yesterday":                 "2026-11-23T15:30:45+01:00",
		"2 hours ago":               "2026-11-24T13:30:45+01:00",
		"2.hours.ago":               "2026-11-24T13:30:45+01:00",
		"an hour ago":               "2026-11-24T14:30:45+01:00",
		"90 seconds ago":            "2026-11-24T15:29:15+01:00",
		"1 minute ago":              "2026-11-24T15:29:45+01:00",
		"3 days ago":                "2026-11-21T15:30:45+01:00",
		"last week":                 "2026-11-17T15:30:45+01:00",
		"a month ago":               "2026-10-24T15:30:45+01:00",
		"2 years ago":               "2024-11-24T15:30:45+01:00",
		"2026-11-20":                "2026-11-20T00:00:00+01:00",
		"2026-11-20 10:00":          "2026-11-20T10:00:00+01:00",
		"2026-11-20 10:00:30":       "2026-11-20T10:00:30+01:00",
		"2026-11-20 10:00 -0500":    "2026-11-20T10:00:00-05:00",
		"2026-11-20T10:00:00Z":      "2026-11-20T10:00:00Z",
		"2026-11-20T10:00:00+02:00": "2026-11-20T10:00:00+02:00",
		"10:15":                     "2026-11-24T10:15:00+01:00",
	} {
		got, err := revision.ParseTime(words, now)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %v, %v, want %s", words, got, err, want)
		}
	}
	for _, words := range []string{"", "soon", "2 hours", "hours ago", "-1 days ago", "2 lightyears ago", "99999999 years ago", "2026-13-01", "."} {
		if got, err := revision.ParseTime(words, now); err == nil {
			t.Errorf("%q: read as %v", words, got)
		}
	}
}
