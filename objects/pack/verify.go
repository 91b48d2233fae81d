package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
)

// maxNamed is how many damaged objects Verify names before it stops.
const maxNamed = 64

// Verify checks every byte of a pack of size bytes, whose ID is given: that
// it is what a Writer wrote, with nothing before, between or after. It fails
// with objects.ErrCorrupt, joined from an *objects.ObjectError for each of the
// first damaged objects. Objects that are stored compressed are not decoded:
// their IDs are checked when they are read.
func Verify(ctx context.Context, r io.ReaderAt, size int64, id objects.ID) (*Index, error) {
	x, err := ReadIndex(ctx, r, size, id)
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", id, err)
	}
	var damage []error
	body, src := blake3.New(), stream{r: r, size: size}
	for e, err := range walk(x.entries) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", id, err)
		}
		payload, err := src.check(e)
		if inBody(e.encoding) {
			body.Write(payload) //nolint:errcheck // a hash never fails
		}
		if err == nil {
			continue
		}
		damage = append(damage, &objects.ObjectError{ID: e.id, Where: "pack " + id.String(), Err: err})
		if len(damage) == maxNamed {
			break
		}
	}
	if len(damage) == 0 && !bytes.Equal(body.Sum(nil), x.bodySum[:]) {
		damage = append(damage, corrupt("body of the pack"))
	}
	if len(damage) > 0 {
		return nil, fmt.Errorf("pack %s: %w", id, errors.Join(damage...))
	}
	return x, nil
}

// check compares a record with its entry in the index, and returns the
// payload, which is valid until the next call.
func (s *stream) check(e entry) ([]byte, error) {
	b, err := s.read(e.offset, e.length())
	if err != nil {
		return nil, err
	}
	n := len(e.bytes) + crcSize
	payload := b[n:]
	if !bytes.Equal(b[:n], appendRecordHeader(nil, e.head, payloadSum(payload))) {
		return payload, corrupt("record at %d", e.offset)
	}
	switch {
	case e.encoding == encBase:
		if !bytes.Equal(payload, e.id[:]) {
			return payload, corrupt("record at %d: base", e.offset)
		}
	case e.encoding == EncRaw:
		if objects.Sum(e.kind, payload) != e.id {
			return payload, corrupt("record at %d: ID", e.offset)
		}
	}
	return payload, nil
}

// streamSize is how much of a pack a stream reads at once.
const streamSize = 4 << 20

// stream reads a file from start to end in large pieces.
type stream struct {
	r     io.ReaderAt
	size  int64
	buf   []byte
	start int64 // of buf in the file
	last  bool  // buf reaches the end of the file
}

// read returns n bytes at offset, valid until the next call.
func (s *stream) read(offset int64, n int) ([]byte, error) {
	b, err := s.upTo(offset, n)
	if err == nil && len(b) < n {
		err = corrupt("pack ends at %d", offset+int64(len(b)))
	}
	return b, err
}

// upTo is as read, but the file may end before.
func (s *stream) upTo(offset int64, n int) ([]byte, error) {
	end := s.start + int64(len(s.buf))
	if offset < s.start || offset > end || offset+int64(n) > end && !s.last {
		if s.buf == nil {
			s.buf = make([]byte, min(streamSize, s.size))
		}
		got, err := s.r.ReadAt(s.buf[:cap(s.buf)], offset)
		if err != nil && err != io.EOF {
			return nil, err
		}
		s.buf, s.start, s.last = s.buf[:got], offset, err == io.EOF || offset+int64(got) >= s.size
	}
	b := s.buf[offset-s.start:]
	return b[:min(n, len(b))], nil
}
