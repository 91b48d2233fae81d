package crypt

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/remote/bucket"
)

// HealKeys makes each file below "keys/" that the identities do not open like its
// copy, if they open that, or like what other has, a copy of this destination
// or nil; and returns their names. Of keys that have no file here only those come
// back that an object names: others were swept, and those of other may be for
// recipients of before. sealed says which objects are encrypted. The error names
// the files of which nothing opens.
func (b *Bucket) HealKeys(ctx context.Context, other bucket.Bucket, sealed func(key string) bool) (healed []string, err error) {
	if other == nil {
		return b.keys.heal(ctx, nil, nil)
	}
	second := b.ringOf(other)
	lost, err := b.lostKeys(ctx, second, sealed)
	if err != nil {
		return nil, err
	}
	return b.keys.heal(ctx, second, lost)
}

// TakeKey writes the files of a key of which none is here, as DamagedError.KeyFile
// names it, as other has it, a copy of this destination, and returns their names:
// none, if the identities do not open it there.
func (b *Bucket) TakeKey(ctx context.Context, other bucket.Bucket, keyFile string) ([]string, error) {
	second := b.ringOf(other)
	there, err := second.list(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(there, func(id epochID) bool { return id.keyFile() == keyFile })
	if at < 0 || second.sound(ctx, there[at]) == nil {
		return nil, nil
	}
	b.keys.mu.Lock()
	defer b.keys.mu.Unlock()
	return b.keys.healEpoch(ctx, there[at], second)
}

// ringOf reads the keys of a copy of this destination.
func (b *Bucket) ringOf(other bucket.Bucket) *keyring {
	return &keyring{inner: other, destination: b.opt.Destination, identities: b.opt.Identities}
}

// lostKeys returns the epochs that other has a file of and objects here name, but
// of which there is none here. What is damaged names none: the other objects of its
// set do, or TakeKey is for it.
func (b *Bucket) lostKeys(ctx context.Context, other *keyring, sealed func(key string) bool) ([]epochID, error) {
	there, err := other.times(ctx)
	if err != nil {
		return nil, err
	}
	here, err := b.keys.times(ctx)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(there, func(id epochID, _ time.Time) bool { _, ok := here[id]; return ok })
	var lost []epochID
	for info, err := range b.inner.List(ctx, "") {
		if err != nil || len(there) == 0 {
			return lost, err
		}
		if isKeyFile(info.Key) || !sealed(info.Key) {
			continue
		}
		h, err := b.front(ctx, info.Key)
		if errors.Is(err, bucket.ErrNotExist) || errors.Is(err, objects.ErrCorrupt) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if _, ok := there[h.epoch]; ok {
			lost = append(lost, h.epoch)
			delete(there, h.epoch)
		}
	}
	return lost, nil
}
