package content

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
)

// pipeline writes one large content:
//
//	read ─┬─> hash                            the content ID
//	      └─> cut ─┬─> put (workers) ─┐
//	               └─> slots, in order ┴─> list
//
// Its memory is the blocks.
type pipeline struct {
	store  Store
	src    Source
	size   int64
	blocks blocks
	toHash chan piece
	toCut  chan piece
	jobs   chan job
	slots  chan *slot
	hope   hope

	content objects.ID // set by hash
	root    objects.ID // set by list
	stats   Stats      // set by cut
}

// piece is the next bytes of the content: n bytes of a block, or zeros.
type piece struct {
	block *block
	n     int
	zeros int64
}

// slot is the place of one chunk in the list. done is nil when ref is known
// from the start, and closed when it is.
type slot struct {
	ref  chunk.Ref
	done chan struct{}
}

// job is a chunk to store. block is released afterwards; it may be nil.
type job struct {
	slot  *slot
	data  []byte
	block *block
	bases []objects.ID
}

// queued is how many pieces may wait before hash and before cut.
const queued = 2

func writeLarge(ctx context.Context, s Store, src Source, prev objects.Entry, workers int) (objects.Entry, Stats, error) {
	group, ctx := errgroup.WithContext(ctx)
	p := &pipeline{
		store: s, src: src, size: src.Size(),
		// One in each worker and each queue's place, and one each being
		// read, hashed, cut, held back by cut, and filled with zeros: then
		// nobody ever waits for a block that only he could release.
		blocks: make(blocks, workers+2*queued+5),
		toHash: make(chan piece, queued),
		toCut:  make(chan piece, queued),
		jobs:   make(chan job),
		slots:  make(chan *slot, 64),
	}
	group.Go(func() error { return p.read(ctx) })
	group.Go(func() error { return p.hash(ctx) })
	group.Go(func() error { return p.cut(ctx, prev) })
	group.Go(func() error { return p.list(ctx) })
	for range workers {
		group.Go(func() error { return p.put(ctx) })
	}
	if err := group.Wait(); err != nil {
		return objects.Entry{}, Stats{}, err
	}
	return objects.Entry{Size: p.size, Content: p.content, List: p.root}, p.stats, nil
}

// read hands the content out in pieces. A hole shorter than a block is read.
func (p *pipeline) read(ctx context.Context) error {
	var dataEnd int64
	for off := int64(0); off < p.size; {
		if off == dataEnd {
			start, end, err := p.src.NextData(off)
			if err != nil {
				return fmt.Errorf("look for holes: %w", err)
			}
			start, end = min(max(start, off), p.size), min(end, p.size)
			if start >= end && start < p.size {
				return fmt.Errorf("%w: it ends at %d, %d were expected", ErrChanged, start, p.size)
			}
			dataEnd = max(start, end)
			if gap := start - off; gap >= blockSize {
				if err := p.hand(ctx, piece{zeros: gap}); err != nil {
					return err
				}
				off = start
				continue
			}
		}
		n := int(min(blockSize, dataEnd-off))
		if err := p.readBlock(ctx, off, n); err != nil {
			return err
		}
		off += int64(n)
	}
	if err := p.atEnd(); err != nil {
		return err
	}
	close(p.toHash)
	close(p.toCut)
	return nil
}

// atEnd fails unless the last byte of the source is where it should be.
func (p *pipeline) atEnd() error {
	var last [2]byte
	n, err := p.src.ReadAt(last[:], p.size-1)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n != 1 {
		return fmt.Errorf("%w: it does not end at %d", ErrChanged, p.size)
	}
	return nil
}

func (p *pipeline) readBlock(ctx context.Context, off int64, n int) error {
	b, err := p.blocks.get(ctx, 2)
	if err != nil {
		return err
	}
	got, err := p.src.ReadAt(b.data(n), off)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if got < n {
		return fmt.Errorf("%w: it ends at %d, %d were expected", ErrChanged, off+int64(got), p.size)
	}
	return p.hand(ctx, piece{block: b, n: n})
}

func (p *pipeline) hand(ctx context.Context, next piece) error {
	if err := send(ctx, p.toHash, next); err != nil {
		return err
	}
	return send(ctx, p.toCut, next)
}

// hash computes the content ID.
func (p *pipeline) hash(ctx context.Context) error {
	h := blake3.New()
	err := each(ctx, p.toHash, func(next piece) error {
		if next.block != nil {
			h.Write(next.block.data(next.n)) //nolint:errcheck // a hash never fails
			next.block.release()
		}
		for left := next.zeros; left > 0 && ctx.Err() == nil; left -= blockSize {
			h.Write(zeros[:min(left, blockSize)]) //nolint:errcheck // a hash never fails
		}
		return nil
	})
	h.Sum(p.content[:0])
	return err
}

// cut hands every chunk to list, and to put what may be new.
func (p *pipeline) cut(ctx context.Context, prev objects.Entry) error {
	c := cutter{ctx: ctx, pipeline: p}
	if prev.Size > 0 && !prev.Content.IsZero() {
		c.past = newPast(ctx, p.store, prev)
		defer c.past.close()
	}
	err := each(ctx, p.toCut, func(next piece) error {
		if next.block != nil {
			return c.add(next.block, next.n)
		}
		return c.hole(next.zeros)
	})
	if err != nil {
		return err
	}
	if err := c.finish(); err != nil {
		return err
	}
	close(p.jobs)
	close(p.slots)
	return nil
}

// put stores chunks.
func (p *pipeline) put(ctx context.Context) error {
	return each(ctx, p.jobs, func(j job) (err error) {
		o := objects.Object{Kind: objects.KindChunk, Data: j.data}
		if len(j.bases) > 0 {
			var used bool
			j.slot.ref.ID, used, err = p.store.PutDelta(ctx, o, j.bases)
			p.hope.learn(used)
		} else {
			j.slot.ref.ID, err = p.store.Put(ctx, o)
		}
		if err != nil {
			return fmt.Errorf("store chunk: %w", err)
		}
		j.block.release()
		close(j.slot.done)
		return nil
	})
}

// list builds the chunk list from the slots.
func (p *pipeline) list(ctx context.Context) (err error) {
	p.root, err = chunk.BuildList(ctx, p.store, func(yield func(chunk.Ref, error) bool) {
		err := each(ctx, p.slots, func(s *slot) error {
			if err := wait(ctx, s.done); err != nil {
				return err
			}
			if !yield(s.ref, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(chunk.Ref{}, err)
		}
	})
	return err
}

var errStop = errors.New("stop")
