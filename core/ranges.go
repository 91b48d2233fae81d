package core

import (
	"context"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// ranges are the parts of a tree that some files and folders take, ascending
// and apart from each other: each path itself, and what lies below it.
type ranges []span

// everything is the whole tree.
var everything = ranges{{}}

// cleanPath returns a path below the root as a tree has it; "." is the root.
func cleanPath(p string) (string, error) {
	clean := path.Clean(p)
	if path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("%q: %w", p, worktree.ErrOutside)
	}
	return clean, nil
}

// rangesOf returns the ranges of paths, relative to the root and
// '/'-separated; none are everything, as "." is. It fails with
// worktree.ErrOutside.
func rangesOf(paths []string) (ranges, error) {
	clean, err := cleanPaths(paths)
	if err != nil || len(clean) == 0 {
		return everything, err
	}
	return spansOf(clean), nil
}

// below is the range of what lies in a folder.
func below(folder string) span { return span{folder + "/", folder + "0"} } // '0' follows '/'

// has reports whether the path is in one of the ranges.
func (rs ranges) has(path string) bool {
	i, found := slices.BinarySearchFunc(rs, path, func(k span, p string) int { return strings.Compare(k.from, p) })
	if found {
		return true
	}
	return i > 0 && (rs[i-1].to == "" || path < rs[i-1].to)
}

// entriesIn yields the entries of a tree in the ranges, in path order.
func (r *Repo) entriesIn(ctx context.Context, root objects.ID, rs ranges) iter.Seq2[worktree.TreeEntry, error] {
	return func(yield func(worktree.TreeEntry, error) bool) {
		for _, k := range rs {
			for item, err := range k.items(ctx, r.store, treeMap(root)) {
				var e objects.Entry
				if err == nil {
					e, err = decodeEntry(item.Key, item.Value)
				}
				if !yield(worktree.TreeEntry{Path: string(item.Key), Entry: e}, err) || err != nil {
					return
				}
			}
		}
	}
}

// diffIn yields what differs between two trees in the ranges, in path order.
// The cost follows that alone.
func (r *Repo) diffIn(ctx context.Context, from, to objects.ID, rs ranges) worktree.Changes {
	return func(yield func(worktree.Change, error) bool) {
		for _, k := range rs {
			var end []byte
			if k.to != "" {
				end = []byte(k.to)
			}
			for d, err := range prolly.DiffRange(ctx, r.store, treeMap(from), treeMap(to), []byte(k.from), end) {
				var c worktree.Change
				if err == nil {
					c, err = decodeChange(d)
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

// differsIn reports whether two trees differ in the ranges.
func (r *Repo) differsIn(ctx context.Context, from, to objects.ID, rs ranges) (bool, error) {
	for _, err := range r.diffIn(ctx, from, to, rs) {
		return err == nil, err
	}
	return false, nil
}
