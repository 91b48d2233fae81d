package core

import (
	"context"
	"slices"

	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// checkModels refuses, before anything is read, models that cannot be linked
// to the commit to come. The IDs are then as they are recorded.
func (c *committing) checkModels(ctx context.Context) error {
	ids := make([]string, 0, len(c.opt.Models))
	for _, id := range c.opt.Models {
		name, err := modelName(id)
		if err != nil {
			return err
		}
		old, err := c.view.Get(ctx, name)
		if err != nil {
			return err
		}
		if !old.IsZero() {
			m, err := c.readModel(ctx, modelID(name), old.Commit)
			if err != nil {
				return err
			}
			return &ModelExistsError{Model: m}
		}
		ids = append(ids, modelID(name))
	}
	slices.Sort(ids)
	c.opt.Models = nil
	if len(ids) > 0 {
		c.opt.Models = slices.Compact(ids)
	}
	return nil
}

// modelMoves link the models to the new commit.
func (c *committing) modelMoves(id objects.ID) []refs.Move {
	moves := make([]refs.Move, 0, len(c.opt.Models))
	for _, model := range c.opt.Models {
		moves = append(moves, refs.Move{Name: refs.Name(refs.Models + model), New: refs.Value{Commit: id}})
	}
	return moves
}

// modelsUnlinked is the error where no commit was made for the models.
func (c *committing) modelsUnlinked() error {
	if len(c.opt.Models) == 0 {
		return nil
	}
	return &UsageError{
		What: "nothing changed, so that no commit was made to link the model to",
		Hint: "mlvc model link " + c.opt.Models[0] + " links it to the last commit; --allow-empty makes a new one",
	}
}
