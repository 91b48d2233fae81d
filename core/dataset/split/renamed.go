package split

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
)

// renames lets samples that are groups by themselves keep their splits under
// other names: of one content, the k-th by path that came gets the split of the
// k-th that is gone, and those beyond that of the last. Empty files are no sign
// of each other.
type renames struct {
	gone, came []renamed // each in the order of paths
}

// renamed is a sample that is gone, and its split; or one that came, and where
// its caller has it.
type renamed struct {
	content contentID
	at      int32
}

// contentID is the first bytes of a content's ID, enough to tell them apart:
// there may be a million.
type contentID [12]byte

func (r *renames) went(f *dataset.File, split int) {
	if f != nil && f.Size > 0 && split >= 0 {
		r.gone = append(r.gone, renamed{contentID(f.Content[:]), int32(split)})
	}
}

func (r *renames) comes(f *dataset.File, at int) {
	if f.Size > 0 {
		r.came = append(r.came, renamed{contentID(f.Content[:]), int32(at)})
	}
}

// each tells which of those that came keeps which split.
func (r *renames) each(keep func(at, split int)) {
	byContent := func(a, b renamed) int { return bytes.Compare(a.content[:], b.content[:]) }
	slices.SortStableFunc(r.gone, byContent)
	slices.SortStableFunc(r.came, byContent)
	gone := r.gone
	for _, c := range r.came {
		for len(gone) > 0 && byContent(gone[0], c) < 0 {
			gone = gone[1:]
		}
		if len(gone) == 0 {
			return
		}
		if gone[0].content != c.content {
			continue
		}
		keep(int(c.at), int(gone[0].at))
		if len(gone) > 1 && gone[1].content == c.content {
			gone = gone[1:]
		}
	}
}

// fileBefore returns a file of the parent; nil if there is none, or if the
// parent's files are no more.
func (a *assigner) fileBefore(ctx context.Context, path string) (*dataset.File, error) {
	if a.in.BeforeFiles == nil {
		return nil, nil
	}
	f, err := a.in.BeforeFiles.Lookup(ctx, path)
	if errors.Is(err, objects.ErrNotFound) {
		return nil, nil
	}
	return f, err
}

// renamedOf are the samples among changes that came or are gone, as each has
// its place in list.
func (a *assigner) renamedOf(list []changed) *renames {
	r := new(renames)
	for i, c := range list {
		switch {
		case c.New == nil:
			if n, ok := a.tallies.splits.of[c.was]; ok {
				r.went(c.Old, int(n))
			}
		case c.Old == nil && c.at.drawn && c.at.group == "":
			r.comes(c.New, i)
		}
	}
	return r
}
