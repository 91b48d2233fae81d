package parity

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/reedsolomon"
)

// verdict on a block, of the file or of its parity.
type verdict uint8

const (
	whole   verdict = iota
	unknown         // its checksum is lost, so it is not relied on
	damaged
	lost // damaged, and its stripe has too much damage
)

// healer goes through all stripes of a file.
type healer struct {
	*File
	win      *window
	code     reedsolomon.Encoder
	verdicts []verdict // by number
	stripe   [][]byte  // what code is given
}

func (f *File) heal(ctx context.Context, r io.ReaderAt, size int64, w io.WriteSeeker) (Report, error) {
	code, err := f.code()
	if err != nil {
		return Report{}, err
	}
	places := f.Data + f.layout.Parity
	h := &healer{
		File: f, win: newWindow(f.layout), code: code, verdicts: make([]verdict, f.layout.sums()),
		stripe: make([][]byte, places),
	}
	for h.win.next() {
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
		h.read(r)
		for s := range h.win.count {
			if err := h.healStripe(s, w); err != nil {
				return Report{}, err
			}
		}
	}
	// A disk that ended the context may have looked like a damaged one.
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	return h.report(size), nil
}

// read fills the window and judges each block by its checksum.
func (h *healer) read(r io.ReaderAt) {
	for place, shard := range h.win.shards {
		first := h.win.number(place, 0)
		missing := func(i int) { h.verdicts[first+i] = damaged }
		if place < h.Data {
			n := min(max(int(h.size-int64(first)*BlockSize), 0), len(shard))
			clear(shard[n:])
			readAll(r, shard[:n], int64(first)*BlockSize, missing)
		} else {
			readAll(parityReader{h.File}, shard, h.parityOffset(first), missing)
		}
		for s := range h.win.count {
			h.judge(place, s)
		}
	}
}

type parityReader struct{ f *File }

func (r parityReader) ReadAt(p []byte, offset int64) (int, error) { return r.f.readParity(p, offset) }

func (h *healer) judge(place, s int) {
	number := h.win.number(place, s)
	length := h.win.length(place, number)
	switch {
	case length == 0 || h.verdicts[number] == damaged: // there is none, or it cannot be read
	case !h.known[number]:
		h.verdicts[number] = unknown
	case blockSum(h.win.block(place, s)[:length]) != h.sums[number]:
		h.verdicts[number] = damaged
	}
}

// verdict returns that on a block; one that only fills the stripe is whole.
func (h *healer) verdict(place, s int) verdict {
	if number := h.win.number(place, s); h.win.length(place, number) > 0 {
		return h.verdicts[number]
	}
	return whole
}

// healStripe makes the damaged blocks of the file in one stripe from the
// others, and writes them to w if it is not nil.
func (h *healer) healStripe(s int, w io.WriteSeeker) error {
	bad, badData := 0, 0
	for place := range h.stripe {
		h.stripe[place] = h.win.block(place, s)
		if h.verdict(place, s) != whole {
			bad++
			h.stripe[place] = nil
			if place < h.Data {
				badData++
			}
		}
	}
	if badData == 0 {
		return nil
	}
	if bad > h.layout.Parity {
		h.lose(s)
		return nil
	}
	if err := h.code.ReconstructData(h.stripe); err != nil {
		return fmt.Errorf("parity %s: %w", h.layout.Scheme, err)
	}
	for place := range h.Data {
		if h.verdict(place, s) == whole {
			continue
		}
		if err := h.take(place, s, w); err != nil {
			return err
		}
	}
	return nil
}

// take looks at a block that was made anew.
func (h *healer) take(place, s int, w io.WriteSeeker) error {
	number := h.win.number(place, s)
	made := h.stripe[place][:h.win.blockLen(number)]
	switch {
	case h.known[number] && blockSum(made) != h.sums[number]:
		h.verdicts[number] = lost // two checksums of different blocks agree with damage: as good as never
		return nil
	case h.verdicts[number] == unknown && bytes.Equal(made, h.win.block(place, s)[:len(made)]):
		h.verdicts[number] = whole
		return nil
	}
	h.verdicts[number] = damaged
	if w == nil {
		return nil
	}
	return writeAt(w, made, int64(number)*BlockSize)
}

// lose gives up the blocks of a stripe that are not known to be whole.
func (h *healer) lose(s int) {
	for place := range h.Data {
		if h.verdict(place, s) != whole {
			h.verdicts[h.win.number(place, s)] = lost
		}
	}
}

func (h *healer) report(size int64) Report {
	r := Report{Excess: max(size-h.size, 0), Parity: slices.Clone(h.damage)}
	for number, v := range h.verdicts {
		switch {
		case v == whole:
		case number >= h.blocks:
			if v == damaged {
				r.Parity = append(r.Parity, Range{h.parityOffset(number), BlockSize})
			}
		default:
			block := Range{int64(number) * BlockSize, int64(h.blockLen(number))}
			r.Damaged = add(r.Damaged, block)
			if v == lost {
				r.Lost = add(r.Lost, block)
			}
		}
	}
	slices.SortFunc(r.Parity, func(a, b Range) int { return cmp.Compare(a.Offset, b.Offset) })
	joined := r.Parity[:0]
	for _, p := range r.Parity {
		joined = add(joined, p)
	}
	r.Parity = joined
	return r
}

// add appends a range, as a part of the last one if it follows that directly.
func add(ranges []Range, next Range) []Range {
	if n := len(ranges); n > 0 && ranges[n-1].Offset+ranges[n-1].Length == next.Offset {
		ranges[n-1].Length += next.Length
		return ranges
	}
	return append(ranges, next)
}
