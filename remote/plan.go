package remote

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
)

// plan is what to bring, by the pack of src that it lies in. An object costs
// 8 bytes of memory.
//
//  1. Exact: a pack goes as it is if all of it is wanted. Else if at least
//     half of its bytes are.
//  2. It goes as it is only if the packs that it is built on are at dst or go
//     as they are, before it.
//  3. Of every other pack what is wanted goes into new packs.
type plan struct {
	parts map[objects.ID]*part
	// What has no pack is read one by one: what the database of a local store
	// holds, and what src does not have at all.
	data, meta []objects.ID
	loose      map[objects.ID]bool // of data
	objects    int64               // added, those that come again included
}

type part struct {
	PackInfo
	wanted  []uint64 // records: see wantedKey; sorted and each once when the plan is made
	bytes   int64    // of them
	lengths int64    // of all added, repetitions included
	whole   bool
	wave    int // 1 + the highest of those that it is built on
}

// wantedKey is the offset of a record and the first bytes of the ID of what
// was said to lie there, so that a wrong place shows.
func wantedKey(offset int64, id objects.ID) uint64 {
	return uint64(offset)<<32 | uint64(binary.LittleEndian.Uint32(id[:]))
}

// records returns the wanted records of a pack, in order.
func (pt *part) records(x *pack.Index) ([]pack.Record, error) {
	list := make([]pack.Record, 0, len(pt.wanted))
	for rec := range x.Records() {
		if n := len(list); n < len(pt.wanted) && pt.wanted[n] == wantedKey(rec.Offset, rec.ID) {
			list = append(list, rec)
		}
	}
	if len(list) < len(pt.wanted) {
		return nil, fmt.Errorf("%w: pack %s has %d of %d objects that should lie in it",
			objects.ErrCorrupt, pt.ID, len(list), len(pt.wanted))
	}
	return list, nil
}

func newPlan() *plan {
	return &plan{parts: make(map[objects.ID]*part), loose: make(map[objects.ID]bool)}
}

// add notes an object that dst lacks and where it lies at src.
func (p *plan) add(id objects.ID, at pack.Place, meta bool) {
	p.objects++
	switch {
	case !at.Pack.IsZero() && at.Length > 0:
		pt := p.parts[at.Pack]
		if pt == nil {
			pt = &part{PackInfo: PackInfo{ID: at.Pack}}
			p.parts[at.Pack] = pt
		}
		pt.wanted = append(pt.wanted, wantedKey(at.Offset, id))
		pt.lengths += int64(at.Length)
	case meta:
		p.meta = append(p.meta, id)
	case !p.loose[id]:
		p.loose[id] = true
		p.data = append(p.data, id)
	}
}

// choose decides how each pack goes, and returns them all sorted, those that others
// are built on first. held is what is known of packs at dst.
func (p *plan) choose(ctx context.Context, dst, src Endpoint, exact bool, held map[objects.ID]bool) ([]*part, error) {
	parts := make([]*part, 0, len(p.parts))
	for _, pt := range p.parts {
		info, err := src.Info(ctx, pt.ID)
		if err != nil {
			return nil, err
		}
		pt.PackInfo = info
		slices.Sort(pt.wanted)
		all := len(pt.wanted)
		pt.wanted = slices.Compact(pt.wanted)
		pt.bytes = pt.lengths / int64(all) * int64(len(pt.wanted))
		pt.whole = len(pt.wanted) == info.Count || !exact && 2*pt.bytes >= info.Size
		parts = append(parts, pt)
	}
	for more := true; more; {
		more = false
		for _, pt := range parts {
			ok, err := p.carried(ctx, dst, pt, held)
			if err != nil {
				return nil, err
			}
			if pt.whole && !ok {
				pt.whole, more = false, true
			}
		}
	}
	for _, pt := range parts {
		p.order(pt)
	}
	slices.SortFunc(parts, func(a, b *part) int {
		if a.wave != b.wave {
			return a.wave - b.wave
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	return parts, nil
}

// carried says whether all that a pack is built on is at dst when it comes.
func (p *plan) carried(ctx context.Context, dst Endpoint, pt *part, held map[objects.ID]bool) (bool, error) {
	if !pt.whole {
		return true, nil
	}
	for _, id := range pt.Bases {
		if base := p.parts[id]; base != nil && base.whole {
			continue
		}
		there, known := held[id]
		if !known {
			var err error
			if there, err = holdsPack(ctx, dst, id); err != nil {
				return false, err
			}
			held[id] = there
		}
		if !there {
			return false, nil
		}
	}
	return true, nil
}

func holdsPack(ctx context.Context, e Endpoint, id objects.ID) (bool, error) {
	_, err := e.Info(ctx, id)
	if errors.Is(err, objects.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// order sets the wave of a part. Packs are built only on earlier ones, so that
// the recursion ends; one that says otherwise cannot have the ID it has.
func (p *plan) order(pt *part) int {
	if pt.wave == 0 {
		pt.wave = 1
		for _, id := range pt.Bases {
			if base := p.parts[id]; base != nil {
				pt.wave = max(pt.wave, 1+p.order(base))
			}
		}
	}
	return pt.wave
}
