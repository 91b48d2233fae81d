// Package pack reads and writes packs: immutable, self-describing files of
// many chunks or of many metadata objects. FORMAT.md beside this file says
// what every byte means.
//
// A pack is written once by a Writer and named by a hash that commits to
// every byte of it. Each record can be read alone, with one read, and is
// checked against its object's ID. A delta names the records that it is built
// on by pack and place; they lie in earlier packs or earlier in its own, so
// that no cycle can exist.
package pack

import (
	"errors"
	"fmt"

	"github.com/mlvc/mlvc/objects"
)

// Type says what a pack holds.
type Type uint8

// The types of pack. The numbers are part of the format.
const (
	TypeData Type = 1 // chunks
	TypeMeta Type = 2 // every other kind of object
)

// String returns the type's name as messages print it.
func (t Type) String() string {
	switch t {
	case TypeData:
		return "data"
	case TypeMeta:
		return "meta"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// holds reports whether objects of kind k belong into packs of type t.
func (t Type) holds(k objects.Kind) bool { return k.Valid() && k.IsMeta() == (t == TypeMeta) }

// Encoding says how the bytes of an object lie in its record.
type Encoding uint8

// The encodings. The numbers are part of the format.
const (
	EncRaw   Encoding = 0 // as they are
	EncZstd  Encoding = 1 // one zstd frame
	EncDelta Encoding = 2 // one zstd frame whose dictionary is other objects
	// encBase is no object: its record names a pack that deltas after it are
	// built on.
	encBase Encoding = 3
)

// String returns the encoding's name as messages print it.
func (e Encoding) String() string {
	switch e {
	case EncRaw:
		return "raw"
	case EncZstd:
		return "zstd"
	case EncDelta:
		return "delta"
	case encBase:
		return "base"
	}
	return fmt.Sprintf("encoding %d", uint8(e))
}

const (
	// TargetSize is the size in bytes at which a pack is sealed. The record
	// that crosses it still belongs to the pack.
	TargetSize = 64 << 20
	// MaxSize is the most bytes that a pack may have.
	MaxSize = 128 << 20
	// MaxDict is the most bytes that the objects a delta is built on may have
	// together.
	MaxDict = 1 << 20
	// MaxDepth is the most deltas that may be built on each other.
	MaxDepth = 8
	// MaxCost is the most bytes of objects, its own included and each counted
	// once, that may be needed to read one delta.
	MaxCost = 4 << 20
	// MaxRuns is the most runs of records that one delta may be built on.
	MaxRuns = 64
)

// Place is where a record lies, or a run of records that follow each other.
type Place struct {
	// Pack is zero for the pack that is being written.
	Pack   objects.ID
	Offset int64 // of the first record's header, in bytes
	Length int   // of the records, headers included, in bytes
}

// end is the offset after the place.
func (p Place) end() int64 { return p.Offset + int64(p.Length) }

// Record describes one object of a pack.
type Record struct {
	ID       objects.ID
	Kind     objects.Kind
	Encoding Encoding
	Size     int   // bytes of the object
	Stored   int   // bytes of the payload
	Offset   int64 // of the record's header, from the start of the pack
	Length   int   // of the record: header and payload
	// Depth is how many deltas must be read at most, its own included, and
	// Cost how many bytes of objects; zero but for a delta.
	Depth, Cost int
	// Bases is what a delta is built on, in order. A zero Pack is the pack
	// that the record itself lies in.
	Bases []Place
}

// Place returns where the record lies in the pack of that ID.
func (r Record) Place(pack objects.ID) Place {
	return Place{Pack: pack, Offset: r.Offset, Length: r.Length}
}

var (
	// ErrFull is returned for a record that would make a pack larger than
	// MaxSize.
	ErrFull = errors.New("pack is full")
	// ErrBounds is returned when reading a delta built on the given records
	// would take more than MaxDict, MaxDepth or MaxCost.
	ErrBounds = errors.New("too much to read for a delta")
)

// corrupt returns an error that wraps objects.ErrCorrupt.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", objects.ErrCorrupt, fmt.Sprintf(format, args...))
}
