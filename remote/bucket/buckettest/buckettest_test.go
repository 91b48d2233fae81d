package buckettest_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

func TestMemoryConforms(t *testing.T) {
	buckettest.Conform(t, func(*testing.T) bucket.Bucket { return buckettest.Memory() })
}

func TestWrappersConform(t *testing.T) {
	buckettest.Conform(t, func(*testing.T) bucket.Bucket {
		return buckettest.NewCounting(buckettest.NewFaulty(buckettest.Memory(), buckettest.Plan{}))
	})
}

func TestCountingCounts(t *testing.T) {
	c := buckettest.NewCounting(buckettest.Memory())
	use(t, c)
	want := buckettest.Counts{Get: 1, GetRange: 1, PutIfAbsent: 1, Swap: 1, List: 1, Delete: 1, In: 5 + 3, Out: 5 + 5}
	if got := c.Counts(); got != want || got.Ops() != 6 || got.Writes() != 3 {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	c.Reset()
	if got := c.Counts(); got.Ops() != 0 || got.In != 0 {
		t.Errorf("after Reset: %+v", got)
	}
}

// use makes one call of each method and returns their errors in order.
func use(t *testing.T, b bucket.Bucket) []error {
	ctx := t.Context()
	put := b.PutIfAbsent(ctx, "packs/a", strings.NewReader("bytes"), 5)
	_, swap := b.Swap(ctx, "current", "", []byte("point"))
	_, _, get := b.Get(ctx, "current")
	r, getRange := b.GetRange(ctx, "packs/a", 1, 3)
	if getRange == nil {
		_, getRange = io.ReadAll(r)
		r.Close()
	}
	var list error
	for _, err := range b.List(ctx, "") {
		list = err
	}
	return []error{put, swap, get, getRange, list, b.Delete(ctx, "packs/a")}
}

// Each operation fails, and has done its work or has not.
func TestFaultyFailsWhereTold(t *testing.T) {
	for _, kind := range []buckettest.Kind{buckettest.Before, buckettest.After, buckettest.Midway} {
		for at := 1; at <= 6; at++ {
			inner := buckettest.Memory()
			f := buckettest.NewFaulty(inner, buckettest.Plan{At: at, Kind: kind, Bytes: 2})
			for i, err := range use(t, f) {
				if failed := errors.Is(err, buckettest.ErrFault); failed != (i+1 == at) && err == nil {
					t.Errorf("kind %d at %d: operation %d: %v", kind, at, i+1, err)
				}
			}
			if f.Count() != 6 || f.Failed() == "" {
				t.Errorf("counted %d, failed %q", f.Count(), f.Failed())
			}
			_, _, err := inner.Get(t.Context(), "current")
			if done := err == nil; done != (at != 2 || kind != buckettest.Before) {
				t.Errorf("kind %d at %d: swap done: %t", kind, at, done)
			}
		}
	}
}

func TestFaultyReaderFailsMidway(t *testing.T) {
	inner := buckettest.Memory()
	if err := inner.PutIfAbsent(t.Context(), "packs/a", strings.NewReader("0123456789"), 10); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[buckettest.Kind]string{buckettest.Midway: "1234", buckettest.After: "12345678"} {
		f := buckettest.NewFaulty(inner, buckettest.Plan{At: 1, Kind: kind, Bytes: 4, Ops: []string{"GetRange"}})
		r, err := f.GetRange(t.Context(), "packs/a", 1, 8)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if string(got) != want || !errors.Is(err, buckettest.ErrFault) {
			t.Errorf("kind %d: read %q, %v", kind, got, err)
		}
	}
}

// After a sticky failure nothing reaches the bucket any more.
func TestFaultyStaysDead(t *testing.T) {
	inner := buckettest.Memory()
	f := buckettest.NewFaulty(inner, buckettest.Plan{At: 1, Kind: buckettest.After, Sticky: true})
	for i, err := range use(t, f) {
		if !errors.Is(err, buckettest.ErrFault) {
			t.Errorf("operation %d: %v", i+1, err)
		}
	}
	if _, _, err := inner.Get(t.Context(), "packs/a"); err != nil {
		t.Errorf("the first operation was not done: %v", err)
	}
	if _, _, err := inner.Get(t.Context(), "current"); !errors.Is(err, bucket.ErrNotExist) {
		t.Errorf("a later operation was done: %v", err)
	}
}
