package refs

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/mlvc/mlvc/objects"
)

// Logged is an operation and its ID.
type Logged struct {
	ID objects.ID
	Op Op
}

// Log yields the operations from head (zero: none) back to the first, newest
// first, reading each as it is asked for. Where gc has removed the oldest
// operations the log ends in an error that wraps objects.ErrNotFound.
func Log(ctx context.Context, g objects.Getter, head objects.ID) iter.Seq2[Logged, error] {
	return func(yield func(Logged, error) bool) {
		for id := head; !id.IsZero(); {
			op, err := ReadOp(ctx, g, id)
			if !yield(Logged{ID: id, Op: op}, err) || err != nil {
				return
			}
			id = op.Prev
		}
	}
}

// At returns the newest operation that was not made after t, or fails with
// ErrNoOperation if the log begins later. Where clocks disagreed, newest is
// what comes last in the log.
func At(ctx context.Context, g objects.Getter, head objects.ID, t time.Time) (Logged, error) {
	for logged, err := range Log(ctx, g, head) {
		if err != nil {
			return Logged{}, err
		}
		if !logged.Op.When.After(t) {
			return logged, nil
		}
	}
	return Logged{}, fmt.Errorf("a moment as early as %s is %w", t.Format(time.RFC3339), ErrNoOperation)
}

// Moved is one move of a name and the operation that made it.
type Moved struct {
	Logged
	Move Move
}

// Reflog yields the moves of one name, newest first. A move of the branch
// that HEAD is attached to is not a move of HEAD.
func Reflog(ctx context.Context, g objects.Getter, head objects.ID, name Name) iter.Seq2[Moved, error] {
	return func(yield func(Moved, error) bool) {
		for logged, err := range Log(ctx, g, head) {
			if err != nil {
				yield(Moved{}, err)
				return
			}
			if move, ok := logged.Op.move(name); ok && !yield(Moved{Logged: logged, Move: move}, nil) {
				return
			}
		}
	}
}

// History yields the commits that a name stood for, newest first, HEAD through
// its branch: what it stands for now, then the one before that, and so on.
// Moments at which it stood for none are passed over.
func History(ctx context.Context, g objects.Getter, head objects.ID, name Name) iter.Seq2[objects.ID, error] {
	return func(yield func(objects.ID, error) bool) {
		var last objects.ID
		for logged, err := range Log(ctx, g, head) {
			var id objects.ID
			if err == nil {
				id, err = OpenView(g, logged.Op.View).Commit(ctx, name)
			}
			if err != nil {
				yield(objects.ID{}, err)
				return
			}
			if id == last || id.IsZero() {
				continue
			}
			last = id
			if !yield(id, nil) {
				return
			}
		}
	}
}
