package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/pack"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Want says what a copy brings.
type Want struct {
	Commits []objects.ID // with all their history
	// Have are commits that dst holds whole: what they reach is not looked at.
	// They need not be at src.
	Have     []objects.ID
	MetaOnly bool // contents are not brought
	// Exact brings nothing that the commits do not reach. Else a pack of which
	// at least half is wanted may come as it is.
	Exact bool
}

// CopyOptions say how a copy works.
type CopyOptions struct {
	FS vfs.FS
	// Temp is a folder for packs that are being written, on the file system of
	// the local store's packs. An interruption may leave files of temporary
	// names in it.
	Temp string
	// Workers is how many packs are sent at once; 0 is a few.
	Workers int
	// Progress is told how far the copy is, by one goroutine at a time. It may be nil.
	Progress func(Progress)
	// Exact is for CopyContents what Want.Exact is for Copy.
	Exact bool
}

// Progress says how far a copy is.
type Progress struct {
	Looked     int   // metadata objects looked at
	Wanted     int64 // objects that dst lacks, so far
	Bytes      int64 // sent, as they lie in packs
	TotalBytes int64 // to send, about; 0 while it is being found out
}

// Copied counts what a copy added to dst.
type Copied struct {
	Objects int64 `json:"objects"`
	Packs   int64 `json:"packs"`
	Bytes   int64 `json:"bytes"` // of the packs
}

// NotHeldError is for an object that is wanted and at neither end. It is
// objects.ErrNotFound to errors.Is.
type NotHeldError struct{ ID objects.ID }

func (e *NotHeldError) Error() string {
	return fmt.Sprintf("object %s is neither here nor at the remote", e.ID)
}

// Unwrap returns objects.ErrNotFound.
func (e *NotHeldError) Unwrap() error { return objects.ErrNotFound }

// Copy brings to dst what commits reach, data packs before metadata. When it
// returns nil dst holds the commits whole (without contents if MetaOnly), and
// everything is durable there; at a depot, visible to others with the next
// Publish. Every object was checked against its ID. Interrupted, or failed, it
// can be called again and goes on with what has arrived: what dst has got
// meanwhile is merely not named by anything. It fails with a *NotHeldError for
// what is at neither end.
func Copy(ctx context.Context, dst, src Endpoint, w Want, opt CopyOptions) (Copied, error) {
	return run(ctx, dst, src, w, opt, func(c *closure) error { return c.run(ctx, w) })
}

// CopyContents brings the contents of entries that dst lacks, as Copy does.
func CopyContents(ctx context.Context, dst, src Endpoint, entries iter.Seq2[objects.Entry, error], opt CopyOptions) (Copied, error) {
	return run(ctx, dst, src, Want{Exact: opt.Exact}, opt, func(c *closure) error { return c.entries(ctx, entries) })
}

func run(ctx context.Context, dst, src Endpoint, w Want, opt CopyOptions, look func(*closure) error) (done Copied, err error) {
	t := newTransfer(dst, src, w.Exact, opt)
	defer func() { err = errors.Join(err, t.close()) }()
	p := newPlan()
	c := newClosure(dst, src, w.MetaOnly, p)
	c.progress = func() {
		t.report(func(now *Progress) { now.Looked, now.Wanted = len(c.seen), p.objects })
	}
	t.near = c.near
	if err := look(c); err != nil {
		return Copied{}, err
	}
	err = t.run(ctx, p)
	return t.copied, err
}

// transfer sends what a plan says.
type transfer struct {
	dst   Endpoint
	src   *source
	near  objects.Getter
	exact bool
	opt   CopyOptions
	pack  *repacker

	mu     sync.Mutex
	now    Progress
	copied Copied
}

const defaultWorkers = 4

func newTransfer(dst, src Endpoint, exact bool, opt CopyOptions) *transfer {
	if opt.Workers < 1 {
		opt.Workers = defaultWorkers
	}
	t := &transfer{dst: dst, src: newSource(dst, src, opt.FS), exact: exact, opt: opt}
	t.pack = newRepacker(t.src, dst, opt, func(x *pack.Index) { t.sent(x.Count, x.Size) })
	return t
}

func (t *transfer) close() error { return errors.Join(t.pack.abort(), t.src.close()) }

func (t *transfer) report(change func(*Progress)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.now)
	if t.opt.Progress != nil {
		t.opt.Progress(t.now)
	}
}

