package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Put implements objects.Store.
func (s *Store) Put(ctx context.Context, o objects.Object) (objects.ID, error) {
	id := o.ID()
	held, err := s.held(ctx, []objects.ID{id})
	if err != nil || held[0] {
		return id, err
	}
	if limit := maxSize(o.Kind); len(o.Data) > limit {
		return id, fmt.Errorf("%v of %d bytes is larger than one may be (%d)", o.Kind, len(o.Data), limit)
	}
	return id, s.add(ctx, o, pack.Compress(id, o), nil)
}

// maxSize is the most bytes that an object may have; metadata must fit into a
// value of the database beside its header.
func maxSize(k objects.Kind) int {
	if k.IsMeta() {
		return kv.MaxValue - 16
	}
	return objects.MaxObject
}

// PutDelta is Put for a chunk that resembles the concatenation of the chunks
// bases: it is stored as what changed if that is smaller, and says so. A base that cannot
// serve (not held, too deep a chain, too much to read) means a plain chunk.
func (s *Store) PutDelta(ctx context.Context, o objects.Object, bases []objects.ID) (objects.ID, bool, error) {
	id := o.ID()
	held, err := s.held(ctx, []objects.ID{id})
	if err != nil || held[0] {
		return id, false, err
	}
	dict, places, err := s.dict(ctx, bases)
	if err != nil {
		return id, false, err
	}
	payload := pack.Delta(id, o, dict)
	return id, payload.Encoding == pack.EncDelta, s.add(ctx, o, payload, places)
}

// dict reads what a delta may be built on; nothing where that cannot serve:
// chunks that are not recorded yet, damaged, or too much to read.
func (s *Store) dict(ctx context.Context, bases []objects.ID) (pack.Dict, []pack.Place, error) {
	places := make([]pack.Place, 0, len(bases))
	for _, base := range bases {
		rec, err := s.lookup(ctx, base)
		switch {
		case errors.Is(err, objects.ErrNotFound), errors.Is(err, objects.ErrCorrupt), err == nil && rec.meta != nil:
			return pack.Dict{}, nil, nil
		case err != nil:
			return pack.Dict{}, nil, err
		}
		places = append(places, rec.place)
	}
	dict, err := pack.ReadDict(ctx, places, s.packs.open)
	if errors.Is(err, pack.ErrBounds) || errors.Is(err, objects.ErrCorrupt) || errors.Is(err, fs.ErrNotExist) {
		return pack.Dict{}, nil, nil
	}
	return dict, places, err
}

