package remote

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
)

// aheadObject is an object that is read by ranges.
type aheadObject struct {
	data []byte

	mu    sync.Mutex
	reads int
	bytes int
	fails func(offset int64, length int) bool // or nil
}

var errAhead = errors.New("unreadable")

func (o *aheadObject) fetch(p []byte, offset int64) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	o.bytes += len(p)
	if o.fails != nil && o.fails(offset, len(p)) {
		return 0, errAhead
	}
	return copy(p, o.data[offset:]), nil
}

func newAheadObject(size int) *aheadObject {
	o := &aheadObject{data: make([]byte, size)}
	rnd := rand.New(rand.NewPCG(1, uint64(size)))
	for i := range o.data {
		o.data[i] = byte(rnd.Uint32())
	}
	return o
}

func (o *aheadObject) want(t *testing.T, a *readAhead, key string, offset, length int) {
	t.Helper()
	p := make([]byte, length)
	n, err := a.read(t.Context(), key, int64(len(o.data)), p, int64(offset), o.fetch)
	if err != nil || n != length || !bytes.Equal(p, o.data[offset:offset+length]) {
		t.Errorf("%d bytes at %d: %d, %v", length, offset, n, err)
	}
}

// Several readers that go forward in several objects read each block once.
func TestReadAheadForward(t *testing.T) {
	const size, step, objects = 2 << 20, 10_000, 6
	a := newReadAhead(4<<20, objects)
	all := make([]*aheadObject, objects)
	for i := range all {
		all[i] = newAheadObject(size + i*777)
	}
	for offset := 0; offset+step <= size; offset += 2 * step {
		var group sync.WaitGroup
		for i, o := range all {
			for _, at := range []int{offset, offset + step} {
				if at+step <= len(o.data) {
					group.Go(func() { o.want(t, a, string(rune('a'+i)), at, step) })
				}
			}
		}
		group.Wait()
	}
	for i, o := range all {
		if o.bytes > len(o.data)+4*step || o.reads > len(o.data)/int(a.size)+5 {
			t.Errorf("object %d of %d bytes took %d in %d reads of blocks of %d", i, len(o.data), o.bytes, o.reads, a.size)
		}
	}
	if len(a.order)+len(a.free) > a.most {
		t.Errorf("%d blocks, at most %d", len(a.order)+len(a.free), a.most)
	}
}

// Reads here and there take no more than is asked for, and any read is right.
func TestReadAheadAnywhere(t *testing.T) {
	o := newAheadObject(64 << 20)
	a := newReadAhead(16<<20, 1)
	for at := 100; at < len(o.data)-100; at += int(a.size) {
		o.want(t, a, "k", at, 100)
	}
	if o.bytes != o.reads*100 {
		t.Errorf("%d bytes in %d reads of 100", o.bytes, o.reads)
	}
	rnd := rand.New(rand.NewPCG(2, 2))
	var group sync.WaitGroup
	for range 4 {
		seed := rnd.Uint64()
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 3))
			for range 50 {
				length := 1 + rnd.IntN(1<<(1+rnd.IntN(23)))
				o.want(t, a, "k", rnd.IntN(len(o.data)-length), length)
			}
		})
	}
	group.Wait()
}

// A block that cannot be read costs only what lies in the unreadable part of it.
func TestReadAheadDamage(t *testing.T) {
	o := newAheadObject(1 << 20)
	o.fails = func(offset int64, length int) bool { return offset <= 70_000 && offset+int64(length) > 70_000 }
	a := newReadAhead(1<<20, 1)
	for at := 0; at+5000 <= len(o.data); at += 5000 {
		if at == 70_000 {
			if _, err := a.read(t.Context(), "k", int64(len(o.data)), make([]byte, 5000), int64(at), o.fetch); !errors.Is(err, errAhead) {
				t.Errorf("got %v", err)
			}
			continue
		}
		o.want(t, a, "k", at, 5000)
	}
}

// Who waits for a block that another reads need not wait for ever.
func TestReadAheadWaits(t *testing.T) {
	o := newAheadObject(1 << 20)
	a := newReadAhead(1<<20, 1)
	b, fill := a.use(blockKey{"k", 0}, int(a.size), int(a.size))
	if !fill {
		t.Fatal("nobody reads the block")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.read(ctx, "k", int64(len(o.data)), make([]byte, 10), 0, o.fetch); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	a.filled(b, errAhead)
	a.release(b)
	o.want(t, a, "k", 0, 10)
}

// What was read alone is remembered until its block is made, and of no more than so
// many blocks.
func TestReadAheadAsked(t *testing.T) {
	o := newAheadObject(int(minBlock))
	a := newReadAhead(4*minBlock, 4)
	for i := range 3 * maxAsked {
		o.want(t, a, strconv.Itoa(i), 0, 10)
		if len(a.asked) > maxAsked {
			t.Fatalf("%d blocks are remembered", len(a.asked))
		}
	}
	n := len(a.asked)
	last := strconv.Itoa(3*maxAsked - 1)
	for range 2 {
		o.want(t, a, last, 20, 10)
	}
	if len(a.asked) != n-1 || o.reads != 3*maxAsked+1 {
		t.Errorf("%d blocks are remembered, %d before; %d reads", len(a.asked), n, o.reads)
	}
}
