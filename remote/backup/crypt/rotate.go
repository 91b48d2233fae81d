package crypt

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/mlvc/mlvc/remote/bucket"
)

// rotate encrypts every key for other recipients:
//
//  1. Every key is opened; if one does not open, nothing is changed. Where only
//     the second copy of a file opens, the first becomes like it.
//  2. The second copies are encrypted for the new recipients. Meanwhile the old
//     ones open the first copies.
//  3. It is the new recipients' turn. They open the second copies.
//  4. The first copies become like the second.
//  5. Keys that another made meanwhile have their turn too.
func (k *keyring) rotate(ctx context.Context, to []Recipient, turn func() error) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ids, err := k.list(ctx)
	if err != nil {
		return 0, err
	}
	keys, err := k.openAll(ctx, ids)
	if err != nil {
		return 0, err
	}
	k.recipients, k.writing = to, nil
	clear(k.others)
	err = k.rewrap(ctx, keys, to, turn)
	if err == nil {
		var later []*rotatedKey
		if later, err = k.laterThan(ctx, ids); err == nil {
			keys = append(keys, later...)
			err = k.rewrap(ctx, later, to, func() error { return nil })
		}
	}
	if err != nil {
		return 0, &HalfRotatedError{err}
	}
	return len(keys), nil
}

// rotatedKey is a key whose recipients change.
type rotatedKey struct {
	*epoch
	whole []byte // of the copy that opens, if the first does not
	next  []byte // for the new recipients
}

// openAll opens the keys of all epochs.
func (k *keyring) openAll(ctx context.Context, ids []epochID) ([]*rotatedKey, error) {
	var keys []*rotatedKey
	for _, id := range ids {
		r, err := k.openKey(ctx, id)
		if errors.Is(err, errOthers) {
			err = &NoKeyError{Key: id.keyFile(), KeyFile: "it", Tried: len(k.identities), Passphrase: k.onlyPassphrases()}
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, r)
	}
	return keys, nil
}

func (k *keyring) openKey(ctx context.Context, id epochID) (*rotatedKey, error) {
	names := id.keyFiles()
	e, _, first := k.loadFile(ctx, id, names[0])
	if first == nil {
		return &rotatedKey{epoch: e}, nil
	}
	e, file, err := k.loadFile(ctx, id, names[1])
	if err == nil {
		return &rotatedKey{epoch: e, whole: file}, nil
	}
	if errors.Is(first, bucket.ErrNotExist) {
		first = err
	}
	return nil, first
}

// laterThan opens the keys of epochs that are not among ids.
func (k *keyring) laterThan(ctx context.Context, ids []epochID) ([]*rotatedKey, error) {
	now, err := k.list(ctx)
	if err != nil {
		return nil, err
	}
	return k.openAll(ctx, slices.DeleteFunc(now, func(id epochID) bool { return slices.Contains(ids, id) }))
}

// rewrap does steps 1 to 4 of rotate.
func (k *keyring) rewrap(ctx context.Context, keys []*rotatedKey, to []Recipient, turn func() error) error {
	for _, r := range keys {
		if r.whole != nil {
			if err := k.replace(ctx, r.id().keyFiles()[0], r.whole); err != nil {
				return err
			}
		}
		var err error
		if r.next, err = r.retired(to).wrap(to); err != nil {
			return err
		}
		if err := k.replace(ctx, r.id().keyFiles()[1], r.next); err != nil {
			return err
		}
	}
	if err := turn(); err != nil {
		return err
	}
	for _, r := range keys {
		if err := k.follow(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// follow makes the first copy like the second, which must be as it was written:
// from now on nothing else of the key is left.
func (k *keyring) follow(ctx context.Context, r *rotatedKey) error {
	names := r.id().keyFiles()
	file, _, err := k.inner.Get(ctx, names[1])
	if err != nil {
		return err
	}
	if !bytes.Equal(file, r.next) {
		return bad(names[1], "is not what was just written: another rotates too, or the place cannot be relied on")
	}
	return k.replace(ctx, names[0], r.next)
}
