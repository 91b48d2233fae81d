package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// ModelInfo is a model, and the data that it saw.
type ModelInfo struct {
	ModelLink
	Commit objects.ID `json:"commit"` // of the data
	// Link is the commit that records the link; zero where the data commit
	// itself does.
	Link objects.ID `json:"link,omitzero"`
	By   Person     `json:"by"`
	Time time.Time  `json:"time"`

	data objects.Commit
}

// NoModelError is for a model that is not linked.
type NoModelError struct {
	Model string
	Near  []string // models that look like it
}

func (e *NoModelError) Error() string { return fmt.Sprintf("there is no model %s", e.Model) }

// ModelExistsError refuses to link a model that is linked already, otherwise.
type ModelExistsError struct{ Model ModelInfo }

func (e *ModelExistsError) Error() string {
	return fmt.Sprintf("model %s is linked to commit %s already, by %s at %s",
		e.Model.Model, e.Model.Commit.Short(), e.Model.By.Name, e.Model.Time.Format("2006-01-02 15:04"))
}

// modelName is the name of a model in a view. The ID may be written as a
// revision: model:ID.
func modelName(id string) (refs.Name, error) {
	id = strings.TrimPrefix(id, revision.Model+":")
	if id == "" {
		return "", &UsageError{What: "the ID of a model is empty"}
	}
	name := refs.Name(refs.Models + id)
	return name, name.Validate()
}

func modelID(name refs.Name) string { return strings.TrimPrefix(string(name), refs.Models) }

// Models yields the models in the order of their IDs. It takes no lock.
func (r *Repo) Models(ctx context.Context) iter.Seq2[ModelInfo, error] {
	return func(yield func(ModelInfo, error) bool) {
		_, view, _, err := r.current(ctx)
		if err != nil {
			yield(ModelInfo{}, err)
			return
		}
		for ref, err := range view.List(ctx, refs.Models) {
			var m ModelInfo
			if err == nil {
				m, err = r.readModel(ctx, modelID(ref.Name), ref.Value.Commit)
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// Model finds one model. It fails with a *NoModelError.
func (r *Repo) Model(ctx context.Context, id string) (ModelInfo, error) {
	_, view, _, err := r.current(ctx)
	if err != nil {
		return ModelInfo{}, err
	}
	return r.modelIn(ctx, view, id)
}

func (r *Repo) modelIn(ctx context.Context, view refs.View, id string) (ModelInfo, error) {
	name, err := modelName(id)
	if err != nil {
		return ModelInfo{}, err
	}
	value, err := view.Get(ctx, name)
	if err != nil {
		return ModelInfo{}, err
	}
	if value.IsZero() {
		return ModelInfo{}, r.noModel(ctx, view, modelID(name))
	}
	return r.readModel(ctx, modelID(name), value.Commit)
}

// noModel is the error for a model that there is not, with those that have
// the same beginning or end.
func (r *Repo) noModel(ctx context.Context, view refs.View, id string) error {
	const some = 5
	e := &NoModelError{Model: id}
	for ref, err := range view.List(ctx, refs.Models) {
		if err != nil {
			return err
		}
		other := modelID(ref.Name)
		if strings.Contains(other, id) || strings.Contains(id, other) {
			e.Near = append(e.Near, other)
		}
		if len(e.Near) == some {
			break
		}
	}
	return e
}

// readModel reads what a name of a model stands for.
func (r *Repo) readModel(ctx context.Context, id string, at objects.ID) (ModelInfo, error) {
	c, err := r.commit(ctx, at)
	if err != nil {
		return ModelInfo{}, fmt.Errorf("model %s: %w", id, err)
	}
	m := ModelInfo{ModelLink: ModelLink{Model: id}, Commit: at, By: Person(c.Author), Time: c.Time, data: c}
	data, linked := linkedData(c)
	if !linked {
		return m, nil
	}
	m.Link, m.Commit = at, data
	if m.ModelLink, err = ParseModelLink(c.Meta); err != nil {
		return ModelInfo{}, &objects.ObjectError{ID: at, Err: err}
	}
	if m.data, err = r.commit(ctx, data); err != nil {
		return ModelInfo{}, fmt.Errorf("model %s: %w", id, err)
	}
	if m.data.Tree != c.Tree || m.Model != id {
		err := fmt.Errorf("%w: the link of model %s does not have the data that it names", objects.ErrCorrupt, id)
		return ModelInfo{}, &objects.ObjectError{ID: at, Err: err}
	}
	return m, nil
}

// peel returns the data commit of a commit that records a link, and any other
// commit as it is.
func (r *Repo) peel(ctx context.Context, id objects.ID) (objects.ID, error) {
	c, err := r.commit(ctx, id)
	if err != nil {
		return id, err
	}
	if data, linked := linkedData(c); linked {
		return data, nil
	}
	return id, nil
}

// peelModels yields the models of a view with the data commits that they
// stand for. A commit that cannot be read is left to those that need it.
func (r *Repo) peelModels(ctx context.Context, view refs.View) iter.Seq2[peeled, error] {
	return func(yield func(peeled, error) bool) {
		for ref, err := range view.List(ctx, refs.Models) {
			p := peeled{Ref: ref}
			if err == nil {
				p.data, err = r.peel(ctx, ref.Value.Commit)
				if errors.Is(err, objects.ErrCorrupt) || errors.Is(err, objects.ErrNotFound) {
					p.data, err = ref.Value.Commit, nil
				}
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// peeled is a model's name, and the commit of its data.
type peeled struct {
	refs.Ref
	data objects.ID
}
