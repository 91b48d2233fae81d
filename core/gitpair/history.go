package gitpair

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mlvc/mlvc/objects"
)

// History is what the pointers in git's history name: everything that is
// reached from a ref, a stash, a reflog, HEAD and what git keeps beside it
// while it merges or rebases, in every work tree, and what is staged.
type History struct {
	graph  *graph
	named  []string     // commits of git reached from branches, tags and remotes, and HEAD; parents first
	others []string     // those reached only from stashes, reflogs and the like
	loose  []objects.ID // named by what no commit of git holds: indexes, trees of merges
	first  map[objects.ID]string
}

// History reads the history. cacheFile remembers it, so that each commit of
// git is read once; it may be missing or damaged, and empty means none.
// In a shallow clone the history ends at its boundary.
func (r *Repo) History(ctx context.Context, cacheFile string) (*History, error) {
	g := r.loadGraph(cacheFile)
	tips, err := r.tips(ctx)
	if err != nil {
		return nil, err
	}
	h := &History{graph: g, loose: tips.loose}
	refs, err := g.extend(ctx, tips.refs, strict)
	if err != nil {
		return nil, err
	}
	others, err := g.extend(ctx, tips.others, lenient)
	if err != nil {
		return nil, err
	}
	r.saveGraph(cacheFile, g)
	seen := make(map[string]bool)
	h.named = g.order(refs, seen)
	h.others = g.order(others, seen)
	for _, id := range tips.trees {
		names, err := g.namesOf(ctx, id)
		if err != nil && !errors.Is(err, ErrMissing) {
			return nil, err
		}
		for _, n := range names {
			h.loose = append(h.loose, n.Commit)
		}
	}
	return h, nil
}

// Commits returns how many commits of git were looked at.
func (h *History) Commits() int { return len(h.named) + len(h.others) }

// NamedCommits returns every commit of mlvc that a pointer names, sorted:
// those of every dataset of the repository, and of text that is no valid
// pointer but names a commit as one does.
func (h *History) NamedCommits() []objects.ID {
	set := make(map[objects.ID]bool)
	for _, id := range h.loose {
		set[id] = true
	}
	used := make(map[int]bool)
	for _, hash := range slices.Concat(h.named, h.others) {
		used[h.graph.commits[hash].set] = true
	}
	for s := range used {
		for _, n := range h.graph.sets[s] {
			set[n.Commit] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b objects.ID) int { return bytes.Compare(a[:], b[:]) })
}

// FirstNaming returns the commit of git, in hexadecimal, that goes with a
// commit of mlvc: the first whose pointer names it. None of its ancestors
// names it; of several the oldest by its committer's time. One that a branch,
// a tag or a remote reaches goes before all others. ok is false if none does.
func (h *History) FirstNaming(id objects.ID) (hash string, ok bool) {
	if h.first == nil {
		h.first = make(map[objects.ID]string)
		for _, hash := range slices.Concat(h.named, h.others) {
			for _, n := range h.graph.names(hash) {
				if _, ok := h.first[n.Commit]; !ok {
					h.first[n.Commit] = fmt.Sprintf("%x", hash)
				}
			}
		}
	}
	hash, ok = h.first[id]
	return hash, ok
}

// order returns the commits reached from tips and not yet in seen, parents
// before children and otherwise by time. It adds them to seen.
func (g *graph) order(tips []string, seen map[string]bool) []string {
	children := make(map[string][]string)
	waits := make(map[string]int) // parents to come first
	ready := &byTime{graph: g}
	stack := slices.Clone(tips)
	for len(stack) > 0 {
		hash := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		c, held := g.commits[hash]
		if !held || seen[hash] {
			continue
		}
		seen[hash] = true
		waits[hash] = 0
		for _, p := range c.parents {
			children[p] = append(children[p], hash)
			stack = append(stack, p)
		}
	}
	for p, list := range children {
		if _, ours := waits[p]; ours {
			for _, child := range list {
				waits[child]++
			}
		}
	}
	for hash, n := range waits {
		if n == 0 {
			ready.list = append(ready.list, hash)
		}
	}
	heap.Init(ready)
	out := make([]string, 0, len(waits))
	for ready.Len() > 0 {
		hash := heap.Pop(ready).(string)
		out = append(out, hash)
		for _, child := range children[hash] {
			if waits[child]--; waits[child] == 0 {
				heap.Push(ready, child)
			}
		}
	}
	return out
}

// byTime is a heap of commits, the oldest first.
type byTime struct {
	graph *graph
	list  []string
}

func (b *byTime) Len() int { return len(b.list) }
func (b *byTime) Less(i, j int) bool {
	s, t := b.graph.commits[b.list[i]].time, b.graph.commits[b.list[j]].time
	return s < t || s == t && b.list[i] < b.list[j]
}
func (b *byTime) Swap(i, j int) { b.list[i], b.list[j] = b.list[j], b.list[i] }
func (b *byTime) Push(x any)    { b.list = append(b.list, x.(string)) }
func (b *byTime) Pop() any {
	last := b.list[len(b.list)-1]
	b.list = b.list[:len(b.list)-1]
	return last
}
