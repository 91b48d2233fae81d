package buckettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mlvc/mlvc/remote/bucket"
)

const raceRounds = 20

// Race lets several goroutines, each with one of the buckets, which are the
// same place, write at once: of those who make one object exactly one
// succeeds, no change of an object is lost, and none sees a part of one.
func Race(t *testing.T, buckets ...bucket.Bucket) {
	t.Run("PutIfAbsent", func(t *testing.T) { racePuts(t, buckets) })
	t.Run("Swap", func(t *testing.T) { raceSwaps(t, buckets) })
	t.Run("Add", func(t *testing.T) { raceAdds(t, buckets) })
}

func racePuts(t *testing.T, buckets []bucket.Bucket) {
	for round := range raceRounds {
		key := fmt.Sprintf("race/put-%d", round)
		winner := race(t, buckets, bucket.ErrExist, func(i int) error {
			data := bytes.Repeat([]byte{byte(i)}, 200_000)
			return buckets[i].PutIfAbsent(t.Context(), key, bytes.NewReader(data), int64(len(data)))
		})
		has(t, buckets[0], key, bytes.Repeat([]byte{byte(winner)}, 200_000))
	}
}

func raceSwaps(t *testing.T, buckets []bucket.Bucket) {
	var old bucket.Version
	for round := range raceRounds {
		data := func(i int) []byte { return fmt.Appendf(nil, "round %d of %d", round, i) }
		winner := race(t, buckets, bucket.ErrMoved, func(i int) error {
			_, err := buckets[i].Swap(t.Context(), "race-swap", old, data(i))
			return err
		})
		got, version, err := buckets[0].Get(t.Context(), "race-swap")
		if err != nil || !bytes.Equal(got, data(winner)) {
			t.Fatalf("%q, %v; want %q", got, err, data(winner))
		}
		old = version
	}
}

// race runs do for each bucket at once. All but one must fail with lost.
func race(t *testing.T, buckets []bucket.Bucket, lost error, do func(i int) error) (winner int) {
	t.Helper()
	start := make(chan struct{})
	var won, by atomic.Int32
	var group sync.WaitGroup
	for i := range buckets {
		group.Go(func() {
			<-start
			err := do(i)
			if err == nil {
				won.Add(1)
				by.Store(int32(i))
			} else if !errors.Is(err, lost) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	close(start)
	group.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d of %d succeeded, want one", won.Load(), len(buckets))
	}
	return int(by.Load())
}

func raceAdds(t *testing.T, buckets []bucket.Bucket) {
	var group sync.WaitGroup
	for _, b := range buckets {
		group.Go(func() {
			if err := Add(t.Context(), b, "race-count", raceRounds); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	data, _, err := buckets[0].Get(t.Context(), "race-count")
	if n, perr := Number(data); err != nil || perr != nil || n != len(buckets)*raceRounds {
		t.Errorf("counted to %d, %v, %v; want %d", n, err, perr, len(buckets)*raceRounds)
	}
}

// Add increases the number that an object holds by one, n times, in swaps that
// are tried until they succeed. It fails if it ever reads what is no number.
func Add(ctx context.Context, b bucket.Bucket, key string, n int) error {
	for n > 0 {
		data, version, err := b.Get(ctx, key)
		if err != nil && !errors.Is(err, bucket.ErrNotExist) {
			return err
		}
		number, err := Number(data)
		if err != nil {
			return err
		}
		_, err = b.Swap(ctx, key, version, fmt.Appendf(nil, "%02000d", number+1))
		if err == nil {
			n--
		} else if !errors.Is(err, bucket.ErrMoved) {
			return err
		}
	}
	return nil
}

// Number reads what Add writes: 2000 digits. No bytes are zero.
func Number(data []byte) (int, error) {
	if len(data) == 0 {
		return 0, nil
	}
	if len(data) != 2000 {
		return 0, fmt.Errorf("a part of a number: %d bytes", len(data))
	}
	return strconv.Atoi(string(data))
}
