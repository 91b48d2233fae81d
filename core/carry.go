package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// ObstaclesError refuses to change files because something of the user's
// would be lost. Unless Begun, nothing was touched.
type ObstaclesError struct {
	Verb      string
	Obstacles worktree.Obstacles
	// Begun: these came in the way while files were being changed. All the
	// rest is done, and the work is unfinished.
	Begun bool
}

func (e *ObstaclesError) Error() string {
	first := e.Obstacles.List[0]
	text := fmt.Sprintf("cannot %s: %s in the way: %q %s", e.Verb, count(int(e.Obstacles.Count), "path is", "paths are"), first.Path, first.Reason)
	if e.Obstacles.Count > 1 {
		text += ", …"
	}
	return text
}

// Carried is what was done to the files of a working tree.
type Carried struct {
	Written int64 `json:"written"` // files, links and folders
	Bytes   int64 `json:"bytes"`   // of them
	Removed int64 `json:"removed"`
	// Resumed: work that had been interrupted was finished.
	Resumed bool `json:"resumed,omitempty"`
	// Damaged are the first paths that were left out because their content is
	// damaged or lost; DamagedCount counts them.
	Damaged      []string `json:"damaged,omitempty"`
	DamagedCount int64    `json:"damaged_count,omitempty"`
}

// progressStep is how many paths are done between two looks at progress.
const progressStep = 64

// count counts a result, and says when it is time to show progress.
func (c *Carried) count(r worktree.Result) bool {
	switch {
	case r.Entry == nil:
		c.Removed++
	case r.Written:
		c.Written++
		c.Bytes += r.Entry.Size
	}
	return (c.Written+c.Removed)%progressStep == 0
}

func (c *Carried) leaveOut(path string) {
	c.DamagedCount++
	if len(c.Damaged) < maxNamed {
		c.Damaged = append(c.Damaged, path)
	}
}

// carryOptions say how far to go.
type carryOptions struct {
	force       bool
	skipDamaged bool
	// commit is what the files become, whose splits the part is bound to; zero:
	// none. It does not matter where some paths change alone.
	commit objects.ID
	unseal bool // also what it seals
}

// carry takes the working tree, the index and the names along a piece of work,
// in the order that keeps rule 1 and rule 3:
//
//  1. What is in the way refuses the whole, with nothing touched.
//  2. The work is recorded durably.
//  3. The files are changed, and made durable by one sync of the file system.
//  4. The index is replaced, then the names move.
//  5. The part that the files are now is recorded, and the record removed.
//
// Interrupted anywhere, the same call finishes it: it takes up the record if
// its goal is that of u, and else fails with an *UnfinishedError.
func (s *session) carry(ctx context.Context, u Unfinished, opt carryOptions) (Carried, error) {
	earlier, err := s.earlierWork(ctx)
	if err != nil {
		return Carried{}, err
	}
	if earlier != nil && earlier.Goal != u.Goal {
		return Carried{}, &UnfinishedError{Verb: u.Verb, Work: *earlier}
	}
	if earlier != nil {
		u = *earlier
	} else if err := s.checkMoves(ctx, &u); err != nil {
		return Carried{}, err
	}
	held, err := s.Part(ctx)
	if err != nil {
		return Carried{}, err
	}
	if earlier == nil && len(u.Paths) == 0 {
		if u.Part, err = s.boundPart(ctx, held, u.Part, opt); err != nil {
			return Carried{}, err
		}
	}
	c := &carrying{session: s, opt: opt, from: u.From, to: u.To, held: held, holds: held}
	if c.work, err = c.partly(ctx, u); err != nil {
		return Carried{}, err
	}
	c.res.Resumed = earlier != nil
	if u = c.work; u.From != u.To || len(u.Paths) > 0 || u.Part != nil {
		if err := c.run(ctx); err != nil {
			return c.res, err
		}
	}
	if len(u.Moves) > 0 {
		op := c.work.operation()
		if err := s.move(ctx, op); err != nil {
			return c.res, err
		}
	}
	if c.index == nil && earlier == nil {
		return c.res, nil // no file had to change
	}
	return c.res, c.finish(ctx, &c.work)
}

