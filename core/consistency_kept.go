package core

import (
	"encoding/binary"
	"encoding/json"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/objects"
)

// The kind of facts that splits of trees are.
const factSplit = "split-v2"

// splitFact is what is kept of a scheme that was applied: the state, which may
// be tens of megabytes, and small counts.
type splitFact struct {
	State  []byte
	Counts map[string]split.Count
}

// encode writes the length of the counts, they as JSON, and the state.
func (f splitFact) encode() ([]byte, error) {
	counts, err := json.Marshal(f.Counts)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, binary.MaxVarintLen64+len(counts)+len(f.State))
	out = binary.AppendUvarint(out, uint64(len(counts)))
	return append(append(out, counts...), f.State...), nil
}

// decodeSplitFact reads what encode writes; it keeps the bytes.
func decodeSplitFact(data []byte) (f splitFact, ok bool) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size) {
		return f, false
	}
	counts := data[size : size+int(n)]
	f.State = data[size+int(n):]
	return f, json.Unmarshal(counts, &f.Counts) == nil
}

// splitKey tells a scheme that was applied to a tree from all others.
func splitKey(s objects.Split, tree objects.ID) objects.ID {
	return objects.Derive("mlvc 2026-11-26 split fact v1", []byte(s.Scheme), []byte{0}, s.Table[:], tree[:], []byte(s.Rule))
}

func (e *examining) recall(s objects.Split, tree objects.ID) (splitFact, bool) {
	data, ok := e.facts.Get(factSplit, splitKey(s, tree))
	if !ok {
		return splitFact{}, false
	}
	return decodeSplitFact(data)
}

func (e *examining) remember(a split.Assigned) {
	if data, err := (splitFact{a.State, a.Counts}).encode(); err == nil {
		e.facts.Put(factSplit, splitKey(a.Split, e.tree), data)
	}
	e.rememberCounts(a.Split, splitCounts{Counts: a.Counts, Samples: a.Samples, Uncovered: a.Found[dataset.RuleCovered]})
}
