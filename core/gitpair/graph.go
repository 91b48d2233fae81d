package gitpair

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/objects"
)

// Naming is one pointer that names a commit of mlvc.
type Naming struct {
	Path   string // the pointer file, from the work tree's root
	Commit objects.ID
}

// graph is what was read of git's commits. Hashes are raw bytes in strings.
type graph struct {
	repo    *Repo
	commits map[string]node
	sets    [][]Naming // distinct; sets[0] is empty
	setOf   map[string]int
	changed bool // since it was loaded

	shallow map[string]bool
	trees   map[string][]Naming     // what the pointers of a tree name; paths from the tree
	blobs   map[string][]objects.ID // what a pointer file names
}

type node struct {
	time    int64
	parents []string
	set     int
}

// maxTrees bounds how many trees are remembered while history is read: one
// that is met again after that is read again.
const maxTrees = 1 << 18

func newGraph(r *Repo) *graph {
	if r.program != nil && len(r.readers) > 1 {
		// `git cat-file` reads a whole history several times as fast.
		bulk := *r
		bulk.readers = []reader{r.program, r.readers[0]}
		r = &bulk
	}
	g := &graph{repo: r, commits: make(map[string]node), setOf: make(map[string]int)}
	g.trees, g.blobs = make(map[string][]Naming), make(map[string][]objects.ID)
	g.intern(nil)
	return g
}

func (g *graph) names(hash string) []Naming { return g.sets[g.commits[hash].set] }

// intern returns the number of a set of namings.
func (g *graph) intern(names []Naming) int {
	key := string(appendSet(nil, names))
	n, ok := g.setOf[key]
	if !ok {
		n = len(g.sets)
		g.sets, g.setOf[key] = append(g.sets, names), n
	}
	return n
}

// How extend takes it when git does not hold what it should: in the history
// of a ref that is damage; a reflog may name what was pruned.
const (
	strict  = false
	lenient = true
)

// extend reads the history of what the tips (commits or tags) name, as far as
// it is not known, and returns the commits that they are.
func (g *graph) extend(ctx context.Context, tips []string, lenient bool) ([]string, error) {
	if err := g.readShallow(); err != nil {
		return nil, err
	}
	var found, stack []string
	for _, tip := range tips {
		raw := unhex(tip)
		if _, known := g.commits[raw]; !known {
			hash, o, err := g.repo.peel(ctx, tip)
			if errors.Is(err, ErrMissing) && lenient {
				continue
			}
			if err != nil {
				return nil, err
			}
			if o.kind != "commit" {
				continue // a tag of a tree or a file
			}
			raw = unhex(hash)
		}
		found = append(found, raw)
		stack = append(stack, raw)
	}
	seen := make(map[string]bool)
	for len(stack) > 0 {
		raw := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[raw] {
			continue
		}
		seen[raw] = true
		err := g.visit(ctx, raw)
		if errors.Is(err, ErrMissing) && lenient {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !g.shallow[raw] {
			stack = append(stack, g.commits[raw].parents...)
		}
	}
	return found, nil
}

// visit reads one commit, unless it is known.
func (g *graph) visit(ctx context.Context, raw string) error {
	if _, known := g.commits[raw]; known {
		return nil
	}
	c, err := g.repo.commit(ctx, hex.EncodeToString([]byte(raw)))
	if err != nil {
		return err
	}
	names, err := g.namesOf(ctx, c.tree)
	if err != nil {
		return err
	}
	n := node{time: c.time, set: g.intern(names)}
	for _, p := range c.parents {
		n.parents = append(n.parents, unhex(p))
	}
	g.commits[raw] = n
	g.changed = true
	return nil
}

func unhex(hash string) string {
	raw, _ := hex.DecodeString(hash) //nolint:errcheck // every hash was checked, or written by git
	return string(raw)
}

// namesOf returns what the pointers of a tree name, sorted.
func (g *graph) namesOf(ctx context.Context, tree string) ([]Naming, error) {
	if names, known := g.trees[tree]; known {
		return names, nil
	}
	entries, err := g.repo.tree(ctx, tree)
	if err != nil {
		return nil, err
	}
	var names []Naming
	for _, e := range entries {
		switch {
		case e.tree:
			below, err := g.namesOf(ctx, e.hash)
			if err != nil {
				return nil, err
			}
			for _, n := range below {
				names = append(names, Naming{path.Join(e.name, n.Path), n.Commit})
			}
		case e.file && isPointerName(e.name):
			ids, err := g.pointer(ctx, e.hash)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.name, err)
			}
			for _, id := range ids {
				names = append(names, Naming{e.name, id})
			}
		}
	}
	slices.SortFunc(names, func(a, b Naming) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return slices.Compare(a.Commit[:], b.Commit[:])
	})
	if len(g.trees) >= maxTrees {
		clear(g.trees)
	}
	g.trees[tree] = names
	return names, nil
}

func (g *graph) pointer(ctx context.Context, hash string) ([]objects.ID, error) {
	if ids, known := g.blobs[hash]; known {
		return ids, nil
	}
	text, err := g.repo.blob(ctx, hash)
	if err != nil {
		return nil, err
	}
	ids := CommitsNamed(text)
	g.blobs[hash] = ids
	return ids, nil
}

// readShallow reads at which commits a shallow clone ends.
func (g *graph) readShallow() error {
	if g.shallow != nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(g.repo.common, "shallow"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	g.shallow = make(map[string]bool)
	for _, hash := range strings.Fields(string(text)) {
		g.shallow[unhex(hash)] = true
	}
	return nil
}
