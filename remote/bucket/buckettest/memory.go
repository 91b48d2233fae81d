package buckettest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mlvc/mlvc/remote/bucket"
)

// Memory returns an empty bucket in memory.
func Memory() bucket.Bucket { return &memory{objects: map[string]memoryObject{}} }

type memory struct {
	mu      sync.Mutex
	objects map[string]memoryObject
	swaps   int
}

type memoryObject struct {
	data     []byte
	version  bucket.Version
	modified time.Time
}

var _ bucket.Bucket = (*memory)(nil)

func (m *memory) String() string { return "memory:" }

func (m *memory) Close() error { return nil }

// look starts a call of one key; the caller unlocks m.mu if there is no error.
func (m *memory) look(ctx context.Context, op, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := bucket.CheckKey(key); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	m.mu.Lock()
	return nil
}

func (m *memory) Get(ctx context.Context, key string) ([]byte, bucket.Version, error) {
	if err := m.look(ctx, "get", key); err != nil {
		return nil, "", err
	}
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return nil, "", fmt.Errorf("get %s: %w", key, bucket.ErrNotExist)
	}
	if len(o.data) > bucket.MaxSmall {
		return nil, "", fmt.Errorf("get %s: %w", key, bucket.ErrTooLarge)
	}
	return bytes.Clone(o.data), o.version, nil
}

func (m *memory) GetRange(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := m.look(ctx, "get", key); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if offset < 0 {
		return nil, fmt.Errorf("get %s: negative offset %d", key, offset)
	}
	o, ok := m.objects[key]
	if !ok {
		return nil, fmt.Errorf("get %s: %w", key, bucket.ErrNotExist)
	}
	size := int64(len(o.data))
	part := o.data[min(offset, size):]
	short := offset > size || length > int64(len(part))
	if length >= 0 && !short {
		part = part[:length]
	}
	return &memoryReader{ctx: ctx, rest: part, short: short}, nil
}

// memoryReader reads bytes, and at their end says whether they are too few.
type memoryReader struct {
	ctx   context.Context
	rest  []byte
	short bool
}

func (r *memoryReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	switch {
	case n > 0 || len(p) == 0:
		return n, nil
	case r.short:
		return 0, io.ErrUnexpectedEOF
	}
	return 0, io.EOF
}

func (r *memoryReader) Close() error { return nil }

func (m *memory) PutIfAbsent(ctx context.Context, key string, body io.ReaderAt, size int64) error {
	data := make([]byte, size)
	n, err := body.ReadAt(data, 0)
	if int64(n) == size {
		err = nil
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if lerr := m.look(ctx, "put", key); lerr != nil {
		return lerr
	}
	defer m.mu.Unlock()
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	if _, ok := m.objects[key]; ok {
		return fmt.Errorf("put %s: %w", key, bucket.ErrExist)
	}
	return m.write(key, data)
}

// write is called with m.mu held.
func (m *memory) write(key string, data []byte) error {
	for other := range m.objects {
		if strings.HasPrefix(other, key+"/") || strings.HasPrefix(key, other+"/") {
			return fmt.Errorf("put %s: beside %s it would be a folder and an object", key, other)
		}
	}
	m.swaps++
	version := bucket.Version(fmt.Sprintf("%d", m.swaps))
	m.objects[key] = memoryObject{data: bytes.Clone(data), version: version, modified: time.Now()}
	return nil
}

func (m *memory) Swap(ctx context.Context, key string, old bucket.Version, data []byte) (bucket.Version, error) {
	if err := m.look(ctx, "swap", key); err != nil {
		return "", err
	}
	defer m.mu.Unlock()
	if len(data) > bucket.MaxSmall {
		return "", fmt.Errorf("swap %s: %w", key, bucket.ErrTooLarge)
	}
	if m.objects[key].version != old {
		return "", fmt.Errorf("swap %s: %w", key, bucket.ErrMoved)
	}
	if err := m.write(key, data); err != nil {
		return "", err
	}
	return m.objects[key].version, nil
}

func (m *memory) List(ctx context.Context, prefix string) iter.Seq2[bucket.Info, error] {
	return func(yield func(bucket.Info, error) bool) {
		if err := bucket.CheckPrefix(prefix); err != nil {
			yield(bucket.Info{}, fmt.Errorf("list: %w", err))
			return
		}
		for _, info := range m.infos(prefix) {
			if err := ctx.Err(); err != nil {
				yield(bucket.Info{}, err)
				return
			}
			if !yield(info, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(bucket.Info{}, err)
		}
	}
}

func (m *memory) infos(prefix string) []bucket.Info {
	m.mu.Lock()
	defer m.mu.Unlock()
	var infos []bucket.Info
	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(key, prefix) {
			o := m.objects[key]
			infos = append(infos, bucket.Info{Key: key, Size: int64(len(o.data)), Modified: o.modified})
		}
	}
	return infos
}

func (m *memory) Delete(ctx context.Context, key string) error {
	if err := m.look(ctx, "delete", key); err != nil {
		return err
	}
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}
