package remote

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

const (
	// maxMerge is the size in bytes from which a segment is not merged any
	// more.
	maxMerge = 64 << 20
	// A dropped pack is deleted after deleteAfter, when nobody reads by an old
	// record any more, and is remembered until forgetAfter, when nobody who
	// saw it before is still about to name it.
	deleteAfter = 7 * 24 * time.Hour
	forgetAfter = 14 * 24 * time.Hour
	// maxReplaced is how many segments that could not be deleted are tried again.
	maxReplaced = 64
)

// publication is one try to publish an operation.
type publication struct {
	d       *Depot
	pending refs.Pending
	names   *namesPack
	leave   map[objects.ID]bool // packs that are dropped
	made    []*segment          // in the cache under their final names
	sent    []objects.ID        // their IDs
	next    current
	list    []*segment // what next lists
}

// Publish applies an operation on top of the current one, as refs.Apply does,
// and makes visible what was added: when it returns nil everyone sees both,
// and they are durable. It returns the operation's ID.
//
// It fails with refs.ErrMoved if a name does not hold its Old, or if another
// push was first: then the state is the new one already, what was added stays
// added, and the caller checks its moves again and tries again. It fails with
// ErrDropped if another push has replaced a pack that was added, or that one
// was built on: then nothing stays added. After any other error it may have
// happened.
func (d *Depot) Publish(ctx context.Context, op refs.Op) (objects.ID, error) {
	d.change.Lock()
	defer d.change.Unlock()
	if err := d.sync(ctx); err != nil {
		return objects.ID{}, err
	}
	if err := d.checkFresh(); err != nil {
		return objects.ID{}, err
	}
	store := &overlay{Depot: d, put: make(map[objects.ID]objects.Object)}
	pending, err := refs.Prepare(ctx, store, d.current.Operation, op)
	if err != nil {
		return objects.ID{}, err
	}
	if err := d.checkMoves(ctx, pending.Op.Moves); err != nil {
		return objects.ID{}, err
	}
	p := &publication{d: d, pending: pending}
	if p.names, err = d.sendNames(ctx, store.put, pending.ID); err != nil {
		return objects.ID{}, err
	}
	defer p.names.discard(d)
	if err := d.mending(ctx, func() error { return p.prepare(ctx) }); err != nil {
		p.close()
		return objects.ID{}, err
	}
	if err := p.publish(ctx); err != nil {
		return objects.ID{}, err
	}
	return pending.ID, nil
}

// checkFresh refuses what was added if a push of another has made it unusable.
func (d *Depot) checkFresh() error {
	for _, s := range d.fresh {
		for _, p := range s.packs {
			if d.current.isDropped(p.ID) {
				return d.refuseFresh(fmt.Errorf("pack %s: %w", p.ID, ErrDropped))
			}
			for _, base := range p.Bases {
				if _, ok := d.packs[base]; !ok {
					return d.refuseFresh(fmt.Errorf("pack %s is built on %s: %w", p.ID, base, ErrDropped))
				}
			}
		}
	}
	return nil
}

func (d *Depot) refuseFresh(why error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drops = nil
	d.forgetFresh()
	return why
}

// checkMoves refuses to publish a name of what the depot does not have.
func (d *Depot) checkMoves(ctx context.Context, moves []refs.Move) error {
	var ids []objects.ID
	for _, m := range moves {
		if !m.New.Commit.IsZero() {
			ids = append(ids, m.New.Commit)
		}
	}
	places, err := d.Locate(ctx, ids)
	if err != nil {
		return err
	}
	for i, p := range places {
		if p.Length == 0 {
			return &objects.ObjectError{ID: ids[i], Where: d.String(), Err: objects.ErrNotFound}
		}
	}
	return nil
}

// prepare sends the segments, and makes the record that names them.
func (p *publication) prepare(ctx context.Context) error {
	d := p.d
	p.close()
	p.list = nil
	if err := p.chooseDrops(ctx); err != nil {
		return err
	}
	p.next = current{
		Version: currentVersion, Repository: d.current.Repository, Operation: p.pending.ID,
		Replaced: d.deleteReplaced(ctx), Dropped: d.deleteDropped(ctx, p.pending.Op.When),
	}
	if p.next.Repository == "" {
		var id [16]byte
		rand.Read(id[:]) //nolint:errcheck // never fails
		p.next.Repository = hex.EncodeToString(id[:])
	}
	swallowed := p.swallowed()
	for _, s := range d.listed[:len(d.listed)-swallowed] {
		if !slices.ContainsFunc(s.packs, func(l listedPack) bool { return p.leave[l.ID] }) {
			p.add(s)
			continue
		}
		if err := p.merge(ctx, []*segment{s}); err != nil {
			return err
		}
		p.next.Replaced = append(p.next.Replaced, s.ref.ID)
	}
	last := append([]*segment{p.names.segment}, d.fresh...)
	for _, s := range d.listed[len(d.listed)-swallowed:] {
		last = append(last, s)
		p.next.Replaced = append(p.next.Replaced, s.ref.ID)
	}
	p.rememberDrops()
	return p.merge(ctx, last)
}

