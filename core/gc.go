package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/store"
)

// GCOptions say what gc may do.
type GCOptions struct {
	// DryRun only counts.
	DryRun bool
	// Grace, if set, stands for gc.grace_minutes of the configuration.
	Grace *time.Duration
}

// GCResult is what gc did or, for a dry run, would do.
type GCResult struct {
	Kept       int           `json:"objects_kept"`
	Operations int           `json:"operations_kept"`
	Marked     store.Garbage `json:"marked"`  // found now; a later run removes it
	Removed    store.Garbage `json:"removed"` // marked before, and removed now
	store.Compacted
	// Due is when what is marked may be removed; zero if nothing is.
	Due time.Time `json:"due,omitzero"`
	// Readers says that something stays because it may still be read.
	Readers bool `json:"readers,omitempty"`
}

// DamagedError is for work that needs a repository without damage.
type DamagedError struct {
	What string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s: the repository is damaged: %v", e.What, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// GC removes what nothing names any more: in one run it is marked, in a later
// one, after the grace time and when no reader from before is left, it is
// removed. Nothing is removed from a damaged repository. It holds the writer
// lock; readers go on.
func (r *Repo) GC(ctx context.Context, opt GCOptions) (res GCResult, err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return GCResult{}, err
	}
	defer func() { err = firstError(err, s.end()) }()
	g := &collecting{session: s, opt: opt, grace: r.config.GC.Grace(), now: r.env.Now()}
	if opt.Grace != nil {
		g.grace = *opt.Grace
	}
	err = g.run(ctx)
	if damagedObject(err) {
		err = &DamagedError{What: "gc removes nothing", Err: err}
	}
	return g.res, err
}

func damagedObject(err error) bool {
	return errors.Is(err, objects.ErrCorrupt) || errors.Is(err, objects.ErrNotFound)
}

// collecting is one run of gc.
type collecting struct {
	*session
	opt   GCOptions
	grace time.Duration
	now   time.Time
	res   GCResult
}

// run does the work in an order that an interruption anywhere leaves right:
//
//  1. Walk from every root; all that is reached must be recorded.
//  2. Remove what an earlier run marked, if its time has come. What was reached
//     since then is not among it: the walk is new, and the operations since
//     the marking are roots.
//  3. If no marks are left, mark what was not reached and begin a generation.
//     Without a grace time and without readers it is removed at once.
//  4. Rewrite packs by what the database names; old packs go when nobody can
//     know the old places.
func (c *collecting) run(ctx context.Context) error {
	marking, pending, err := c.store.Marking(ctx)
	if err != nil {
		return err
	}
	reach, err := c.reachable(ctx, c.now.Add(-c.config.GC.Keep()), marking.Op)
	if err != nil {
		return err
	}
	c.res.Kept, c.res.Operations = reach.live.Len(), reach.ops
	if err := c.complete(ctx, reach.live); err != nil {
		return err
	}
	c.env.Events.Progress(Progress{Phase: PhaseSweep})
	if c.opt.DryRun {
		if c.res.Marked, err = c.store.Garbage(ctx, reach.live); err != nil {
			return err
		}
		c.res.Compacted, err = c.store.Compact(ctx, store.CompactOptions{DryRun: true})
		return err
	}
	if pending {
		if pending, err = c.sweep(ctx, reach.live, marking); err != nil {
			return err
		}
	}
	if !pending {
		if err := c.mark(ctx, reach.live); err != nil {
			return err
		}
	}
	return c.compact(ctx)
}

// complete makes sure that everything reached is recorded: from now on what
// is not counts as dead. Where contents are promised by a remote they may be
// missing, but not before all packs were looked through for them.
func (c *collecting) complete(ctx context.Context, live *store.Live) error {
	part, err := c.readPart()
	if err != nil {
		return err
	}
	meta, chunks, err := c.store.Recorded(ctx, live)
	if err != nil || meta+chunks >= live.Len() {
		return err
	}
	if _, err := c.store.Mend(ctx, live); err != nil {
		return err
	}
	meta, chunks, err = c.store.Recorded(ctx, live)
	if err != nil || meta+chunks >= live.Len() || part.Promised && meta >= live.LenMeta() {
		return err
	}
	return fmt.Errorf("%w: %s", objects.ErrNotFound, count(live.Len()-meta-chunks, "object"))
}

// sweep removes what was marked, if its time has come; it says whether the
// marks are still there.
func (c *collecting) sweep(ctx context.Context, live *store.Live, m store.Marking) (pending bool, err error) {
	if due := m.Time.Add(c.grace); c.now.Before(due) {
		c.res.Due = due
		return true, nil
	}
	unread, err := c.unread(m.Generation)
	if err != nil {
		return true, err
	}
	if !unread {
		c.res.Due, c.res.Readers = m.Time.Add(c.grace), true
		return true, nil
	}
	removed, err := c.store.Sweep(ctx, live)
	c.res.Removed.Objects += removed.Objects
	c.res.Removed.Bytes += removed.Bytes
	return err != nil, err
}

func (c *collecting) mark(ctx context.Context, live *store.Live) error {
	garbage, err := c.store.Garbage(ctx, live)
	if err != nil || garbage.Objects == 0 {
		return err
	}
	before, err := c.beginGeneration()
	if err != nil {
		return err
	}
	m := store.Marking{Generation: before, Time: c.now, Op: c.op}
	if c.res.Marked, err = c.store.Mark(ctx, live, m); err != nil {
		return err
	}
	if c.grace > 0 {
		c.res.Due = c.now.Add(c.grace)
		return nil
	}
	_, err = c.sweep(ctx, live, m)
	return err
}

func (c *collecting) compact(ctx context.Context) error {
	opt := store.CompactOptions{
		Unused: func() (bool, error) {
			unread, err := c.unused()
			c.res.Readers = c.res.Readers || !unread
			return unread, err
		},
		Damaged: func(err error) {
			c.env.Events.Warn(Warning{Code: "damaged_object", Message: fmt.Sprintf("left where it is: %v (run \"mlvc doctor --fix --full\")", err)})
		},
	}
	var err error
	c.res.Compacted, err = c.store.Compact(ctx, opt)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", objects.ErrCorrupt, err)
	}
	return err
}
