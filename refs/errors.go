package refs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mlvc/mlvc/objects"
)

var (
	// ErrMoved is for a name or a pointer that is not where it was expected.
	// *MovedError and *PointerError say more.
	ErrMoved = errors.New("moved in the meantime")
	// ErrClash is for a name that would be both a name and a folder of names.
	ErrClash = errors.New("a name cannot also be a folder of names")
	// ErrNoOperation is for an operation or a moment that the log does not have.
	ErrNoOperation = errors.New("not in the operation log")
)

// Mismatch is a name that does not hold what was expected.
type Mismatch struct {
	Name       Name
	Want, Have Value
}

// MovedError lists the names that do not hold what a change of them expects.
// It is ErrMoved to errors.Is.
type MovedError struct {
	Names []Mismatch // sorted, at least one
}

func (e *MovedError) Error() string {
	texts := make([]string, 0, len(e.Names))
	for _, m := range e.Names {
		texts = append(texts, fmt.Sprintf("%s holds %v, expected %v", m.Name, m.Have, m.Want))
	}
	return fmt.Sprintf("%s: %v", strings.Join(texts, "; "), ErrMoved)
}

// Unwrap returns ErrMoved.
func (e *MovedError) Unwrap() error { return ErrMoved }

// PointerError says that another operation became the current one. It is
// ErrMoved to errors.Is.
type PointerError struct {
	Want, Have objects.ID // operations; zero is none
}

func (e *PointerError) Error() string {
	return fmt.Sprintf("current operation is %s, expected %s: %v", e.Have.Short(), e.Want.Short(), ErrMoved)
}

// Unwrap returns ErrMoved.
func (e *PointerError) Unwrap() error { return ErrMoved }
