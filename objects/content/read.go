package content

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
)

// Skipper is a writer that can leave out zeros: it must read as n zeros what
// it skips.
type Skipper interface {
	Skip(n int64) error
}

// Read writes the whole content of e to w, from one goroutine. Every chunk is
// checked before it is written, and the whole against e.Content at the end:
// only after a nil is what was written the content. Zeros that fill a chunk
// are skipped if w is a Skipper. workers goroutines get chunks ahead; memory
// is a few chunks for each. Errors of chunks and lists are *ObjectError.
func Read(ctx context.Context, g objects.Getter, e objects.Entry, w io.Writer, workers int) error {
	if e.Size <= objects.SingleChunk {
		data, err := single(ctx, g, e)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	workers = max(1, workers)
	r := &reader{
		getter: g, entry: e,
		slots:  make(chan *fetch, 2*workers),
		jobs:   make(chan *fetch),
		toHash: make(chan []byte, 2),
	}
	group.Go(func() error { return r.list(ctx) })
	for range workers {
		group.Go(func() error { return r.get(ctx) })
	}
	group.Go(func() error { return r.write(ctx, w) })
	group.Go(func() error { return r.hash(ctx) })
	return group.Wait()
}

// single gets a content that is one chunk: its ID was checked by Get.
func single(ctx context.Context, g objects.Getter, e objects.Entry) ([]byte, error) {
	data, err := getChunk(ctx, g, e.Content)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != e.Size {
		return nil, damaged(e.Content, "it has %d bytes, the tree says %d", len(data), e.Size)
	}
	return data, nil
}

func getChunk(ctx context.Context, g objects.Getter, id objects.ID) ([]byte, error) {
	o, err := g.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if o.Kind != objects.KindChunk {
		return nil, damaged(id, "a %v where a chunk should be", o.Kind)
	}
	return o.Data, nil
}

func damaged(id objects.ID, format string, args ...any) error {
	return &objects.ObjectError{ID: id, Err: fmt.Errorf("%w: "+format, append([]any{objects.ErrCorrupt}, args...)...)}
}

// reader reads one large content: list ─> get (workers) ─> write ─> hash.
type reader struct {
	getter objects.Getter
	entry  objects.Entry
	slots  chan *fetch
	jobs   chan *fetch
	toHash chan []byte
}

// fetch is a chunk on its way; done is nil when data is known from the start.
type fetch struct {
	span chunk.Span
	data []byte
	done chan struct{}
}

// list makes a fetch of every chunk. The longest chunk of zeros needs no
// store: its ID says what it is.
func (r *reader) list(ctx context.Context) error {
	for span, err := range chunk.List(ctx, r.getter, r.entry.List, r.entry.Size, 0) {
		if err != nil {
			return err
		}
		f := &fetch{span: span}
		if span.Ref == zeroChunk {
			f.data = zeros[:span.Length]
		} else {
			f.done = make(chan struct{})
		}
		if err := send(ctx, r.slots, f); err != nil {
			return err
		}
		if f.done == nil {
			continue
		}
		if err := send(ctx, r.jobs, f); err != nil {
			return err
		}
	}
	close(r.slots)
	close(r.jobs)
	return nil
}

// get gets chunks.
func (r *reader) get(ctx context.Context) error {
	return each(ctx, r.jobs, func(f *fetch) error {
		data, err := spanData(ctx, r.getter, r.entry, f.span)
		if err != nil {
			return err
		}
		f.data = data
		close(f.done)
		return nil
	})
}

func spanData(ctx context.Context, g objects.Getter, e objects.Entry, span chunk.Span) ([]byte, error) {
	if span.Ref == zeroChunk {
		return zeros[:span.Length], nil
	}
	data, err := getChunk(ctx, g, span.ID)
	if err != nil {
		return nil, fmt.Errorf("content %s at %d: %w", e.Content, span.Start, err)
	}
	if len(data) != span.Length {
		return nil, damaged(e.List, "chunk %s has %d bytes, its list says %d", span.ID, len(data), span.Length)
	}
	return data, nil
}

// write writes chunks in order.
func (r *reader) write(ctx context.Context, w io.Writer) error {
	skipper, _ := w.(Skipper)
	err := each(ctx, r.slots, func(f *fetch) error {
		if err := wait(ctx, f.done); err != nil {
			return err
		}
		if err := send(ctx, r.toHash, f.data); err != nil {
			return err
		}
		if skipper != nil && bytes.Equal(f.data, zeros[:len(f.data)]) {
			return skipper.Skip(int64(len(f.data)))
		}
		_, err := w.Write(f.data)
		return err
	})
	if err != nil {
		return err
	}
	close(r.toHash)
	return nil
}

// hash checks the whole.
func (r *reader) hash(ctx context.Context) error {
	h := blake3.New()
	err := each(ctx, r.toHash, func(data []byte) error {
		h.Write(data) //nolint:errcheck // a hash never fails
		return nil
	})
	if err != nil {
		return err
	}
	var id objects.ID
	h.Sum(id[:0])
	if id != r.entry.Content {
		return damaged(r.entry.Content, "its chunks make up %s", id)
	}
	return nil
}

// ReadRange writes n bytes of the content of e from offset on to w. Every
// chunk is checked before its bytes are written; only the chunks that hold
// the range are got. A range that reaches beyond the content is an error.
func ReadRange(ctx context.Context, g objects.Getter, e objects.Entry, offset, n int64, w io.Writer) error {
	if offset < 0 || n < 0 || offset > e.Size || n > e.Size-offset {
		return fmt.Errorf("range of %d bytes at %d is not within the content's %d", n, offset, e.Size)
	}
	if n == 0 {
		return nil
	}
	if e.Size <= objects.SingleChunk {
		data, err := single(ctx, g, e)
		if err != nil {
			return err
		}
		_, err = w.Write(data[offset : offset+n])
		return err
	}
	end := offset + n
	for span, err := range chunk.List(ctx, g, e.List, e.Size, offset) {
		if err != nil {
			return err
		}
		if span.Start >= end {
			break
		}
		data, err := spanData(ctx, g, e, span)
		if err != nil {
			return err
		}
		from, to := max(offset, span.Start)-span.Start, min(end, span.End())-span.Start
		if _, err := w.Write(data[from:to]); err != nil {
			return err
		}
	}
	return nil
}
