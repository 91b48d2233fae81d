// Package refstest has what tests of pointers share: a pointer in memory, and
// the suite that every refs.Pointer passes.
package refstest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// MemPointer is a refs.Pointer in memory. The zero MemPointer points to no
// operation.
type MemPointer struct {
	mu sync.Mutex
	op objects.ID
}

var _ refs.Pointer = (*MemPointer)(nil)

// Load implements refs.Pointer.
func (p *MemPointer) Load(ctx context.Context) (objects.ID, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.op, ctx.Err()
}

// Swap implements refs.Pointer.
func (p *MemPointer) Swap(ctx context.Context, old, new objects.ID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if new.IsZero() {
		return errors.New("a pointer cannot go back to no operation")
	}
	if p.op != old {
		return &refs.PointerError{Want: old, Have: p.op}
	}
	p.op = new
	return nil
}

// Run checks a refs.Pointer. Each call of open makes a new place; the function
// that it returns opens that place, and may be called again.
func Run(t *testing.T, open func(t *testing.T) func() refs.Pointer) {
	a, b := op("a"), op("b")
	t.Run("starts at none", func(t *testing.T) {
		expect(t, open(t)(), objects.ID{})
	})
	t.Run("moves and stays", func(t *testing.T) {
		place := open(t)
		p := place()
		swap(t, p, objects.ID{}, a)
		expect(t, p, a)
		swap(t, p, a, b)
		expect(t, place(), b)
	})
	t.Run("refuses what is not current", func(t *testing.T) {
		p := open(t)()
		swap(t, p, objects.ID{}, a)
		for _, old := range []objects.ID{{}, b} {
			if err := p.Swap(t.Context(), old, b); !errors.Is(err, refs.ErrMoved) {
				t.Fatalf("got %v, want ErrMoved", err)
			}
		}
		expect(t, p, a)
	})
	t.Run("never goes back to none", func(t *testing.T) {
		p := open(t)()
		swap(t, p, objects.ID{}, a)
		if err := p.Swap(t.Context(), a, objects.ID{}); err == nil {
			t.Fatal("swapped to the zero ID")
		}
		expect(t, p, a)
	})
	t.Run("heeds the context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		p := open(t)()
		if err := p.Swap(ctx, objects.ID{}, a); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		expect(t, p, objects.ID{})
	})
	t.Run("one of many wins", func(t *testing.T) { testRace(t, open(t)()) })
}

func testRace(t *testing.T, p refs.Pointer) {
	const racers = 8
	var wins atomic.Int64
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			err := p.Swap(t.Context(), objects.ID{}, op(string(rune('a'+i))))
			switch {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, refs.ErrMoved):
				t.Errorf("got %v, want ErrMoved", err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d of %d won", wins.Load(), racers)
	}
}

func op(name string) objects.ID { return objects.Sum(objects.KindOperation, []byte(name)) }

func swap(t *testing.T, p refs.Pointer, old, new objects.ID) {
	t.Helper()
	if err := p.Swap(t.Context(), old, new); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, p refs.Pointer, want objects.ID) {
	t.Helper()
	got, err := p.Load(t.Context())
	if err != nil || got != want {
		t.Fatalf("pointer is at %s, %v; want %s", got, err, want)
	}
}
