package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/pack"
)

// Compacted says what Compact did, or would do.
type Compacted struct {
	Removed   int   `json:"packs_removed"`
	Rewritten int   `json:"packs_rewritten"` // of those removed, how many had something to keep
	Written   int   `json:"packs_written"`
	Freed     int64 `json:"bytes_freed"` // net
	// Kept are packs that stay though they should go: readers may still need
	// them, or something in them cannot be read.
	Kept int `json:"packs_kept"`
}

// CompactOptions say how Compact may go on.
type CompactOptions struct {
	DryRun bool
	// Unused is asked, when everything that lives was moved and recorded,
	// whether no reader is left that may still know the old places. If not,
	// the old packs stay for the next time.
	Unused func() (bool, error)
	// Damaged is told what could not be moved, and of packs whose header or
	// footer is damaged; all that stays where it is.
	Damaged func(err error)
}

// Compact removes packs that hold nothing live, rewrites those of which a good
// part is dead, and merges small ones. The caller holds the writer lock, and
// nothing is pending.
//
//  1. What lives is copied to new packs, each record checked on the way.
//  2. A new pack is durable under its final name; then the database names the
//     new places, the pack itself last. A crash between leaves a pack that
//     Adopt takes up.
//  3. When nobody can know the old places, the old packs go, users before
//     what they are built on, and at last their names in the database.
func (s *Store) Compact(ctx context.Context, opt CompactOptions) (Compacted, error) {
	p, err := s.plan(ctx)
	if err != nil {
		return Compacted{}, fmt.Errorf("plan what to rewrite: %w", err)
	}
	var c Compacted
	list := p.rewritten()
	if opt.DryRun {
		for _, pp := range list {
			c.Freed += pp.dead()
		}
		c.Removed = len(list)
		return c, nil
	}
	p.tellDamaged(opt.Damaged)
	if len(list) == 0 {
		return c, nil
	}
	m := &mover{p: p, opt: opt, moved: make(map[uint64]movedRecord)}
	if err := m.run(ctx, list); err != nil {
		return c, fmt.Errorf("rewrite packs: %w", err)
	}
	c.Written = m.count
	unused, err := opt.Unused()
	if err != nil {
		return c, err
	}
	if !unused {
		c.Kept = len(list)
		return c, nil
	}
	remove := p.removable()
	c.Kept = len(list) - len(remove)
	for _, pp := range remove {
		if !pp.empty() {
			c.Rewritten++
		}
		if err := s.removePack(pp.id); err != nil {
			return c, fmt.Errorf("remove pack: %w", err)
		}
		c.Removed++
		c.Freed += pp.size
	}
	c.Freed -= m.bytes
	s.lost = new(lostObjects)
	return c, s.forgetPacks(ctx, remove)
}

func (p *plan) tellDamaged(tell func(error)) {
	for _, pp := range p.packs {
		if pp.damage != nil {
			tell(fmt.Errorf("pack %s: %w", pp.id, pp.damage))
		}
	}
}

// removePack unlinks a pack, durably: what it is built on may go next.
func (s *Store) removePack(id objects.ID) error {
	s.packs.forget(id)
	name := filepath.Join(s.opt.Packs, PackPath(id))
	if err := s.opt.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.opt.FS.SyncDir(filepath.Dir(name))
}

// forgetPacks removes the records of packs that are gone.
func (s *Store) forgetPacks(ctx context.Context, gone []*packPlan) error {
	if len(gone) == 0 {
		return nil
	}
	ids := make(map[objects.ID]bool, len(gone))
	for _, pp := range gone {
		ids[pp.id] = true
	}
	var numbers []uint32
	err := s.opt.DB.View(ctx, func(r kv.Reader) error {
		return r.Scan(numberPrefix, nil, func(key, value []byte) (bool, error) {
			var id objects.ID
			if len(key) == 5 && id.UnmarshalBinary(value) == nil && ids[id] {
				numbers = append(numbers, numberOf(key))
			}
			return true, nil
		})
	})
	if err != nil {
		return err
	}
	return s.opt.DB.Update(ctx, func(w kv.Writer) error {
		for id := range ids {
			if err := w.Delete(idKey(packPrefix, id)); err != nil {
				return err
			}
		}
		for _, n := range numbers {
			if err := w.Delete(numberKey(n)); err != nil {
				return err
			}
		}
		return nil
	})
}

func numberOf(key []byte) uint32 { return binary.BigEndian.Uint32(key[1:]) }

// mover copies what lives out of packs that are rewritten.
type mover struct {
	p     *plan
	opt   CompactOptions
	moved map[uint64]movedRecord // by old place: only what deltas are built on
	out   *movedPack             // being written
	count int                    // packs written
	bytes int64                  // of them
}

// movedPack is a new pack.
type movedPack struct {
	writer  *pack.Writer
	temp    string
	typ     pack.Type
	id      objects.ID // zero until it is sealed
	records []dbMove
}

type dbMove struct {
	id  objects.ID
	rec pack.Record
}

type movedRecord struct {
	in        *movedPack
	offset    int64
	length    int
	oldLength int
}

func (m *mover) run(ctx context.Context, list []*packPlan) error {
	defer m.abort()
	for _, typ := range []pack.Type{pack.TypeData, pack.TypeMeta} {
		for _, pp := range list {
			if pp.typ == typ && !pp.empty() {
				if err := m.pack(ctx, pp); err != nil {
					return err
				}
			}
		}
		if err := m.seal(ctx); err != nil {
			return err
		}
	}
	return nil
}

// abort gives up the pack that is open.
func (m *mover) abort() {
	if m.out != nil {
		m.out.writer.Abort() //nolint:errcheck // the next run sweeps what is left
		m.out = nil
	}
}

