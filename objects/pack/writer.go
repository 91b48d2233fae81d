package pack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Writer writes one pack. It is for one goroutine at a time, except for what
// Reader returns.
type Writer struct {
	disk  *disk
	name  string
	index Index
	count int // entries of the index, base records included
	size  int64
	body  *blake3.Hasher
	buf   []byte
	err   error // why nothing can be appended any more

	mu      sync.Mutex // guards index.Bases, which readers look at
	numbers map[objects.ID]int
}

// errClosed is for a Writer that was sealed or aborted.
var errClosed = errors.New("pack is already sealed or aborted")

// NewWriter makes the file of a new pack under a temporary name, which must
// not exist yet. The caller ends it with Seal or Abort.
func NewWriter(fs vfs.FS, name string, typ Type) (*Writer, error) {
	if typ != TypeData && typ != TypeMeta {
		return nil, fmt.Errorf("pack %s: unknown type %d", name, typ)
	}
	d, err := createDisk(fs, name)
	if err != nil {
		return nil, fmt.Errorf("create pack: %w", err)
	}
	w := &Writer{disk: d, name: name, body: blake3.New(), numbers: make(map[objects.ID]int)}
	w.index.Type = typ
	w.emit(appendHeader(nil, typ)) //nolint:errcheck // its error stays
	return w, nil
}

// Size returns how many bytes the pack would have if it were sealed now.
func (w *Writer) Size() int64 { return w.size + int64(len(w.index.entries)) + trailerSize }

// Count returns how many objects the pack has.
func (w *Writer) Count() int { return w.index.Count }

// Append adds an object and says where it lies. For a delta, bases are the
// places of what it is built on, in the order of its dictionary; else they
// are not used. It fails with ErrFull, leaving the pack as it was; after any
// other error of the disk the pack can only be aborted. It waits for the disk
// only when a whole block of 4 MiB is already on its way.
func (w *Writer) Append(p Payload, bases []Place) (Record, error) {
	if w.err != nil {
		return Record{}, w.err
	}
	h := head{kind: p.Kind, encoding: p.Encoding, size: p.Size, stored: len(p.Data)}
	var fresh []objects.ID
	if p.Encoding == EncDelta {
		h.depth, h.cost = p.Depth, p.Cost
		h.runs, fresh = w.runs(bases)
	}
	offset := w.size + int64(len(fresh)*baseSize)
	if err := w.check(p, h, offset); err != nil {
		return Record{}, fmt.Errorf("object %s: %w", p.ID, err)
	}
	for _, id := range fresh {
		w.appendBase(id)
	}
	return w.appendObject(p, h)
}

// check refuses what a reader would refuse.
func (w *Writer) check(p Payload, h head, offset int64) error {
	if !w.index.Type.holds(p.Kind) {
		return fmt.Errorf("a %v does not belong into a %v pack", p.Kind, w.index.Type)
	}
	encoded := h.append(nil)
	again, _, err := decodeHead(encoded, offset)
	if err != nil || again.encoding != h.encoding || again.stored != h.stored {
		return fmt.Errorf("a %v payload of %d bytes for %d, depth %d, cost %d, %d bases is not valid",
			p.Encoding, len(p.Data), p.Size, p.Depth, p.Cost, len(h.runs))
	}
	grown := offset + int64(len(encoded)+crcSize+h.stored) + trailerSize +
		int64(len(w.index.entries)) + offset - w.size + objects.IDSize + int64(len(encoded))
	if grown > MaxSize {
		return ErrFull
	}
	return nil
}

// runs joins places that follow each other, numbers their packs, and returns
// the packs that have no number yet.
func (w *Writer) runs(bases []Place) (runs []run, fresh []objects.ID) {
	for _, b := range bases {
		k := 0
		if !b.Pack.IsZero() {
			if k = w.numbers[b.Pack]; k == 0 {
				for i, id := range fresh {
					if id == b.Pack {
						k = len(w.index.Bases) + i + 1
					}
				}
			}
			if k == 0 {
				fresh = append(fresh, b.Pack)
				k = len(w.index.Bases) + len(fresh)
			}
		}
		r := run{base: k, offset: b.Offset, length: b.Length}
		if n := len(runs); n > 0 && runs[n-1].base == k && runs[n-1].end() == b.Offset {
			runs[n-1].length += b.Length
			continue
		}
		runs = append(runs, r)
	}
	return runs, fresh
}

