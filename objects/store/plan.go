package store

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/pack"
)

// A plan says which packs are worth rewriting:
//
//  1. Of a data pack those records live that the database names; of a meta
//     pack those whose object is recorded and that no larger pack has too.
//  2. A record that a living delta is built on is pinned, and so is what it is
//     itself built on.
//  3. A pack can only go together with every pack that is built on it, since
//     in a repository every delta can be read. So packs are weighed together
//     with those: if a quarter of their bytes is neither live nor pinned, all of
//     them are rewritten.
//  4. Small packs are merged when there are too many, as far as no larger pack
//     is built on them.
type plan struct {
	s     *Store
	packs []*packPlan // every readable pack
	byID  map[objects.ID]*packPlan

	chunks numberSet           // places of recorded chunks: see placeKey
	meta   map[objects.ID]bool // recorded metadata objects
	owner  map[objects.ID]*packPlan
}

type packPlan struct {
	id      objects.ID
	number  int // of this plan
	typ     pack.Type
	size    int64
	bases   []objects.ID
	users   []*packPlan    // packs that are built on it
	live    int64          // bytes of live records
	pinned  int64          // bytes of pinned records that do not live
	pins    []pack.Place   // what living deltas are built on, Pack left out
	pinOf   map[int64]bool // offsets of pinned records, made of pins
	fresh   bool           // pins came since they were last followed
	rewrite bool
	failed  bool  // something in it could not be moved
	damage  error // of header or footer
}

const (
	// smallPack is the size below which packs are merged, maxSmall how many of
	// a type there may be.
	smallPack = 8 << 20
	maxSmall  = 32
	// worthRewriting: a pack is rewritten when one part in this many is dead.
	worthRewriting = 4
)

func placeKey(pack int, offset int64) uint64 { return uint64(pack+1)<<32 | uint64(offset) }

// plan looks at every pack, and chooses what is worth rewriting. A pack whose
// header or footer is damaged stays where it is, with all that what can still
// be read in it is built on.
func (s *Store) plan(ctx context.Context) (*plan, error) {
	p, err := s.survey(ctx, nil)
	if err == nil {
		p.choose()
	}
	return p, err
}

// survey is a plan that rewrites nothing yet. More packs than those that show it
// may be known to be damaged.
func (s *Store) survey(ctx context.Context, damaged map[objects.ID]error) (*plan, error) {
	p := &plan{
		s: s, byID: make(map[objects.ID]*packPlan),
		meta: make(map[objects.ID]bool), owner: make(map[objects.ID]*packPlan),
	}
	if err := p.readIndexes(ctx); err != nil {
		return nil, err
	}
	for id, err := range damaged {
		p.byID[id].damage = err
	}
	if err := p.readRecords(ctx); err != nil {
		return nil, err
	}
	return p, p.weigh(ctx)
}

func (p *plan) readIndexes(ctx context.Context) error {
	ids, err := p.s.Packs()
	if err != nil {
		return err
	}
	for _, id := range ids {
		x, err := p.s.index(ctx, id)
		if err != nil {
			return err
		}
		pp := &packPlan{id: id, number: len(p.packs), typ: x.Type, size: x.Size, bases: x.Bases, damage: x.Damage, pinOf: make(map[int64]bool)}
		p.packs = append(p.packs, pp)
		p.byID[id] = pp
	}
	for _, pp := range p.packs {
		for _, base := range pp.bases {
			if b := p.byID[base]; b != nil {
				b.users = append(b.users, pp)
			}
		}
	}
	return nil
}

