package core

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/kv/badgerkv"
)

func (r *Repo) freshPath() string { return filepath.Join(r.dir, "db.new") }

// rebuild makes `.mlvc/db` anew from the packs, beside the old one, and puts it
// in its place when it is whole and durable: a crash leaves either. The caller
// holds the writer lock.
func (r *Repo) rebuild(ctx context.Context) (packs int, err error) {
	if err := removeAll(r.env.FS, r.freshPath()); err != nil {
		return 0, err
	}
	opt := r.dbOptions()
	beside := opt
	beside.LockDir = r.tempPath() // nobody else opens it
	fresh, err := badgerkv.Open(r.freshPath(), beside)
	if err != nil {
		return 0, err
	}
	packs, err = r.store.Rebuild(ctx, fresh, r.warnDamagedPack)
	if err == nil && packs == 0 {
		// An empty database has no folder yet.
		err = fresh.Update(ctx, func(kv.Writer) error { return nil })
	}
	if err = errors.Join(err, fresh.Close()); err != nil {
		return packs, err
	}
	if err := errors.Join(r.store.Close(), r.db.Close()); err != nil && !errors.Is(err, kv.ErrDamaged) {
		return packs, err
	}
	err = badgerkv.Replace(ctx, r.dbPath(), r.freshPath(), opt)
	return packs, errors.Join(err, r.openStore())
}

func (r *Repo) warnDamagedPack(id objects.ID, err error) {
	r.env.Events.Warn(Warning{
		Code:    "damaged_pack",
		Message: fmt.Sprintf("pack %s is damaged, and what can be read there was taken up: %v (run \"mlvc doctor --fix\")", id.Short(), err),
	})
}

// adoptLost makes the database right where it is not: what a crash left in
// packs is recorded, and one that is damaged as such is rebuilt.
func (s *session) adoptLost(ctx context.Context) error {
	if err := badgerkv.Finish(s.dbPath(), s.freshPath()); err != nil {
		return err
	}
	_, err := s.store.Adopt(ctx, s.warnDamagedPack)
	if errors.Is(err, kv.ErrDamaged) {
		return s.rebuildDamaged(ctx, err)
	}
	return err
}

// rebuildDamaged makes a damaged database anew, as soon as the damage shows.
func (s *session) rebuildDamaged(ctx context.Context, damage error) error {
	s.env.Events.Warn(Warning{Code: "rebuilt", Message: fmt.Sprintf("the database is made anew from the packs: %v", damage)})
	if _, err := s.rebuild(ctx); err != nil {
		return err
	}
	return s.reload(ctx)
}

// mendLost records again what reading found only in the packs.
func (s *session) mendLost(ctx context.Context) error {
	if s.store.Lost() == 0 {
		return nil
	}
	n, err := s.store.Mend(ctx, nil)
	if errors.Is(err, kv.ErrDamaged) {
		return s.rebuildDamaged(ctx, err)
	}
	if err == nil && n > 0 {
		s.env.Events.Warn(Warning{Code: "mended", Message: fmt.Sprintf("%s lost by the database recorded again from the packs", count(n, "object"))})
	}
	return err
}
