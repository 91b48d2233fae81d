package prolly

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/mlvc/mlvc/objects"
)

// Conflict is a key that both sides changed, and differently. A nil value is
// an absent one; a value that is there is never nil.
type Conflict struct{ Key, Base, Ours, Theirs []byte }

// ConflictError is what Merge returns for a conflict that nothing settles.
type ConflictError struct{ Conflict Conflict }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%q was changed differently on both sides", e.Conflict.Key)
}

// Resolve settles a conflict: it returns the merged value, nil for an absent
// key. With an error the merge ends with that error.
type Resolve func(Conflict) (value []byte, err error)

// Conflicts returns the conflicts of a merge in key order, without merging
// and without writing anything; an error is the last thing yielded.
func Conflicts(ctx context.Context, g objects.Getter, base, ours, theirs Map) iter.Seq2[Conflict, error] {
	return func(yield func(Conflict, error) bool) {
		for c, err := range bothSides(ctx, g, base, ours, theirs) {
			if (err != nil || c.conflicts()) && !yield(c, err) {
				return
			}
		}
	}
}

// Merge returns ours with the changes from base to theirs made as well. Keys
// changed differently on both sides go to resolve; with a nil resolve each is
// a *ConflictError. Nothing is synced; on an error nodes that nothing refers
// to may be left in s. Who wants to know all conflicts before anything is
// written asks Conflicts first. Cost follows the two changes.
func Merge(ctx context.Context, s objects.Store, base, ours, theirs Map, resolve Resolve) (Map, error) {
	switch {
	case base == ours:
		return theirs, nil
	case base == theirs, ours == theirs:
		return ours, nil
	}
	if resolve == nil {
		resolve = func(c Conflict) ([]byte, error) { return nil, &ConflictError{c} }
	}
	edits := func(yield func(Edit, error) bool) {
		for c, err := range bothSides(ctx, s, base, ours, theirs) {
			value := c.Theirs
			if err == nil && c.conflicts() {
				value, err = resolve(c)
			}
			if !yield(Edit{Key: c.Key, Value: value, Delete: value == nil}, err) {
				return
			}
		}
	}
	return Apply(ctx, s, ours, edits)
}

// conflicts reports whether ours was changed too, and not to theirs.
func (c Conflict) conflicts() bool {
	return !same(c.Base, c.Ours) && !same(c.Ours, c.Theirs)
}

func same(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}

// bothSides returns what theirs changed, in key order, each beside what ours
// has for the key.
func bothSides(ctx context.Context, g objects.Getter, base, ours, theirs Map) iter.Seq2[Conflict, error] {
	return func(yield func(Conflict, error) bool) {
		next, stop := iter.Pull2(Diff(ctx, g, base, ours))
		defer stop()
		our, err, more := next()
		for their, theirErr := range Diff(ctx, g, base, theirs) {
			for more && err == nil && bytes.Compare(our.Key, their.Key) < 0 {
				our, err, more = next()
			}
			if theirErr != nil || err != nil {
				if theirErr != nil {
					err = theirErr
				}
				yield(Conflict{}, err)
				return
			}
			c := Conflict{their.Key, their.Old, their.Old, their.New}
			if more && bytes.Equal(our.Key, their.Key) {
				c.Ours = our.New
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}
