package refs_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mlvc/mlvc/refs"
)

func TestValidNames(t *testing.T) {
	for _, s := range []string{
		"HEAD", "branch/main", "branch/a/b", "tag/v1.2", "model/resnet-50", "remote/origin/main", "remote/origin/a/b",
		"git/refs/heads/main", "branch/größe", "branch/a@b", "branch/@a", "branch/x.lockx", "branch/" + strings.Repeat("x", 248),
	} {
		if _, err := refs.ParseName(s); err != nil {
			t.Error(err)
		}
	}
}

func TestBadNamesSayWhy(t *testing.T) {
	for s, why := range map[string]string{
		"":                    "empty",
		"main":                "namespace",
		"refs/heads/main":     "begins with none",
		"branch/":             "empty part",
		"branch//a":           "empty part",
		"branch/a/":           "empty part",
		"/branch/a":           "empty part",
		"branch/a..b":         `".."`,
		"branch/-a":           `begins with "-"`,
		"branch/a/-b":         `begins with "-"`,
		"branch/.a":           `begins with "."`,
		"branch/a.":           `ends in "."`,
		"branch/a.lock":       `".lock"`,
		"branch/a.lock/b":     `".lock"`,
		"branch/a@{1}":        `"@{"`,
		"branch/a:b":          `':'`,
		"branch/a~1":          `'~'`,
		"branch/a^":           `'^'`,
		"branch/a b":          `' '`,
		"branch/a*":           `'*'`,
		`branch/a\b`:          `'\\'`,
		"branch/a\nb":         "control character U+000A",
		"branch/a\x7f":        "control character U+007F",
		"branch/a\xff":        "UTF-8",
		"branch/HEAD":         "current commit",
		"branch/@":            "current commit",
		"remote/origin":       "remote/REMOTE/NAME",
		"branch/" + long(249): "256 bytes",
	} {
		_, err := refs.ParseName(s)
		if !errors.Is(err, refs.ErrBadName) || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, want it to say %s", s, err, why)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// What passes here passes git check-ref-format, so it can be paired.
func TestNamesAreGitRefs(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Log("no git here: only the own rules were tested")
		return
	}
	rapid.Check(t, func(t *rapid.T) {
		short := rapid.StringOfN(rapid.RuneFrom([]rune("a./@{-~:*lockHEAD\\ é\x01")), 1, 8, -1).Draw(t, "short")
		if _, err := refs.ParseName("branch/" + short); err != nil {
			return
		}
		if err := exec.Command(git, "check-ref-format", "--branch", short).Run(); err != nil {
			t.Fatalf("git refuses %q", short)
		}
	})
}

func TestShort(t *testing.T) {
	for name, want := range map[refs.Name]string{
		refs.HEAD: "HEAD", refs.Branch("a/b"): "a/b", refs.Tag("v1"): "v1",
		"remote/origin/main": "origin/main", "model/m": "model/m", "git/x": "git/x",
	} {
		if got := name.Short(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
