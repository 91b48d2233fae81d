package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/content"
)

// verifyModelWeights looks at the file of the weights, and where that is gone
// or another one by now, for what was committed of it.
func (r *Repo) verifyModelWeights(ctx context.Context, m ModelInfo, opt ModelVerifyOptions) (ModelVerified, error) {
	part := ModelVerified{Part: "weights", OK: true}
	if m.Weights == nil && opt.Weights != "" {
		return part, &UsageError{
			What: fmt.Sprintf("the link of model %s names no weights, so there is nothing to compare %s with", m.Model, opt.Weights),
			Hint: `leave out --weights, or name them in the link: mlvc model link --force ID --weights FILE`,
		}
	}
	if m.Weights == nil {
		part.Skipped, part.Detail = true, "the link names none"
		return part, nil
	}
	name := opt.Weights
	if name == "" {
		name = r.weightsFile(m.Weights.Name)
	}
	hash, err := Hash(ctx, r.env.FS, name)
	switch {
	case err == nil && hash.Content == m.Weights.Content:
		part.Detail = fmt.Sprintf("%s: %d bytes, BLAKE3 %s", name, hash.Size, hash.Content)
		return part, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return part, err
	}
	if opt.Weights == "" {
		at, err := r.committedWeights(ctx, m)
		if err != nil {
			return part, err
		}
		if !at.IsZero() {
			part.Detail = fmt.Sprintf("%s as commit %s has it: %d bytes, BLAKE3 %s", m.Weights.Name, at.Short(), m.Weights.Size, m.Weights.Content)
			return part, nil
		}
	}
	part.OK = false
	part.Detail = fmt.Sprintf("%s has other bytes: %s, not %s", name, hash.Content.Short(), m.Weights.Content.Short())
	if err != nil {
		part.Detail = fmt.Sprintf("the weights are not at %s on this machine; --weights FILE checks another place", name)
	}
	return part, nil
}

// committedWeights finds a commit that has the weights under their name, the
// one of the model's data first, and reads them: a zero ID says that none has.
// Weights that are kept with the data are mostly overwritten by the next ones.
func (r *Repo) committedWeights(ctx context.Context, m ModelInfo) (objects.ID, error) {
	if filepath.IsAbs(filepath.FromSlash(m.Weights.Name)) {
		return objects.ID{}, nil
	}
	_, view, _, err := r.current(ctx)
	if err != nil {
		return objects.ID{}, err
	}
	tips, err := commitsOf(ctx, view, "")
	if err != nil {
		return objects.ID{}, err
	}
	if read, err := r.readWeights(ctx, m.data.Tree, *m.Weights); read || err != nil {
		return m.Commit, err
	}
	for c, err := range history.Walk(ctx, r.store, tips, history.Options{}) {
		if err != nil {
			return objects.ID{}, err
		}
		if _, linked := linkedData(c.Commit); linked {
			continue // its data are a commit that is met, too
		}
		if read, err := r.readWeights(ctx, c.Tree, *m.Weights); read || err != nil {
			return c.ID, err
		}
	}
	return objects.ID{}, nil
}

// readWeights reads weights out of a tree, every byte checked; false: the tree
// does not have them.
func (r *Repo) readWeights(ctx context.Context, tree objects.ID, weights ModelWeights) (bool, error) {
	e, ok, err := r.lookUp(ctx, tree, weights.Name)
	if err != nil || !ok || e.Content != weights.Content {
		return false, err
	}
	if err := r.bring(ctx, oneEntry(e)); err != nil {
		return false, err
	}
	return true, content.Read(ctx, r.store, e, io.Discard, r.env.workers())
}
