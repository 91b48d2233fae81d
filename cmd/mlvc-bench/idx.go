package main

import (
	"encoding/binary"
	"fmt"
	"io"
)

// idx reads the MNIST family's file format: two zero bytes, the element type,
// the number of dimensions, each dimension as a big-endian uint32, and then
// the elements, item by item along the first dimension.
type idx struct {
	r    io.Reader
	dims []int
	item int // bytes of one item
}

// readIdx reads the header of a file of bytes with the number of dimensions
// that is wanted. A dimension is at most 2^24, an item at most 2^24 bytes.
func readIdx(r io.Reader, dims int) (*idx, error) {
	head := make([]byte, 4+4*dims)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("idx header: %w", err)
	}
	const unsignedByte = 8
	if head[0] != 0 || head[1] != 0 || head[2] != unsignedByte || int(head[3]) != dims {
		return nil, fmt.Errorf("idx header: % x is not one of bytes in %d dimensions", head[:4], dims)
	}
	x := &idx{r: r, item: 1}
	for i := range dims {
		d := binary.BigEndian.Uint32(head[4+4*i:])
		if d > 1<<24 {
			return nil, fmt.Errorf("idx header: dimension %d is %d", i, d)
		}
		x.dims = append(x.dims, int(d))
		if i > 0 {
			x.item *= int(d)
		}
		if x.item > 1<<24 {
			return nil, fmt.Errorf("idx header: items are over 16 MiB")
		}
	}
	return x, nil
}

// next fills item with the next one.
func (x *idx) next(item []byte) error {
	_, err := io.ReadFull(x.r, item)
	return err
}
