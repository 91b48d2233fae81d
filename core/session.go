package core

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// head is where HEAD stands in a view.
type head struct {
	Branch refs.Name  // empty when detached
	Commit objects.ID // zero on a branch without commits
	Tree   objects.ID // of that commit, or the empty tree
}

// session is one run of a verb that writes: it holds the writer lock from its
// beginning to its end, so that what it adds is not swept before a name
// reaches it.
type session struct {
	*Repo
	lock *lock
	op   objects.ID // the current operation
	view refs.View
	head head

	pointers []string // pointer files that were written
	settles  bool     // what is being made settles a merge that git could not
	// forgotten is the URL of a remote that pointers name no longer.
	forgotten string
	// quietPointers: names move to where the pointers are, which stay.
	quietPointers bool
}

// begin takes the writer lock, sweeps what a crashed run left, and reads the
// current view. Paired with git, HEAD is put on git's branch if that was left
// to do.
func (r *Repo) begin(ctx context.Context) (*session, error) {
	s, err := r.beginFollow(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.attachHead(ctx); err != nil {
		return nil, errors.Join(err, s.end())
	}
	return s, nil
}

// beginFollow is begin for following git itself.
func (r *Repo) beginFollow(ctx context.Context) (*session, error) {
	l, err := acquireLock(ctx, r.env, r.dir)
	if err != nil {
		return nil, err
	}
	s := &session{Repo: r, lock: l}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return s, nil
}

func (s *session) prepare(ctx context.Context) error {
	if err := s.sweepTemp(); err != nil {
		return fmt.Errorf("sweep %s: %w", s.tempPath(), err)
	}
	if err := s.adoptLost(ctx); err != nil {
		return err
	}
	if err := s.reload(ctx); err != nil {
		return err
	}
	return s.mendLost(ctx)
}

// reload reads the current view and where HEAD stands.
func (s *session) reload(ctx context.Context) (err error) {
	s.op, s.view, s.head, err = s.current(ctx)
	if err == nil && !s.op.IsZero() {
		err = s.born()
	}
	return err
}

// end lets others write. What was put and reached by no name is forgotten: it
// lies where only the holder of the lock may have files.
func (s *session) end() error {
	s.store.Discard()
	return s.lock.release()
}

// lookPrefix begins the name of a folder in `.mlvc/tmp` in which a verb that
// holds no lock makes itself an index.
const lookPrefix = "look-"

// lookTime is how long such a folder is left alone; no verb looks for longer.
const lookTime = 24 * time.Hour

// sweepTemp removes what an interrupted run left in `.mlvc/tmp`. Only the
// holder of the lock writes there, and in folders of their own those who look.
func (r *Repo) sweepTemp() error {
	d, err := r.env.FS.OpenDir(r.tempPath())
	if err != nil {
		return err
	}
	names, err := d.Names()
	d.Close() //nolint:errcheck // it was only read
	if err != nil {
		return err
	}
	for _, n := range names {
		name := filepath.Join(r.tempPath(), n.Name)
		if strings.HasPrefix(n.Name, lookPrefix) && r.isYoung(name) {
			continue
		}
		if err := removeAll(r.env.FS, name); err != nil {
			return err
		}
	}
	return nil
}

// isYoung reports whether somebody may still be looking at a folder; also
// when that cannot be told.
func (r *Repo) isYoung(name string) bool {
	st, err := r.env.FS.Lstat(name)
	return err != nil || r.env.Now().Sub(time.Unix(0, st.Mtime)) < lookTime
}

// current reads the current operation, its view, and HEAD in it. A repository
// without operations has an empty view with HEAD on an unborn branch.
func (r *Repo) current(ctx context.Context) (objects.ID, refs.View, head, error) {
	op, err := r.operation(ctx)
	if err != nil {
		return objects.ID{}, refs.View{}, head{}, err
	}
	view, err := r.viewAt(ctx, op)
	if err != nil {
		return objects.ID{}, refs.View{}, head{}, err
	}
	h, err := r.headIn(ctx, view)
	return op, view, h, err
}

func (r *Repo) viewAt(ctx context.Context, op objects.ID) (refs.View, error) {
	return refs.ViewAt(ctx, r.store, op)
}

func (r *Repo) headIn(ctx context.Context, view refs.View) (head, error) {
	value, err := view.Get(ctx, refs.HEAD)
	if err != nil {
		return head{}, err
	}
	h := head{Branch: value.Branch, Commit: value.Commit}
	if value.IsZero() {
		h.Branch = refs.Branch(DefaultBranch)
	}
	if h.Branch != "" {
		value, err := view.Get(ctx, h.Branch)
		if err != nil {
			return head{}, err
		}
		h.Commit = value.Commit
	}
	h.Tree, err = r.treeOf(ctx, h.Commit)
	return h, err
}

// treeOf returns the tree of a commit; zero for the zero commit.
func (r *Repo) treeOf(ctx context.Context, id objects.ID) (objects.ID, error) {
	if id.IsZero() {
		return objects.ID{}, nil
	}
	c, err := r.commit(ctx, id)
	return c.Tree, err
}

// commit reads a commit.
func (r *Repo) commit(ctx context.Context, id objects.ID) (objects.Commit, error) {
	o, err := r.store.Get(ctx, id)
	if err != nil {
		return objects.Commit{}, err
	}
	c, err := objects.DecodeCommit(o)
	if err != nil {
		return objects.Commit{}, &objects.ObjectError{ID: id, Err: err}
	}
	return c, nil
}

// move publishes one change of names: objects and operation are durable
// before the pointer moves.
func (s *session) move(ctx context.Context, op refs.Op) error {
	op.When, op.Who = s.env.Now(), s.env.Who
	if op.Reason == "" {
		op.Reason = s.env.Command
	}
	if _, err := refs.Apply(ctx, s.store, s.pointer, op); err != nil {
		return err
	}
	if err := s.reload(ctx); err != nil {
		return err
	}
	if !s.quietPointers {
		s.pointAtHead(ctx)
	}
	return nil
}
