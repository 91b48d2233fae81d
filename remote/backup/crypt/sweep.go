package crypt

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/mlvc/mlvc/remote/bucket"
)

const (
	// writeWithin is how long after its file was made a key is chosen for new
	// objects.
	writeWithin = 30 * 24 * time.Hour
	// sweepAfter is how long after that a file may go: who chose its key at
	// the last moment has long written an object that shows it.
	sweepAfter = 2 * writeWithin
)

// SweepKeys removes the files of keys that no object is encrypted with any more
// and none will be, and returns how many. So that this need not read the
// beginning of every object often, it does nothing while there are at most
// enough keys. sealed says which objects are encrypted; if the beginning of one
// of those is damaged, or names a key that there is not, nothing is removed:
// its parity may heal it.
func (b *Bucket) SweepKeys(ctx context.Context, enough int, sealed func(key string) bool) (int, error) {
	times, err := b.keys.times(ctx)
	if err != nil || len(times) <= enough {
		return 0, err
	}
	there := maps.Clone(times)
	for id, at := range times {
		if b.opt.Now().Sub(at) < sweepAfter {
			delete(times, id)
		}
	}
	if len(times) == 0 {
		return 0, nil
	}
	for info, err := range b.inner.List(ctx, "") {
		if err != nil {
			return 0, err
		}
		if isKeyFile(info.Key) || !sealed(info.Key) {
			continue
		}
		h, err := b.front(ctx, info.Key)
		if errors.Is(err, bucket.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return 0, err
		}
		if _, ok := there[h.epoch]; !ok {
			return 0, bad(info.Key, "the key that it is encrypted with, %s, is missing", h.epoch.keyFile())
		}
		delete(times, h.epoch)
	}
	n := 0
	for id := range times {
		for _, name := range id.keyFiles() {
			if err := b.inner.Delete(ctx, name); err != nil {
				return n, err
			}
		}
		n++
	}
	return n, nil
}

// front reads what an object says of itself, which proves nothing.
func (b *Bucket) front(ctx context.Context, key string) (header, error) {
	r, err := b.inner.GetRange(ctx, key, 0, headerSize)
	if err != nil {
		return header{}, err
	}
	front, err := readFront(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return header{}, err
	}
	return decodeHeader(key, front)
}