// boundPart is the part that the files go to, wanted (nil: as held) as the
// splits of the commit make it.
func (s *session) boundPart(ctx context.Context, held Part, wanted *Part, opt carryOptions) (*Part, error) {
	b := binding{unseal: opt.unseal, warn: s.env.Events.Warn}
	if !opt.commit.IsZero() {
		c, err := s.commit(ctx, opt.commit)
		if err != nil {
			return nil, err
		}
		b.splits = c.Splits
	}
	if wanted == nil {
		wanted = &held
	}
	bound := b.bind(*wanted)
	bound.Promised, bound.Remote = false, ""
	return &bound, nil
}

// partly decides which part the files go to.
func (c *carrying) partly(ctx context.Context, u Unfinished) (_ Unfinished, err error) {
	if u.Part == nil || u.Part.sameFiles(c.held) {
		u.Part = nil
		return u, nil
	}
	c.holds, err = u.Part.compile(ctx, c.store)
	return u, err
}

// checkMoves fails where the names could not move at the end of the work.
func (s *session) checkMoves(ctx context.Context, u *Unfinished) error {
	if len(u.Moves) == 0 {
		return nil
	}
	op := u.operation()
	op.When, op.Who = s.env.Now(), s.env.Who
	_, err := refs.Prepare(ctx, s.store, s.op, op)
	return err
}

// abort takes unfinished work back. Each file is as before or as after, and
// goes back; one that is neither was edited since, stays as it is, and is
// returned.
func (s *session) abort(ctx context.Context) (*Unfinished, Carried, worktree.Obstacles, error) {
	u, err := s.earlierWork(ctx)
	if err != nil || u == nil {
		return nil, Carried{}, worktree.Obstacles{}, err
	}
	held, err := s.Part(ctx)
	if err != nil {
		return u, Carried{}, worktree.Obstacles{}, err
	}
	c := &carrying{session: s, work: *u, from: u.To, to: u.From, held: held, holds: held, back: true}
	if u.Part != nil {
		if c.held, err = u.Part.compile(ctx, s.store); err != nil {
			return u, Carried{}, worktree.Obstacles{}, err
		}
	}
	c.work.Token += "-back"
	c.res.Resumed = true
	if err := c.open(ctx); err != nil {
		return u, c.res, worktree.Obstacles{}, err
	}
	defer c.close()
	if err := c.bring(ctx, newEntries(c.changes(ctx))); err != nil {
		return u, c.res, worktree.Obstacles{}, err
	}
	kept, err := c.apply(ctx)
	if err != nil {
		return u, c.res, kept, err
	}
	return u, c.res, kept, c.finish(ctx, nil)
}

// carrying is one run of carry or abort.
type carrying struct {
	*session
	work     Unfinished
	opt      carryOptions
	from, to objects.ID
	back     bool
	// The parts of the dataset that the files are and go to.
	held, holds Part

	index   *worktree.Index
	options worktree.Options
	noted   int64 // the file system's time before anything was looked at
	updates chan worktree.Update
	stands  *standing
	planned objects.Delta // what shall change, for the progress
	res     Carried
}

func (c *carrying) open(ctx context.Context) (err error) {
	if c.index, err = c.loadIndex(ctx, c.head.Tree); err != nil {
		return err
	}
	if c.noted, err = worktree.Clock(c.env.FS, c.tempPath()); err != nil {
		return err
	}
	c.options, err = c.env.applyOptions(c.root, c.tempPath())
	c.options.Index = c.index.Records()
	c.options.Force = c.opt.force
	c.options.Reread = len(c.work.Paths) > 0 && !c.back
	return err
}

func (c *carrying) close() { c.index.Close() } //nolint:errcheck // it was only read

// applyOptions are those of changing files below root; probe is a folder on
// the same disk.
func (e Env) applyOptions(root, probe string) (worktree.Options, error) {
	disk, err := worktree.Probe(e.FS, probe, runtime.GOOS == "windows")
	return worktree.Options{
		FS: e.FS, Root: root, Disk: disk, Hash: hashReader,
		Workers: e.workers(),
	}, err
}

// changes are those of the files.
func (c *carrying) changes(ctx context.Context) worktree.Changes {
	all := c.treeChanges(ctx)
	if c.held.All && c.holds.All {
		return all
	}
	return func(yield func(worktree.Change, error) bool) {
		for change, err := range all {
			if err == nil {
				change = c.ofFiles(change)
			}
			if err == nil && !c.isChange(change) {
				continue
			}
			if !yield(change, err) || err != nil {
				return
			}
		}
	}
}

