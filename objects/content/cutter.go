package content

import (
	"context"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
)

// cutter finds the chunks of a content. Without an older version it cuts by
// the gear hash. With one:
//
//  1. As long as the last chunk was one of the old content's, the next one is
//     expected to be the old one that followed it. If as many bytes have its
//     ID, it is: a cut depends only on the bytes of its chunk, so the gear
//     hash would have cut there too. The old content's last chunk, which its
//     end cut off, counts only if it is the last again.
//  2. Otherwise the gear hash cuts. If the chunk's ID is one that lies ahead
//     in the old content, the two are in step again, and 1 goes on there.
//  3. Otherwise the chunk is new. It is held back until the next one is
//     known, so that a delta can be taken against what lay between the same
//     neighbours.
type cutter struct {
	ctx      context.Context //nolint:containedctx // lives as long as one pipeline stage
	pipeline *pipeline
	past     *past // nil without an older version

	block      *block
	rest       []byte // of block: what is not cut yet
	start      int64  // of rest in the content
	held       *held
	zeroStored bool
}

// held is a new chunk that is not handed to put yet.
type held struct {
	job        job
	start, end int64
}

// add takes in n bytes of b, and cuts what can be cut.
func (c *cutter) add(b *block, n int) error {
	c.rest = b.join(c.rest, n)
	c.block.release()
	c.block = b
	for len(c.rest) >= chunk.Default.Max {
		if err := c.next(false); err != nil {
			return err
		}
	}
	return nil
}

// finish cuts the end of the content.
func (c *cutter) finish() error {
	for len(c.rest) > 0 {
		if err := c.next(true); err != nil {
			return err
		}
	}
	c.block.release()
	return c.flush(-1)
}

// hole takes in n zeros without touching them, but for those that share a
// chunk with other bytes.
func (c *cutter) hole(n int64) error {
	for n > 0 {
		for ; len(c.rest) == 0 && n >= int64(chunk.Default.Max); n -= int64(chunk.Default.Max) {
			if err := c.zeros(); err != nil {
				return err
			}
		}
		fill := min(n, int64(chunk.Default.Max))
		if fill == 0 {
			return nil
		}
		b, err := c.pipeline.blocks.get(c.ctx, 1)
		if err != nil {
			return err
		}
		clear(b.data(int(fill)))
		before := c.start
		if err := c.add(b, int(fill)); err != nil {
			return err
		}
		n -= fill
		if c.start > before && int64(len(c.rest)) <= fill {
			n += int64(len(c.rest)) // cut inside the hole: the rest of it is whole again
			c.rest = nil
		}
	}
	return nil
}

// next takes the first chunk off rest.
func (c *cutter) next(final bool) error {
	if c.past == nil {
		return c.fresh(objects.ID{}, c.take(chunk.Cut(chunk.Default, c.rest, final)))
	}
	if n := c.past.expect(len(c.rest), final); n > 0 {
		if id := objects.Sum(objects.KindChunk, c.rest[:n]); c.past.step(id) {
			return c.reuse(id, len(c.take(n)))
		}
	}
	data := c.take(chunk.Cut(chunk.Default, c.rest, final))
	id := objects.Sum(objects.KindChunk, data)
	if c.past.find(id, c.start) {
		return c.reuse(id, len(data))
	}
	return c.fresh(id, data)
}

func (c *cutter) take(n int) []byte {
	data := c.rest[:n:n]
	c.rest = c.rest[n:]
	return data
}

// zeros takes one zeroChunk that is in no block.
func (c *cutter) zeros() error {
	id, n := zeroChunk.ID, zeroChunk.Length
	if c.past != nil && (c.past.expect(n, false) == n && c.past.step(id) || c.past.find(id, c.start)) {
		return c.reuse(id, n)
	}
	if err := c.flush(-1); err != nil {
		return err
	}
	s := &slot{ref: zeroChunk}
	if !c.zeroStored {
		s.done = make(chan struct{})
	}
	if err := c.emit(s); err != nil || c.zeroStored {
		return err
	}
	c.zeroStored = true
	return send(c.ctx, c.pipeline.jobs, job{slot: s, data: zeros[:n]})
}

// reuse places a chunk of the old content, which past now stands behind.
func (c *cutter) reuse(id objects.ID, n int) error {
	if err := c.flush(c.past.cursor - 1); err != nil {
		return err
	}
	c.past.settle(c.start + int64(n))
	c.pipeline.stats.Reused++
	c.pipeline.stats.ReusedBytes += int64(n)
	return c.emit(&slot{ref: chunk.Ref{ID: id, Length: n}})
}

// fresh places a chunk of block that is not known to be an old one.
func (c *cutter) fresh(id objects.ID, data []byte) error {
	if err := c.flush(-1); err != nil {
		return err
	}
	s := &slot{ref: chunk.Ref{ID: id, Length: len(data)}, done: make(chan struct{})}
	j := job{slot: s, data: data, block: c.block}
	c.block.hold()
	from := c.start
	if err := c.emit(s); err != nil {
		return err
	}
	if c.past == nil {
		return send(c.ctx, c.pipeline.jobs, j)
	}
	c.held = &held{job: j, start: from, end: c.start}
	return nil
}

// flush hands over the chunk that is held back. anchor is the index of the
// old chunk that follows it, -1 if a new one does.
func (c *cutter) flush(anchor int) error {
	if c.held == nil {
		return nil
	}
	h := c.held
	c.held = nil
	bases := c.past.bases(h.start, h.end, anchor)
	if c.pipeline.hope.try() {
		h.job.bases = bases
	}
	return send(c.ctx, c.pipeline.jobs, h.job)
}

// emit gives a chunk its place.
func (c *cutter) emit(s *slot) error {
	c.start += int64(s.ref.Length)
	c.pipeline.stats.Chunks++
	return send(c.ctx, c.pipeline.slots, s)
}
