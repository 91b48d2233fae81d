package parity

import (
	"errors"
	"io"
)

// window holds some stripes in memory: for each place in a stripe the blocks
// of a run of stripes, one after the other. All windows together are the file.
type window struct {
	layout
	buffer []byte
	first  int      // stripe
	count  int      // of stripes
	shards [][]byte // data, then parity, count blocks each
}

// windowSize is the most bytes that a window takes, unless a stripe is larger.
const windowSize = 4 << 20

func newWindow(l layout) *window {
	places := l.Data + l.Parity
	count := min(max(windowSize/BlockSize/places, 1), l.stripes)
	return &window{layout: l, buffer: make([]byte, places*count*BlockSize), shards: make([][]byte, places)}
}

// next moves to the stripes that follow; false after the last.
func (w *window) next() bool {
	room := len(w.buffer) / len(w.shards) / BlockSize
	w.first += w.count
	w.count = min(room, w.stripes-w.first)
	if w.count <= 0 {
		return false
	}
	for i := range w.shards {
		w.shards[i] = w.buffer[i*room*BlockSize:][:w.count*BlockSize]
	}
	return true
}

// block returns the block at one place of a stripe of this window.
func (w *window) block(place, stripe int) []byte {
	return w.shards[place][stripe*BlockSize:][:BlockSize]
}

// number returns which block of the file that is, or which of its parity,
// counted on from the blocks of the file: its number in the table.
func (w *window) number(place, stripe int) int {
	if place < w.Data {
		return place*w.stripes + w.first + stripe
	}
	return w.blocks + (place-w.Data)*w.stripes + w.first + stripe
}

// read reads the data shards; what is beyond the end is zeros. A file that is
// too short is io.ErrUnexpectedEOF.
func (w *window) read(r io.ReaderAt) error {
	for place := range w.Data {
		shard, first := w.shards[place], w.number(place, 0)
		n := min(max(int(w.size-int64(first)*BlockSize), 0), len(shard))
		clear(shard[n:])
		if got, err := r.ReadAt(shard[:n], int64(first)*BlockSize); got < n {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// readAll reads what can be read of blocks that lie one after the other from
// offset on. A block that is not there, in whole or in part, or that the disk
// does not give, is zeros, and missing is called with its number.
func readAll(r io.ReaderAt, p []byte, offset int64, missing func(i int)) {
	n, err := r.ReadAt(p, offset)
	if n == len(p) {
		return
	}
	ended := errors.Is(err, io.EOF)
	for i := 0; i*BlockSize < len(p); i++ {
		block := p[i*BlockSize : min((i+1)*BlockSize, len(p))]
		if i*BlockSize+len(block) <= n {
			continue
		}
		if !ended {
			if got, _ := r.ReadAt(block, offset+int64(i)*BlockSize); got == len(block) {
				continue
			}
		}
		clear(block)
		missing(i)
	}
}
