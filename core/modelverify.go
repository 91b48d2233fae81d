package core

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/objects"
)

// ModelVerifyOptions say what of a model is verified.
type ModelVerifyOptions struct {
	Model string
	Full  bool // reads every content of the data
	// Weights is where the weights are, absolute; empty: where the link says.
	Weights string
}

// ModelVerified is what became of one part of a model.
type ModelVerified struct {
	Part string `json:"part"` // data, splits, weights, code
	OK   bool   `json:"ok"`
	// Skipped: the link says nothing of it, or it cannot be looked up here.
	Skipped bool   `json:"skipped,omitempty"`
	Detail  string `json:"detail"`
}

// WrongSplitsError is for splits of a model that are not what its link says.
type WrongSplitsError struct {
	Model  string
	Splits []string // SCHEME/SPLIT
}

func (e *WrongSplitsError) Error() string {
	return fmt.Sprintf("the splits of model %s are not those that it saw: %s", e.Model, strings.Join(e.Splits, ", "))
}

// VerifyModel looks up all that a model's link names, part by part. That a
// part is not as the link says is no error; that it cannot be found out is.
func (r *Repo) VerifyModel(ctx context.Context, opt ModelVerifyOptions) ([]ModelVerified, error) {
	m, err := r.Model(ctx, opt.Model)
	if err != nil {
		return nil, err
	}
	var parts []ModelVerified
	for _, verify := range []func(context.Context, ModelInfo, ModelVerifyOptions) (ModelVerified, error){
		r.verifyModelData, r.verifyModelSplits, r.verifyModelWeights, r.verifyModelCode,
	} {
		part, err := verify(ctx, m, opt)
		if err != nil {
			return parts, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func (r *Repo) verifyModelData(ctx context.Context, m ModelInfo, opt ModelVerifyOptions) (ModelVerified, error) {
	var first *Damage
	res, err := r.Verify(ctx, VerifyOptions{Full: opt.Full, Commits: []objects.ID{m.Commit}}, func(d Damage) error {
		if first == nil {
			first = &d
		}
		return nil
	})
	part := ModelVerified{Part: "data", OK: res.Damaged == 0}
	part.Detail = fmt.Sprintf("commit %s: %s", m.Commit.Short(), count(int(m.data.Delta.Files), "file"))
	switch {
	case first != nil:
		part.Detail = fmt.Sprintf("commit %s: %s damaged or missing, the first %q: %s", m.Commit.Short(), count(int(res.Damaged), "object"), first.Path, first.Error)
	case opt.Full:
		part.Detail += ", every byte read"
	}
	return part, err
}

func (r *Repo) verifyModelSplits(ctx context.Context, m ModelInfo, _ ModelVerifyOptions) (ModelVerified, error) {
	part := ModelVerified{Part: "splits", OK: true}
	if len(m.Splits) == 0 {
		part.Skipped, part.Detail = true, "the link names none: the model saw all of the data"
		return part, nil
	}
	wrong, err := r.wrongSplits(ctx, m.ModelLink, m.data)
	part.OK = len(wrong) == 0
	part.Detail = "made again, fingerprints equal: " + strings.Join(slices.Sorted(maps.Keys(m.Fingerprints)), ", ")
	if !part.OK {
		part.Detail = "not what the model saw: " + strings.Join(wrong, ", ")
	}
	return part, err
}

// wrongSplits lists the splits of a link whose fingerprints are others in the
// commit of its data, or in the data themselves: they are made again from all
// of the splits' samples, whose contents must be here where these are rows.
func (r *Repo) wrongSplits(ctx context.Context, link ModelLink, data objects.Commit) ([]string, error) {
	said, err := fingerprintsOf(link.Splits, data, objects.ID{})
	if none, ok := errors.AsType[*NoSplitError](err); ok {
		return []string{none.Scheme + "/" + none.Split}, nil
	}
	if err != nil {
		return nil, err
	}
	made, err := r.fingerprintsAgain(ctx, link, data)
	if err != nil {
		return nil, err
	}
	var wrong []string
	for name, id := range said {
		if link.Fingerprints[name] != id || made[name] != id {
			wrong = append(wrong, name)
		}
	}
	slices.Sort(wrong)
	return wrong, nil
}

// fingerprintsAgain makes the fingerprints of the schemes that a link names, by
// SCHEME/SPLIT.
func (r *Repo) fingerprintsAgain(ctx context.Context, link ModelLink, data objects.Commit) (map[string]objects.ID, error) {
	made := make(map[string]objects.ID)
	done := make(map[string]bool)
	for _, s := range link.Splits {
		kept := splitOf(data.Splits, s.Scheme)
		if kept == nil || done[s.Scheme] {
			continue
		}
		done[s.Scheme] = true
		if err := r.bringRows(ctx, data.Tree, *kept); err != nil {
			return nil, err
		}
		prints, err := split.Fingerprints(ctx, r.store, *kept, split.Input{Files: r.samplesOf(data.Tree), Rows: splitRows})
		if err != nil {
			return nil, err
		}
		for name, id := range prints {
			made[s.Scheme+"/"+name] = id
		}
	}
	return made, nil
}

// bringRows makes the tables be here whose rows are the samples of a split.
func (r *Repo) bringRows(ctx context.Context, tree objects.ID, of objects.Split) error {
	return r.bring(ctx, func(yield func(objects.Entry, error) bool) {
		for item, err := range treeMap(of.Table).All(ctx, r.store) {
			if err == nil && string(item.Value) != split.AllRows {
				continue
			}
			var e objects.Entry
			ok := false
			if err == nil {
				e, ok, err = r.lookUp(ctx, tree, string(item.Key))
			}
			if (ok || err != nil) && !yield(e, err) || err != nil {
				return
			}
		}
	})
}

func (r *Repo) verifyModelCode(ctx context.Context, m ModelInfo, _ ModelVerifyOptions) (ModelVerified, error) {
	part := ModelVerified{Part: "code", OK: true}
	if m.Code == "" {
		part.Skipped, part.Detail = true, "the link names none"
		return part, nil
	}
	git, err := openGit(ctx, r.env, r.root)
	if errors.Is(err, gitpair.ErrNoRepository) {
		part.Skipped, part.Detail = true, "git "+m.Code+" cannot be looked up: the dataset is in no git repository"
		return part, nil
	}
	if err != nil {
		return part, err
	}
	defer git.close()
	_, err = git.Resolve(ctx, m.Code)
	var none *gitpair.RevisionError
	if errors.As(err, &none) {
		part.OK, part.Detail = false, err.Error()
		return part, nil
	}
	part.Detail = "git " + m.Code + " is there"
	return part, err
}