// rememberDrops lists the packs that are taken out.
func (p *publication) rememberDrops() {
	if len(p.leave) == 0 {
		return
	}
	packs := slices.SortedFunc(maps.Keys(p.leave), compareIDs)
	p.next.Dropped = append(p.next.Dropped, dropped{When: p.pending.Op.When.Unix(), Packs: packs})
}

// swallowed returns how many of the last segments become part of the new one:
// each that is not at least twice as large as what comes after it, so that
// there are never more than the logarithm of what they list.
func (p *publication) swallowed() int {
	size := p.names.segment.ref.Size
	for _, s := range p.d.fresh {
		size += s.ref.Size
	}
	n := 0
	for _, s := range slices.Backward(p.d.listed) {
		if s.ref.Size >= maxMerge || s.ref.Size >= 2*size {
			break
		}
		size += s.ref.Size
		n++
	}
	return n
}

// merge makes one segment of others and sends it.
func (p *publication) merge(ctx context.Context, from []*segment) error {
	d := p.d
	s, err := mergeSegments(ctx, d.opt.FS, d.temp(), from, func(id objects.ID) bool { return p.leave[id] }, p.pending.ID)
	if err != nil || s == nil {
		return err
	}
	if err := d.putFile(ctx, segmentKey(s.ref.ID), s.name, s.ref.Size); err != nil {
		discardSegments(d.opt.FS, []*segment{s})
		return err
	}
	s.close()
	if err := d.cache.publish(s.name, d.cache.segmentFile(s.ref.ID)); err != nil {
		return err
	}
	if s, err = openSegment(d.opt.FS, d.cache.segmentFile(s.ref.ID), s.ref); err != nil {
		return err
	}
	p.made, p.sent = append(p.made, s), append(p.sent, s.ref.ID)
	p.add(s)
	return nil
}

// add lists a segment.
func (p *publication) add(s *segment) {
	p.list = append(p.list, s)
	p.next.Segments = append(p.next.Segments, s.ref)
}

// publish swaps the record in.
func (p *publication) publish(ctx context.Context) error {
	d := p.d
	data, err := encodeCurrent(p.next)
	if err != nil {
		p.close()
		return err
	}
	version, err := d.bucket.Swap(ctx, currentKey, d.version, data)
	if err != nil {
		p.close()
		return p.settle(ctx, d.cache.failed(currentKey, err))
	}
	d.cache.progress(0, int64(len(data)))
	d.cache.take(p.names.id, p.names.file)
	d.show(p.next, version, p.list)
	d.published()
	return nil
}

// published forgets what was added, for it is listed now.
func (d *Depot) published() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drops = nil
	d.forgetFresh()
}

// close closes the segments that were made.
func (p *publication) close() {
	for _, s := range p.made {
		s.close()
	}
	p.made = nil
}

// settle finds out what a swap that failed has done. Even one that was told
// that the record moved may have been the one to move it, when its answer was
// lost and it was sent again.
func (p *publication) settle(ctx context.Context, swap error) error {
	d, before := p.d, p.d.version
	if err := d.reload(ctx); err != nil {
		return errors.Join(swap, err)
	}
	happened, err := d.descends(ctx, p.pending)
	switch {
	case err != nil:
		return errors.Join(swap, err)
	case happened:
		d.published()
		return nil
	case d.version == before:
		return swap // it may yet happen
	}
	// It never will, and nobody else can name what only this try has made.
	for _, id := range p.sent {
		d.bucket.Delete(ctx, segmentKey(id))          //nolint:errcheck // it is in nobody's way
		removeFile(d.opt.FS, d.cache.segmentFile(id)) //nolint:errcheck // swept later
	}
	d.bucket.Delete(ctx, packKey(p.names.id)) //nolint:errcheck // it is in nobody's way
	return &refs.PointerError{Want: p.pending.Op.Prev, Have: d.current.Operation}
}

// descends reports whether an operation is the current one or came before it.
func (d *Depot) descends(ctx context.Context, p refs.Pending) (bool, error) {
	for id := d.current.Operation; !id.IsZero() && id != p.Op.Prev; {
		if id == p.ID {
			return true, nil
		}
		op, err := refs.ReadOp(ctx, d, id)
		if err != nil {
			return false, err
		}
		id = op.Prev
	}
	return false, nil
}

// deleteReplaced deletes segments that the push before has replaced, and
// returns those that are still there. Where nothing may be deleted the oldest
// are left behind in the end: nobody needs them, and the record stays small.
func (d *Depot) deleteReplaced(ctx context.Context) (left []objects.ID) {
	for _, id := range d.current.Replaced {
		if d.bucket.Delete(ctx, segmentKey(id)) != nil {
			left = append(left, id)
		}
	}
	return left[max(0, len(left)-maxReplaced):]
}
