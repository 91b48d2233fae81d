package core

import (
	"context"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/chunk"
)

// stored says whether the store holds every chunk of a content and its list.
func (r *Repo) stored(ctx context.Context, e objects.Entry) (bool, error) {
	ids := []objects.ID{e.Content}
	if e.Size > objects.SingleChunk {
		ids = nil
		err := chunk.WalkList(ctx, r.store, e.List, nil, func(run chunk.Run) error {
			ids = append(ids, run.ID)
			return nil
		})
		if damagedObject(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	missing, err := r.store.Missing(ctx, ids)
	return len(missing) == 0, err
}
