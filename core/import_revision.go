package core

import (
	"context"
	"errors"
	"iter"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// importedAt finds the commit that was imported for a git revision (a full
// hash): for that one, or for the nearest before it by first parents, since a
// revision that changed no data made no commit. ok is false if there is none.
func (r *Repo) importedAt(ctx context.Context, git *gitPlace, hash string) (id objects.ID, ok bool, err error) {
	imported, err := r.imported(ctx)
	if err != nil || len(imported) == 0 {
		return id, false, err
	}
	if id, ok = imported[hash]; ok {
		return id, true, nil
	}
	past, err := gitpair.OpenRevisions(git.Root())
	if err != nil {
		return id, false, err
	}
	defer past.Close() //nolint:errcheck // it was only read
	for ctx.Err() == nil {
		c, err := past.Commit(hash)
		if err != nil || len(c.Parents) == 0 {
			return id, false, err
		}
		hash = c.Parents[0]
		if id, ok = imported[hash]; ok {
			return id, true, nil
		}
	}
	return id, false, ctx.Err()
}

// imported returns the commits that names reach and that an import made, by
// the git revision that each was made for.
func (r *Repo) imported(ctx context.Context) (map[string]objects.ID, error) {
	_, view, _, err := r.current(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string]objects.ID)
	for c, err := range r.importedIn(ctx, view) {
		if err != nil {
			return nil, err
		}
		found[c.Git.Revision] = c.ID
	}
	return found, nil
}

// importedIn yields the commits that names of a view reach and that an import
// made.
func (r *Repo) importedIn(ctx context.Context, view refs.View) iter.Seq2[history.Commit, error] {
	return func(yield func(history.Commit, error) bool) {
		var tips []objects.ID
		for ref, err := range view.List(ctx, "") {
			if err != nil {
				yield(history.Commit{}, err)
				return
			}
			if !ref.Value.Commit.IsZero() {
				tips = append(tips, ref.Value.Commit)
			}
		}
		for c, err := range history.Walk(ctx, r.store, tips, history.Options{}) {
			if _, made := importedFor(c.Commit); err == nil && !made {
				continue
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// importedFor returns the git revision that a commit was imported for.
func importedFor(c objects.Commit) (string, bool) {
	if c.Git == nil || c.Meta[MetaImported] == "" {
		return "", false
	}
	return c.Git.Revision, true
}

// dataAt returns the commit whose data go with a git revision: the pointer
// there names it, or it was imported for it.
func (r *Repo) dataAt(ctx context.Context, git *gitPlace, hash string) (objects.ID, error) {
	id, err := git.pointedAt(ctx, r.root, hash)
	var none *NoPointerError
	if errors.As(err, &none) {
		if at, ok, ierr := r.importedAt(ctx, git, hash); ierr != nil || ok {
			return at, ierr
		}
	}
	return id, err
}