// pack copies one pack's live and pinned records.
func (m *mover) pack(ctx context.Context, pp *packPlan) error {
	r, release, err := m.p.s.packs.open(ctx, pp.id)
	if err != nil {
		return err
	}
	defer release()
	x, err := r.Recover(ctx, m.p.s.packs.open)
	if err != nil {
		return err
	}
	for rec := range x.Records() {
		lives := m.p.lives(pp, rec)
		if !lives && !pp.pinOf[rec.Offset] {
			continue
		}
		err := m.record(ctx, pp, r, rec, lives)
		if unreadable(err) {
			pp.failed = true
			m.opt.Damaged(err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *mover) record(ctx context.Context, pp *packPlan, r *pack.Reader, rec pack.Record, lives bool) error {
	payload, bases, err := m.payload(ctx, pp, r, rec)
	if err != nil {
		return err
	}
	if err := m.open(ctx, pp.typ); err != nil {
		return err
	}
	if payload.Encoding == pack.EncDelta {
		at, ok := m.rebase(bases)
		if ok {
			err = m.append(ctx, pp, rec, payload, at, lives)
		}
		if ok && (err == nil || m.out == nil) {
			return err
		}
		// Its bases lie too scattered now: it is stored whole.
		o, err := r.ReadRecord(ctx, rec.Place(pp.id), rec.ID, m.p.s.packs.open)
		if err != nil {
			return err
		}
		payload = pack.Compress(rec.ID, o)
	}
	return m.append(ctx, pp, rec, payload, nil, lives)
}

// payload reads a record, checked. A metadata object that is damaged in its
// pack may be sound in the database.
func (m *mover) payload(ctx context.Context, pp *packPlan, r *pack.Reader, rec pack.Record) (pack.Payload, []pack.Place, error) {
	payload, bases, err := r.ReadPayload(ctx, rec.Place(pp.id), rec.ID, m.p.s.packs.open)
	if err == nil || !unreadable(err) || !rec.Kind.IsMeta() {
		return payload, bases, err
	}
	if o, dbErr := m.p.s.getRecorded(ctx, rec.ID); dbErr == nil {
		return pack.Compress(rec.ID, o), nil, nil
	}
	return payload, bases, err
}

// rebase says where the bases of a delta lie now; not ok if one was not moved.
func (m *mover) rebase(bases []pack.Place) ([]pack.Place, bool) {
	var list []pack.Place
	for _, at := range bases {
		base := m.p.byID[at.Pack]
		if base == nil || !base.rewrite {
			list = append(list, at)
			continue
		}
		for offset, end := at.Offset, at.Offset+int64(at.Length); offset < end; {
			mv, ok := m.moved[placeKey(base.number, offset)]
			if !ok {
				return nil, false
			}
			list = append(list, pack.Place{Pack: mv.in.id, Offset: mv.offset, Length: mv.length})
			offset += int64(mv.oldLength)
		}
	}
	return list, true
}

func (m *mover) append(ctx context.Context, pp *packPlan, old pack.Record, payload pack.Payload, bases []pack.Place, lives bool) error {
	rec, err := m.out.writer.Append(payload, bases)
	if err != nil {
		return err
	}
	if pp.pinOf[old.Offset] {
		m.moved[placeKey(pp.number, old.Offset)] = movedRecord{m.out, rec.Offset, rec.Length, old.Length}
	}
	if lives && !rec.Kind.IsMeta() {
		m.out.records = append(m.out.records, dbMove{rec.ID, rec})
	}
	if m.out.writer.Size() >= pack.TargetSize {
		return m.seal(ctx)
	}
	return nil
}

func (m *mover) open(ctx context.Context, typ pack.Type) error {
	if m.out != nil {
		return ctx.Err()
	}
	temp := filepath.Join(m.p.s.opt.Temp, tempName())
	w, err := pack.NewWriter(m.p.s.opt.FS, temp, typ)
	if err != nil {
		return err
	}
	m.out = &movedPack{writer: w, temp: temp, typ: typ}
	return nil
}

// seal makes the open pack durable and records it.
func (m *mover) seal(ctx context.Context) error {
	out := m.out
	if out == nil {
		return nil
	}
	m.out = nil
	if out.writer.Count() == 0 {
		return out.writer.Abort()
	}
	x, err := out.writer.Seal(ctx)
	if err != nil {
		return err
	}
	out.id = x.ID
	s := m.p.s
	s.packs.forget(x.ID)
	if pp := m.p.byID[x.ID]; pp != nil {
		// Rewritten into what it was: it stays.
		pp.rewrite = false
	}
	if err := publish(s.opt, out.temp, x.ID); err != nil {
		return err
	}
	m.count++
	m.bytes += x.Size
	err = s.recordMoved(ctx, out)
	out.records, out.writer = nil, nil
	return err
}

// recordMoved records a new pack: its number, the places of its chunks in
// windows of bounded size, and the pack itself last.
func (s *Store) recordMoved(ctx context.Context, out *movedPack) error {
	var n uint32
	if err := s.opt.DB.View(ctx, func(r kv.Reader) (err error) {
		n, err = nextNumber(r)
		return err
	}); err != nil {
		return err
	}
	if err := s.opt.DB.Update(ctx, func(w kv.Writer) error {
		if err := w.Set(nextKey, binary.BigEndian.AppendUint32(nil, n+1)); err != nil {
			return err
		}
		return w.Set(numberKey(n), append([]byte(nil), out.id[:]...))
	}); err != nil {
		return err
	}
	return s.opt.DB.Update(ctx, func(w kv.Writer) error {
		for _, mv := range out.records {
			if err := w.Set(idKey(chunkPrefix, mv.id), locate(n, mv.rec).append(nil)); err != nil {
				return err
			}
		}
		return setPack(w, n, out.id)
	})
}
