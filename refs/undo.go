package refs

import (
	"context"
	"fmt"

	"github.com/mlvc/mlvc/objects"
)

// Undo returns an operation that takes the operation id, which must lie in
// the log of head, back: its moves the other way round. The caller fills in
// when, who and why, and applies it. It fails with a *MovedError if the names
// have moved since, and with ErrNoOperation if the log does not have id.
// Undoing an undo does the undone again.
func Undo(ctx context.Context, g objects.Getter, head, id objects.ID) (Op, error) {
	op, err := find(ctx, g, head, id)
	if err != nil {
		return Op{}, fmt.Errorf("undo %s: %w", id.Short(), err)
	}
	back := Op{Undoes: id, Files: op.Files}
	for _, m := range op.Moves {
		if err := m.Old.fits(m.Name); err != nil {
			return Op{}, fmt.Errorf("undo %s: %w", id.Short(), err)
		}
		back.Moves = append(back.Moves, Move{Name: m.Name, Old: m.New, New: m.Old})
	}
	now, err := ViewAt(ctx, g, head)
	if err == nil {
		err = now.expect(ctx, back.Moves)
	}
	if err != nil {
		return Op{}, fmt.Errorf("undo %s: %w", id.Short(), err)
	}
	return back, nil
}

// find returns the operation id if it lies in the log of head.
func find(ctx context.Context, g objects.Getter, head, id objects.ID) (Op, error) {
	for logged, err := range Log(ctx, g, head) {
		if err != nil {
			return Op{}, err
		}
		if logged.ID == id {
			return logged.Op, nil
		}
	}
	return Op{}, ErrNoOperation
}

// RestoreMoves returns the moves that make current into target, sorted; none
// if they are equal. Memory follows their number.
func RestoreMoves(ctx context.Context, current, target View) ([]Move, error) {
	var moves []Move
	for move, err := range current.changes(ctx, target) {
		if err != nil {
			return nil, err
		}
		moves = append(moves, move)
	}
	return moves, nil
}
