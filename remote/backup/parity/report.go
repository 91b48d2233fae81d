package parity

import (
	"fmt"

	"github.com/mlvc/mlvc/objects"
)

// Range is a run of bytes.
type Range struct{ Offset, Length int64 }

// Report says what is damaged, in ranges that are whole blocks, sorted.
type Report struct {
	Damaged []Range // of the file: all of it
	Lost    []Range // of the file: what of that the parity cannot heal
	Excess  int64   // bytes that the file has too many
	Parity  []Range // of the parity file, as it would be whole
}

// OK reports whether both files are whole.
func (r Report) OK() bool {
	return len(r.Damaged) == 0 && r.Excess == 0 && len(r.Parity) == 0
}

// DamagedBytes returns the bytes of the file that are damaged.
func (r Report) DamagedBytes() int64 { return total(r.Damaged) }

// LostBytes returns the bytes of the file that the parity cannot heal.
func (r Report) LostBytes() int64 { return total(r.Lost) }

func total(ranges []Range) (n int64) {
	for _, r := range ranges {
		n += r.Length
	}
	return n
}

// LostError is for damage that is more than the parity heals. It is an
// objects.ErrCorrupt.
type LostError struct {
	Owner  objects.ID
	Report Report
}

func (e *LostError) Error() string {
	return fmt.Sprintf("%s: %d bytes are damaged, and %d of them are more than its parity heals", e.Owner, e.Report.DamagedBytes(), e.Report.LostBytes())
}

// Unwrap makes it an objects.ErrCorrupt.
func (e *LostError) Unwrap() error { return objects.ErrCorrupt }
