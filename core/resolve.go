package core

import (
	"context"
	"errors"

	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/store"
	"github.com/mlvc/mlvc/refs"
)

// Target is what a revision names.
type Target struct {
	revision.Resolved
	// Path follows REV: in the text, where HasPath says that there is one.
	Path    string
	HasPath bool
}

// revisions is where revisions are looked up.
type revisions struct{ *store.Store }

// Commits implements revision.Source.
func (s revisions) Commits(ctx context.Context, digits string, limit int) ([]objects.ID, error) {
	return s.Find(ctx, digits, objects.KindCommit, limit)
}

// Resolve finds the commit that a revision names: a branch, a tag, HEAD, the
// beginning of an ID, any of these with ~N, ^N and @{…}, git:REV, model:ID, and
// REV:PATH. What records the link of a model stands for the data that it links.
// Errors are those of package revision, a *NoModelError, or those of git.
func (r *Repo) Resolve(ctx context.Context, text string) (Target, error) {
	op, err := r.pointer.Load(ctx)
	if err != nil {
		return Target{}, err
	}
	return r.resolveAt(ctx, op, text)
}

// resolveAt is Resolve in the view of an operation.
func (r *Repo) resolveAt(ctx context.Context, op objects.ID, text string) (Target, error) {
	spec, err := revision.ParseSpec(text)
	if err != nil {
		return Target{}, err
	}
	if spec.Scheme != "" {
		id, err := r.resolveOutside(ctx, op, spec)
		return Target{Resolved: revision.Resolved{ID: id}, Path: spec.Path, HasPath: spec.HasPath}, err
	}
	resolver := revision.Resolver{Source: revisions{r.store}, Op: op, Now: r.env.Now()}
	found, err := resolver.Resolve(ctx, spec.Rev)
	if err == nil && found.Name == "" {
		found.ID, err = r.peel(ctx, found.ID) // by its digits, it may be that of a link
	}
	return Target{Resolved: found, Path: spec.Path, HasPath: spec.HasPath}, err
}

// resolveOutside finds the commit of git:REV and model:ID.
func (r *Repo) resolveOutside(ctx context.Context, op objects.ID, spec revision.Spec) (objects.ID, error) {
	if spec.Scheme == revision.Git {
		return r.resolveGit(ctx, spec.Outside)
	}
	view, err := r.viewAt(ctx, op)
	if err != nil {
		return objects.ID{}, err
	}
	name := refs.Name(refs.Models + spec.Outside)
	if err := name.Validate(); err != nil {
		return objects.ID{}, err
	}
	value, err := view.Get(ctx, name)
	if err != nil {
		return objects.ID{}, err
	}
	if value.IsZero() {
		return objects.ID{}, r.noModel(ctx, view, spec.Outside)
	}
	return r.peel(ctx, value.Commit)
}

// resolveGit finds the commit whose data go with a git revision.
func (r *Repo) resolveGit(ctx context.Context, rev string) (objects.ID, error) {
	git, err := openGit(ctx, r.env, r.root)
	if err != nil {
		return objects.ID{}, err
	}
	defer git.close()
	hash, err := git.Resolve(ctx, rev)
	if err != nil {
		return objects.ID{}, err
	}
	id, err := r.dataAt(ctx, git, hash)
	if err != nil {
		return objects.ID{}, err
	}
	if _, err = r.commit(ctx, id); errors.Is(err, objects.ErrNotFound) {
		err = &UnknownPointerError{File: "the pointer of git:" + rev, Commit: id}
	}
	return id, err
}

// resolveCommit resolves a revision without a path, in the session's view.
func (s *session) resolveCommit(ctx context.Context, text string) (Target, error) {
	t, err := s.resolveAt(ctx, s.op, text)
	if err == nil && t.HasPath {
		err = &revision.SyntaxError{Text: text, Why: "a path in a commit stands where a commit is expected"}
	}
	return t, err
}
