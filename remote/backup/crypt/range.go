package crypt

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mlvc/mlvc/objects"
)

// GetRange implements bucket.Bucket. It reads the header, once an object, and
// the pieces that have a part of the range. A range to the end also fails
// if something follows the object.
func (b *Bucket) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if sealed, err := b.sealed(key); err != nil || !sealed {
		if err != nil {
			return nil, err
		}
		return b.inner.GetRange(ctx, key, offset, length)
	}
	if offset < 0 {
		return nil, fmt.Errorf("get %s: negative offset %d", key, offset)
	}
	if offset == 0 && length < 0 {
		return b.whole(ctx, key)
	}
	for {
		o, fresh, err := b.lookup(ctx, key)
		if err != nil {
			return nil, err
		}
		r, err := b.openRange(ctx, o, offset, length)
		if err == nil && (r.plain != nil || fresh) {
			return r, nil
		}
		// Nothing was read that says that the object is there still, and the
		// same; or it is another by now.
		if err != nil && !errors.Is(err, objects.ErrCorrupt) {
			return nil, err
		}
		now, herr := b.header(ctx, key)
		switch {
		case herr != nil:
			return nil, herr
		case now.header != o.header:
			b.forget(key)
		case err != nil:
			return nil, err
		default:
			return r, nil
		}
	}
}

// openRange returns a reader of which the first piece, if there is any, is open.
func (b *Bucket) openRange(ctx context.Context, o *object, offset, length int64) (*reader, error) {
	there := max(o.size-offset, 0)
	r := &reader{
		ctx: ctx, inner: io.NopCloser(nil), object: o, failed: func() { b.forget(o.name) },
		remain: there, short: offset > o.size || length > there,
		piece: offset / pieceSize, skip: offset % pieceSize,
	}
	if length >= 0 {
		r.remain = min(length, there)
	}
	if r.remain == 0 {
		return r, nil
	}
	start, n := pieceStart(r.piece), int64(-1)
	if r.toEnd = length < 0; !r.toEnd {
		last := (offset + r.remain - 1) / pieceSize
		n = min(pieceStart(last+1), sealedSize(o.size)) - start
	}
	inner, err := b.inner.GetRange(ctx, o.name, start, n)
	if err != nil {
		return nil, err
	}
	r.inner = inner
	if err := r.fill(); err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return r, nil
}

// whole reads an object from its beginning to its end, in one request.
func (b *Bucket) whole(ctx context.Context, key string) (io.ReadCloser, error) {
	inner, err := b.inner.GetRange(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	o, err := b.openFront(ctx, key, inner)
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	r := &reader{ctx: ctx, inner: inner, object: o, failed: func() { b.forget(key) }, remain: o.size, toEnd: true}
	if o.size == 0 { // its one piece is sealed, and nothing
		sealed := make([]byte, tagSize)
		if _, err := io.ReadFull(inner, sealed); err != nil {
			return nil, errors.Join(r.broken(err), inner.Close())
		}
		if _, err := o.open(sealed, 0); err != nil {
			return nil, errors.Join(err, inner.Close())
		}
	}
	return r, nil
}

// lookup returns an object that was opened before, or opens it: fresh.
func (b *Bucket) lookup(ctx context.Context, key string) (o *object, fresh bool, err error) {
	b.mu.Lock()
	o = b.opened[key]
	b.mu.Unlock()
	if o != nil {
		return o, false, nil
	}
	if o, err = b.header(ctx, key); err != nil {
		return nil, false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.opened) >= maxOpened {
		clear(b.opened)
	}
	b.opened[key] = o
	return o, true, nil
}

// header reads an object's header.
func (b *Bucket) header(ctx context.Context, key string) (*object, error) {
	inner, err := b.inner.GetRange(ctx, key, 0, headerSize)
	if err != nil {
		return nil, err
	}
	o, err := b.openFront(ctx, key, inner)
	return o, errors.Join(err, inner.Close())
}

func (b *Bucket) openFront(ctx context.Context, key string, r io.Reader) (*object, error) {
	front, err := readFront(r)
	if err != nil {
		return nil, err
	}
	return b.open(ctx, key, front)
}

// readFront reads the bytes of a header, or less if an object has less.
func readFront(r io.Reader) ([]byte, error) {
	front := make([]byte, headerSize)
	n, err := io.ReadFull(r, front)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return front[:n], err
}

// open finds the key of an object by its first bytes, and proves that they
// belong to it.
func (b *Bucket) open(ctx context.Context, key string, front []byte) (*object, error) {
	h, err := decodeHeader(key, front)
	if err != nil {
		return nil, err
	}
	e, err := b.keys.epoch(ctx, h.epoch, key)
	if err == nil {
		return openObject(h, key, e.objectKey(h, key), front)
	}
	var none *NoKeyError
	if !errors.As(err, &none) {
		return nil, err
	}
	if k, ok, nerr := b.noted(ctx, key, h); nerr != nil {
		return nil, nerr
	} else if ok {
		return openObject(h, key, k, front)
	}
	return nil, err
}
