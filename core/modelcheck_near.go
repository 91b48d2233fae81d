package core

import (
	"context"
	"fmt"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/similar"
)

// The sides, as splits to find near-duplicates between.
const (
	sideEvaluated = "evaluated"
	sideTrained   = "trained"
)

// near compares images by their looks and text files by their words. Those of
// one content are not compared: that was done.
func (c *modelChecking) near(ctx context.Context) error {
	images := LeakMethod{Method: MethodImages, Level: c.opt.Near}
	texts := LeakMethod{Method: MethodTexts, Level: c.opt.Near}
	if c.opt.Near == dataset.Off {
		images.Skipped, texts.Skipped = "it was not asked for", "it was not asked for"
		c.res.Methods = append(c.res.Methods, images, texts)
		return nil
	}
	limits := nearLimits(c.limits)
	images.Limits = fmt.Sprintf("%d of 64 bits of dHash differ at most", limits.Images)
	if c.limits.Rotations {
		images.Limits += ", turned and mirrored too"
	}
	texts.Limits = fmt.Sprintf("Jaccard similarity %g at least", limits.Text)
	items, err := c.hashed(ctx, c.evaluated, sideEvaluated)
	if err != nil {
		return err
	}
	trained, err := c.hashed(ctx, c.trained, sideTrained)
	if err != nil {
		return err
	}
	items = append(items, trained...)
	if c.limits.Images < 0 {
		items, images.Skipped = textsOf(items), RulesFile+" turns it off"
	}
	countItems(items, &images, &texts)
	if err := c.pairs(ctx, items, limits, &images, &texts); err != nil {
		return err
	}
	c.res.Methods = append(c.res.Methods, images, texts)
	return nil
}

// countItems counts what is compared, and says where that is nothing.
func countItems(items []similar.Item, images, texts *LeakMethod) {
	for _, i := range items {
		m := images
		if i.Text != nil {
			m = texts
		}
		if i.Split == sideTrained {
			m.Trained++
		} else {
			m.Evaluated++
		}
	}
	for _, m := range []*LeakMethod{images, texts} {
		if m.Skipped == "" && (m.Trained == 0 || m.Evaluated == 0) {
			m.Skipped = "there are none on both sides"
		}
	}
}

// pairs finds the nearest counterpart of each evaluated sample that has any.
// The evaluated items are first, so that pairs name them first.
func (c *modelChecking) pairs(ctx context.Context, items []similar.Item, limits similar.Limits, images, texts *LeakMethod) error {
	at := make(map[string]string) // which split of the set a path is in
	for p, err := range similar.Pairs(ctx, items, limits) {
		if err != nil {
			return err
		}
		if p.A.Split != sideEvaluated {
			continue
		}
		m := images
		if p.Kind == similar.KindText {
			m = texts
		}
		if m.Leaks++; m.Leaks > dataset.MaxFindings {
			continue
		}
		leak := Leak{Method: m.Method, Evaluated: p.A, Trained: p.B}
		leak.Distance, leak.Measure = p.Distance()
		at[sideEvaluated+p.A.Path], at[sideTrained+p.B.Path] = "", ""
		c.res.Leaks = append(c.res.Leaks, leak)
	}
	if len(at) == 0 {
		return nil
	}
	return c.nameSplits(ctx, at)
}

// nameSplits says of near-duplicates which splits they are in, as of all other
// leaks.
func (c *modelChecking) nameSplits(ctx context.Context, at map[string]string) error {
	for side, s := range map[string]*checkedSide{sideEvaluated: c.evaluated, sideTrained: c.trained} {
		for sample, err := range s.whole(ctx) {
			if err != nil {
				return err
			}
			if _, wanted := at[side+sample.Path]; wanted {
				at[side+sample.Path] = sample.Split
			}
		}
	}
	for i := range c.res.Leaks {
		if l := &c.res.Leaks[i]; l.Measure != "" {
			l.Evaluated.Split, l.Trained.Split = at[sideEvaluated+l.Evaluated.Path], at[sideTrained+l.Trained.Path]
		}
	}
	return nil
}

// hashed hashes the images and texts of a side.
func (c *modelChecking) hashed(ctx context.Context, s *checkedSide, name string) ([]similar.Item, error) {
	var n int64
	h := similar.Hasher{Files: s.files, Facts: s.facts, Workers: c.env.workers(), Turns: c.limits.Rotations}
	hashed, err := h.Hash(ctx, func(yield func(similar.Input, error) bool) {
		for f, err := range s.samples(ctx) {
			if err == nil && (f.Rows || isTable(f.Path)) {
				continue // a table is compared by its rows
			}
			if n++; n%progressStep == 0 {
				c.env.Events.Progress(Progress{Phase: PhaseCheck, Files: n})
			}
			if !yield(similar.Input{File: dataset.File{Path: f.Path, Entry: f.Entry}, Split: name}, err) || err != nil {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	tell := c.unread()
	for _, u := range hashed.Unread {
		tell(u)
	}
	return hashed.Items, nil
}
