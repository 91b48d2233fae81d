package refs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/mlvc/mlvc/objects"
)

// Move is the change of one name in an operation. A zero Old says that the
// name must not exist yet; a zero New deletes it.
type Move struct {
	Name Name  `cbor:"name"`
	Old  Value `cbor:"old,omitzero"`
	New  Value `cbor:"new,omitzero"`
}

// Op is one logged change from a view to the next. Fields that this version
// does not know are kept in Unknown and written back.
type Op struct {
	Version int               `cbor:"version"`
	Prev    objects.ID        `cbor:"prev,omitzero"` // zero for the first
	View    objects.ID        `cbor:"view"`          // the root of the view after it
	When    time.Time         `cbor:"when"`          // to the second, with its zone offset
	Who     objects.Signature `cbor:"who"`
	Reason  string            `cbor:"reason"` // the command line, short
	Moves   []Move            `cbor:"moves"`  // sorted by name, each name once
	// Undoes is the operation that this one takes back, if it does.
	Undoes objects.ID `cbor:"undoes,omitzero"`
	// Files says that the working tree went with the names, as in a checkout,
	// so that to take the operation back takes the files back too.
	Files bool `cbor:"files,omitempty"`
	// Unseals are the sealed splits that were read. Such an operation may move
	// nothing.
	Unseals []Unseal `cbor:"unseals,omitempty"`

	Unknown map[string]cbor.RawMessage `cbor:"-"`
}

// Unseal is a sealed split that was read: its files at a commit, and why.
type Unseal struct {
	Scheme string     `cbor:"scheme"`
	Split  string     `cbor:"split"`
	Commit objects.ID `cbor:"commit"` // for the record: it may be gone
	Why    string     `cbor:"why"`
}

// The versions of the encoding that EncodeOp writes: the lowest that can say
// it. The second has unseals.
const (
	OpVersion       = 1
	OpUnsealVersion = 2
)

// version is the lowest that can say it.
func (op Op) version() int {
	if len(op.Unseals) > 0 {
		return OpUnsealVersion
	}
	return OpVersion
}

// EncodeOp returns the canonical encoding: a map in deterministic CBOR, moves
// sorted by name, fields at their zero value left out. It fails for moves that
// are not valid, and when they do not fit into one object (several thousand).
func EncodeOp(op Op) (objects.Object, error) {
	op.Version = op.version()
	op.When = op.When.Truncate(time.Second)
	op.Moves = sortedMoves(op.Moves)
	if err := op.check(); err != nil {
		return objects.Object{}, fmt.Errorf("encode operation: %w", err)
	}
	data, err := objects.MarshalRecord(op, op.Unknown)
	if err != nil {
		return objects.Object{}, fmt.Errorf("encode operation: %w", err)
	}
	if len(data) > objects.MaxObject {
		return objects.Object{}, fmt.Errorf("encode operation: %d moves need %d bytes, more than %d",
			len(op.Moves), len(data), objects.MaxObject)
	}
	return objects.Object{Kind: objects.KindOperation, Data: data}, nil
}

// DecodeOp reads an operation. It fails with objects.ErrNewer for a version or
// a value that this build does not know, and with objects.ErrCorrupt for
// anything that is not the one valid encoding.
func DecodeOp(o objects.Object) (Op, error) {
	if o.Kind != objects.KindOperation {
		return Op{}, fmt.Errorf("%w: a %v where an operation should be", objects.ErrCorrupt, o.Kind)
	}
	if v := objects.RecordVersion(o.Data); v > OpUnsealVersion {
		return Op{}, fmt.Errorf("operation of version %d (this mlvc reads up to %d): %w", v, OpUnsealVersion, objects.ErrNewer)
	}
	var op Op
	unknown, err := objects.UnmarshalRecord(o.Data, &op)
	if errors.Is(err, objects.ErrNewer) {
		return Op{}, fmt.Errorf("operation moves a name to something unknown: %w", objects.ErrNewer)
	}
	if err != nil {
		return Op{}, fmt.Errorf("operation: %w", err)
	}
	op.Unknown = unknown
	again, err := EncodeOp(op)
	if err != nil {
		return Op{}, fmt.Errorf("%w: %w", objects.ErrCorrupt, err)
	}
	if op.View.IsZero() || !bytes.Equal(again.Data, o.Data) {
		return Op{}, fmt.Errorf("%w: operation is not in canonical form", objects.ErrCorrupt)
	}
	return op, nil
}

// ReadOp gets and decodes an operation. A damaged one is an
// *objects.ObjectError that wraps objects.ErrCorrupt.
func ReadOp(ctx context.Context, g objects.Getter, id objects.ID) (Op, error) {
	o, err := g.Get(ctx, id)
	if err != nil {
		return Op{}, fmt.Errorf("read operation: %w", err)
	}
	op, err := DecodeOp(o)
	if err != nil {
		return Op{}, &objects.ObjectError{ID: id, Err: err}
	}
	return op, nil
}

// move returns the move of one name, if op has it.
func (op Op) move(name Name) (Move, bool) {
	for _, m := range op.Moves {
		if m.Name == name {
			return m, true
		}
	}
	return Move{}, false
}

func sortedMoves(moves []Move) []Move {
	moves = append([]Move{}, moves...) // none are an empty array
	slices.SortStableFunc(moves, func(a, b Move) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return moves
}

// check refuses what no operation may have; its moves are sorted by name.
func (op Op) check() error {
	if len(op.Moves) == 0 && len(op.Unseals) == 0 {
		return errors.New("it moves nothing")
	}
	for _, u := range op.Unseals {
		if u.Scheme == "" || u.Split == "" || u.Commit.IsZero() || u.Why == "" {
			return errors.New("what is unsealed has a scheme, a split, a commit and a reason")
		}
	}
	return checkMoves(op.Moves)
}

// checkMoves refuses moves, sorted by name, that no operation may have.
func checkMoves(moves []Move) error {
	for i, m := range moves {
		if err := m.Name.wellFormed(); err != nil {
			return err
		}
		if i > 0 && moves[i-1].Name == m.Name {
			return fmt.Errorf("%s moves twice", m.Name)
		}
		if m.Old == m.New {
			return fmt.Errorf("%s moves from %v to the same", m.Name, m.Old)
		}
		if err := m.New.fits(m.Name); err != nil {
			return err
		}
	}
	return nil
}
