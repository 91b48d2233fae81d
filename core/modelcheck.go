package core

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
)

// ModelCheck says whether what a model is measured on is clean of what it was
// trained on. Clean is a proof within what Methods say was compared.
type ModelCheck struct {
	Model     string       `json:"model"`
	Clean     bool         `json:"clean"`
	Trained   ModelSet     `json:"trained"`
	Evaluated ModelSet     `json:"evaluated"`
	Methods   []LeakMethod `json:"methods"`
	Leaks     []Leak       `json:"leaks,omitempty"` // dataset.MaxFindings of each method at most
}

// LeakMethod is one way in which the two were compared.
type LeakMethod struct {
	Method    string `json:"method"`    // content, rows, near
	Trained   int64  `json:"trained"`   // samples
	Evaluated int64  `json:"evaluated"` // samples
	Leaks     int64  `json:"leaks"`     // samples of those evaluated that it was trained on
	Limits    string `json:"limits,omitempty"`
	// Skipped says why it was not done; empty: it was.
	Skipped string `json:"skipped,omitempty"`
}

// MethodContent compares files by their bytes.
const MethodContent = "content"

// Leak is a sample that a model is measured on and was trained on.
type Leak struct {
	Method    string         `json:"method"`
	Evaluated dataset.Sample `json:"evaluated"`
	Trained   dataset.Sample `json:"trained"`
	Distance  float64        `json:"distance,omitempty"`
	Measure   string         `json:"measure,omitempty"`
}

// CheckModel compares what a model was trained on with REV[:SPLIT]. Without
// SPLIT all of REV is evaluated.
func (r *Repo) CheckModel(ctx context.Context, model, on string) (ModelCheck, error) {
	m, err := r.Model(ctx, model)
	if err != nil {
		return ModelCheck{}, err
	}
	c := &modelChecking{Repo: r, res: ModelCheck{Model: m.Model, Trained: seenBy(m)}}
	if c.res.Evaluated, err = r.evaluated(ctx, on); err != nil {
		return c.res, err
	}
	if err := c.contents(ctx); err != nil {
		return c.res, err
	}
	c.res.Clean = !slices.ContainsFunc(c.res.Methods, func(m LeakMethod) bool { return m.Leaks > 0 })
	return c.res, nil
}

// evaluated is the set that REV or REV:SPLIT names.
func (r *Repo) evaluated(ctx context.Context, on string) (ModelSet, error) {
	t, err := r.Resolve(ctx, on)
	if err != nil {
		return ModelSet{}, err
	}
	c, err := r.commit(ctx, t.ID)
	if err != nil {
		return ModelSet{}, err
	}
	set := ModelSet{Commit: t.ID, Tree: c.Tree, data: c}
	if !t.HasPath {
		return set, nil
	}
	split, err := ParseModelSplit(t.Path)
	if err != nil {
		return set, &revision.SyntaxError{Text: on, Why: "what follows the colon is no split"}
	}
	set.Splits = []ModelSplit{split}
	set.Fingerprints, err = fingerprintsOf(set.Splits, c, t.ID)
	return set, err
}

// modelChecking is one check under way.
type modelChecking struct {
	*Repo
	res ModelCheck
}

// contents compares by content, in three passes, so that memory is eight bytes
// for each file that was trained on:
//
//  1. The first bytes of the IDs of all that was trained on, sorted.
//  2. What of that which is evaluated begins as one of them.
//  3. Where the model saw these, by their whole IDs.
func (c *modelChecking) contents(ctx context.Context) error {
	method := LeakMethod{Method: MethodContent}
	trained, err := c.beginnings(ctx, &method)
	if err != nil {
		return err
	}
	var found []inSet
	for file, err := range c.samples(ctx, &c.res.Evaluated, &method.Evaluated) {
		if err != nil {
			return err
		}
		if _, ok := slices.BinarySearch(trained, beginning(file.Entry.Content)); !ok {
			continue
		}
		if method.Leaks++; len(found) < dataset.MaxFindings {
			found = append(found, file)
		}
	}
	if len(found) > 0 {
		if err := c.confirm(ctx, found, &method); err != nil {
			return err
		}
	}
	c.res.Methods = append(c.res.Methods, method)
	return nil
}

func beginning(id objects.ID) uint64 { return binary.BigEndian.Uint64(id[:]) }

// beginnings is the first pass.
func (c *modelChecking) beginnings(ctx context.Context, method *LeakMethod) ([]uint64, error) {
	var all []uint64
	for file, err := range c.samples(ctx, &c.res.Trained, &method.Trained) {
		if err != nil {
			return nil, err
		}
		all = append(all, beginning(file.Entry.Content))
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// samples yields the files of a set that are samples by their bytes, and
// counts them. A file without bytes is none, and of a table whose rows are the
// samples the whole is none.
func (c *modelChecking) samples(ctx context.Context, set *ModelSet, n *int64) func(yield func(inSet, error) bool) {
	set.Files, set.Bytes, *n = 0, 0, 0
	return func(yield func(inSet, error) bool) {
		for file, err := range c.setFiles(ctx, *set) {
			if err == nil {
				set.Files++
				set.Bytes += file.Entry.Size
				if file.Entry.Size == 0 || file.Rows {
					continue
				}
				*n++
			}
			if !yield(file, err) || err != nil {
				return
			}
		}
	}
}

// confirm is the third pass: it keeps what is equal as a whole, and finds where
// the model saw it first.
func (c *modelChecking) confirm(ctx context.Context, found []inSet, method *LeakMethod) error {
	at := make(map[objects.ID]*inSet, len(found))
	for _, file := range found {
		at[file.Entry.Content] = nil
	}
	var again int64
	for file, err := range c.samples(ctx, &c.res.Trained, &again) {
		if err != nil {
			return err
		}
		if first, wanted := at[file.Entry.Content]; wanted && first == nil {
			at[file.Entry.Content] = &file
		}
	}
	for _, file := range found {
		first := at[file.Entry.Content]
		if first == nil {
			method.Leaks-- // it only began as one
			continue
		}
		c.res.Leaks = append(c.res.Leaks, Leak{Method: MethodContent, Evaluated: sampleOf(file), Trained: sampleOf(*first)})
	}
	return nil
}

func sampleOf(f inSet) dataset.Sample {
	s := dataset.Sample{Path: f.Path, Content: f.Entry.Content}
	if len(f.Splits) > 0 {
		s.Split = f.Splits[0].Name()
	}
	return s
}
