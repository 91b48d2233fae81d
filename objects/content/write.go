package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/mlvc/mlvc/objects"
)

// Stats says what a Write did.
type Stats struct {
	Chunks      int64 // of the content
	Reused      int64 // of these, chunks of the previous content
	ReusedBytes int64
}

// Write stores the content of src and returns its entry, of which Size,
// Content and List are set. prev is the entry that the path had before, zero
// if none: it must be held by the store, and only makes the work cheaper.
// Chunks of prev are not put again, so to heal a store write without prev.
// workers goroutines hash, compress and store chunks of a large content;
// memory is at most 11 MiB and 1.25 MiB a worker. It fails with ErrChanged when
// src does not have Size bytes; then objects already put stay, unnamed.
func Write(ctx context.Context, s Store, src Source, prev objects.Entry, workers int) (objects.Entry, Stats, error) {
	if src.Size() > objects.SingleChunk {
		return writeLarge(ctx, s, src, prev, max(1, workers))
	}
	return writeSmall(ctx, s, src, prev)
}

var smallBuffers = sync.Pool{New: func() any { return new([objects.SingleChunk + 1]byte) }}

func writeSmall(ctx context.Context, s Store, src Source, prev objects.Entry) (objects.Entry, Stats, error) {
	buf := smallBuffers.Get().(*[objects.SingleChunk + 1]byte)
	defer smallBuffers.Put(buf)
	size := int(src.Size())
	n, err := src.ReadAt(buf[:size+1], 0) // one more, to see that there is no more
	if err != nil && !errors.Is(err, io.EOF) {
		return objects.Entry{}, Stats{}, err
	}
	if n != size {
		return objects.Entry{}, Stats{}, changed(size, n)
	}
	o := objects.Object{Kind: objects.KindChunk, Data: buf[:size]}
	entry := objects.Entry{Size: int64(size)}
	if prev.Size == entry.Size && !prev.Content.IsZero() && o.ID() == prev.Content {
		entry.Content = prev.Content
		return entry, Stats{Chunks: 1, Reused: 1, ReusedBytes: entry.Size}, nil
	}
	if similar(prev.Size, entry.Size) {
		entry.Content, _, err = s.PutDelta(ctx, o, []objects.ID{prev.Content})
	} else {
		entry.Content, err = s.Put(ctx, o)
	}
	if err != nil {
		return objects.Entry{}, Stats{}, fmt.Errorf("store content: %w", err)
	}
	return entry, Stats{Chunks: 1}, nil
}

// similar reports whether a small content is worth a delta against an old
// one: both are of some size, and neither is more than twice the other.
func similar(old, size int64) bool {
	const worth = 4 << 10
	return old <= objects.SingleChunk && min(old, size) > worth && max(old, size) <= 2*min(old, size)
}

func changed(want, got int) error {
	return fmt.Errorf("%w: %d bytes where %d were expected", ErrChanged, got, want)
}