// appendBase adds the record that gives a pack its number. An error of the
// disk stays and is returned by the append that follows.
func (w *Writer) appendBase(id objects.ID) {
	p := Payload{ID: id, Encoding: encBase, Data: id[:], Size: objects.IDSize}
	p.sum = payloadSum(p.Data)
	w.mu.Lock()
	w.index.Bases = append(w.index.Bases, id)
	w.numbers[id] = len(w.index.Bases)
	w.mu.Unlock()
	w.record(p, head{encoding: encBase})
}

func (w *Writer) appendObject(p Payload, h head) (Record, error) {
	e := w.record(p, h)
	if w.err != nil {
		return Record{}, w.err
	}
	w.index.Count++
	return e.record(w.index.Bases), nil
}

// record writes one record and its entry of the index.
func (w *Writer) record(p Payload, h head) entry {
	h.stored = len(p.Data)
	e := entry{head: h, id: p.ID, offset: w.size, bytes: h.append(nil)}
	w.buf = appendRecordHeader(w.buf[:0], h, p.sum)
	if w.emit(w.buf) == nil && w.emit(p.Data) == nil {
		w.index.entries = append(w.index.entries, p.ID[:]...)
		w.index.entries = append(w.index.entries, e.bytes...)
		w.count++
		if inBody(h.encoding) {
			w.body.Write(p.Data) //nolint:errcheck // a hash never fails
		}
	}
	return e
}

// inBody reports whether payloads of that encoding are covered by the pack's
// body sum; of the others the IDs are hashes already.
func inBody(e Encoding) bool { return e == EncZstd || e == EncDelta }

// emit appends bytes to the file; its error stays.
func (w *Writer) emit(p []byte) error {
	if w.err != nil {
		return w.err
	}
	if err := w.disk.append(p); err != nil {
		w.err = fmt.Errorf("write pack: %w", err)
		return w.err
	}
	w.size += int64(len(p))
	return nil
}

// Seal writes the footer, makes the file durable and closes it: when it
// returns nil, the file of the Writer's name is the whole pack, and the
// caller gives it its final name. Otherwise the file is removed.
func (w *Writer) Seal(ctx context.Context) (*Index, error) {
	err := ctx.Err()
	switch {
	case w.err != nil:
		err = w.err
	case err == nil && w.index.Count == 0:
		err = errors.New("a pack of no objects")
	}
	if err == nil {
		w.body.Sum(w.index.bodySum[:0])
		err = w.emit(w.index.seal(w.count))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("seal pack: %w", err), w.Abort())
	}
	w.index.Size = w.size
	w.err = errClosed
	if err := w.disk.finish(); err != nil {
		return nil, errors.Join(fmt.Errorf("seal pack: %w", err), w.remove())
	}
	sealed := w.index
	return &sealed, nil
}

// Abort closes and removes the file. After Seal or Abort it does nothing.
func (w *Writer) Abort() error {
	if w.disk == nil || w.err == errClosed {
		return nil
	}
	w.err = errClosed
	w.disk.stop() //nolint:errcheck // what was not written is not wanted
	return errors.Join(w.disk.close(), w.remove())
}

func (w *Writer) remove() error {
	if err := w.disk.fs.Remove(w.name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove unfinished pack: %w", err)
	}
	return nil
}

// Reader reads records that were appended, sealed or not yet on the disk. Its
// ID is zero. It fails with os.ErrClosed after Seal or Abort. It is safe for
// concurrent use, and with the Writer.
func (w *Writer) Reader() *Reader {
	return &Reader{r: w.disk, where: w.name, base: func(_ context.Context, k int) (objects.ID, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if k > len(w.index.Bases) {
			return objects.ID{}, corrupt("base %d of %d", k, len(w.index.Bases))
		}
		return w.index.Bases[k-1], nil
	}}
}
