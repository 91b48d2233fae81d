package refs

import (
	"context"
	"fmt"
	"iter"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// View is every name at one moment: a sorted map from names to values. The
// zero View has no names. Views do not change.
type View struct {
	g objects.Getter
	m prolly.Map
}

// Ref is a name and what it holds.
type Ref struct {
	Name  Name
	Value Value
}

// OpenView returns the view with that root; the zero ID is the view without
// names. Nothing is read yet.
func OpenView(g objects.Getter, root objects.ID) View {
	if root.IsZero() {
		return View{}
	}
	return View{g: g, m: prolly.Open(root)}
}

// ViewAt returns the view that an operation left; the zero ID is the moment
// before the first operation.
func ViewAt(ctx context.Context, g objects.Getter, op objects.ID) (View, error) {
	if op.IsZero() {
		return View{}, nil
	}
	o, err := ReadOp(ctx, g, op)
	if err != nil {
		return View{}, err
	}
	return OpenView(g, o.View), nil
}

// Get returns what a name holds, or the zero Value if it does not exist. It
// fails with objects.ErrNewer for a value that only a later version knows.
func (v View) Get(ctx context.Context, name Name) (Value, error) {
	if v.g == nil {
		return Value{}, nil
	}
	data, ok, err := v.m.Get(ctx, v.g, []byte(name))
	if err != nil || !ok {
		return Value{}, wrapRead(name, err)
	}
	return decodeValue(name, data)
}

// List yields the names that start with prefix, in order.
func (v View) List(ctx context.Context, prefix string) iter.Seq2[Ref, error] {
	return func(yield func(Ref, error) bool) {
		if v.g == nil {
			return
		}
		for item, err := range v.m.Prefix(ctx, v.g, []byte(prefix)) {
			if err != nil {
				yield(Ref{}, wrapRead(Name(prefix), err))
				return
			}
			name := Name(item.Key)
			value, err := decodeValue(name, item.Value)
			if !yield(Ref{Name: name, Value: value}, err) || err != nil {
				return
			}
		}
	}
}

// Commit returns the commit that a name stands for: HEAD through its branch.
// It is zero if the name, or the branch that HEAD is attached to, does not
// exist yet.
func (v View) Commit(ctx context.Context, name Name) (objects.ID, error) {
	value, err := v.Get(ctx, name)
	if err != nil || value.Branch == "" {
		return value.Commit, err
	}
	value, err = v.Get(ctx, value.Branch)
	return value.Commit, err
}

// changes yields what must move to get from v to target.
func (v View) changes(ctx context.Context, target View) iter.Seq2[Move, error] {
	return func(yield func(Move, error) bool) {
		g := v.g
		if g == nil {
			g = target.g
		}
		if g == nil {
			return
		}
		for change, err := range prolly.Diff(ctx, g, v.m, target.m) {
			if err != nil {
				yield(Move{}, fmt.Errorf("compare views: %w", err))
				return
			}
			move, err := decodeChange(change)
			if !yield(move, err) || err != nil {
				return
			}
		}
	}
}

func decodeChange(c prolly.Change) (Move, error) {
	m := Move{Name: Name(c.Key)}
	var err error
	if c.Old != nil {
		if m.Old, err = decodeValue(m.Name, c.Old); err != nil {
			return Move{}, err
		}
	}
	if c.New != nil {
		m.New, err = decodeValue(m.Name, c.New)
	}
	return m, err
}

// decodeValue reads what a view's map holds under a name. Both may come from
// elsewhere, so both are checked.
func decodeValue(name Name, data []byte) (Value, error) {
	var value Value
	if err := value.UnmarshalBinary(data); err != nil {
		return Value{}, fmt.Errorf("name %q: %w", string(name), err)
	}
	err := name.wellFormed()
	if err == nil {
		err = value.fits(name)
	}
	if err != nil {
		return Value{}, fmt.Errorf("%w: view: %w", objects.ErrCorrupt, err)
	}
	return value, nil
}

func wrapRead(name Name, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read name %s: %w", name, err)
}
