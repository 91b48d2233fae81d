package core

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// see finds what is to be seen of the tree.
func (e *examining) see(ctx context.Context) (prolly.Map, error) {
	if len(e.parents) > 0 {
		before, err := e.treeOf(ctx, e.parents[0])
		if err == nil {
			// First, so that of links only those are read that it has not.
			_, err = e.files.of(before).seen(ctx)
		}
		if err != nil && !errors.Is(err, objects.ErrNotFound) { // gc may have cut the history
			return prolly.Map{}, err
		}
	}
	return e.files.seen(ctx)
}

// before is the scheme as the first parent has it; nil: it has none.
func (e *examining) before(ctx context.Context, s split.Scheme) (*check.Before, error) {
	if len(e.parents) == 0 {
		return nil, nil
	}
	c, err := e.commit(ctx, e.parents[0])
	if err != nil {
		return nil, err
	}
	old := splitOf(c.Splits, s.Name)
	if old == nil {
		return nil, nil
	}
	b, err := e.beforeOf(ctx, c, *old)
	if err == nil && e.config.Drift != (check.Drift{}) {
		b.Counts, err = e.countsOf(ctx, c, *old)
	}
	return &b, err
}

func (e *examining) beforeOf(ctx context.Context, c objects.Commit, old objects.Split) (check.Before, error) {
	files := e.files.of(c.Tree)
	seen, err := files.seen(ctx)
	b := check.Before{Rule: e.ruleOf(old.Rule, parsedSchemes(c.Splits)), Tree: seen.Root(), Table: treeMap(old.Table), Fingerprints: old.Fingerprints, Files: files}
	if was, err := split.ParseRule(old.Scheme, old.Rule); err == nil {
		b.Rows = e.schemeRows(was, files)
	}
	return b, err
}

// countsOf counts what the splits of a commit hold.
func (e *examining) countsOf(ctx context.Context, c objects.Commit, s objects.Split) (map[string]split.Count, error) {
	scheme, err := split.ParseRule(s.Scheme, s.Rule)
	if err != nil {
		return nil, nil //nolint:nilerr // a rule of a later version cannot be counted by
	}
	at := &examining{Repo: e.Repo, nodes: e.store, tree: c.Tree, files: e.files.of(c.Tree), facts: e.facts}
	counted, err := (&splitting{examining: at, Commit: c}).count(ctx, s, scheme)
	return counted.Counts, err
}

// The most commits that are looked at for what moved out of an evaluation
// split, and the most split tables of them.
const (
	maxEarlier       = 200
	maxEarlierTables = 16
)

// placing tells split tables apart that place samples otherwise. That of a
// scheme of rows names the tables alone, and the fingerprints are of their rows.
func placing(s split.Scheme, of objects.Split) string {
	if !s.OfRows() {
		return string(of.Table[:])
	}
	b := slices.Clone(of.Table[:])
	for _, name := range slices.Sorted(maps.Keys(of.Fingerprints)) {
		print := of.Fingerprints[name]
		b = append(append(b, name...), print[:]...)
	}
	return string(b)
}

// earlier are the tables of a scheme that commits before the first parent have.
func (e *examining) earlier(ctx context.Context, s split.Scheme, now objects.Split) ([]check.Before, error) {
	var list []check.Before
	if e.config.Level(dataset.RuleMoved) == dataset.Off {
		return nil, nil
	}
	seen := map[string]bool{placing(s, now): true}
	at := objects.ID{}
	if len(e.parents) > 0 {
		at = e.parents[0]
	}
	for n := 0; n < maxEarlier && !at.IsZero() && len(list) < maxEarlierTables; n++ {
		c, err := e.commit(ctx, at)
		if errors.Is(err, objects.ErrNotFound) {
			break // a history that gc has cut
		}
		if err != nil {
			return nil, err
		}
		if old := splitOf(c.Splits, s.Name); old != nil && !seen[placing(s, *old)] {
			seen[placing(s, *old)] = true
			if n > 0 {
				b, err := e.beforeOf(ctx, c, *old)
				if err != nil {
					return nil, err
				}
				list = append(list, b)
			}
		}
		if at = (objects.ID{}); len(c.Parents) > 0 {
			at = c.Parents[0]
		}
	}
	return list, nil
}
