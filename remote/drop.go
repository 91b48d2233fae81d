package remote

import (
	"context"
	"slices"
	"time"

	"github.com/mlvc/mlvc/objects"
)

const (
	// smallPack is the size in bytes below which a pack is worth merging.
	smallPack = 8 << 20
	// maxSmall is how many of them there may be.
	maxSmall = 32
)

// Small returns the packs that should become one: those below 8 MiB, if there
// are more than 32 of them, without those that others are built on. A push
// that has all their objects sends these in packs that are larger, and Drops
// them.
func (d *Depot) Small() []PackInfo {
	small := d.small(func(p listedPack) bool { return p.role != roleNames })
	if len(small) <= maxSmall {
		return nil
	}
	candidates := make(map[objects.ID]bool)
	for _, p := range small {
		candidates[p.ID] = true
	}
	d.mu.RLock()
	d.keepBases(candidates)
	room := maxDropped - d.current.dropped() - maxNamesPacks
	d.mu.RUnlock()
	small = slices.DeleteFunc(small, func(p PackInfo) bool { return !candidates[p.ID] })
	if len(small) <= maxSmall/2 || len(small) > room {
		return nil
	}
	return small
}

// small returns the packs below smallPack that is accepts, sorted.
func (d *Depot) small(is func(listedPack) bool) (small []PackInfo) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, s := range d.listed {
		for _, p := range s.packs {
			if p.Size < smallPack && is(p) {
				small = append(small, p.PackInfo)
			}
		}
	}
	slices.SortFunc(small, func(a, b PackInfo) int { return compareIDs(a.ID, b.ID) })
	return slices.CompactFunc(small, func(a, b PackInfo) bool { return a.ID == b.ID })
}

// dropped returns how many packs are remembered as dropped.
func (c current) dropped() (n int) {
	for _, g := range c.Dropped {
		n += len(g.Packs)
	}
	return n
}

// keepBases takes out of candidates what a pack that is none is built on; d.mu
// is held, or d.change.
func (d *Depot) keepBases(candidates map[objects.ID]bool) {
	for changed := true; changed; {
		changed = false
		for id, p := range d.packs {
			if candidates[id] {
				continue
			}
			for _, base := range p.Bases {
				changed = changed || candidates[base]
				delete(candidates, base)
			}
		}
	}
}

// Drop says that the objects of packs were added in others: the next Publish
// takes the packs out, and a later one deletes them. A pack that has an object
// which no other has, or that another is built on, is kept.
func (d *Depot) Drop(ids []objects.ID) {
	d.change.Lock()
	defer d.change.Unlock()
	d.drops = append(d.drops, ids...)
}

// chooseDrops finds out which packs go. Every object that they have is in
// another pack, which is what makes it safe.
func (p *publication) chooseDrops(ctx context.Context) error {
	d := p.d
	p.leave = make(map[objects.ID]bool)
	room := maxDropped - d.current.dropped()
	for _, id := range append(slices.Clone(p.names.takes), d.drops...) {
		if _, held := d.packs[id]; held && len(p.leave) < room {
			p.leave[id] = true
		}
	}
	if len(p.leave) == 0 {
		return nil
	}
	for _, s := range d.fresh {
		for _, l := range s.packs {
			delete(p.leave, l.ID)
		}
	}
	d.keepBases(p.leave)
	alone, err := p.alone(ctx)
	for id := range alone {
		delete(p.leave, id)
	}
	d.keepBases(p.leave) // what is kept after all keeps its bases
	return err
}

// alone returns those of the packs that are to go which have an object that no
// other has.
func (p *publication) alone(ctx context.Context) (map[objects.ID]bool, error) {
	d := p.d
	var cursors []cursor
	for _, s := range slices.Concat(d.fresh, []*segment{p.names.segment}, d.listed) {
		cursors = append(cursors, cursor{s: s})
	}
	alone := make(map[objects.ID]bool)
	for _, s := range d.listed {
		if !slices.ContainsFunc(s.packs, func(l listedPack) bool { return p.leave[l.ID] }) {
			continue
		}
		for r, err := range s.records(ctx) {
			if err != nil {
				return nil, err
			}
			if id := s.packs[r.pack].ID; !p.leave[id] || alone[id] {
				continue
			}
			elsewhere, err := p.elsewhere(cursors, r.id)
			if err != nil {
				return nil, err
			}
			if !elsewhere {
				alone[s.packs[r.pack].ID] = true
			}
		}
	}
	return alone, nil
}

// elsewhere reports whether an object is in a pack that stays.
func (p *publication) elsewhere(cursors []cursor, id objects.ID) (bool, error) {
	found := false
	for i := range cursors {
		c := &cursors[i]
		err := c.find(id, func(r record) bool {
			found = !p.leave[c.s.packs[r.pack].ID]
			return !found
		})
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// deleteDropped deletes the packs whose time has come, and returns what is to
// be remembered.
func (d *Depot) deleteDropped(ctx context.Context, now time.Time) (left []dropped) {
	for _, g := range d.current.Dropped {
		if !g.Deleted && g.age(now) >= deleteAfter {
			g.Deleted = true
			for _, id := range g.Packs {
				if d.bucket.Delete(ctx, packKey(id)) != nil {
					g.Deleted = false
				}
			}
		}
		if !g.Deleted || g.age(now) < forgetAfter {
			left = append(left, g)
		}
	}
	return left
}
