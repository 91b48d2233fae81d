package cli

import (
	"slices"
	"strings"
)

// The exit statuses. They are part of what scripts build on: a number never
// changes its meaning.
const (
	ExitOK          = 0
	ExitError       = 1
	ExitUsage       = 2
	ExitRefused     = 3
	ExitDamaged     = 4
	ExitBusy        = 5
	ExitNotFound    = 6
	ExitInterrupted = 130
)

// exitMeanings says what each status tells, in order.
var exitMeanings = []struct {
	status  int
	meaning string
}{
	{ExitOK, "it was done, or there was nothing to do"},
	{ExitError, "it failed; the message says on what"},
	{ExitUsage, "it was called in a way that does not make sense"},
	{ExitRefused, "refused, so that nothing is lost or half-done: files in the way, conflicts, files that change or cannot be read"},
	{ExitDamaged, "something in the repository, or a file of the dataset, is damaged"},
	{ExitBusy, "another process is writing the repository, or a name moved meanwhile; try again"},
	{ExitNotFound, "no such repository, revision, path, name or setting"},
	{ExitInterrupted, "interrupted; run it again to go on"},
}

// everyExit are the statuses that each command can end with.
var everyExit = []int{ExitOK, ExitError, ExitUsage, ExitInterrupted}

// exitText lists the statuses, all or some of them, one a line.
func exitText(indent string, some []int) string {
	var b strings.Builder
	for _, e := range exitMeanings {
		if some == nil || slices.Contains(some, e.status) || slices.Contains(everyExit, e.status) {
			b.WriteString(indent + padRight(decimal(int64(e.status)), 5) + e.meaning + "\n")
		}
	}
	return b.String()
}
