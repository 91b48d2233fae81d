package parity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mlvc/mlvc/objects"
)

// File is a parity file that was opened. It does not change, and reads its
// parity blocks only when it checks or heals. Safe for concurrent use if its
// reader is.
type File struct {
	layout
	r      io.ReaderAt
	base   int64 // where its header lies, or would lie
	sums   []sum
	known  []bool // whether sums has the checksum of a block
	damage []Range
}

// Open reads what a parity file of size bytes says of itself. One end of it
// may be damaged or missing, and one of two copies of each checksum; Check
// reports that. It fails with objects.ErrNewer for a later version, and with
// objects.ErrCorrupt if neither end says what the file is.
func Open(r io.ReaderAt, size int64) (*File, error) {
	f := &File{r: r}
	front, ferr := readHeader(r, 0)
	back, berr := readHeader(r, size-headerSize)
	switch {
	case ferr == nil:
		f.layout = front
	case berr == nil:
		f.layout = back
		f.base = size - back.total()
	case errors.Is(ferr, objects.ErrNewer) || errors.Is(berr, objects.ErrNewer):
		return nil, fmt.Errorf("parity file: %w", errors.Join(ferr, berr))
	default:
		return nil, fmt.Errorf("parity file of %d bytes: neither end can be read: %w", size, ferr)
	}
	if ferr != nil || f.base != 0 {
		f.damage = append(f.damage, Range{0, headerSize})
	}
	f.readTables()
	if foot := f.base + f.footerStart(); !f.holdsHeader(foot) {
		f.damage = append(f.damage, Range{f.footerStart(), headerSize})
	}
	if excess := size - f.base - f.total(); excess > 0 {
		f.damage = append(f.damage, Range{f.total(), excess})
	}
	return f, nil
}

// Owner returns the name that Encode was given.
func (f *File) Owner() objects.ID { return f.owner }

// Covers returns the size in bytes of the file that is protected.
func (f *File) Covers() int64 { return f.size }

// Scheme returns how it is protected.
func (f *File) Scheme() Scheme { return f.layout.Scheme }

func readHeader(r io.ReaderAt, offset int64) (layout, error) {
	header := make([]byte, headerSize)
	if offset < 0 {
		return layout{}, fmt.Errorf("%w: too short", objects.ErrCorrupt)
	}
	if n, err := r.ReadAt(header, offset); n < headerSize {
		return layout{}, fmt.Errorf("%w: read header: %w", objects.ErrCorrupt, err)
	}
	return decodeHeader(header)
}

func (f *File) holdsHeader(offset int64) bool {
	got := make([]byte, headerSize)
	n, _ := f.r.ReadAt(got, max(offset, 0))
	return offset >= 0 && n == headerSize && bytes.Equal(got, f.encodeHeader())
}

// readTables takes each page from the first table that has it whole.
func (f *File) readTables() {
	f.sums, f.known = make([]sum, f.layout.sums()), make([]bool, f.layout.sums())
	header, page := f.encodeHeader(), make([]byte, BlockSize)
	for _, start := range f.tables() {
		for i := range f.pages() {
			count := f.pageSums(i)
			p := page[:(count+1)*sumSize]
			at := start + int64(i)*BlockSize
			whole := false
			if n, _ := f.readParity(p, at); n == len(p) {
				whole = f.decodePage(header, p, i, f.sums)
			}
			if !whole {
				f.damage = append(f.damage, Range{at, int64(len(p))})
				continue
			}
			for k := range count {
				f.known[i*sumsPerPage+k] = true
			}
		}
	}
}

// errCutOff is not io.EOF, after which nothing would follow.
var errCutOff = errors.New("cut off at the front")

// readParity reads at an offset of the whole parity file; what was cut off at
// its front is not there.
func (f *File) readParity(p []byte, offset int64) (int, error) {
	if f.base+offset < 0 {
		return 0, errCutOff
	}
	return f.r.ReadAt(p, f.base+offset)
}

// Check reads the file that is protected, of size bytes, and the parity, and
// reports all damage of both. Damage is no error.
func (f *File) Check(ctx context.Context, r io.ReaderAt, size int64) (Report, error) {
	return f.heal(ctx, r, size, nil)
}

// Heal does what Check does, and writes every damaged block that the parity
// heals to w at its place in the file: w may be the file that r reads, or a
// copy of it. What is not damaged is not written, nothing is synced, and
// bytes beyond Covers are left to the caller. Every block that is written was
// checked; what cannot be is not written. Interrupted, it can be done again.
//
// It fails with *LostError if more is damaged than the parity heals; what it
// does heal is then written all the same. A place that cannot be read is damaged.
func (f *File) Heal(ctx context.Context, r io.ReaderAt, size int64, w io.WriteSeeker) (Report, error) {
	report, err := f.heal(ctx, r, size, w)
	if err == nil && len(report.Lost) > 0 {
		err = &LostError{Owner: f.owner, Report: report}
	}
	return report, err
}
