package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/pack"
)

// DamagedPack is a pack that is not what its name says.
type DamagedPack struct {
	ID      objects.ID
	Err     error
	Objects int // that can be read, if the index can be or was found
}

// DamagedPacks looks at header and footer of every pack, and with full at every
// byte.
func (s *Store) DamagedPacks(ctx context.Context, full bool) ([]DamagedPack, error) {
	ids, err := s.Packs()
	if err != nil {
		return nil, err
	}
	var list []DamagedPack
	for _, id := range ids {
		err := s.checkPack(ctx, id, full)
		switch {
		case errors.Is(err, objects.ErrCorrupt):
			d := DamagedPack{ID: id, Err: err}
			x, err := s.index(ctx, id)
			if err != nil {
				return nil, err
			}
			d.Objects = x.Count
			list = append(list, d)
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, objects.ErrNewer):
			return nil, err
		}
	}
	return list, nil
}

func (s *Store) checkPack(ctx context.Context, id objects.ID, full bool) error {
	r, release, err := s.packs.open(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	if full {
		_, err = r.Verify(ctx)
	} else {
		_, err = r.Index(ctx)
	}
	return err
}

// SalvageOptions say how Salvage may go on.
type SalvageOptions struct {
	// Full reads every byte of every pack, not only headers and footers.
	Full bool
	// Aside is the folder, in one that exists, that damaged packs are moved to.
	Aside string
	// Unused is as for Compact.
	Unused func() (bool, error)
	// Damaged is told what cannot be read any more.
	Damaged func(err error)
}

// Salvage is what Salvage did.
type Salvage struct {
	// Restored packs are what they were before the damage, byte for byte.
	Restored []objects.ID
	// Aside packs were damaged, or have what is built on lost bytes; all of them
	// that can be read lies in new packs.
	Aside []objects.ID
	// Kept packs are to go aside when nobody can be reading them.
	Kept []objects.ID
	// Objects of metadata that no pack had were written from the database.
	Rewritten int
}

// Salvage saves what damaged packs still have. The caller holds the writer
// lock, nothing is pending, and everything readable is recorded (Adopt, Mend).
//
//  1. A pack of which only header, footer or what lies behind it is damaged is
//     made anew from its records, proven by its ID, and replaces the damaged
//     file: every place in it is what it was.
//  2. Of the others, and of all packs that are built on them, what lives is
//     copied to new packs as Compact does, each record checked on the way; with
//     them metadata objects that only the database has still. The new packs are
//     durable and recorded before anything old goes.
//  3. What the database places in the old packs still is lost: it counts as
//     missing from then on, so that whoever has the bytes stores them again.
//  4. When nobody can know the old places, damaged packs are moved aside, with
//     those that lost something with them; of the rest nothing is needed any
//     more. A pack goes before what it is built on.
//
// An interruption leaves damaged packs where they are, for the next time.
func (s *Store) Salvage(ctx context.Context, opt SalvageOptions) (Salvage, error) {
	sv := &salvage{s: s, opt: opt, damaged: make(map[objects.ID]error)}
	err := sv.run(ctx)
	if err != nil {
		err = fmt.Errorf("salvage packs: %w", err)
	}
	return sv.res, err
}

type salvage struct {
	s       *Store
	opt     SalvageOptions
	damaged map[objects.ID]error // that could not be restored
	res     Salvage
}

func (sv *salvage) run(ctx context.Context) error {
	list, err := sv.s.DamagedPacks(ctx, sv.opt.Full)
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := sv.restore(ctx, d); err != nil {
			return err
		}
	}
	p, err := sv.s.survey(ctx, sv.damaged)
	if err != nil {
		return err
	}
	for id := range sv.damaged {
		group := make(map[*packPlan]bool)
		p.byID[id].gather(group)
		for pp := range group {
			pp.rewrite = true
		}
	}
	if err := sv.move(ctx, p); err != nil {
		return err
	}
	return sv.putAside(ctx, p)
}

