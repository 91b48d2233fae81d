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

// UnmatchedError is for paths that neither the commit nor the head has.
type UnmatchedError struct {
	Paths []string
	Where string // what was looked in
}

func (e *UnmatchedError) Error() string {
	return fmt.Sprintf("%s has nothing at %s", e.Where, quoteSome(e.Paths))
}

// cleanPaths returns paths, relative to the root, in order and without those
// below others; "." alone is everything. It fails with worktree.ErrOutside.
func cleanPaths(paths []string) ([]string, error) {
	clean := make([]string, 0, len(paths))
	for _, p := range paths {
		c := path.Clean(p)
		if path.IsAbs(c) || c == ".." || strings.HasPrefix(c, "../") {
			return nil, fmt.Errorf("%q: %w", p, worktree.ErrOutside)
		}
		clean = append(clean, c)
	}
	if slices.Contains(clean, ".") {
		return []string{"."}, nil
	}
	slices.Sort(clean)
	clean = slices.Compact(clean)
	return slices.DeleteFunc(clean, func(p string) bool {
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if _, above := slices.BinarySearch(clean, dir); above {
				return true
			}
		}
		return false
	}), nil
}

// span is a run of a tree's keys; an empty to is the end.
type span struct{ from, to string }

func (s span) items(ctx context.Context, g objects.Getter, m prolly.Map) iter.Seq2[prolly.Item, error] {
	if s.to == "" {
		return m.Range(ctx, g, []byte(s.from), nil)
	}
	return m.Range(ctx, g, []byte(s.from), []byte(s.to))
}

// spansOf returns where paths and what lies below them are in a tree, in
// order.
func spansOf(paths []string) []span {
	if slices.Equal(paths, []string{"."}) {
		return []span{{}}
	}
	var spans []span
	for _, p := range paths {
		spans = append(spans, span{p, p + "\x00"}, span{p + "/", p + "0"}) // '0' follows '/'
	}
	slices.SortFunc(spans, func(a, b span) int { return strings.Compare(a.from, b.from) })
	return spans
}

// changesOf yields what differs between two trees; limited to paths it yields
// all that either tree has there, for the files may be as neither.
func (r *Repo) changesOf(ctx context.Context, from, to objects.ID, paths []string) worktree.Changes {
	return changesIn(ctx, r.store, from, to, paths)
}

func changesIn(ctx context.Context, g objects.Getter, from, to objects.ID, paths []string) worktree.Changes {
	if len(paths) == 0 {
		return treeDiffIn(ctx, g, from, to)
	}
	return func(yield func(worktree.Change, error) bool) {
		for _, s := range spansOf(paths) {
			a, b := s.items(ctx, g, treeMap(from)), s.items(ctx, g, treeMap(to))
			for both, err := range joined(a, b, func(it prolly.Item) string { return string(it.Key) }) {
				var c worktree.Change
				if err == nil {
					c, err = decodeChange(itemChange(both))
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

// pair is what two streams have for a key; nil is nothing.
type pair[T any] struct {
	key  string
	a, b *T
}

// joined joins two sorted streams by their keys.
func joined[T any](a, b iter.Seq2[T, error], key func(T) string) iter.Seq2[pair[T], error] {
	return func(yield func(pair[T], error) bool) {
		nextA, stopA := iter.Pull2(a)
		defer stopA()
		nextB, stopB := iter.Pull2(b)
		defer stopB()
		x, errA, moreA := nextA()
		y, errB, moreB := nextB()
		for moreA || moreB {
			if err := firstError(errA, errB); err != nil {
				yield(pair[T]{}, err)
				return
			}
			var p pair[T]
			if left := x; moreA && (!moreB || key(x) <= key(y)) {
				p.key, p.a = key(left), &left
			}
			if right := y; moreB && (p.a == nil || p.key == key(y)) {
				p.key, p.b = key(right), &right
			}
			if p.a != nil {
				x, errA, moreA = nextA()
			}
			if p.b != nil {
				y, errB, moreB = nextB()
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// itemChange is what becomes of an item from one map to another.
func itemChange(p pair[prolly.Item]) prolly.Change {
	c := prolly.Change{Key: []byte(p.key)}
	if p.a != nil {
		c.Old = p.a.Value
	}
	if p.b != nil {
		c.New = p.b.Value
	}
	return c
}

// checkMatch fails with an *UnmatchedError for paths that none of the trees
// has.
func (r *Repo) checkMatch(ctx context.Context, where string, paths []string, trees ...objects.ID) error {
	return checkMatchIn(ctx, r.store, where, paths, trees...)
}

func checkMatchIn(ctx context.Context, g objects.Getter, where string, paths []string, trees ...objects.ID) error {
	var unmatched []string
	for _, p := range paths {
		found := p == "."
		for _, tree := range trees {
			for _, s := range spansOf([]string{p}) {
				for _, err := range s.items(ctx, g, treeMap(tree)) {
					if err != nil {
						return err
					}
					found = true
					break
				}
			}
		}
		if !found {
			unmatched = append(unmatched, p)
		}
	}
	if unmatched != nil {
		return &UnmatchedError{Paths: unmatched, Where: where}
	}
	return nil
}
