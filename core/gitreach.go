package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/store"
)

// gitPointers adds every commit that a pointer in git names, in any ref, stash
// or reflog, in an index or in the work tree. Git's history names commits that
// were never brought here, or only partly: they need not be kept. A git
// repository that cannot be read ends the walk: what it names is not known.
func (w *reach) gitPointers(ctx context.Context) error {
	named, err := w.namedInGit(ctx)
	if err != nil {
		return err
	}
	for _, id := range named {
		if w.live.Has(id) {
			continue
		}
		probe := &reach{session: w.session, live: store.NewLive(), done: w.live}
		err := probe.commits(ctx, id)
		if errors.Is(err, objects.ErrNotFound) {
			continue
		}
		if err == nil {
			err = w.commits(ctx, id)
		}
		if err != nil {
			return fmt.Errorf("commit %s, which a pointer in git names: %w", id.Short(), err)
		}
	}
	return nil
}

// namedInGit lists the commits that pointers name; none if not paired.
func (r *Repo) namedInGit(ctx context.Context) ([]objects.ID, error) {
	p, err := r.readPairing()
	if err != nil || p == nil {
		return nil, err
	}
	history, err := r.gitHistory(ctx)
	if err != nil {
		return nil, fmt.Errorf("what pointers in git name is not known: %w", err)
	}
	named := append(history.NamedCommits(), p.Seen, p.Going)
	if there, err := r.readPointers(); err == nil {
		named = append(named, there.Commit)
	}
	return named, nil
}

// gitHistory reads what pointers in git name.
func (r *Repo) gitHistory(ctx context.Context) (*gitpair.History, error) {
	git, err := openGit(ctx, r.env, r.root)
	if err != nil {
		return nil, err
	}
	defer git.close()
	return git.History(ctx, r.gitCachePath())
}
