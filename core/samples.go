package core

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"sync"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
)

// samples are the files of a tree, as splits and checks see them.
type samples struct {
	*Repo
	tree objects.ID
}

var _ dataset.Files = samples{}

// All yields the regular files but the rules, in path order.
func (s samples) All(ctx context.Context) iter.Seq2[dataset.File, error] {
	return func(yield func(dataset.File, error) bool) {
		for e, err := range s.treeEntries(ctx, s.tree) {
			if err != nil {
				yield(dataset.File{}, err)
				return
			}
			if e.Entry.Mode.IsRegular() && !dataset.IsOwn(e.Path) && !yield(dataset.File{Path: e.Path, Entry: e.Entry}, nil) {
				return
			}
		}
	}
}

// Lookup finds a regular file, the rules included: nothing but All leaves them
// out.
func (s samples) Lookup(ctx context.Context, path string) (*dataset.File, error) {
	e, ok, err := s.lookUp(ctx, s.tree, path)
	if err != nil || !ok || !e.Mode.IsRegular() {
		return nil, err
	}
	return &dataset.File{Path: path, Entry: e}, nil
}

// Open opens the content of a file. Nothing is brought from a remote for it.
func (s samples) Open(ctx context.Context, f dataset.File) (dataset.Content, error) {
	c := &sampleContent{ctx: ctx, store: s.store, entry: f.Entry}
	// Fails here, where the caller can name the file, and not in the middle.
	_, err := c.span(0)
	if err == nil {
		return c, nil
	}
	if errors.Is(err, objects.ErrNotFound) {
		if part, perr := s.readPart(); perr == nil && part.Promised {
			err = &dataset.AbsentError{Path: f.Path}
		}
	}
	return nil, err
}

// The bytes of a large content are held in spans of this size, and so many of
// them: a Parquet file is read in several columns at once.
const (
	spanSize = 1 << 20
	maxSpans = 8
)

// sampleContent reads a content out of the store, a span at a time.
type sampleContent struct {
	ctx   context.Context // of Open: io.ReaderAt has none of its own
	store objects.Getter
	entry objects.Entry

	mu    sync.Mutex
	spans []contentSpan // the last used first
}

type contentSpan struct {
	start int64
	data  []byte
}

func (c *sampleContent) Size() int64 { return c.entry.Size }

func (c *sampleContent) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = nil
	return nil
}

// ReadAt implements io.ReaderAt.
func (c *sampleContent) ReadAt(p []byte, offset int64) (n int, err error) {
	for n < len(p) {
		at := offset + int64(n)
		if at >= c.entry.Size {
			return n, io.EOF
		}
		w, err := c.span(at - at%spanSize)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], w.data[at-w.start:])
	}
	return n, nil
}

// span returns the bytes from start on.
func (c *sampleContent) span(start int64) (contentSpan, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, w := range c.spans {
		if w.start == start {
			copy(c.spans[1:i+1], c.spans[:i])
			c.spans[0] = w
			return w, nil
		}
	}
	var buf bytes.Buffer
	size := min(spanSize, c.entry.Size-start)
	buf.Grow(int(size))
	if err := content.ReadRange(c.ctx, c.store, c.entry, start, size, &buf); err != nil {
		return contentSpan{}, err
	}
	w := contentSpan{start, buf.Bytes()}
	if len(c.spans) == maxSpans {
		c.spans = c.spans[:maxSpans-1]
	}
	c.spans = append([]contentSpan{w}, c.spans...)
	return w, nil
}