// add appends an object to a pack and to the batch, and starts sealing and
// recording what has grown large enough.
func (s *Store) add(ctx context.Context, o objects.Object, payload pack.Payload, bases []pack.Place) error {
	id := payload.ID
	typ := pack.TypeData
	if o.Kind.IsMeta() {
		typ = pack.TypeMeta
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if s.isPending(id) {
		return nil // two workers met the same content
	}
	b := s.current
	in, rec, err := b.write(s.opt, typ, payload, bases)
	if err != nil {
		s.failed = fmt.Errorf("write pack: %w", err)
		return s.failed
	}
	obj := pending{in: in, record: rec}
	b.size += recordBytes
	if typ == pack.TypeMeta {
		obj.meta = encodeMeta(payload)
		b.size += len(obj.meta)
	}
	s.known.Lock()
	b.objects[id] = obj
	s.known.Unlock()
	b.order = append(b.order, id)
	s.stats.Objects++
	s.stats.Bytes += int64(len(o.Data))
	if typ == pack.TypeData {
		s.stats.Chunks += int64(rec.Length)
	}
	if payload.Encoding == pack.EncDelta {
		s.stats.Deltas++
	}
	if in.writer.Size() >= pack.TargetSize {
		b.seal(ctx, s.opt, typ)
	}
	if b.size >= batchBytes {
		return s.flush(ctx)
	}
	return nil
}

// flush starts recording the current batch and opens a new one; it first
// waits for the batch before. Called with the mutex held. The batch is not the
// caller's alone: that its context ends does not end the recording.
func (s *Store) flush(ctx context.Context) error {
	if err := s.await(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	b := s.current
	b.seal(ctx, s.opt, pack.TypeData)
	b.seal(ctx, s.opt, pack.TypeMeta)
	s.known.Lock()
	s.current, s.flushed = newBatch(), b
	s.known.Unlock()
	go func() {
		defer close(b.done)
		b.err = b.record(ctx, s.opt.DB)
	}()
	return nil
}

// await waits for the batch that is being recorded, if any. Called with the
// mutex held: nothing can be put meanwhile, which bounds memory.
func (s *Store) await() error {
	b := s.flushed
	if b == nil {
		return s.failed
	}
	<-b.done
	s.known.Lock()
	s.flushed = nil
	s.known.Unlock()
	for _, p := range b.packs {
		<-p.sealed // recording ends at the first failure, with others still being sealed
		if p.err == nil {
			s.stats.Stored += p.index.Size
		}
	}
	if b.err != nil && s.failed == nil {
		s.failed = b.err
	}
	return s.failed
}

// Sync implements objects.Store: every pack sealed, renamed and fsynced, then
// every record in the database, synced.
func (s *Store) Sync(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	return s.await()
}

func (s *Store) isPending(id objects.ID) bool {
	_, ok := s.pendingObject(id)
	return ok
}

func (s *Store) pendingObject(id objects.ID) (pending, bool) {
	s.known.RLock()
	defer s.known.RUnlock()
	if obj, ok := s.current.objects[id]; ok {
		return obj, true
	}
	if s.flushed != nil {
		obj, ok := s.flushed.objects[id]
		return obj, ok
	}
	return pending{}, false
}

// getPending reads an object that the database does not have yet. A chunk in
// a pack that is still open makes the pack be sealed first; that is rare.
func (s *Store) getPending(ctx context.Context, id objects.ID) (objects.Object, bool, error) {
	obj, ok := s.pendingObject(id)
	if !ok {
		return objects.Object{}, false, nil
	}
	if obj.meta != nil {
		o, err := decodeMeta(id, obj.meta)
		return o, true, err
	}
	s.mu.Lock()
	if s.current.open[0] == obj.in {
		s.current.seal(ctx, s.opt, pack.TypeData)
	}
	s.mu.Unlock()
	select {
	case <-obj.in.sealed:
	case <-ctx.Done():
		return objects.Object{}, true, ctx.Err()
	}
	if obj.in.err != nil {
		return objects.Object{}, true, obj.in.err
	}
	o, err := s.readChunk(ctx, id, obj.record.Place(obj.in.index.ID))
	return o, true, err
}

// encodeMeta is the database's value of a metadata object: kind, encoding,
// size as an unsigned varint, and the bytes as they stand in the pack.
func encodeMeta(p pack.Payload) []byte {
	value := binary.AppendUvarint([]byte{byte(p.Kind), byte(p.Encoding)}, uint64(p.Size))
	return append(value, p.Data...)
}

func decodeMeta(id objects.ID, value []byte) (objects.Object, error) {
	corrupt := &objects.ObjectError{ID: id, Where: "the database", Err: objects.ErrCorrupt}
	if len(value) < 3 || !objects.Kind(value[0]).IsMeta() {
		return objects.Object{}, corrupt
	}
	size, n := objects.Uvarint(value[2:])
	if n <= 0 || size > objects.MaxObject {
		return objects.Object{}, corrupt
	}
	p := pack.Payload{
		ID: id, Kind: objects.Kind(value[0]), Encoding: pack.Encoding(value[1]),
		Size: int(size), Data: value[2+n:],
	}
	o, err := p.Object()
	if err != nil {
		return objects.Object{}, corrupt
	}
	return o, nil
}

func tempName() string {
	var b [8]byte
	rand.Read(b[:]) //nolint:errcheck // never fails
	return vfs.TempPrefix + hex.EncodeToString(b[:])
}
