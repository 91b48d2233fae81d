//go:build linux || darwin

package local

import "testing"

func TestParse(t *testing.T) {
	good := map[string]string{
		"/data":                       "/data",
		"/data/../depot/":             "/depot",
		"/100%25 of it?#":             "/100%25 of it?#",
		"file:///data":                "/data",
		"FILE:///data/":               "/data",
		"file:/data":                  "/data",
		"file://localhost/data":       "/data",
		"file:///my%20data/%3F%23%25": "/my data/?#%",
		"file:///d%C3%A9p%C3%B4t":     "/dépôt",
		"file:///a%2Fb":               "/a/b",
	}
	for text, want := range good {
		if got, err := parse(text); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	bad := []string{
		"", "data", "./data", "~/data", "s3://bucket/data", "file:", "file://", "file:data", "file://host/data", "file://data",
		"file:///a?b", "file:///a?", "file:///a#b", "file:///a#", "file:///a%00b", "file:///a%", "file:///a%zz", "/a\x00b", "file://user@localhost/a", "file://localhost:80/a",
	}
	for _, text := range bad {
		if got, err := parse(text); err == nil {
			t.Errorf("%q is taken for %q", text, got)
		}
	}
}
