package parity

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mlvc/mlvc/objects"
)

const (
	// BlockSize is the unit of damage: one flipped bit costs one block.
	BlockSize = 4096
	// MaxSize is the most bytes of a file that gets parity: 1 GiB. Packs have
	// at most 128 MiB. It bounds the memory that Open takes to 9 MiB.
	MaxSize = 1 << 30

	maxData   = 128
	maxParity = 32
)

// Scheme says how many parity blocks protect how many data blocks.
type Scheme struct{ Data, Parity int }

// Default is 10+1: a tenth of the bytes on top.
var Default = Scheme{Data: 10, Parity: 1}

// ParseScheme reads what String writes, such as "10+2".
func ParseScheme(text string) (Scheme, error) {
	data, parity, _ := strings.Cut(text, "+")
	d, derr := strconv.Atoi(data)
	p, perr := strconv.Atoi(parity)
	s := Scheme{d, p}
	if derr != nil || perr != nil || s.check() != nil || s.String() != text {
		return Scheme{}, fmt.Errorf("parity %q: is not like 10+1, with 1 to %d data blocks, and 1 to %d parity blocks but not more than those", text, maxData, maxParity)
	}
	return s, nil
}

func (s Scheme) String() string { return fmt.Sprintf("%d+%d", s.Data, s.Parity) }

func (s Scheme) check() error {
	if s.Data < 1 || s.Data > maxData || s.Parity < 1 || s.Parity > min(s.Data, maxParity) {
		return fmt.Errorf("parity %s: want 1 to %d data blocks, and 1 to %d parity blocks but not more than those", s, maxData, maxParity)
	}
	return nil
}

// Size returns the size in bytes of the parity file for a file of size bytes.
func (s Scheme) Size(size int64) int64 { return newLayout(s, size, objects.ID{}).total() }

// layout says what lies where, in the file and in its parity file.
//
// Block i of the file is block i/stripes of stripe i%stripes. So the blocks
// that have one place in their stripes, a shard, are a run of the file, and a
// run of damage that is no longer than a shard meets each stripe once.
type layout struct {
	Scheme
	size  int64
	owner objects.ID

	blocks  int // of the file; the last may be short
	stripes int
}

// newLayout is for any scheme; one that fails check has no meaning.
func newLayout(s Scheme, size int64, owner objects.ID) layout {
	blocks := int((size + BlockSize - 1) / BlockSize)
	return layout{Scheme: s, size: size, owner: owner, blocks: blocks, stripes: (blocks + s.Data - 1) / max(s.Data, 1)}
}

func (l layout) check() error {
	if l.size < 1 || l.size > MaxSize {
		return fmt.Errorf("parity for %d bytes: want 1 to %d", l.size, int64(MaxSize))
	}
	return l.Scheme.check()
}

// blockLen returns the bytes of the file that block i has; none if the block
// is there only to fill the last stripes.
func (l layout) blockLen(i int) int {
	return int(min(max(l.size-int64(i)*BlockSize, 0), BlockSize))
}

// sums is the number of checksums: one a block, then one a parity block.
func (l layout) sums() int { return l.blocks + l.parityBlocks() }

func (l layout) parityBlocks() int { return l.Parity * l.stripes }

func (l layout) pages() int { return (l.sums() + sumsPerPage - 1) / sumsPerPage }

// pageSums returns how many checksums page i of a table holds.
func (l layout) pageSums(i int) int { return min(l.sums()-i*sumsPerPage, sumsPerPage) }

func (l layout) tableSize() int64 { return int64(l.sums()+l.pages()) * sumSize }

// tables returns where the two tables begin.
func (l layout) tables() [2]int64 {
	return [2]int64{headerSize, l.parityStart() + int64(l.parityBlocks())*BlockSize}
}

func (l layout) parityStart() int64 { return headerSize + l.tableSize() }

func (l layout) footerStart() int64 { return l.tables()[1] + l.tableSize() }

func (l layout) total() int64 { return l.footerStart() + headerSize }
