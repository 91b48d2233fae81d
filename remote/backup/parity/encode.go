// Package parity makes a file that heals another: Reed-Solomon parity over
// blocks of 4 KiB, with a checksum for each block, so that damage is found
// where it lies. With the default 10+1, a tenth of the bytes in one run can be
// lost, or any blocks of which no two share a stripe; FORMAT.md says exactly
// what heals. The file that is protected may be any: a pack, or its ciphertext.
package parity

import (
	"context"
	"fmt"
	"io"

	"github.com/klauspost/reedsolomon"

	"github.com/mlvc/mlvc/objects"
)

// Encode writes the parity file of the first size bytes of r to w, and returns
// its size, which is s.Size(size). The owner is the name of the file that is
// protected, such as the ID of a pack. Every byte is written once, not in
// order, for the checksums stand before and behind what they are of; nothing
// is synced. A file that is shorter is io.ErrUnexpectedEOF. Equal input gives
// equal bytes. It takes about 4 MiB of memory, and 1/64 of size at most.
func Encode(ctx context.Context, s Scheme, owner objects.ID, r io.ReaderAt, size int64, w io.WriteSeeker) (int64, error) {
	l := newLayout(s, size, owner)
	if err := l.check(); err != nil {
		return 0, err
	}
	code, err := l.code()
	if err != nil {
		return 0, err
	}
	sums := make([]sum, l.sums())
	for win := newWindow(l); win.next(); {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if err := win.read(r); err != nil {
			return 0, fmt.Errorf("read what parity is made of: %w", err)
		}
		if err := code.Encode(win.shards); err != nil {
			return 0, fmt.Errorf("parity %s: %w", s, err)
		}
		win.sum(sums)
		if err := win.writeParity(w); err != nil {
			return 0, err
		}
	}
	return l.total(), l.writeEnds(w, sums)
}

// code is the Reed-Solomon code of FORMAT.md.
func (l layout) code() (reedsolomon.Encoder, error) {
	code, err := reedsolomon.New(l.Data, l.Parity, reedsolomon.WithMaxGoroutines(1))
	if err != nil {
		return nil, fmt.Errorf("parity %s: %w", l.Scheme, err)
	}
	return code, nil
}

// sum puts the checksums of all blocks of the window into their places.
func (w *window) sum(sums []sum) {
	for place := range w.shards {
		for stripe := range w.count {
			n := w.number(place, stripe)
			if length := w.length(place, n); length > 0 {
				sums[n] = blockSum(w.block(place, stripe)[:length])
			}
		}
	}
}

// length returns the bytes of the block at a place with a number.
func (w *window) length(place, number int) int {
	if place < w.Data {
		return w.blockLen(number)
	}
	return BlockSize
}

func (w *window) writeParity(to io.WriteSeeker) error {
	for place := w.Data; place < len(w.shards); place++ {
		if err := writeAt(to, w.shards[place], w.parityOffset(w.number(place, 0))); err != nil {
			return err
		}
	}
	return nil
}

// parityOffset returns where the parity block with this number lies.
func (l layout) parityOffset(number int) int64 {
	return l.parityStart() + int64(number-l.blocks)*BlockSize
}

// writeEnds writes the headers and the tables.
func (l layout) writeEnds(w io.WriteSeeker, sums []sum) error {
	header, table := l.encodeHeader(), l.encodeTable(sums)
	at := l.tables()
	for _, part := range []struct {
		data   []byte
		offset int64
	}{{header, 0}, {table, at[0]}, {table, at[1]}, {header, l.footerStart()}} {
		if err := writeAt(w, part.data, part.offset); err != nil {
			return err
		}
	}
	return nil
}

func writeAt(w io.WriteSeeker, p []byte, offset int64) error {
	_, err := w.Seek(offset, io.SeekStart)
	if err == nil {
		_, err = w.Write(p)
	}
	if err != nil {
		return fmt.Errorf("write at byte %d: %w", offset, err)
	}
	return nil
}
