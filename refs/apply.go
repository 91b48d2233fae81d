package refs

import (
	"context"
	"fmt"
	"iter"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// Pending is an operation whose objects are in a store while no pointer names
// it yet: nothing of it is visible.
type Pending struct {
	ID objects.ID
	Op Op // with Prev and View filled in
}

// Apply moves names: every move compares with the current view and all happen
// or none. It fills in op.Prev and op.View, and returns the new current
// operation, which is durable. It fails with ErrMoved if a name does not hold
// its Old or if another operation came first, and with ErrClash; then nothing
// visible has changed.
func Apply(ctx context.Context, s objects.Store, p Pointer, op Op) (objects.ID, error) {
	prev, err := p.Load(ctx)
	if err != nil {
		return objects.ID{}, err
	}
	pending, err := Prepare(ctx, s, prev, op)
	if err != nil {
		return objects.ID{}, err
	}
	if err := pending.Publish(ctx, s, p); err != nil {
		return objects.ID{}, err
	}
	return pending.ID, nil
}

// Prepare does the first half of Apply, on top of the operation prev (zero:
// none): it checks the moves and puts the view's nodes and the operation into
// the store. Errors are those of Apply.
func Prepare(ctx context.Context, s objects.Store, prev objects.ID, op Op) (Pending, error) {
	op.Moves = sortedMoves(op.Moves)
	if err := op.check(); err != nil {
		return Pending{}, err
	}
	before, err := ViewAt(ctx, s, prev)
	if err != nil {
		return Pending{}, err
	}
	if err := before.expect(ctx, op.Moves); err != nil {
		return Pending{}, err
	}
	m, err := prolly.Apply(ctx, s, before.m, edits(op.Moves))
	if err != nil {
		return Pending{}, fmt.Errorf("write view: %w", err)
	}
	after := View{g: s, m: m}
	if err := after.checkCreated(ctx, op.Moves); err != nil {
		return Pending{}, err
	}
	op.Version, op.Prev, op.View = op.version(), prev, m.Root()
	o, err := EncodeOp(op)
	if err != nil {
		return Pending{}, err
	}
	id, err := s.Put(ctx, o)
	if err != nil {
		return Pending{}, fmt.Errorf("write operation: %w", err)
	}
	return Pending{ID: id, Op: op}, nil
}

// Publish does the second half of Apply: it makes every object put into s
// durable, and then the operation the current one. It fails with ErrMoved if
// the operation that it was prepared on is not current any more.
func (p Pending) Publish(ctx context.Context, s objects.Store, ptr Pointer) error {
	if err := s.Sync(ctx); err != nil {
		return fmt.Errorf("make operation durable: %w", err)
	}
	return ptr.Swap(ctx, p.Op.Prev, p.ID)
}

// expect fails with a *MovedError unless every name holds its Old.
func (v View) expect(ctx context.Context, moves []Move) error {
	var moved []Mismatch
	for _, m := range moves {
		have, err := v.Get(ctx, m.Name)
		if err != nil {
			return err
		}
		if have != m.Old {
			moved = append(moved, Mismatch{Name: m.Name, Want: m.Old, Have: have})
		}
	}
	if moved != nil {
		return &MovedError{Names: moved}
	}
	return nil
}

// checkCreated refuses new names that break the rules of names or clash, in v
// after the moves, with names that are a folder of them or lie below them.
func (v View) checkCreated(ctx context.Context, moves []Move) error {
	for _, m := range moves {
		if !m.Old.IsZero() || m.New.IsZero() {
			continue
		}
		if err := m.Name.Validate(); err != nil {
			return err
		}
		for _, folder := range m.Name.folders() {
			value, err := v.Get(ctx, folder)
			if err != nil {
				return err
			}
			if !value.IsZero() {
				return fmt.Errorf("%s beside %s: %w", m.Name, folder, ErrClash)
			}
		}
		for below, err := range v.List(ctx, string(m.Name)+"/") {
			if err != nil {
				return err
			}
			return fmt.Errorf("%s beside %s: %w", m.Name, below.Name, ErrClash)
		}
	}
	return nil
}

// edits turns moves, sorted, into edits of the view's map.
func edits(moves []Move) iter.Seq2[prolly.Edit, error] {
	return func(yield func(prolly.Edit, error) bool) {
		for _, m := range moves {
			edit := prolly.Edit{Key: []byte(m.Name), Delete: m.New.IsZero()}
			var err error
			if !edit.Delete {
				edit.Value, err = m.New.MarshalBinary()
			}
			if !yield(edit, err) || err != nil {
				return
			}
		}
	}
}
