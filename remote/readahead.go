package remote

import (
	"context"
	"slices"
	"sync"
)

// readAhead makes many small reads of packs few large ones. It is shared by all
// packs of a Shelf:
//
//  1. Packs are looked at as blocks of one size. A block that is in memory serves
//     whatever is read of it. While one reads it, others wait for that.
//  2. A block that is not there is read whole if it goes on from one that is, if a
//     good part of it is asked for, or if something of it was asked for before.
//     Else what is asked for is read alone: of a few files no more is read than
//     they need.
//  3. Of a single set, what is as large as a block is read alone, into the memory
//     of who asks: it would cost that memory twice. In a chain what others are
//     built on lies between, and blocks are read once for both.
//  4. Of the blocks that nobody copies from the one that was not used for longest
//     goes when the memory is used up. If there is none, what is asked for is read
//     alone.
//
// So files that lie in many packs, in each in the order in which they are read,
// cost the memory of a few blocks for each of these packs, and each block is
// read about once.
type readAhead struct {
	size int64 // of a block
	most int   // blocks in memory
	// alone: there is one set.
	alone bool

	mu     sync.Mutex
	blocks map[blockKey]*block
	order  []*block          // the one last used last
	free   [][]byte          // of that size
	asked  map[blockKey]bool // blocks of which something was read alone, maxAsked at most
}

type blockKey struct {
	key    string // of the object
	number int64
}

// block is in memory when ready is closed and err is nil.
type block struct {
	blockKey
	buf   []byte
	ready chan struct{}
	err   error // guarded by mu until ready is closed
	users int
}

const (
	minBlock = 128 << 10
	maxBlock = 2 << 20
	// fronts is how many places a pack is read in at about the same time.
	fronts = 4
	// maxAsked bounds the memory of what was read alone; when it is reached all of it
	// is forgotten, and what is asked for again read alone once more.
	maxAsked = 4096
)

// newReadAhead returns one that takes so much memory; so many packs are read at
// once.
func newReadAhead(memory int64, packs int) *readAhead {
	size := max(minBlock, min(memory/int64(fronts*max(1, packs)), maxBlock))
	return &readAhead{
		size: size, most: int(memory / size), alone: packs <= 1,
		blocks: make(map[blockKey]*block), asked: make(map[blockKey]bool),
	}
}

// fetcher reads a range of an object. It fails if that is less than it is asked
// for.
type fetcher func(p []byte, offset int64) (int, error)

// read reads len(p) bytes of an object of that size at an offset.
func (a *readAhead) read(ctx context.Context, key string, size int64, p []byte, offset int64, fetch fetcher) (int, error) {
	if a.alone && int64(len(p)) >= a.size { // 3.
		return fetch(p, offset)
	}
	for n := 0; ; {
		at := offset + int64(n)
		left := min(int64(len(p)-n), a.size-at%a.size)
		got, err := a.part(ctx, key, size, p[n:n+int(left)], at, fetch)
		if n += got; err != nil || n == len(p) {
			return n, err
		}
	}
}

// part reads a range that lies in one block.
func (a *readAhead) part(ctx context.Context, key string, size int64, p []byte, offset int64, fetch fetcher) (int, error) {
	number := offset / a.size
	begin := number * a.size
	if offset+int64(len(p)) > size {
		return fetch(p, offset)
	}
	b, fill := a.use(blockKey{key, number}, int(min(a.size, size-begin)), len(p))
	if b == nil {
		return fetch(p, offset)
	}
	defer a.release(b)
	if fill {
		_, err := fetch(b.buf, begin)
		a.filled(b, err)
	}
	select {
	case <-b.ready:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if b.err != nil { // perhaps what is asked for can be read alone
		return fetch(p, offset)
	}
	return copy(p, b.buf[offset-begin:]), nil
}

// use returns the block that has so many bytes, of which some are asked for; with
// fill the caller reads it. It is nil where these are to be read alone.
func (a *readAhead) use(key blockKey, size, asked int) (b *block, fill bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b = a.blocks[key]; b != nil {
		b.users++
		i := slices.Index(a.order, b)
		a.order = append(slices.Delete(a.order, i, i+1), b)
		return b, false
	}
	goesOn := a.blocks[blockKey{key.key, key.number - 1}] != nil
	if !goesOn && !a.asked[key] && asked < size/8 {
		if len(a.asked) >= maxAsked {
			clear(a.asked)
		}
		a.asked[key] = true
		return nil, false
	}
	buf := a.buffer()
	if buf == nil {
		return nil, false
	}
	b = &block{blockKey: key, buf: buf[:size], ready: make(chan struct{}), users: 1}
	a.blocks[key] = b
	a.order = append(a.order, b)
	delete(a.asked, key)
	return b, true
}

// buffer returns the memory for a block, or nil; mu is held.
func (a *readAhead) buffer() []byte {
	if n := len(a.free); n > 0 {
		buf := a.free[n-1]
		a.free = a.free[:n-1]
		return buf
	}
	if len(a.order) < a.most {
		return make([]byte, a.size)
	}
	i := slices.IndexFunc(a.order, func(b *block) bool { return b.users == 0 })
	if i < 0 {
		return nil
	}
	return a.forget(i)
}

// forget takes a block out and returns its memory; mu is held.
func (a *readAhead) forget(i int) []byte {
	b := a.order[i]
	a.order = slices.Delete(a.order, i, i+1)
	delete(a.blocks, b.blockKey)
	return b.buf[:a.size]
}

func (a *readAhead) filled(b *block, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.err = err
	close(b.ready)
}

// release lets go of a block. One that could not be read is forgotten.
func (a *readAhead) release(b *block) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b.users--; b.users == 0 && b.err != nil {
		a.free = append(a.free, a.forget(slices.Index(a.order, b)))
	}
}
