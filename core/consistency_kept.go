package core

import (
	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
)

// The kind of facts that the states of schemes, which were applied to trees,
// are. They may be tens of megabytes; package split checks them.
const factSplit = "split-v4"

// splitKey tells a scheme that was applied to a tree from all others.
func splitKey(s objects.Split, tree objects.ID) objects.ID {
	return objects.Derive("mlvc 2026-11-26 split fact v1", []byte(s.Scheme), []byte{0}, s.Table[:], tree[:], []byte(s.Rule))
}

func (e *examining) recall(s objects.Split, tree objects.ID) (state []byte, ok bool) {
	return e.facts.Get(factSplit, splitKey(s, tree))
}

// remember keeps the state, and what was counted if that is certain.
func (e *examining) remember(a split.Assigned, certain bool) {
	e.facts.Put(factSplit, splitKey(a.Split, e.tree), a.State)
	if !certain {
		return
	}
	e.rememberCounts(a.Split, splitCounts{Counts: a.Counts, Samples: a.Samples, Uncovered: a.Found[dataset.RuleCovered]})
}
