package core

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"sync"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
	"github.com/mlvc/mlvc/objects/prolly"
)

// samples are the files of a tree, as splits and checks see them: a link that
// leads to one of them is it at another path.
type samples struct {
	*Repo
	tree  objects.ID // zero: there are none
	links *links
}

var _ dataset.Files = samples{}

func (r *Repo) samplesOf(tree objects.ID) samples { return samples{r, tree, r.linksOver(r.store)} }

// of are those of another tree, like this one.
func (s samples) of(tree objects.ID) samples { return samples{s.Repo, tree, s.links} }

// seen is the tree that the samples are the files of. Its nodes are in links.
func (s samples) seen(ctx context.Context) (prolly.Map, error) {
	if s.tree.IsZero() {
		return prolly.Map{}, nil
	}
	return s.links.resolved(ctx, s.tree)
}

// changes are what the samples differ in from those of another tree.
func (s samples) changes(ctx context.Context, from objects.ID) (iter.Seq2[split.Change, error], error) {
	before, err := s.of(from).seen(ctx)
	if err != nil {
		return nil, err
	}
	after, err := s.seen(ctx)
	return split.TreeChanges(ctx, s.links, before, after), err
}

// All yields the regular files but the rules, in path order.
func (s samples) All(ctx context.Context) iter.Seq2[dataset.File, error] {
	return func(yield func(dataset.File, error) bool) {
		seen, err := s.seen(ctx)
		if err != nil {
			yield(dataset.File{}, err)
			return
		}
		for item, err := range seen.All(ctx, s.links) {
			f := dataset.File{Path: string(item.Key)}
			if err == nil {
				f.Entry, err = decodeEntry(item.Key, item.Value)
			}
			if err != nil {
				yield(dataset.File{}, err)
				return
			}
			if f.Mode.IsRegular() && !dataset.IsOwn(f.Path) && !yield(f, nil) {
				return
			}
		}
	}
}

// Lookup finds a regular file, the rules included: nothing but All leaves them
// out.
func (s samples) Lookup(ctx context.Context, path string) (*dataset.File, error) {
	seen, err := s.seen(ctx)
	if err != nil {
		return nil, err
	}
	e, ok, err := lookUpIn(ctx, s.links, seen.Root(), path)
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