// treeChanges are those of the trees, and all that both have where the part
// changes.
func (c *carrying) treeChanges(ctx context.Context) worktree.Changes {
	paths := c.work.Paths
	if c.work.Part != nil {
		paths = []string{"."}
	}
	return c.changesOf(ctx, c.from, c.to, paths)
}

// ofFiles is what a change of the trees is for the files of the parts.
func (c *carrying) ofFiles(change worktree.Change) worktree.Change {
	if !c.held.holds(change.Path, change.Old) {
		change.Old = nil
	}
	if !c.holds.holds(change.Path, change.New) {
		change.New = nil
	}
	return change
}

// isChange reports whether a file has to be looked at. Where paths are brought
// back, those that both trees have alike are, too.
func (c *carrying) isChange(change worktree.Change) bool {
	if change.Old == nil || change.New == nil {
		return change.Old != change.New
	}
	return c.work.Part == nil || *change.Old != *change.New
}

// counted adds up on the way what the changes are.
func counted(changes worktree.Changes, sum *objects.Delta) worktree.Changes {
	return func(yield func(worktree.Change, error) bool) {
		for change, err := range changes {
			if err == nil {
				addChange(sum, change)
			}
			if !yield(change, err) {
				return
			}
		}
	}
}

func (c *carrying) run(ctx context.Context) error {
	if err := c.open(ctx); err != nil {
		return err
	}
	defer c.close()
	obstacles, err := worktree.Check(ctx, c.options, counted(c.changes(ctx), &c.planned))
	if err != nil {
		return err
	}
	if obstacles.Count > 0 {
		return &ObstaclesError{Verb: c.work.Verb, Obstacles: obstacles}
	}
	if err := c.bring(ctx, newEntries(c.changes(ctx))); err != nil {
		return err
	}
	if !c.res.Resumed {
		if err := c.beginWork(&c.work); err != nil {
			return err
		}
	}
	_, err = c.apply(ctx)
	return err
}

// apply changes the files and replaces the index. Obstacles are an error
// unless the work is being taken back.
func (c *carrying) apply(ctx context.Context) (worktree.Obstacles, error) {
	w, err := worktree.CreateIndex(c.env.FS, c.indexPath(), c.tempPath())
	if err != nil {
		return worktree.Obstacles{}, err
	}
	c.updates = make(chan worktree.Update, 512)
	var obstacles worktree.Obstacles
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return worktree.Merge(w, c.index.Records(), stream(gctx, c.updates)) })
	group.Go(func() (err error) {
		defer close(c.updates)
		obstacles, err = c.write(gctx)
		return err
	})
	if err := group.Wait(); err != nil {
		return obstacles, errors.Join(err, w.Abort())
	}
	base := c.to
	if len(c.work.Paths) > 0 {
		base = c.head.Tree
	}
	return obstacles, w.Commit(treeMap(base).Root())
}

func (c *carrying) write(ctx context.Context) (worktree.Obstacles, error) {
	if len(c.work.Paths) > 0 || !c.held.All || !c.holds.All {
		c.stands = c.newStanding(ctx)
		defer c.stands.stop()
	}
	job := worktree.Job{
		Source: source{c.store, c.env.workers()},
		Mtime:  time.Unix(0, c.noted).Add(-mtimeBack),
		Token:  c.work.Token,
		Done:   func(r worktree.Result) error { return c.done(ctx, r) },
	}
	if c.opt.skipDamaged {
		job.Damaged = func(path string, err error) error { return c.damaged(ctx, path, err) }
	}
	obstacles, err := worktree.Apply(ctx, c.options, job, c.changes(ctx))
	if err == nil && c.stands != nil {
		err = c.stands.rest()
	}
	if err == nil && obstacles.Count > 0 && !c.back {
		err = &ObstaclesError{Verb: c.work.Verb, Obstacles: obstacles, Begun: true}
	}
	return obstacles, err
}

// mtimeBack is how far before now written files get their mtime: more than
// the 2 s in which the coarsest file systems count.
const mtimeBack = 3 * time.Second

