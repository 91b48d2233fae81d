package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Locate says where each of ids lies. One that is not held, or that gc has
// marked, has a place of zero Length. A metadata object, which the database
// itself holds, and what is not recorded yet have a Length and a zero Pack.
func (s *Store) Locate(ctx context.Context, ids []objects.ID) ([]pack.Place, error) {
	places := make([]pack.Place, len(ids))
	err := s.opt.DB.View(ctx, func(r kv.Reader) error {
		marks, err := has(r, marksKey)
		if err != nil {
			return err
		}
		for i, id := range ids {
			if obj, ok := s.pendingObject(id); ok {
				places[i] = pack.Place{Length: obj.record.Length}
				continue
			}
			if places[i], err = s.locate(r, id, marks); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up objects: %w", err)
	}
	return places, nil
}

func (s *Store) locate(r kv.Reader, id objects.ID, marks bool) (pack.Place, error) {
	if marks {
		if marked, err := has(r, idKey(markPrefix, id)); err != nil || marked {
			return pack.Place{}, err
		}
	}
	value, err := r.Get(idKey(chunkPrefix, id))
	if errors.Is(err, kv.ErrNotFound) {
		value, err = r.Get(idKey(objectPrefix, id))
		return pack.Place{Length: len(value)}, ignoreNotFound(err)
	}
	if err != nil {
		return pack.Place{}, err
	}
	loc, err := decodeLocation(id, value)
	if err != nil {
		return pack.Place{}, nil //nolint:nilerr // a damaged record is as good as none
	}
	packID, err := s.packID(r, loc.Pack)
	if err != nil {
		return pack.Place{}, nil //nolint:nilerr // a pack that is not recorded
	}
	if there, err := s.packs.exists(packID); err != nil || !there {
		return pack.Place{}, err
	}
	return pack.Place{Pack: packID, Offset: loc.Offset, Length: loc.Length}, nil
}

// OpenPack is a pack.Opener of the packs in the folder. The error of one that
// is not there wraps fs.ErrNotExist.
func (s *Store) OpenPack(ctx context.Context, id objects.ID) (*pack.Reader, func(), error) {
	return s.packs.open(ctx, id)
}

// PackFile returns the name of the file of a pack, whether it is there or not.
func (s *Store) PackFile(id objects.ID) string {
	return filepath.Join(s.opt.Packs, PackPath(id))
}

// LackingBaseError is for a pack that cannot be read alone.
type LackingBaseError struct{ Pack, Base objects.ID }

func (e *LackingBaseError) Error() string {
	return fmt.Sprintf("pack %s is built on pack %s, which is not here", e.Pack.Short(), e.Base.Short())
}

// TakePack takes up the sealed pack of that ID in the file of that name, which
// is moved away if it is temporary and on the file system of the packs, and
// copied else. The caller holds the writer lock.
//
//  1. Every object is read and checked against its ID: a record that does not
//     hold what it is named for would keep the true object from being stored.
//  2. The pack gets its final name, durably. If it was there, it has these
//     bytes now.
//  3. What the database lacks of it, or gc has marked, is recorded, and the pack
//     last; a crash before leaves it for Adopt.
//
// It fails with a *LackingBaseError, and with objects.ErrCorrupt; then nothing
// was taken up.
func (s *Store) TakePack(ctx context.Context, id objects.ID, name string, temporary bool) error {
	err := s.examine(ctx, id, name)
	if err == nil && !temporary {
		name, err = s.copyPack(ctx, name)
	}
	if err == nil {
		err = vfs.SyncFile(s.opt.FS, name)
	}
	if err != nil {
		return fmt.Errorf("take up pack %s: %w", id.Short(), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.await(); err != nil {
		return err
	}
	if err := s.settlePack(ctx, id, name); err != nil {
		return fmt.Errorf("take up pack %s: %w", id.Short(), err)
	}
	return nil
}

func (s *Store) settlePack(ctx context.Context, id objects.ID, name string) error {
	s.packs.forget(id)
	if err := publish(s.opt, name, id); err != nil {
		return err
	}
	if err := s.recordPack(ctx, id); err != nil {
		return err
	}
	if stat, err := s.opt.FS.Lstat(s.PackFile(id)); err == nil {
		s.stats.Stored += stat.Size
	}
	return nil
}

// examineSpan is how much of a pack is read at once to check it.
const examineSpan = 4 << 20

// examine reads every object of a pack that is not in the folder yet.
func (s *Store) examine(ctx context.Context, id objects.ID, name string) error {
	r, err := pack.Open(s.opt.FS, name, id)
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // it was only read
	x, err := r.Index(ctx)
	if err != nil {
		return err
	}
	for _, base := range x.Bases {
		if there, err := s.packs.exists(base); err != nil {
			return err
		} else if !there {
			return &LackingBaseError{Pack: id, Base: base}
		}
	}
	ahead, end := r, int64(0)
	for rec := range x.Records() {
		if rec.Offset+int64(rec.Length) > end {
			span := min(max(examineSpan, int64(rec.Length)), x.Size-rec.Offset)
			if ahead, err = r.Ahead(ctx, pack.Place{Offset: rec.Offset, Length: int(span)}); err != nil {
				return err
			}
			end = rec.Offset + span
		}
		if _, err := ahead.ReadRecord(ctx, rec.Place(id), rec.ID, s.packs.open); err != nil {
			return err
		}
	}
	return nil
}

// copyPack copies a file beside the packs, under a temporary name.
func (s *Store) copyPack(ctx context.Context, name string) (string, error) {
	in, err := s.opt.FS.Open(name)
	if err != nil {
		return "", err
	}
	defer in.Close() //nolint:errcheck // it was only read
	temp := filepath.Join(s.opt.Temp, tempName())
	out, err := s.opt.FS.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	buf := make([]byte, 1<<20)
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, buf)
	if err = errors.Join(err, out.Close(), ctx.Err()); err != nil {
		return "", errors.Join(err, s.opt.FS.Remove(temp))
	}
	return temp, nil
}

// recordPack records what the database lacks of a pack in the folder, in
// windows of at most batchBytes. To open one takes longer than to write what
// most packs have, so the pack's number goes into the first and the pack itself
// into the last, which mostly is the same: writes are applied in order.
func (s *Store) recordPack(ctx context.Context, id objects.ID) error {
	r, release, err := s.packs.open(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	x, err := r.Index(ctx)
	if err != nil {
		return err
	}
	p := &recording{Store: s, reader: r}
	if p.number, p.known, err = s.numberPack(ctx, id); err != nil {
		return err
	}
	size := 0
	for rec := range x.Records() {
		if size >= batchBytes {
			if err := p.write(ctx, false); err != nil {
				return err
			}
			size = 0
		}
		p.window = append(p.window, rec)
		size += recordBytes
		if rec.Kind.IsMeta() {
			size += rec.Stored
		}
	}
	return p.write(ctx, true)
}

// numberPack returns the pack's number, which is the next one if it has none;
// known says that it had one and was recorded.
func (s *Store) numberPack(ctx context.Context, id objects.ID) (n uint32, known bool, err error) {
	err = s.opt.DB.View(ctx, func(r kv.Reader) error {
		value, err := r.Get(idKey(packPrefix, id))
		if err == nil && len(value) == 4 {
			n, known = numberOf(append([]byte{0}, value...)), true
			return nil
		}
		if err = ignoreNotFound(err); err == nil {
			n, err = nextNumber(r)
		}
		return err
	})
	return n, known, err
}

// recording is a pack that is being recorded.
type recording struct {
	*Store
	reader *pack.Reader
	number uint32
	known  bool // the database has the pack
	taken  bool // it has its number
	window []pack.Record
}

// write records those of the window's objects that count as missing, and with
// the last window the pack, and empties the window.
func (p *recording) write(ctx context.Context, last bool) error {
	lacking, marks, err := p.lacking(ctx)
	p.window = p.window[:0]
	if err != nil || len(lacking) == 0 && (p.known || !last) {
		return err
	}
	made := make([]dbRecord, len(lacking))
	for i, rec := range lacking {
		if made[i], err = p.record(ctx, p.reader, rec, p.number); err != nil {
			return err
		}
	}
	return p.opt.DB.Update(ctx, func(w kv.Writer) error {
		if !p.known && !p.taken {
			if err := takeNumber(w, p.number, p.reader.ID()); err != nil {
				return err
			}
			p.taken = true
		}
		for i, rec := range lacking {
			if err := w.Set(made[i].key, made[i].value); err != nil {
				return err
			}
			if marks {
				if err := w.Delete(idKey(markPrefix, rec.ID)); err != nil {
					return err
				}
			}
		}
		if p.known || !last {
			return nil
		}
		return setPack(w, p.number, p.reader.ID())
	})
}

// lacking returns those of the window's objects that are not held, or that gc
// has marked, and whether it has marked any at all.
func (p *recording) lacking(ctx context.Context) (lacking []pack.Record, marks bool, err error) {
	err = p.opt.DB.View(ctx, func(r kv.Reader) (err error) {
		if marks, err = has(r, marksKey); err != nil {
			return err
		}
		for _, rec := range p.window {
			at, err := p.locate(r, rec.ID, marks)
			if err != nil {
				return err
			}
			if at.Length == 0 {
				lacking = append(lacking, rec)
			}
		}
		return nil
	})
	return lacking, marks, err
}

// HasPack says whether the file of a pack is there.
func (s *Store) HasPack(id objects.ID) (bool, error) { return s.packs.exists(id) }
