package backup

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/buckettest"
)

// countedBucket counts the bytes that are asked for.
type countedBucket struct {
	bucket.Bucket
	asked int64
}

func (c *countedBucket) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	c.asked += length
	return c.Bucket.GetRange(ctx, key, offset, length)
}

// Parity goes through ten places of an object at once: that reads it once.
func TestObjectIsReadOnce(t *testing.T) {
	for _, size := range []int{0, 1, maxHeld, maxHeld + 1, 3*maxHeld + 5} {
		data := make([]byte, size)
		rand.NewChaCha8([32]byte{}).Read(data) //nolint:errcheck // never fails
		b := &countedBucket{Bucket: buckettest.Memory()}
		if err := b.PutIfAbsent(t.Context(), "sets/x", bytes.NewReader(data), int64(size)); err != nil {
			t.Fatal(err)
		}
		o, err := openObject(t.Context(), b, "sets/x")
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, size)
		const places, piece = 10, 100_000
		shard := (size + places - 1) / places
		for at := 0; at < shard; at += piece {
			for place := range places {
				from := min(place*shard+at, size)
				to := min(from+min(piece, shard-at), size)
				if n, err := o.ReadAt(got[from:to], int64(from)); n != to-from || err != nil {
					t.Fatalf("%d bytes at %d: %d, %v", to-from, from, n, err)
				}
			}
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes: others were read", size)
		}
		if b.asked > int64(size) {
			t.Errorf("%d bytes: %d were asked for", size, b.asked)
		}
		if n, err := o.ReadAt(make([]byte, 2), int64(size)); n != 0 || err != io.EOF {
			t.Errorf("beyond the end: %d, %v", n, err)
		}
	}
}