// done notes a path that is as wanted in the index.
func (c *carrying) done(ctx context.Context, r worktree.Result) error {
	base, err := c.inBase(r.Path, r.Entry)
	if err != nil {
		return err
	}
	if c.res.count(r) {
		c.env.Events.Progress(Progress{
			Phase: PhaseWrite, Files: c.res.Written, Bytes: c.res.Bytes,
			TotalFiles: c.planned.Added + c.planned.Changed, TotalBytes: c.planned.AddedBytes + c.planned.ChangedBytes,
		})
	}
	if r.Entry == nil {
		return c.note(ctx, r.Path, base, base, worktree.Stamp{})
	}
	// What was just written has a stat that no later write can leave as it
	// is, for its mtime lies back.
	var stamp worktree.Stamp
	if r.Written || worktree.Trust(r.Stat, c.noted) {
		stamp = worktree.StampOf(r.Stat)
	}
	return c.note(ctx, r.Path, r.Entry, base, stamp)
}

// damaged notes a path whose content could not be had: the file is as it was,
// and differs from the tree.
func (c *carrying) damaged(ctx context.Context, path string, err error) error {
	c.res.leaveOut(path)
	c.env.Events.Warn(Warning{Code: "damaged", Path: path, Message: err.Error()})
	e, _, err := c.lookUp(ctx, c.to, path)
	if err != nil {
		return err
	}
	base, err := c.inBase(path, &e)
	if err != nil {
		return err
	}
	return c.note(ctx, path, base, base, worktree.Stamp{})
}

// note tells the index what a path holds (nil: nothing is known) beside what
// the base tree has for it.
func (c *carrying) note(ctx context.Context, path string, holds, base *objects.Entry, stamp worktree.Stamp) error {
	u := worktree.Update{Path: path}
	if holds != nil {
		u.Record = &worktree.Record{Path: path, Entry: *holds, InTree: base != nil && *base == *holds, Stamp: stamp}
	}
	select {
	case c.updates <- u:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// inBase returns what the new index's base tree has for a path that goes to
// entry: that very entry, but where paths alone change, which leaves the base
// at the head's tree, or where the path lies outside of the part.
func (c *carrying) inBase(path string, entry *objects.Entry) (*objects.Entry, error) {
	if c.stands == nil {
		return entry, nil
	}
	return c.stands.at(path)
}

// finish removes the record of the work; nil if that was taken back.
func (c *carrying) finish(ctx context.Context, done *Unfinished) error {
	c.env.Events.Progress(Progress{Phase: PhaseFinished, Files: c.res.Written, Bytes: c.res.Bytes})
	if c.res.Resumed {
		if err := c.sweepWork(ctx, &c.work); err != nil {
			return err
		}
	}
	return c.endWork(done)
}

// standing says what the base tree of the new index has for the paths of
// changes, asked in path order.
type standing struct {
	next func() (worktree.Change, error, bool)
	stop func()
	old  bool // the base is the tree of the changes' old side
	// passed is told of the changes that were not asked for.
	passed func(worktree.Change) error
}

func (c *carrying) newStanding(ctx context.Context) *standing {
	s := &standing{passed: func(worktree.Change) error { return nil }}
	s.next, s.stop = iter.Pull2(c.treeChanges(ctx))
	if len(c.work.Paths) > 0 {
		s.old = !c.back
		return s
	}
	s.passed = func(change worktree.Change) error {
		if of := c.ofFiles(change); of.Old != nil || of.New != nil {
			return nil
		}
		// No file changes, for both lie outside; yet the index has the base's.
		return c.note(ctx, change.Path, change.New, change.New, worktree.Stamp{})
	}
	return s
}

func (s *standing) at(path string) (*objects.Entry, error) {
	for {
		c, err, ok := s.next()
		switch {
		case err != nil:
			return nil, err
		case !ok:
			return nil, fmt.Errorf("%q is not among the changes", path)
		case c.Path == path && s.old:
			return c.Old, nil
		case c.Path == path:
			return c.New, nil
		}
		if err := s.passed(c); err != nil {
			return nil, err
		}
	}
}

// rest passes the changes that are left.
func (s *standing) rest() error {
	for {
		c, err, ok := s.next()
		if err != nil || !ok {
			return err
		}
		if err := s.passed(c); err != nil {
			return err
		}
	}
}

// stream yields what comes through a channel.
func stream(ctx context.Context, updates <-chan worktree.Update) iter.Seq2[worktree.Update, error] {
	return func(yield func(worktree.Update, error) bool) {
		for {
			select {
			case u, ok := <-updates:
				if !ok || !yield(u, nil) {
					return
				}
			case <-ctx.Done():
				yield(worktree.Update{}, ctx.Err())
				return
			}
		}
	}
}
