package gitpair

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNoRepository is for a folder that is in no git repository.
	ErrNoRepository = errors.New("not in a git repository")
	// ErrNoProgram is for what needs the git program where it is not found.
	ErrNoProgram = errors.New("the git program is not found")
	// ErrMissing is for an object that the git repository does not hold: in a
	// shallow clone, history before its boundary.
	ErrMissing = errors.New("git does not hold the object")
)

// BareError is for a git repository without a work tree: there is no place for
// the data, nor for a pointer.
type BareError struct{ Dir string }

func (e *BareError) Error() string {
	return fmt.Sprintf("%s is a bare git repository: it has no work tree beside which data could lie", e.Dir)
}

// RevisionError is for a word that names no commit of git.
type RevisionError struct{ Rev string }

func (e *RevisionError) Error() string { return fmt.Sprintf("git has no revision %q", e.Rev) }

// WholeTreeError is for a dataset that tracks the whole git work tree: git and
// mlvc cannot both have every file. The way out is `--track` with the folders
// that are data.
type WholeTreeError struct{}

func (e *WholeTreeError) Error() string {
	return "the dataset is the whole git work tree, so there is no place beside it for a pointer"
}

// PathError is for a path that pairing cannot write into git's files.
type PathError struct{ Path, What string }

func (e *PathError) Error() string { return fmt.Sprintf("%q: %s", e.Path, e.What) }

// ProgramError is for a git program that failed, with what it said.
type ProgramError struct {
	Args   []string
	Stderr string
	Err    error
}

func (e *ProgramError) Error() string {
	said := strings.TrimSpace(e.Stderr)
	if said == "" {
		said = e.Err.Error()
	}
	return fmt.Sprintf("git %s: %s", strings.Join(e.Args, " "), said)
}

func (e *ProgramError) Unwrap() error { return e.Err }
