package crypt

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// sealedBody is the object that becomes of a body: made piece by piece where it
// is read, and the same each time. Safe for concurrent use if the body is.
type sealedBody struct {
	*object
	body io.ReaderAt

	mu     sync.Mutex
	number int64  // of the piece in last
	last   []byte // sealed; a reader with a buffer of another size wants it twice
}

func newSealedBody(o *object, body io.ReaderAt) *sealedBody {
	return &sealedBody{object: o, body: body, number: -1}
}

// ReadAt implements io.ReaderAt. A body that is too short is io.ErrUnexpectedEOF.
func (s *sealedBody) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, fmt.Errorf("%s: negative offset %d", s.name, offset)
	}
	if offset < headerSize {
		n = copy(p, s.front()[offset:])
	}
	for n < len(p) {
		at := offset + int64(n)
		if at >= sealedSize(s.size) {
			return n, io.EOF
		}
		i := (at - headerSize) / (pieceSize + tagSize)
		piece, err := s.piece(i)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], piece[at-pieceStart(i):])
	}
	return n, nil
}

// piece returns sealed piece i, which nobody changes any more.
func (s *sealedBody) piece(i int64) ([]byte, error) {
	s.mu.Lock()
	number, last := s.number, s.last
	s.mu.Unlock()
	if number == i {
		return last, nil
	}
	plain := make([]byte, s.pieceLen(i), s.pieceLen(i)+tagSize)
	if n, err := s.body.ReadAt(plain, i*pieceSize); n < len(plain) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	sealed := s.seal(plain[:0], plain, i)
	s.mu.Lock()
	s.number, s.last = i, sealed
	s.mu.Unlock()
	return sealed, nil
}
