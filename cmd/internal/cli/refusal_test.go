package cli

import (
	"slices"
	"testing"

	"github.com/mlvc/mlvc/core/dataset"
)

// A path in a finding cannot start a line of its own, nor move a cursor.
func TestFindingIsOneLine(t *testing.T) {
	r := &dataset.Report{Findings: []dataset.Finding{
		{Rule: dataset.RuleContent, Level: dataset.Error, Message: "the same content: a\nb, \x1b[31mc, é"},
	}}
	if got, want := findingLines(r), []string{`content: the same content: a\nb, \x1b[31mc, é`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
