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

// maxStrays is how many packs that no index lists may lie beside those that one
// lists, for it to be made again.
const maxStrays = 3

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
	packs, unread, err := l.readFooters(ctx)
	if err != nil {
		return "", err
	}
	for strays := range min(maxStrays+1, len(packs)) {
		for leave := range choices(packs, strays) {
			s, err := mergeSegments(ctx, opt.FS, l.temp(), l.fresh, func(id objects.ID) bool { return leave[id] }, owner)
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
	}
	return "", errors.Join(l.cache.failed(x.Key(), corrupt("%d packs are there, and not all that it lists", len(packs))), unread)
}

// readFooters adds all packs of the folder whose footers can be read, and
// returns them, and what is wrong with the others.
func (l *Shelf) readFooters(ctx context.Context) (packs []objects.ID, unread, err error) {
	there, err := l.listArrived(ctx)
	if err != nil {
		return nil, nil, err
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
			return nil, nil, err
		}
		packs = append(packs, id)
	}
	return packs, unread, l.Sync(ctx)
}

// choices yields every way to take n of some packs.
func choices(from []objects.ID, n int) func(yield func(map[objects.ID]bool) bool) {
	return func(yield func(map[objects.ID]bool) bool) {
		taken := make(map[objects.ID]bool)
		var take func(at int) bool
		take = func(at int) bool {
			if len(taken) == n {
				return yield(taken)
			}
			for ; at < len(from); at++ {
				taken[from[at]] = true
				if !take(at + 1) {
					return false
				}
				delete(taken, from[at])
			}
			return true
		}
		take(0)
	}
}
