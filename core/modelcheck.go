package core

import (
	"context"
	"fmt"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/facts"
	"github.com/mlvc/mlvc/core/revision"
)

// ModelCheckOptions say what a model is measured on, and how that is compared
// with what it was trained on.
type ModelCheckOptions struct {
	Model string
	On    string // REV[:SPLIT]
	// Files are files and folders, absolute, in place of On: they need be in no
	// commit.
	Files []string
	// Near is what a near-duplicate means: dataset.Error, which it is if empty,
	// makes it a leak, dataset.Warn tells it, dataset.Off does not look for it.
	Near dataset.Level
}

// ModelCheck says whether what a model is measured on is clean of what it was
// trained on. Clean is a proof within what Methods say was compared, and
// Unread was not.
type ModelCheck struct {
	Model     string       `json:"model"`
	Clean     bool         `json:"clean"`
	Trained   ModelSet     `json:"trained"`
	Evaluated ModelSet     `json:"evaluated"`
	Methods   []LeakMethod `json:"methods"`
	Leaks     []Leak       `json:"leaks,omitempty"` // dataset.MaxFindings of each method at most
	// Unread is what could not be compared, dataset.MaxFindings of each method
	// at most.
	Unread []dataset.Unread `json:"unread,omitempty"`
}

// LeakMethod is one way in which the two were compared.
type LeakMethod struct {
	Method    string        `json:"method"`
	Level     dataset.Level `json:"level"`     // error: what is found are leaks
	Trained   int64         `json:"trained"`   // samples
	Evaluated int64         `json:"evaluated"` // samples
	Leaks     int64         `json:"leaks"`     // samples of those evaluated that it was trained on
	Limits    string        `json:"limits,omitempty"`
	// Skipped says why it was not done; empty: it was.
	Skipped string `json:"skipped,omitempty"`
}

// The methods.
const (
	MethodContent = "content"     // files by their bytes
	MethodRows    = "rows"        // rows of tables by what is in them
	MethodImages  = "near-images" // images by their looks
	MethodTexts   = "near-texts"  // text files by their words
)

// Leak is a sample that a model is measured on and was trained on.
type Leak struct {
	Method    string         `json:"method"`
	Evaluated dataset.Sample `json:"evaluated"`
	Trained   dataset.Sample `json:"trained"`
	Distance  float64        `json:"distance,omitempty"`
	Measure   string         `json:"measure,omitempty"`
}

// CheckModel compares what a model was trained on with what it is measured on.
// Labels, empty files and empty rows are no samples. Which columns do not count
// in rows, and how near is near, is what the mlvc.toml of the commits say. It
// fails with a *NothingToCheckError where a side is empty.
func (r *Repo) CheckModel(ctx context.Context, opt ModelCheckOptions) (ModelCheck, error) {
	m, err := r.Model(ctx, opt.Model)
	if err != nil {
		return ModelCheck{}, err
	}
	c := &modelChecking{Repo: r, opt: opt, res: ModelCheck{Model: m.Model, Trained: seenBy(m)}, facts: r.openFacts()}
	defer c.facts.Close() //nolint:errcheck // facts may be lost
	if err := c.trainedOn(m); err != nil {
		return c.res, err
	}
	if err := c.prepare(ctx); err != nil {
		return c.res, err
	}
	for _, compare := range []func(context.Context) error{c.contents, c.rows, c.near} {
		if err := compare(ctx); err != nil {
			return c.res, err
		}
	}
	if err := c.compared(); err != nil {
		return c.res, err
	}
	c.res.Clean = !slices.ContainsFunc(c.res.Methods, func(m LeakMethod) bool { return m.Level == dataset.Error && m.Leaks > 0 })
	return c.res, nil
}

// modelChecking is one check under way.
type modelChecking struct {
	*Repo
	opt                ModelCheckOptions
	res                ModelCheck
	facts              *facts.Cache
	trained, evaluated *checkedSide
	ignore             []string   // columns that do not count in rows
	limits             check.Near // of near-duplicates
}

// trainedOn fails for a model that has no split that it was trained on: that is
// not what all of the data would be.
func (c *modelChecking) trainedOn(m ModelInfo) error {
	if len(m.Splits) == 0 || len(c.res.Trained.Splits) > 0 {
		return nil
	}
	return &UsageError{
		What: fmt.Sprintf("the link of model %s names no split that it was trained on, only what it was measured on", m.Model),
		Hint: "if it was trained on some of the data, link it with that too: --force --splits train=…",
	}
}

// compared fails where there was nothing to compare, in an empty folder or
// split: what would be called clean would be a slip.
func (c *modelChecking) compared() error {
	switch {
	case c.res.Evaluated.Files == 0:
		return &NothingToCheckError{What: "what the model is to be measured on"}
	case c.res.Trained.Files == 0:
		return &NothingToCheckError{What: "what model " + c.res.Model + " was trained on"}
	}
	return nil
}

// NothingToCheckError is for a side of a check that has no files.
type NothingToCheckError struct{ What string }

func (e *NothingToCheckError) Error() string {
	return fmt.Sprintf("there are no files in %s, so that nothing can be compared", e.What)
}

// prepare opens both sides.
func (c *modelChecking) prepare(ctx context.Context) (err error) {
	switch c.opt.Near {
	case "":
		c.opt.Near = dataset.Error
	case dataset.Error, dataset.Warn, dataset.Off:
	default:
		return &UsageError{What: fmt.Sprintf("%q is no level", c.opt.Near), Hint: "levels are error, warn and off"}
	}
	if c.trained, err = c.openSide(ctx, &c.res.Trained); err != nil {
		return err
	}
	c.limits = c.trained.config.Near
	if len(c.opt.Files) > 0 {
		c.evaluated, err = c.openDisk(ctx, &c.res.Evaluated)
	} else if c.res.Evaluated, err = c.evaluatedSet(ctx, c.opt.On); err == nil {
		c.evaluated, err = c.openSide(ctx, &c.res.Evaluated)
		c.limits = c.evaluatedLimits()
	}
	if err != nil {
		return err
	}
	c.ignore = slices.Compact(slices.Sorted(slices.Values(slices.Concat(c.trained.ignored(), c.evaluated.ignored()))))
	return c.bringSamples(ctx)
}

// evaluatedLimits are those of the evaluated commit, if it says any.
func (c *modelChecking) evaluatedLimits() check.Near {
	if c.evaluated != nil && c.evaluated.config.Near != (check.Near{}) {
		return c.evaluated.config.Near
	}
	return c.limits
}

// evaluatedSet is the set that REV or REV:SPLIT names.
func (r *Repo) evaluatedSet(ctx context.Context, on string) (ModelSet, error) {
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
	if set.Splits, err = namedSplits([]ModelSplit{split}, c, t.ID); err != nil {
		return set, err
	}
	set.Fingerprints, err = fingerprintsOf(set.Splits, c, t.ID)
	return set, err
}
