package content_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
)

// discard hashes what is put, and keeps list nodes only.
type discard struct{ *store }

func (d discard) Put(ctx context.Context, o objects.Object) (objects.ID, error) {
	if o.Kind != objects.KindChunk {
		return d.store.Put(ctx, o)
	}
	return o.ID(), nil
}

func (d discard) PutDelta(ctx context.Context, o objects.Object, _ []objects.ID) (objects.ID, bool, error) {
	id, err := d.Put(ctx, o)
	return id, false, err
}

// opened is a file without holes.
type opened struct {
	*os.File
	size int64
}

func (o opened) Size() int64 { return o.size }

func (o opened) NextData(off int64) (start, end int64, err error) {
	return min(off, o.size), o.size, nil
}

func openedFile(b *testing.B, size int) opened {
	b.Helper()
	name := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(name, random(18, size), 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return opened{f, int64(size)}
}

func benchWrite(b *testing.B, s content.Store, src content.Source, prev objects.Entry) objects.Entry {
	b.Helper()
	b.SetBytes(src.Size())
	b.ReportAllocs()
	var e objects.Entry
	for b.Loop() {
		var err error
		if e, _, err = content.Write(ctx, s, src, prev, 2); err != nil {
			b.Fatal(err)
		}
	}
	return e
}

func BenchmarkWrite(b *testing.B) {
	s := discard{newStore()}
	for name, size := range map[string]int{"10KiB": 10 << 10, "400KiB": 400 << 10} {
		b.Run(name, func(b *testing.B) { benchWrite(b, s, openedFile(b, size), objects.Entry{}) })
	}
	const size = 1 << 30
	src := openedFile(b, size)
	b.Run("BLAKE3OfIt", func(b *testing.B) {
		b.SetBytes(size)
		buf := make([]byte, 1<<20)
		for b.Loop() {
			h := blake3.New()
			for off := int64(0); off < size; off += int64(len(buf)) {
				if _, err := src.ReadAt(buf, off); err != nil {
					b.Fatal(err)
				}
				h.Write(buf)
			}
		}
	})
	var e objects.Entry
	b.Run("1GiBFirst", func(b *testing.B) { e = benchWrite(b, s, src, objects.Entry{}) })
	if _, err := src.WriteAt([]byte("x"), size/2); err != nil {
		b.Fatal(err)
	}
	b.Run("1GiBOneByte", func(b *testing.B) { benchWrite(b, s, src, e) })
}
