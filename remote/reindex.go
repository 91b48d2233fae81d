package remote

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/remote/bucket"
)

const (
	// maxStrays is how many packs that no index lists may lie beside those that one
	// lists, for it to be made again.
	maxStrays = 3
	// maxMerges is how many choices of them are tried that come to the right size.
	maxMerges = 200
)

// RebuildIndex makes an index segment again of the footers of the packs that
// lie in its folder, where the cache has it then; it returns that file. owner is
// what WriteIndex was given. What an interrupted run has left among the packs is
// found out and left out. It fails with objects.ErrCorrupt if the packs do not
// make that segment any more.
func RebuildIndex(ctx context.Context, b bucket.Bucket, opt ShelfOptions, x Index, owner objects.ID) (string, error) {
	opt.Folder = x.Folder
	l, err := newShelf(b, opt)
	if err != nil {
		return "", err
	}
	defer l.Close() //nolint:errcheck // it was only read
	unread, err := l.readFooters(ctx)
	if err != nil {
		return "", err
	}
	packs, _ := mergeTables(l.fresh, func(objects.ID) bool { return false })
	for leave := range strays(packs, x) {
		s, err := mergeSegments(ctx, opt.FS, l.temp(), l.fresh, func(id objects.ID) bool { return slices.Contains(leave, id) }, owner)
		if err != nil {
			return "", err
		}
		s.close()
		if name := l.cache.segmentFile(x.ID); s.ref.ID == x.ID {
			return name, l.cache.publish(s.name, name)
		}
		if err := removeFile(opt.FS, s.name); err != nil {
			return "", err
		}
	}
	return "", errors.Join(l.cache.failed(x.Key(), corrupt("%d packs are there, and not all that it lists", len(packs))), unread)
}

// readFooters adds all packs of the folder whose footers can be read, and
// returns what is wrong with the others.
func (l *Shelf) readFooters(ctx context.Context) (unread, err error) {
	there, err := l.listArrived(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.SortedFunc(maps.Keys(there), compareIDs) {
		x, err := pack.ReadIndex(ctx, ranges{ctx: ctx, cache: l.cache, key: PackKey(l.opt.Folder, id)}, there[id], id)
		if errors.Is(err, objects.ErrCorrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
			unread = errors.Join(unread, err)
			continue
		}
		if err == nil {
			err = l.add(ctx, x)
		}
		if err != nil {
			return nil, err
		}
	}
	return unread, l.Sync(ctx)
}

// weight is what packs take in a segment: their records, and bytes of its table.
type weight struct{ records, table int64 }

func (w weight) less(o weight) weight { return weight{w.records - o.records, w.table - o.table} }

func weigh(p listedPack) weight {
	return weight{int64(p.Count), packSize + int64(len(p.Bases))*objects.IDSize}
}

// strays yields the ways to leave out at most maxStrays of some packs, so that the
// others make a segment of the records and the size of x; those of fewest packs
// first. It yields at most maxMerges, each valid until the next.
func strays(packs []listedPack, x Index) func(yield func([]objects.ID) bool) {
	over := weight{-x.Records, minSegment(x.Records) - x.Size}
	last := make(map[weight][]int) // the packs of each weight, in order
	for i, p := range packs {
		w := weigh(p)
		over.records, over.table = over.records+w.records, over.table+w.table
		last[w] = append(last[w], i)
	}
	return func(yield func([]objects.ID) bool) {
		if over == (weight{}) && len(packs) > 0 {
			yield(nil)
			return
		}
		yielded := 0
		c := &choosing{packs, last, func(leave []objects.ID) bool {
			yielded++
			return yield(leave) && yielded < maxMerges
		}}
		for n := 1; n <= maxStrays && n < len(packs); n++ {
			if !c.take(make([]objects.ID, 0, n), n, 0, over) {
				return
			}
		}
	}
}

// choosing yields choices of packs. The last pack of each is looked up by its weight,
// so that of thousands of packs there is no more to do than to look at their pairs.
type choosing struct {
	packs []listedPack
	last  map[weight][]int
	yield func([]objects.ID) bool
}

// take adds n packs from a number on, which weigh so much together, to those that
// are taken. It is false when no more choices are wanted.
func (c *choosing) take(taken []objects.ID, n, from int, left weight) bool {
	if n == 1 {
		for _, i := range c.last[left] {
			if i >= from && !c.yield(append(taken, c.packs[i].ID)) {
				return false
			}
		}
		return true
	}
	for i := from; i < len(c.packs); i++ {
		rest := left.less(weigh(c.packs[i]))
		if rest.records > 0 && rest.table > 0 && !c.take(append(taken, c.packs[i].ID), n-1, i+1, rest) {
			return false
		}
	}
	return true
}
