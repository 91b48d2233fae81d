package crypt

import "math/bits"

const (
	minStep = 4 << 10
	maxStep = 64 << 10
)

// Padded returns the size to which an object of size bytes should be filled up
// by who makes it, if its size tells something: a pack of one file, say. It is
// the next multiple of a step that grows with the size: 4 KiB up to 256 KiB,
// then a 32nd to a 64th of the size, and 64 KiB from 2 MiB on. A Bucket does
// not fill up what it is given, for its sizes could then not be listed.
func Padded(size int64) int64 {
	step := int64(1) << max(bits.Len64(uint64(max(size, 1)))-6, 0)
	step = min(max(step, minStep), maxStep)
	return (size + step - 1) / step * step
}