// restore makes a pack anew if all of its records are whole.
func (sv *salvage) restore(ctx context.Context, d DamagedPack) error {
	s := sv.s
	r, release, err := s.packs.open(ctx, d.ID)
	if err != nil {
		return err
	}
	temp := filepath.Join(s.opt.Temp, tempName())
	x, err := r.Restore(ctx, s.opt.FS, temp, s.packs.open)
	release()
	if unreadable(err) || errors.Is(err, objects.ErrNotFound) {
		sv.damaged[d.ID] = d.Err
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	s.packs.forget(d.ID)
	if err := publish(s.opt, temp, x.ID); err != nil {
		return err
	}
	sv.res.Restored = append(sv.res.Restored, d.ID)
	return nil
}

// move copies what lives in packs that are rewritten, and what no pack has.
func (sv *salvage) move(ctx context.Context, p *plan) error {
	m := &mover{p: p, moved: make(map[uint64]movedRecord)}
	m.opt.Damaged = sv.opt.Damaged
	if err := m.run(ctx, p.rewritten()); err != nil {
		return err
	}
	n, err := m.unpacked(ctx)
	sv.res.Rewritten = n
	sv.s.lost = new(lostObjects)
	return err
}

// unpacked writes the recorded metadata objects that no pack has.
func (m *mover) unpacked(ctx context.Context) (n int, err error) {
	defer m.abort()
	var ids []objects.ID
	for id := range m.p.meta {
		if m.p.owner[id] == nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b objects.ID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		o, err := m.p.s.getRecorded(ctx, id)
		if unreadable(err) || errors.Is(err, objects.ErrNotFound) {
			m.opt.Damaged(err)
			continue
		}
		if err == nil {
			err = m.open(ctx, pack.TypeMeta)
		}
		if err == nil {
			_, err = m.out.writer.Append(pack.Compress(id, o), nil)
		}
		if err == nil && m.out.writer.Size() >= pack.TargetSize {
			err = m.seal(ctx)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, m.seal(ctx)
}

// putAside takes the packs that were copied out of the repository.
func (sv *salvage) putAside(ctx context.Context, p *plan) error {
	for id := range sv.damaged {
		if !p.byID[id].rewrite { // what was damaged came from the database
			sv.res.Restored = append(sv.res.Restored, id)
		}
	}
	gone := p.rewritten()
	if len(gone) == 0 {
		return nil
	}
	slices.Reverse(gone)
	unused, err := sv.opt.Unused()
	if err != nil {
		return err
	}
	if !unused {
		for _, pp := range gone {
			sv.res.Kept = append(sv.res.Kept, pp.id)
		}
		return nil
	}
	lost, err := sv.s.placedIn(ctx, gone)
	if err == nil {
		err = sv.s.Distrust(ctx, lost)
	}
	if err != nil {
		return err
	}
	for _, pp := range gone {
		if pp.damage == nil && !pp.failed {
			err = sv.s.removePack(pp.id)
		} else if err = sv.s.setAside(pp.id, sv.opt.Aside); err == nil {
			sv.res.Aside = append(sv.res.Aside, pp.id)
		}
		if err != nil {
			return err
		}
	}
	if err := sv.s.forgetPacks(ctx, gone); err != nil {
		return err
	}
	// Another pack may have what was lost here.
	_, err = sv.s.Mend(ctx, nil)
	return err
}

// placedIn returns the chunks that the database places in those packs.
func (s *Store) placedIn(ctx context.Context, packs []*packPlan) ([]objects.ID, error) {
	in := make(map[objects.ID]bool, len(packs))
	for _, pp := range packs {
		in[pp.id] = true
	}
	numbers := make(map[uint32]bool)
	err := s.opt.DB.View(ctx, func(r kv.Reader) error {
		return r.Scan(numberPrefix, nil, func(key, value []byte) (bool, error) {
			var id objects.ID
			if len(key) == 5 && id.UnmarshalBinary(value) == nil && in[id] {
				numbers[numberOf(key)] = true
			}
			return true, nil
		})
	})
	if err != nil {
		return nil, err
	}
	var ids []objects.ID
	err = s.scan(ctx, chunkPrefix, func(id objects.ID, value []byte) error {
		if loc, err := decodeLocation(id, value); err == nil && numbers[loc.Pack] {
			ids = append(ids, id)
		}
		return nil
	}, func() error { return nil })
	return ids, err
}

// setAside moves a pack to another folder, durably, under a name that is not
// taken there.
func (s *Store) setAside(id objects.ID, dir string) error {
	if err := s.opt.FS.Mkdir(dir, 0o777); err == nil {
		if err := s.opt.FS.SyncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	name := filepath.Join(dir, PackPath(id))
	for n := 2; ; n++ {
		_, err := s.opt.FS.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		name = filepath.Join(dir, fmt.Sprintf("%s.%d", PackPath(id), n))
	}
	s.packs.forget(id)
	from := s.PackFile(id)
	if err := s.opt.FS.Rename(from, name); err != nil {
		return err
	}
	if err := s.opt.FS.SyncDir(dir); err != nil {
		return err
	}
	return s.opt.FS.SyncDir(filepath.Dir(from))
}
