package revision

import (
	"context"
	"errors"
	"fmt"
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

// nearNames returns the names in the view that look like text, the nearest
// first.
func nearNames(ctx context.Context, view refs.View, text string) ([]string, error) {
	n := nearest{text: text}
	for ref, err := range view.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		n.add(ref.Name.Short(), string(ref.Name))
	}
	return n.names(), nil
}
