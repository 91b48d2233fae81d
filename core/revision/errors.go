package revision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

var (
	// ErrUnknown is for a revision that names nothing.
	ErrUnknown = errors.New("no such revision")
	// ErrUnborn is for HEAD on a branch that does not exist yet.
	ErrUnborn = errors.New("it has no commit yet")
)

// UnknownError is for a word that is neither a name nor the digits of a
// commit. It is ErrUnknown to errors.Is.
type UnknownError struct {
	Text string
	Near []string // names that look like it, as one writes them; the nearest first
}

func (e *UnknownError) Error() string {
	if len(e.Near) == 0 {
		return fmt.Sprintf("%s: %v", e.Text, ErrUnknown)
	}
	return fmt.Sprintf("%s: %v (did you mean %s?)", e.Text, ErrUnknown, strings.Join(e.Near, ", "))
}

// Unwrap returns ErrUnknown.
func (e *UnknownError) Unwrap() error { return ErrUnknown }

// AmbiguousError is for a word that stands for several names or several
// commits. The full names are never ambiguous.
type AmbiguousError struct {
	Text    string
	Names   []refs.Name
	Commits []objects.ID // the first few
}

func (e *AmbiguousError) Error() string {
	var candidates []string
	for _, name := range e.Names {
		candidates = append(candidates, string(name))
	}
	for _, id := range e.Commits {
		candidates = append(candidates, id.String())
	}
	return fmt.Sprintf("%s is ambiguous: %s", e.Text, strings.Join(candidates, ", "))
}

// maxNear is the most names that are suggested.
const maxNear = 3

// nearNames returns the names in the view that look like text, the nearest
// first, as one writes them.
func nearNames(ctx context.Context, view refs.View, text string) ([]string, error) {
	type near struct {
		name     string
		distance int
	}
	var best []near
	limit := max(2, len(text)/3)
	if len(text) < 3 {
		limit = 1
	}
	for ref, err := range view.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		short := ref.Name.Short()
		d := min(distance(text, short), distance(text, string(ref.Name)))
		if strings.EqualFold(text, short) {
			d = 0
		}
		if d > limit {
			continue
		}
		best = append(best, near{short, d})
		slices.SortStableFunc(best, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
		best = best[:min(len(best), maxNear)]
	}
	var names []string
	for _, n := range best {
		names = append(names, n.name)
	}
	return names, nil
}

// distance is the number of letters to insert, delete or replace to get from
// a to b. Long texts are cut: they are no name.
func distance(a, b string) int {
	a, b = a[:min(len(a), refs.MaxName)], b[:min(len(b), refs.MaxName)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
