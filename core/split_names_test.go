package core

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/objects"
)

// schemeWith is a scheme of a commit, whose rule says what its samples are.
func schemeWith(name, rule string, splits ...string) objects.Split {
	s := objects.Split{Scheme: name, Rule: rule, Fingerprints: make(map[string]objects.ID)}
	for _, split := range splits {
		s.Fingerprints[split] = objects.ID{1}
	}
	return s
}

// A split that is named without its scheme is that of the default scheme, or of
// the only one that has it, whatever asks.
func TestSchemeOfSplits(t *testing.T) {
	only := []objects.Split{schemeWith("five", "", "fold-1", "fold-2", "train"), schemeWith("half", "", "even", "odd")}
	both := []objects.Split{schemeWith("a", "", "train", "x"), schemeWith("b", "", "train", "y")}
	def := append([]objects.Split{schemeWith("default", "", "train")}, both...)
	for _, c := range []struct {
		splits []objects.Split
		choice string
		want   string // SCHEME, or a part of the error
	}{
		{only, "train", "five"},
		{only, "fold-1,fold-2", "five"},
		{only, "half:odd", "half"},
		{only, "fold-1,odd", "no scheme has all of the splits fold-1, odd"},
		{only, "fold-9", `HEAD has no split "fold-9"`},
		{only, "half:train", `HEAD has no split "train" in the scheme half`},
		{only, "hal:odd", `HEAD has no scheme "hal"`},
		{both, "train", "the schemes a, b have a split train each"},
		{both, "train,y", "b"},
		{def, "train", "default"},
		{nil, "train", "HEAD has no splits"},
	} {
		filters, err := parseFilters([]string{c.choice})
		if err == nil {
			filters, err = binding{splits: c.splits}.choose("HEAD", filters)
		}
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = filters[0].Scheme
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.choice, got, c.want)
		}
		if strings.Contains(c.choice, ",") {
			continue
		}
		scheme, _, err := (&splitting{Commit: objects.Commit{Splits: c.splits}}).splitNamed(c.choice)
		if err == nil && scheme != c.want || err != nil && c.want == "five" {
			t.Errorf("split export %s: %s, %v", c.choice, scheme, err)
		}
		m, err := ParseModelSplit("seen=" + c.choice)
		if err != nil {
			t.Fatal(err)
		}
		named, err := namedSplits([]ModelSplit{m}, objects.Commit{Splits: c.splits}, objects.ID{})
		if err == nil && named[0].Scheme != c.want || err != nil && c.want == "five" {
			t.Errorf("model link --splits %s: %v, %v", c.choice, named, err)
		}
	}
	for _, twice := range [][]string{{"train", "fold-1"}, {"half:odd", "even"}} {
		filters, err := parseFilters(twice)
		if err != nil {
			t.Fatal(err)
		}
		var usage *UsageError
		if got, err := (binding{splits: only}).choose("HEAD", filters); !errors.As(err, &usage) {
			t.Errorf("%v: %v, %v", twice, got, err)
		}
	}
}

// Who is off by a letter, or by a scheme, is told what was meant.
func TestNearSplits(t *testing.T) {
	have := splitNames([]objects.Split{schemeWith("default", "", "test", "train"), schemeWith("half", "", "even", "odd")})
	for _, c := range []struct {
		err  NoSplitError
		want []string
	}{
		{NoSplitError{Split: "tain", Have: have}, []string{"train"}},
		{NoSplitError{Split: "evn", Have: have}, []string{"half:even"}},
		{NoSplitError{Scheme: "half", Split: "train", Have: have}, []string{"train"}},
		{NoSplitError{Scheme: "hal", Have: have}, []string{"half"}},
		{NoSplitError{Split: "something", Have: have}, nil},
	} {
		if got := c.err.Near(); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", &c.err, got, c.want)
		}
	}
}
