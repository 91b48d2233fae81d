package gitpair

import (
	"bytes"
	"fmt"

	"github.com/mlvc/mlvc/objects"
)

// PointerError is for a pointer that mlvc did not write as it is: edited by
// hand, cut off, or changed on its way. The way out is the pointer of a git
// revision (`git checkout -- NAME`), or to write it anew (`mlvc git pair`).
type PointerError struct {
	Name string
	Line int // from 1
	What string
}

func (e *PointerError) Error() string {
	return fmt.Sprintf("%s: line %d: %s", e.Name, e.Line, e.What)
}

// Is makes errors.Is(err, objects.ErrCorrupt) true.
func (e *PointerError) Is(target error) bool { return target == objects.ErrCorrupt }

// NewerPointerError is for a pointer that a later mlvc has written.
type NewerPointerError struct {
	Name    string
	Version int
}

func (e *NewerPointerError) Error() string {
	return fmt.Sprintf("%s is a pointer of version %d; this mlvc reads up to version %d", e.Name, e.Version, PointerVersion)
}

// Is makes errors.Is(err, objects.ErrNewer) true.
func (e *NewerPointerError) Is(target error) bool { return target == objects.ErrNewer }

// ConflictMarkersError is for a pointer in which git left the conflict of a
// merge. Ours and Theirs are the commits that its two sides name, zero where
// they do not say: merging the one into the other with `mlvc merge`, which
// writes the pointer anew, is the way out.
type ConflictMarkersError struct {
	Name         string
	Line         int // of the first marker, from 1
	Ours, Theirs objects.ID
}

func (e *ConflictMarkersError) Error() string {
	return fmt.Sprintf("%s: line %d: the conflict of a git merge is not settled", e.Name, e.Line)
}

var (
	markOurs   = []byte("<<<<<<<")
	markBase   = []byte("|||||||")
	markMiddle = []byte("=======")
	markTheirs = []byte(">>>>>>>")
)

// findMarkers returns a *ConflictMarkersError if there is a marker at the
// beginning of any line.
func findMarkers(name string, data []byte) error {
	e := &ConflictMarkersError{Name: name}
	both := []*objects.ID{&e.Ours, &e.Theirs}
	sides := both // whom the lines that come now belong to
	for i, line := range bytes.Split(data, []byte("\n")) {
		switch {
		case bytes.HasPrefix(line, markOurs):
			sides = both[:1]
		case bytes.HasPrefix(line, markBase):
			sides = nil
		case bytes.HasPrefix(line, markMiddle):
			sides = both[1:]
		case bytes.HasPrefix(line, markTheirs):
			sides = both
		default:
			if id, ok := commitLine(line); ok {
				for _, s := range sides {
					*s = id
				}
			}
			continue
		}
		if e.Line == 0 {
			e.Line = i + 1
		}
	}
	if e.Line == 0 {
		return nil
	}
	return e
}

// commitLine returns the commit that a line of a pointer names.
func commitLine(line []byte) (objects.ID, bool) {
	rest, ok := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\r")), []byte("commit "))
	if !ok {
		return objects.ID{}, false
	}
	id, err := objects.ParseID(string(rest))
	return id, err == nil
}

// CommitsNamed returns every commit that text names as a pointer does, whatever
// else it says: what conflict markers or a later version stand around is
// named, too.
func CommitsNamed(data []byte) []objects.ID {
	var list []objects.ID
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		if id, ok := commitLine(line); ok {
			list = append(list, id)
		}
	}
	return list
}
