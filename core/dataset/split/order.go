package split

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
)

const (
	orderContext = "mlvc 2026-11-26 split order v1"
	drawContext  = "mlvc 2026-11-26 split draw v1"
	epochContext = "mlvc 2026-11-26 split epoch v1"
)

// groupID is a group's place in the order in which groups are assigned: the
// first bytes of its keyed hash, which are enough to tell groups apart.
type groupID [12]byte

// What a group is named by: a key, or, a group by itself, a path or a row.
const (
	byKey  = 'k'
	byPath = 'p'
	byRow  = 'r'
)

var (
	orderHashers = hasherPool(orderContext)
	drawHashers  = hasherPool(drawContext)
	epochHashers = hasherPool(epochContext)
)

func hasherPool(context string) *sync.Pool {
	return &sync.Pool{New: func() any { return blake3.NewDeriveKey(context) }}
}

// keyed hashes the parts, each with its length before it.
func keyed(pool *sync.Pool, parts ...string) objects.ID {
	h := pool.Get().(*blake3.Hasher)
	defer pool.Put(h)
	h.Reset()
	var buf [256]byte
	b := buf[:0]
	for _, part := range parts {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	h.Write(b) //nolint:errcheck // a hash never fails
	var id objects.ID
	h.Sum(id[:0])
	return id
}

// orderOf returns a group's place in the order.
func orderOf(seed string, kind byte, key string) groupID {
	id := keyed(orderHashers, seed, string(kind), key)
	return groupID(id[:len(groupID{})])
}

// rendezvous draws the split of a group of rows by weighted rendezvous
// hashing: of all splits the one whose score -log2(u)/weight is least, u being
// the hash of (seed, group, split) as a number between 0 and 1. It needs no
// state; when weights change, a group moves only to a split that gained.
func rendezvous(ratios []Ratio, seed string, kind byte, key string) int {
	best, bestScore := 0, score{}
	for i, r := range ratios {
		id := keyed(drawHashers, seed, string(kind), key, r.Split)
		this := newScore(binary.LittleEndian.Uint64(id[:]))
		if i == 0 || this.less(bestScore, r.Weight, ratios[best].Weight) {
			best, bestScore = i, this
		}
	}
	return best
}

// score is -log2(u) for the hash x. About what it is tells nearly always which
// of two is less, in a tenth of the time; where that is too near to tell, whole
// numbers do.
type score struct {
	x     uint64
	about float64
}

// nearness is far above what about and minusLog2 are cut off by.
const nearness = 1.0 / (1 << 28)

func newScore(x uint64) score { return score{x, 64 - math.Log2(float64(x)+1)} }

// less reports whether a/weightA < b/weightB.
func (a score) less(b score, weightA, weightB int64) bool {
	d := a.about*float64(weightB) - b.about*float64(weightA)
	if math.Abs(d) > nearness*float64(weightA+weightB) {
		return d < 0
	}
	// Both products are below 2^59.
	return minusLog2(a.x)*uint64(weightB) < minusLog2(b.x)*uint64(weightA)
}

// minusLog2 returns -log2((x+1)/2^64) with 32 bits after the point, cut off.
// It is made of whole numbers alone, so that it is the same on every machine.
//
//  1. 64 minus the place of the highest bit is the whole part, up to one.
//  2. What is left, m in [1, 2), gives a bit of its logarithm for each
//     squaring: 1 if the square is 2 or more, which is then halved.
func minusLog2(x uint64) uint64 {
	if x == 1<<64-1 {
		return 0
	}
	x++
	n := bits.LeadingZeros64(x)
	m := x << n // (1), with the point after the highest bit
	var log uint64
	for range 32 { // (2)
		hi, lo := bits.Mul64(m, m)
		log <<= 1
		if hi>>63 == 1 {
			log |= 1
			m = hi
		} else {
			m = hi<<1 | lo>>63
		}
	}
	return uint64(n+1)<<32 - log
}
