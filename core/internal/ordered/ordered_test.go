package ordered_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"go.uber.org/goleak"

	"github.com/mlvc/mlvc/core/internal/ordered"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func numbers(n int, fail error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		if fail != nil {
			yield(0, fail)
		}
	}
}

// light makes every 50th number end a batch.
func light(n int) int64 { return int64(n%50) * 1000 }

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

func TestMapKeepsOrder(t *testing.T) {
	next := 0
	for got, err := range ordered.Map(t.Context(), numbers(1000, nil), 4, light, double) {
		if err != nil {
			t.Fatal(err)
		}
		if got != 2*next {
			t.Fatalf("got %d, want %d", got, 2*next)
		}
		next++
	}
	if next != 1000 {
		t.Fatalf("got %d results", next)
	}
}

func TestMapEndsWithTheFirstError(t *testing.T) {
	bad := errors.New("bad")
	atSeventy := func(_ context.Context, n int) (int, error) {
		if n == 70 {
			return 0, bad
		}
		return n, nil
	}
	for name, seq := range map[string]iter.Seq2[int, error]{
		"of the work":  ordered.Map(t.Context(), numbers(1000, nil), 3, light, atSeventy),
		"of the input": ordered.Map(t.Context(), numbers(70, bad), 3, light, double),
	} {
		count, last := 0, error(nil)
		for _, err := range seq {
			if last = err; err == nil {
				count++
			}
		}
		if count != 70 || !errors.Is(last, bad) {
			t.Errorf("%s: %d results, then %v", name, count, last)
		}
	}
}

func TestMapStopsEarly(t *testing.T) {
	for range ordered.Map(t.Context(), numbers(100000, nil), 3, light, double) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	count := 0
	for _, err := range ordered.Map(ctx, numbers(100000, nil), 3, light, double) {
		if count++; count == 100 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v", last)
	}
}
