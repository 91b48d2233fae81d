package crypt

import (
	"context"
	"errors"
	"io"
)

// reader reads a range of an object, of whose pieces inner has those needed.
type reader struct {
	ctx    context.Context
	inner  io.ReadCloser
	object *object
	failed func() // is told of the first piece that does not open

	piece  int64 // the next
	skip   int64 // bytes before the range in it
	remain int64 // bytes of the range that are there and not yet read
	short  bool  // the range goes on beyond the end
	toEnd  bool  // inner must end where the object does
	buffer []byte
	plain  []byte // opened and not yet handed out
	err    error
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if len(r.plain) == 0 && len(p) > 0 && r.err == nil {
		r.err = r.fill()
	}
	if len(r.plain) == 0 && r.err != nil {
		return 0, r.err
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

// fill opens the next piece, or says what comes after the last.
func (r *reader) fill() error {
	if r.remain == 0 {
		return r.end()
	}
	if r.buffer == nil {
		r.buffer = make([]byte, pieceSize+tagSize)
	}
	sealed := r.buffer[:r.object.pieceLen(r.piece)+tagSize]
	if _, err := io.ReadFull(r.inner, sealed); err != nil {
		return r.broken(err)
	}
	plain, err := r.object.open(sealed, r.piece)
	if err != nil {
		r.failed()
		return err
	}
	plain = plain[r.skip:]
	r.plain = plain[:min(int64(len(plain)), r.remain)]
	r.remain -= int64(len(r.plain))
	r.piece, r.skip = r.piece+1, 0
	return nil
}

func (r *reader) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.failed()
		return bad(r.object.name, "is truncated: it ends in the 64 KiB from byte %d on, of %d bytes", r.piece*pieceSize, r.object.size)
	}
	return err
}

func (r *reader) end() error {
	if r.toEnd {
		switch n, err := io.ReadFull(r.inner, make([]byte, 1)); {
		case n > 0:
			return bad(r.object.name, "has more than its %d bytes", r.object.size)
		case !errors.Is(err, io.EOF):
			return err
		}
	}
	if r.short {
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}

func (r *reader) Close() error { return r.inner.Close() }
