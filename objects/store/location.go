package store

import (
	"encoding/binary"
	"fmt"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
)

// location is where a chunk lies: a record of a pack. Packs have a number of
// this database alone, so that the record stays small.
type location struct {
	Pack   uint32
	Offset int64 // of the record in its pack
	Length int   // of the record, header included
	Size   int   // of the chunk
}

func locate(n uint32, rec pack.Record) location {
	return location{Pack: n, Offset: rec.Offset, Length: rec.Length, Size: rec.Size}
}

// append writes the database's value: the four numbers as unsigned varints.
func (l location) append(dst []byte) []byte {
	for _, n := range [...]uint64{uint64(l.Pack), uint64(l.Offset), uint64(l.Length), uint64(l.Size)} {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

func decodeLocation(id objects.ID, b []byte) (location, error) {
	limits := [...]uint64{1<<32 - 1, pack.MaxSize, 2 * objects.MaxObject, objects.MaxObject}
	var nums [len(limits)]uint64
	for i := range nums {
		v, n := objects.Uvarint(b)
		if n <= 0 || v > limits[i] {
			return location{}, fmt.Errorf("%w: database record of chunk %s", objects.ErrCorrupt, id)
		}
		nums[i], b = v, b[n:]
	}
	if len(b) != 0 {
		return location{}, fmt.Errorf("%w: database record of chunk %s", objects.ErrCorrupt, id)
	}
	return location{Pack: uint32(nums[0]), Offset: int64(nums[1]), Length: int(nums[2]), Size: int(nums[3])}, nil
}

// The database's keys. FORMAT.md has the table.
var (
	objectPrefix = []byte("o") // + ID → kind, encoding, bytes of a metadata object
	chunkPrefix  = []byte("c") // + ID → location
	numberPrefix = []byte("n") // + number, 4 bytes big-endian → pack ID
	packPrefix   = []byte("p") // + pack ID → number
	markPrefix   = []byte("m") // + ID: gc has marked it; it counts as missing
	nextKey      = []byte("next")
	marksKey     = []byte("marks") // there while any mark is
)

func idKey(prefix []byte, id objects.ID) []byte {
	return append(append(make([]byte, 0, 1+objects.IDSize), prefix...), id[:]...)
}

func numberKey(n uint32) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, 5), numberPrefix...), n)
}
