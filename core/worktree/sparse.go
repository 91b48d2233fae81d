package worktree

import (
	"bytes"
	"io"

	"github.com/mlvc/mlvc/objects/vfs"
)

const (
	// holeBlock is the unit of holes: the block of common file systems.
	holeBlock = 4 << 10
	// holeMin is the smallest content that is looked at for zeros.
	holeMin = 64 << 10
)

var zeroBlock [holeBlock]byte

// Sink writes a content to a new file and leaves runs of zeros as holes. It
// is an io.Writer; a source that knows of a run of zeros may Skip it.
type Sink struct {
	file vfs.File
	size int64 // bytes so far
	hole int64 // of these, zeros at the end that were not written
	seek bool  // whether to look for zeros at all
}

// newSink returns a sink for an empty file that is to get size bytes.
func newSink(file vfs.File, size int64) *Sink {
	return &Sink{file: file, seek: size >= holeMin}
}

// Skip appends n zeros without writing them.
func (s *Sink) Skip(n int64) error {
	s.size += n
	s.hole += n
	return nil
}

// Write appends p.
func (s *Sink) Write(p []byte) (int, error) {
	if !s.seek {
		n, err := s.write(p)
		return n, err
	}
	for done := 0; done < len(p); {
		run, zero := s.run(p[done:])
		if zero {
			_ = s.Skip(int64(run))
		} else if n, err := s.write(p[done : done+run]); err != nil {
			return done + n, err
		}
		done += run
	}
	return len(p), nil
}

// run returns the length of the first run of p of one kind: whole blocks of
// the file that are zero, or anything else.
func (s *Sink) run(p []byte) (n int, zero bool) {
	for n < len(p) {
		// Up to the next block boundary of the file.
		piece := min(len(p)-n, holeBlock-int((s.size+int64(n))%holeBlock))
		isZero := bytes.Equal(p[n:n+piece], zeroBlock[:piece])
		if n > 0 && isZero != zero {
			return n, zero
		}
		zero = isZero
		n += piece
	}
	return n, zero
}

func (s *Sink) write(p []byte) (int, error) {
	if s.hole > 0 {
		if _, err := s.file.Seek(s.size, io.SeekStart); err != nil {
			return 0, err
		}
		s.hole = 0
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	return n, err
}

// finish gives the file its size, if it ends with a hole.
func (s *Sink) finish() error {
	if s.hole == 0 {
		return nil
	}
	return s.file.Truncate(s.size)
}
