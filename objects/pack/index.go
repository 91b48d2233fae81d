package pack

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"slices"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
)

const (
	tailMagic   = "mlvcpend"
	trailerSize = 4 + 4 + 32 + 32 + 8
	// signedTrailer is how much of the trailer the pack's ID commits to.
	signedTrailer = 4 + 4 + 32
	idContext     = "mlvc 2026-11-24 pack v1"
)

// Index is what the footer of a pack says: every record, in order.
type Index struct {
	ID    objects.ID
	Type  Type
	Size  int64 // of the pack in bytes
	Count int   // of objects
	// Bases are the packs that deltas of this one are built on.
	Bases []objects.ID

	// Damage is why the header or the footer cannot be read, if so; then the
	// index was made by Recover.
	Damage error

	entries []byte // for each record its ID and its head
	bodySum [32]byte
	found   []Record // in place of entries, where they are lost
}

// start is the offset of the footer.
func (x *Index) start() int64 { return x.Size - trailerSize - int64(len(x.entries)) }

// Records returns the pack's objects in order. Nothing is kept.
func (x *Index) Records() iter.Seq[Record] {
	if x.found != nil {
		return slices.Values(x.found)
	}
	return func(yield func(Record) bool) {
		for e, err := range walk(x.entries) {
			if err != nil || e.encoding != encBase && !yield(e.record(x.Bases)) {
				return
			}
		}
	}
}

// Find returns the record at that offset. It looks at every record before it.
func (x *Index) Find(offset int64) (Record, bool) {
	for r := range x.Records() {
		if r.Offset == offset {
			return r, true
		}
	}
	return Record{}, false
}

// entry is one record as the index names it.
type entry struct {
	head
	id     objects.ID
	offset int64
	bytes  []byte // the encoding of head
}

func (e entry) length() int { return len(e.bytes) + crcSize + e.stored }

func (e entry) record(bases []objects.ID) Record {
	r := Record{
		ID: e.id, Kind: e.kind, Encoding: e.encoding, Size: e.size, Stored: e.stored,
		Offset: e.offset, Length: e.length(), Depth: e.depth, Cost: e.cost,
	}
	for _, run := range e.runs {
		p := Place{Offset: run.offset, Length: run.length}
		if run.base > 0 {
			p.Pack = bases[run.base-1]
		}
		r.Bases = append(r.Bases, p)
	}
	return r
}

// walk decodes entries; offsets follow from the lengths.
func walk(b []byte) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		offset := int64(headerSize)
		for len(b) > 0 {
			if len(b) < objects.IDSize {
				yield(entry{}, corrupt("index of the pack: cut off"))
				return
			}
			h, n, err := decodeHead(b[objects.IDSize:], offset)
			if err != nil {
				yield(entry{}, err)
				return
			}
			e := entry{head: h, offset: offset, bytes: b[objects.IDSize:][:n]}
			copy(e.id[:], b)
			if !yield(e, nil) {
				return
			}
			offset += int64(e.length())
			b = b[objects.IDSize+n:]
		}
	}
}

// seal computes the ID and returns the footer: entries and trailer.
func (x *Index) seal(count int) []byte {
	footer := append([]byte(nil), x.entries...)
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(x.entries)))
	footer = binary.LittleEndian.AppendUint32(footer, uint32(count))
	footer = append(footer, x.bodySum[:]...)
	x.ID = packID(appendHeader(nil, x.Type), footer)
	footer = append(footer, x.ID[:]...)
	return append(footer, tailMagic...)
}

func packID(parts ...[]byte) objects.ID {
	h := blake3.NewDeriveKey(idContext)
	for _, p := range parts {
		h.Write(p) //nolint:errcheck // a hash never fails
	}
	var id objects.ID
	h.Sum(id[:0])
	return id
}

// ReadIndex reads and checks the footer of a pack of size bytes: the whole of
// it has the given ID, or, if that is zero, the ID that the footer itself
// says. The records themselves are not read; see Verify.
func ReadIndex(ctx context.Context, r io.ReaderAt, size int64, id objects.ID) (*Index, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if size < headerSize+trailerSize || size > MaxSize {
		return nil, corrupt("pack of %d bytes", size)
	}
	header := make([]byte, headerSize)
	if err := readFull(r, header, 0); err != nil {
		return nil, err
	}
	typ, err := decodeHeader(header)
	if err != nil {
		return nil, err
	}
	return readFooter(r, size, id, typ)
}

// readFooter is ReadIndex but for the header, which is that of the given type.
func readFooter(r io.ReaderAt, size int64, id objects.ID, typ Type) (*Index, error) {
	header, trailer := appendHeader(nil, typ), make([]byte, trailerSize)
	if err := readFull(r, trailer, size-trailerSize); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(trailer))
	if string(trailer[signedTrailer+32:]) != tailMagic || length > size-headerSize-trailerSize {
		return nil, corrupt("trailer of the pack")
	}
	x := &Index{Type: typ, Size: size, entries: make([]byte, length)}
	if err := readFull(r, x.entries, x.start()); err != nil {
		return nil, err
	}
	x.ID = packID(header, x.entries, trailer[:signedTrailer])
	if x.ID != objects.ID(trailer[signedTrailer:signedTrailer+32]) || !id.IsZero() && x.ID != id {
		return nil, corrupt("footer of the pack")
	}
	copy(x.bodySum[:], trailer[8:])
	return x, x.parse(int(binary.LittleEndian.Uint32(trailer[4:])))
}

// footer is ReadIndex of a pack whose header may be damaged: a pack has one of
// two, and the ID says which.
func footer(ctx context.Context, r io.ReaderAt, size int64, id objects.ID) (*Index, error) {
	x, damage := ReadIndex(ctx, r, size, id)
	if !errors.Is(damage, objects.ErrCorrupt) || size < headerSize+trailerSize || size > MaxSize {
		return x, damage
	}
	for _, typ := range []Type{TypeData, TypeMeta} {
		x, err := readFooter(r, size, id, typ)
		if err == nil {
			x.Damage = damage
			return x, nil
		}
		if !errors.Is(err, objects.ErrCorrupt) {
			return nil, err
		}
	}
	return nil, damage
}

// parse checks everything that entries say, and collects the base packs.
func (x *Index) parse(count int) error {
	n, end, named := 0, int64(headerSize), 0
	seen := make(map[objects.ID]bool)
	for e, err := range walk(x.entries) {
		if err != nil {
			return err
		}
		n, end = n+1, e.offset+int64(e.length())
		if e.encoding == encBase {
			if e.id.IsZero() || seen[e.id] {
				return corrupt("index of the pack: base %s", e.id)
			}
			seen[e.id] = true
			x.Bases = append(x.Bases, e.id)
			continue
		}
		if !x.Type.holds(e.kind) {
			return corrupt("index of the pack: a %v in a %v pack", e.kind, x.Type)
		}
		x.Count++
		// A base record stands directly before the first delta that uses it.
		for _, r := range e.runs {
			if r.base > named+1 || r.base > len(x.Bases) {
				return corrupt("index of the pack: base %d", r.base)
			}
			named = max(named, r.base)
		}
		if named != len(x.Bases) {
			return corrupt("index of the pack: base that no delta uses")
		}
	}
	if n != count || x.Count == 0 || end != x.start() || named != len(x.Bases) {
		return corrupt("index of the pack: %d records up to %d", n, end)
	}
	return nil
}

// readFull fills p from offset; a file that ends early is damaged.
func readFull(r io.ReaderAt, p []byte, offset int64) error {
	n, err := r.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		return corrupt("pack ends at %d", offset+int64(n))
	}
	return err
}