// index reads the footer of a pack, or finds out what a damaged one holds.
func (s *Store) index(ctx context.Context, id objects.ID) (*pack.Index, error) {
	r, release, err := s.packs.open(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	return r.Recover(ctx, s.packs.open)
}

// readRecords notes what the database names.
func (p *plan) readRecords(ctx context.Context) error {
	numbers := make(map[uint32]*packPlan)
	err := p.s.opt.DB.View(ctx, func(r kv.Reader) error {
		return r.Scan(numberPrefix, nil, func(key, value []byte) (bool, error) {
			var id objects.ID
			if len(key) == 5 && id.UnmarshalBinary(value) == nil {
				numbers[numberOf(key)] = p.byID[id]
			}
			return true, nil
		})
	})
	if err != nil {
		return err
	}
	nothing := func() error { return nil }
	err = p.s.scan(ctx, chunkPrefix, func(id objects.ID, value []byte) error {
		if loc, err := decodeLocation(id, value); err == nil && numbers[loc.Pack] != nil {
			p.chunks.add(placeKey(numbers[loc.Pack].number, loc.Offset))
		}
		return nil
	}, nothing)
	if err != nil {
		return err
	}
	return p.s.scan(ctx, objectPrefix, func(id objects.ID, _ []byte) error {
		p.meta[id] = true
		return nil
	}, nothing)
}

// weigh counts what lives in each pack and what is pinned there.
func (p *plan) weigh(ctx context.Context) error {
	largest := slices.Clone(p.packs)
	slices.SortStableFunc(largest, func(a, b *packPlan) int {
		switch { // what lies in a sound one too must not be said to live in a damaged one
		case a.damage == nil && b.damage != nil:
			return -1
		case a.damage != nil && b.damage == nil:
			return 1
		}
		return cmp.Compare(b.size, a.size)
	})
	for _, pp := range largest {
		x, err := p.s.index(ctx, pp.id)
		if err != nil {
			return err
		}
		for rec := range x.Records() {
			if rec.Kind.IsMeta() && p.meta[rec.ID] && p.owner[rec.ID] == nil {
				p.owner[rec.ID] = pp
			}
			if p.lives(pp, rec) {
				pp.live += cost(rec)
				p.pin(pp, rec)
			}
		}
	}
	for more := true; more; {
		more = false
		for _, pp := range p.packs {
			if !pp.fresh {
				continue
			}
			more = true
			if err := p.follow(ctx, pp); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *plan) lives(pp *packPlan, rec pack.Record) bool {
	if rec.Kind.IsMeta() {
		return p.owner[rec.ID] == pp
	}
	return p.chunks.has(placeKey(pp.number, rec.Offset))
}

// pin notes what a delta is built on.
func (p *plan) pin(pp *packPlan, rec pack.Record) {
	for _, at := range rec.Bases {
		base := pp
		if !at.Pack.IsZero() {
			base = p.byID[at.Pack]
		}
		if base != nil {
			base.pins = append(base.pins, at)
			base.fresh = true
		}
	}
}

// follow finds the records that new pins lie on, and pins what those are built
// on. A base in the same pack lies before, and comes in the next round.
func (p *plan) follow(ctx context.Context, pp *packPlan) error {
	x, err := p.s.index(ctx, pp.id)
	if err != nil {
		return err
	}
	pins := pp.pins
	pp.pins, pp.fresh = nil, false
	slices.SortFunc(pins, func(a, b pack.Place) int { return int(a.Offset - b.Offset) })
	end := int64(0) // of the pins so far: they may overlap
	for rec := range x.Records() {
		for len(pins) > 0 && pins[0].Offset <= rec.Offset {
			end = max(end, pins[0].Offset+int64(pins[0].Length))
			pins = pins[1:]
		}
		if rec.Offset >= end || pp.pinOf[rec.Offset] {
			continue
		}
		pp.pinOf[rec.Offset] = true
		if !p.lives(pp, rec) {
			pp.pinned += cost(rec)
			p.pin(pp, rec)
		}
	}
	return nil
}

// cost is what a record costs its pack: itself, and its ID and head in the index.
func cost(rec pack.Record) int64 { return int64(2*rec.Length - rec.Stored + objects.IDSize) }

// packOverhead is at least what a pack has beside records, and each base.
const packOverhead, baseOverhead = 128, 128

// dead is how many bytes would be won.
func (pp *packPlan) dead() int64 {
	if pp.empty() {
		return pp.size
	}
	return max(0, pp.size-packOverhead-int64(len(pp.bases))*baseOverhead-pp.live-pp.pinned)
}

func (pp *packPlan) empty() bool { return pp.live+pp.pinned == 0 }

// choose decides what is rewritten.
func (p *plan) choose() {
	for _, pp := range p.packs {
		group := make(map[*packPlan]bool)
		pp.gather(group)
		var size, dead int64
		sound := true
		for member := range group {
			size += member.size
			dead += member.dead()
			sound = sound && member.damage == nil
		}
		if sound && pp.dead() > 0 && dead*worthRewriting > size && pp.dead()*worthRewriting > pp.size {
			for member := range group {
				member.rewrite = true
			}
		}
	}
	p.chooseSmall(pack.TypeData)
	p.chooseSmall(pack.TypeMeta)
}

// gather adds the pack and every pack that is built on it.
func (pp *packPlan) gather(group map[*packPlan]bool) {
	if group[pp] {
		return
	}
	group[pp] = true
	for _, user := range pp.users {
		user.gather(group)
	}
}

func (p *plan) chooseSmall(typ pack.Type) {
	small := make(map[*packPlan]bool)
	for _, pp := range p.packs {
		if pp.typ == typ && pp.size < smallPack && !pp.rewrite && pp.damage == nil {
			small[pp] = true
		}
	}
	if len(small) <= maxSmall {
		return
	}
	for more := true; more; {
		more = false
		for pp := range small {
			for _, user := range pp.users {
				if !small[user] && !user.rewrite {
					delete(small, pp)
					more = true
					break
				}
			}
		}
	}
	if len(small) > 1 {
		for pp := range small {
			pp.rewrite = true
		}
	}
}

// rewritten returns the packs to rewrite, what others are built on first.
func (p *plan) rewritten() []*packPlan {
	var list []*packPlan
	done := make(map[*packPlan]bool)
	var visit func(pp *packPlan)
	visit = func(pp *packPlan) {
		if done[pp] {
			return
		}
		done[pp] = true
		for _, id := range pp.bases {
			if base := p.byID[id]; base != nil {
				visit(base)
			}
		}
		if pp.rewrite {
			list = append(list, pp)
		}
	}
	for _, pp := range p.packs {
		visit(pp)
	}
	return list
}

// removable returns the packs that were rewritten and on which nothing is
// built that stays, users first.
func (p *plan) removable() []*packPlan {
	stays := make(map[*packPlan]bool)
	var keep func(pp *packPlan)
	keep = func(pp *packPlan) {
		if pp == nil || stays[pp] {
			return
		}
		stays[pp] = true
		for _, id := range pp.bases {
			keep(p.byID[id])
		}
	}
	for _, pp := range p.packs {
		if !pp.rewrite || pp.failed {
			keep(pp)
		}
	}
	list := slices.DeleteFunc(p.rewritten(), func(pp *packPlan) bool { return stays[pp] })
	slices.Reverse(list)
	return list
}

// unreadable says whether an error is about one pack and not about the disk.
func unreadable(err error) bool {
	return errors.Is(err, objects.ErrCorrupt) || errors.Is(err, fs.ErrNotExist)
}
