package split

import (
	"cmp"
	"context"
	"iter"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// Move is a sample whose split or content differs between two commits.
type Move struct {
	Path string
	// From and To are the splits, "a,b" if several; empty: it was, or is, in
	// none. A table of a scheme of rows is AllRows.
	From, To string
	Old, New *dataset.File // nil: there was, or is, no such file
}

// Moves returns what differs between two split tables and their trees, in path
// order: samples that came, went, moved, or stay and have other content. Files
// that are in no split either time are left out. The cost follows the change.
func Moves(ctx context.Context, g objects.Getter, before, after objects.ID, beforeTree, afterTree prolly.Map) iter.Seq2[Move, error] {
	j := &joiner{g: g, before: prolly.Open(before), after: prolly.Open(after), beforeTree: beforeTree, afterTree: afterTree}
	return func(yield func(Move, error) bool) {
		tables, stopTables := iter.Pull2(prolly.Diff(ctx, g, j.before, j.after))
		defer stopTables()
		trees, stopTrees := iter.Pull2(prolly.Diff(ctx, g, beforeTree, afterTree))
		defer stopTrees()
		table, tableErr, moreTable := tables()
		tree, treeErr, moreTree := trees()
		for moreTable || moreTree {
			if tableErr != nil || treeErr != nil {
				yield(Move{}, cmp.Or(tableErr, treeErr))
				return
			}
			var m Move
			var err error
			inTable := moreTable && (!moreTree || string(table.Key) <= string(tree.Key))
			inTree := moreTree && (!moreTable || string(tree.Key) <= string(table.Key))
			switch {
			case inTable && inTree:
				m, err = j.both(table, tree)
			case inTable:
				m, err = j.moved(ctx, table)
			default:
				m, err = j.content(ctx, tree)
			}
			if (err != nil || m.tells()) && !yield(m, err) || err != nil {
				return
			}
			if inTable {
				table, tableErr, moreTable = tables()
			}
			if inTree {
				tree, treeErr, moreTree = trees()
			}
		}
	}
}

// tells reports whether the move is of a sample, and not of a mode alone.
func (m Move) tells() bool {
	if m.From == "" && m.To == "" {
		return false
	}
	return m.From != m.To || m.Old == nil || m.New == nil || m.Old.Content != m.New.Content
}

type joiner struct {
	g                     objects.Getter
	before, after         prolly.Map
	beforeTree, afterTree prolly.Map
}

func (j *joiner) both(table, tree prolly.Change) (Move, error) {
	c, err := treeChange(tree)
	return Move{string(table.Key), string(table.Old), string(table.New), c.Old, c.New}, err
}

// moved is a sample whose file did not change.
func (j *joiner) moved(ctx context.Context, table prolly.Change) (Move, error) {
	value, _, err := j.afterTree.Get(ctx, j.g, table.Key)
	if err != nil {
		return Move{}, err
	}
	f, err := fileOf(table.Key, value)
	return Move{string(table.Key), string(table.Old), string(table.New), f, f}, err
}

// content is a file whose split did not change.
func (j *joiner) content(ctx context.Context, tree prolly.Change) (Move, error) {
	value, _, err := j.after.Get(ctx, j.g, tree.Key)
	if err != nil || value == nil {
		return Move{}, err
	}
	c, err := treeChange(tree)
	return Move{string(tree.Key), string(value), string(value), c.Old, c.New}, err
}
