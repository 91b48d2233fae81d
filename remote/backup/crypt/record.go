package crypt

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/mlvc/mlvc/remote/bucket"
)

// The record of one who only writes: for each object that he may want to read
// again its secret, under KEY/SALT, so that a note never replaces another. It
// opens that object and no other, and only while its bytes are what they were.

func noteKey(key string, h header) string { return key + "/" + hex.EncodeToString(h.salt[:16]) }

// note writes the secret of an object, before the object.
func (b *Bucket) note(ctx context.Context, o *object, k objectKey) error {
	if b.opt.Record == nil || b.opt.Keep == nil || !b.opt.Keep(o.name) {
		return nil
	}
	note := append(o.front(), k.key[:]...)
	return b.opt.Record.PutIfAbsent(ctx, noteKey(o.name, o.header), bytes.NewReader(note), int64(len(note)))
}

// noted returns the secret of the object with this header, if it was noted.
func (b *Bucket) noted(ctx context.Context, key string, h header) (k objectKey, ok bool, err error) {
	if b.opt.Record == nil {
		return k, false, nil
	}
	name := noteKey(key, h)
	note, _, err := b.opt.Record.Get(ctx, name)
	var no *bucket.KeyError
	if errors.Is(err, bucket.ErrNotExist) || errors.As(err, &no) {
		return k, false, nil
	}
	if err != nil {
		return k, false, fmt.Errorf("look for the key of %s: %w", key, err)
	}
	if len(note) != headerSize+keySize || !bytes.Equal(note[:headerBody], h.encode()) {
		return k, false, bad(key, "the note of its key, %s in %s, is damaged", name, b.opt.Record)
	}
	copy(k.tag[:], note[headerBody:])
	copy(k.key[:], note[headerSize:])
	return k, true, nil
}

// unnote removes all notes of a key.
func (b *Bucket) unnote(ctx context.Context, key string) error {
	if b.opt.Record == nil {
		return nil
	}
	var all []string
	for info, err := range b.opt.Record.List(ctx, key+"/") {
		if err != nil {
			return err
		}
		all = append(all, info.Key)
	}
	for _, name := range all {
		if err := b.opt.Record.Delete(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
