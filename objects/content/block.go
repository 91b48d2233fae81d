package content

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/mlvc/mlvc/objects"
)

const (
	// blockSize is how much is read at a time, in bytes.
	blockSize = 1 << 20
	// headroom before a block's bytes takes what the block before it left
	// uncut, so that every chunk is one slice.
	headroom = objects.SingleChunk
)

// block is a counted buffer. It goes back to the pool when the last of those
// that hold it releases it.
type block struct {
	buf     [headroom + blockSize]byte
	holders atomic.Int32
	budget  chan struct{}
}

var blockPool = sync.Pool{New: func() any { return new(block) }}

// blocks bounds how many blocks one pipeline has at a time.
type blocks chan struct{}

// get returns a block with the given number of holders, waiting for others to
// be released if there are too many.
func (b blocks) get(ctx context.Context, holders int32) (*block, error) {
	select {
	case b <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	blk := blockPool.Get().(*block)
	blk.holders.Store(holders)
	blk.budget = b
	return blk, nil
}

func (b *block) hold() { b.holders.Add(1) }

func (b *block) release() {
	if b != nil && b.holders.Add(-1) == 0 {
		budget := b.budget
		blockPool.Put(b)
		<-budget
	}
}

// data returns the first n bytes after the headroom.
func (b *block) data(n int) []byte { return b.buf[headroom : headroom+n] }

// join copies rest in front of the first n bytes and returns both as one.
func (b *block) join(rest []byte, n int) []byte {
	from := headroom - len(rest)
	copy(b.buf[from:], rest)
	return b.buf[from : headroom+n]
}
