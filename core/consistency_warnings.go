package core

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
)

// warnings tells what in mlvc.toml is allowed, and may be a slip.
func (e *examining) warnings(ctx context.Context) error {
	warn := func(code, format string, args ...any) {
		e.env.Events.Warn(Warning{Code: code, Message: fmt.Sprintf(format, args...)})
	}
	for _, s := range e.res.Schemes {
		for _, one := range s.Splits {
			if s.Samples > 0 && one.Files+one.Rows == 0 {
				warn("split_empty", "split %s of the scheme %s is empty: nothing is assigned to it", one.Name, s.Scheme)
			}
		}
	}
	e.lostLinks(warn)
	if len(e.parents) == 0 {
		return nil
	}
	c, err := e.commit(ctx, e.parents[0])
	if err != nil {
		return err
	}
	for _, old := range c.Splits {
		was, err := split.ParseRule(old.Scheme, old.Rule)
		if err == nil && splitOf(e.res.splits, old.Scheme) == nil && len(was.Frozen) > 0 {
			warn("frozen_gone", "the scheme %s is gone from mlvc.toml, and with it that %s must not change", old.Scheme, strings.Join(was.Frozen, ", "))
		}
	}
	return nil
}

// lostLinks tells of symbolic links that would be samples if they led to a file of
// the dataset.
func (e *examining) lostLinks(warn func(code, format string, args ...any)) {
	if e.config.Level(dataset.RuleCovered) == dataset.Off {
		return
	}
	var lost []string
	for _, link := range e.files.links.lost[e.tree] {
		if slices.ContainsFunc(e.schemes, func(s split.Scheme) bool { return s.Claims(link) }) {
			lost = append(lost, link)
		}
	}
	if len(lost) == 0 {
		return
	}
	more := ""
	if len(lost) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(lost)-1)
	}
	warn("links", "%s is in no split: the symbolic link leads to no file of the dataset%s", lost[0], more)
}
