package core

import (
	"context"

	"github.com/mlvc/mlvc/refs"
)

// Tags lists the tags, sorted. It takes no lock.
func (r *Repo) Tags(ctx context.Context) ([]NameInfo, error) { return r.names(ctx, refs.Tags) }

// CreateTag names a revision (empty: HEAD) for good. With force a tag that
// exists moves there.
func (r *Repo) CreateTag(ctx context.Context, tag, rev string, force bool) (NameInfo, error) {
	return r.createName(ctx, refs.Tag(tag), rev, force)
}

// DeleteTags deletes tags, all or none.
func (r *Repo) DeleteTags(ctx context.Context, tags []string) (list []NameInfo, err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = firstError(err, s.end()) }()
	var moves []refs.Move
	for _, tag := range tags {
		value, err := s.view.Get(ctx, refs.Tag(tag))
		if err != nil {
			return nil, err
		}
		if value.IsZero() {
			return nil, &NoNameError{Name: refs.Tag(tag)}
		}
		moves = append(moves, refs.Move{Name: refs.Tag(tag), Old: value})
		list = append(list, NameInfo{Name: tag, Commit: value.Commit})
	}
	if len(moves) == 0 {
		return nil, nil
	}
	return list, s.move(ctx, refs.Op{Moves: moves})
}