// sent counts a pack that dst has now.
func (t *transfer) sent(count int, size int64) {
	t.report(func(now *Progress) {
		t.copied.Objects += int64(count)
		t.copied.Packs++
		t.copied.Bytes += size
		now.Bytes += size
	})
}

// run sends everything: contents, then metadata. Of each first what is at src
// in no pack, since that may not be there at all; then the packs that go as they
// are, since others may be built on them; then the rest.
func (t *transfer) run(ctx context.Context, p *plan) error {
	if p.objects == 0 {
		return ctx.Err()
	}
	parts, err := p.choose(ctx, t.dst, t.src, t.exact, t.pack.held)
	if err != nil {
		return err
	}
	for _, pt := range parts {
		pt.whole = pt.whole && t.pack.leaving == nil
	}
	t.report(func(now *Progress) {
		for _, pt := range parts {
			if now.TotalBytes += pt.bytes; pt.whole {
				now.TotalBytes += pt.Size - pt.bytes
			}
		}
	})
	for _, typ := range []pack.Type{pack.TypeData, pack.TypeMeta} {
		loose := p.data
		if typ == pack.TypeMeta {
			loose = p.meta
		}
		if err := t.objects(ctx, loose); err != nil {
			return err
		}
		if err := t.packs(ctx, p, parts, typ); err != nil {
			return err
		}
	}
	return t.dst.Sync(ctx)
}

// objects sends single objects.
func (t *transfer) objects(ctx context.Context, ids []objects.ID) error {
	for _, id := range ids {
		o, err := t.near.Get(ctx, id)
		if errors.Is(err, objects.ErrNotFound) {
			err = &NotHeldError{ID: id}
		}
		if err == nil {
			err = t.pack.object(ctx, id, o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// packs sends the packs of a type, and seals what was begun.
func (t *transfer) packs(ctx context.Context, p *plan, parts []*part, typ pack.Type) error {
	for rest := parts; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].wave == rest[0].wave {
			n++
		}
		if err := t.wave(ctx, p, rest[:n], typ); err != nil {
			return err
		}
		rest = rest[n:]
	}
	for _, pt := range parts {
		if pt.Type == typ && pt.whole {
			t.pack.held[pt.ID] = true // which dst may not say before Sync
		}
	}
	for _, pt := range parts {
		if pt.Type != typ || pt.whole {
			continue
		}
		if err := t.pack.part(ctx, pt); err != nil {
			return err
		}
	}
	return t.pack.seal(ctx)
}

// wave sends packs as they are, none of which is built on another. One that is
// built on what could not go as it is after all does not either.
func (t *transfer) wave(ctx context.Context, p *plan, parts []*part, typ pack.Type) error {
	for _, pt := range parts {
		ok, err := p.carried(ctx, t.dst, pt, t.pack.held)
		if err != nil {
			return err
		}
		pt.whole = pt.whole && ok
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(t.opt.Workers)
	for _, pt := range parts {
		if pt.Type != typ || !pt.whole {
			continue
		}
		g.Go(func() error {
			err := t.whole(ctx, pt)
			var lacking *store.LackingBaseError
			if errors.Is(err, ErrDropped) || errors.Is(err, objects.ErrCorrupt) || errors.As(err, &lacking) {
				pt.whole = false // what is sound goes into a new pack
				return ctx.Err()
			}
			return err
		})
	}
	return g.Wait()
}

// whole sends a pack as it is.
func (t *transfer) whole(ctx context.Context, pt *part) error {
	name, temporary, err := t.src.Fetch(ctx, pt.ID)
	if err != nil {
		return err
	}
	if err = t.check(ctx, pt, name); err == nil {
		err = t.dst.AddPack(ctx, pt.ID, name, temporary)
	}
	if temporary && (err == nil || errors.Is(err, objects.ErrCorrupt)) {
		// It may have been moved away; after other errors it is there for the next try.
		t.opt.FS.Remove(name) //nolint:errcheck // see above
	}
	if err != nil {
		return err
	}
	t.sent(pt.Count, pt.Size)
	return nil
}

// check looks whether the pack has what src says that it has.
func (t *transfer) check(ctx context.Context, pt *part, name string) error {
	r, err := pack.Open(t.opt.FS, name, pt.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return &objects.ObjectError{ID: pt.ID, Where: name, Err: err}
	}
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // it was only read
	x, err := r.Index(ctx)
	if err == nil {
		_, err = pt.records(x)
	}
	return err
}
