package core

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
	"github.com/mlvc/mlvc/remote"
)

// A repository may leave contents at a remote (Part.Promised). A verb that is
// about to hand out contents first brings those that it needs and that are not
// here, all at once: the requests follow the bytes, not the files. What is
// brought is reached by the commits that name it, so it stays.

// NotHereError says that contents that a verb needs are not here and could
// not be brought. Nothing was touched.
type NotHereError struct {
	Remotes []string // that were asked
	Err     error
}

func (e *NotHereError) Error() string {
	return fmt.Sprintf("contents that are not here could not be brought: %v", e.Err)
}

func (e *NotHereError) Unwrap() error { return e.Err }

type entries = iter.Seq2[objects.Entry, error]

// newEntries yields what changes lead to.
func newEntries(changes worktree.Changes) entries {
	return func(yield func(objects.Entry, error) bool) {
		for change, err := range changes {
			switch {
			case err != nil:
				yield(objects.Entry{}, err)
				return
			case change.New == nil || change.New.Mode == objects.ModeDir:
			case !yield(*change.New, nil):
				return
			}
		}
	}
}

// oneEntry yields a single entry.
func oneEntry(e objects.Entry) entries {
	return func(yield func(objects.Entry, error) bool) { yield(e, nil) }
}

// bring makes contents be here, for a verb that holds no lock. It takes the
// writer lock only if something is missing. It costs nothing where all
// contents are here by right.
func (r *Repo) bring(ctx context.Context, wanted entries) error {
	part, err := r.readPart()
	if err != nil || !part.Promised {
		return err
	}
	if lacks, err := r.lacksAny(ctx, wanted); err != nil || !lacks {
		return err
	}
	s, err := r.begin(ctx)
	if err != nil {
		return err
	}
	return firstError(s.bring(ctx, wanted), s.end())
}

// bring makes contents be here. It fails with a *NotHereError.
func (s *session) bring(ctx context.Context, wanted entries) error {
	part, err := s.readPart()
	if err != nil || !part.Promised {
		return err
	}
	if lacks, err := s.lacksAny(ctx, wanted); err != nil || !lacks {
		return err
	}
	failed := &NotHereError{}
	for _, info := range s.bringFrom(part) {
		err := s.bringThence(ctx, info, wanted)
		if err == nil || ctx.Err() != nil {
			return err
		}
		failed.Remotes, failed.Err = append(failed.Remotes, info.Name), errors.Join(failed.Err, err)
	}
	if failed.Err == nil {
		failed.Err = &NoRemoteError{Name: part.Remote}
	}
	return failed
}

// bringFrom lists the remotes to ask, first the one that promised.
func (r *Repo) bringFrom(part Part) []RemoteInfo {
	var list []RemoteInfo
	if info, err := r.remote(part.Remote); err == nil {
		list = append(list, info)
	}
	for _, info := range r.Remotes() {
		if info.Name != part.Remote {
			list = append(list, info)
		}
	}
	return list
}

func (s *session) bringThence(ctx context.Context, info RemoteInfo, wanted entries) error {
	place, err := s.openPlace(ctx, info)
	if err != nil {
		return err
	}
	if err = place.check(ctx, s.view); err == nil {
		_, err = remote.CopyContents(ctx, s.local(s.tempPath()), place.depot, wanted, s.copyOptions(PhaseReceive, s.tempPath()))
		err = place.failed(err)
	}
	return firstError(err, place.Close())
}

// lookedAt is how many objects are looked up at once.
const lookedAt = 4096

// lacksAny reports whether any content is not here. It stops at the first.
func (r *Repo) lacksAny(ctx context.Context, wanted entries) (bool, error) {
	var ids []objects.ID
	look := func(least int) (bool, error) {
		if len(ids) < least {
			return false, nil
		}
		missing, err := r.store.Missing(ctx, ids)
		ids = ids[:0]
		return len(missing) > 0, err
	}
	for e, err := range wanted {
		if err != nil {
			return false, err
		}
		lacks, err := r.lacksOf(ctx, e, &ids, look)
		if err != nil || lacks {
			return lacks, err
		}
	}
	return look(1)
}

// errLacks ends the walk of a list at a chunk that is not here.
var errLacks = errors.New("not here")

// lacksOf adds the chunks of a content to ids, and looks when there are many.
func (r *Repo) lacksOf(ctx context.Context, e objects.Entry, ids *[]objects.ID, look func(least int) (bool, error)) (bool, error) {
	if e.Size <= objects.SingleChunk {
		*ids = append(*ids, e.Content)
		return look(lookedAt)
	}
	err := chunk.WalkList(ctx, r.store, e.List, func(objects.ID) (bool, error) { return true, nil }, func(run chunk.Run) error {
		*ids = append(*ids, run.ID)
		lacks, err := look(lookedAt)
		if err == nil && lacks {
			err = errLacks
		}
		return err
	})
	if errors.Is(err, errLacks) {
		return true, nil
	}
	return false, err
}
