package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/pack"
)

// A batch is what was put between two windows of the database: packs, and the
// records that will go to the database once the packs are durable.
//
//  1. Objects are appended to one open data pack and one open meta pack.
//  2. A pack that reaches its size is sealed in the background: footer, fsync,
//     rename to its final name, fsync of the folder.
//  3. When the batch holds enough records, or on Sync, its open packs are
//     sealed too, all seals are awaited, and its records go to the database in
//     one window, in the order in which they were put: children before parents.
//
// Until 3 is done the batch answers for its objects from memory.
type batch struct {
	open    [2]*openPack // by pack type: data, meta
	packs   []*openPack  // all, in the order of their first record
	objects map[objects.ID]pending
	order   []objects.ID
	size    int // bytes of records, roughly
	done    chan struct{}
	err     error // of recording; valid when done is closed
}

// pending is an object that the database does not have yet.
type pending struct {
	in     *openPack
	record pack.Record
	meta   []byte // the database's value of a metadata object
}

// openPack is a pack being written or sealed.
type openPack struct {
	writer *pack.Writer
	temp   string
	index  *pack.Index   // valid when sealed is closed and err is nil
	sealed chan struct{} // closed when the pack has its final name, or err
	err    error
}

// Bounds of a batch: bytes of records, and so of one window of the database.
const (
	batchBytes  = 8 << 20
	recordBytes = 96 // what one chunk costs in memory and in the database, about
)

func newBatch() *batch {
	return &batch{objects: make(map[objects.ID]pending), done: make(chan struct{})}
}

// abort removes the open packs and waits for those that are being sealed.
func (b *batch) abort() {
	for _, p := range b.packs {
		if p == b.open[0] || p == b.open[1] {
			p.writer.Abort() //nolint:errcheck // the next run sweeps what is left
		} else {
			<-p.sealed
		}
	}
}

// write appends a payload to the open pack of its type, opening one if there
// is none.
func (b *batch) write(opt Options, typ pack.Type, p pack.Payload, bases []pack.Place) (*openPack, pack.Record, error) {
	slot := &b.open[typ-pack.TypeData]
	if *slot == nil {
		temp := filepath.Join(opt.Temp, tempName())
		w, err := pack.NewWriter(opt.FS, temp, typ)
		if err != nil {
			return nil, pack.Record{}, err
		}
		*slot = &openPack{writer: w, temp: temp, sealed: make(chan struct{})}
		b.packs = append(b.packs, *slot)
	}
	rec, err := (*slot).writer.Append(p, bases)
	return *slot, rec, err
}

// seal closes the open pack of a type and makes it durable in the background,
// whatever becomes of the Put that filled it.
func (b *batch) seal(ctx context.Context, opt Options, typ pack.Type) {
	p := b.open[typ-pack.TypeData]
	if p == nil {
		return
	}
	b.open[typ-pack.TypeData] = nil
	go func() {
		defer close(p.sealed)
		p.index, p.err = p.writer.Seal(context.WithoutCancel(ctx))
		if p.err == nil {
			p.err = publish(opt, p.temp, p.index.ID)
		}
	}()
}

// publish gives a sealed pack its final name, durably. A pack of the same name
// has the same bytes: it is kept.
func publish(opt Options, temp string, id objects.ID) error {
	if err := opt.FS.Rename(temp, filepath.Join(opt.Packs, PackPath(id))); err != nil {
		return err
	}
	return opt.FS.SyncDir(opt.Packs)
}

// record waits for the batch's packs and writes its records to the database.
func (b *batch) record(ctx context.Context, db kv.DB) error {
	for _, p := range b.packs {
		select {
		case <-p.sealed:
		case <-ctx.Done():
			return ctx.Err()
		}
		if p.err != nil {
			return fmt.Errorf("write pack: %w", p.err)
		}
	}
	if len(b.order) == 0 {
		return nil
	}
	var next uint32
	var marks bool
	err := db.View(ctx, func(r kv.Reader) (err error) {
		if marks, err = has(r, marksKey); err != nil {
			return err
		}
		next, err = nextNumber(r)
		return err
	})
	if err != nil {
		return err
	}
	return db.Update(ctx, func(w kv.Writer) error { return b.writeRecords(w, next, marks) })
}

// writeRecords writes the batch's records. With marks, what was put again loses
// its mark.
func (b *batch) writeRecords(w kv.Writer, next uint32, marks bool) error {
	numbers := make(map[*openPack]uint32, len(b.packs))
	for _, p := range b.packs {
		numbers[p] = next
		if err := setPack(w, next, p.index.ID); err != nil {
			return err
		}
		next++
	}
	if err := w.Set(nextKey, binary.BigEndian.AppendUint32(nil, next)); err != nil {
		return err
	}
	for _, id := range b.order {
		obj := b.objects[id]
		key, value := idKey(objectPrefix, id), obj.meta
		if value == nil {
			key = idKey(chunkPrefix, id)
			value = locate(numbers[obj.in], obj.record).append(nil)
		}
		if err := w.Set(key, value); err != nil {
			return err
		}
		if marks {
			if err := w.Delete(idKey(markPrefix, id)); err != nil {
				return err
			}
		}
	}
	return nil
}

// setPack records a pack under its number and its ID.
func setPack(w kv.Writer, n uint32, id objects.ID) error {
	if err := w.Set(numberKey(n), append([]byte(nil), id[:]...)); err != nil {
		return err
	}
	return w.Set(idKey(packPrefix, id), binary.BigEndian.AppendUint32(nil, n))
}

// nextNumber returns the number that the next pack gets.
func nextNumber(r kv.Reader) (uint32, error) {
	value, err := r.Get(nextKey)
	if errors.Is(err, kv.ErrNotFound) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	if len(value) != 4 {
		return 0, fmt.Errorf("%w: the next pack's number in the database", objects.ErrCorrupt)
	}
	return binary.BigEndian.Uint32(value), nil
}
