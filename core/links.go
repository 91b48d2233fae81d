package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Links among the samples
//
// Splits are often folders of symbolic links to files that are kept once. To
// splits and checks a link that leads to a regular file of the tree is that file
// at another path: a link in train/ to a test image is a leak. So they are given
// a tree in which such links are replaced by what they lead to. That tree is held
// in memory alone; without links it is the tree itself. A link that leads out of
// the tree, to a folder or to nothing is no sample.

// links finds what the symbolic links of trees lead to. Safe for concurrent use.
type links struct {
	*Repo
	nodes *overlay // of the trees that are made, over all others

	mu      sync.Mutex
	seen    map[objects.ID]prolly.Map // for each tree
	lost    map[objects.ID][]string   // for each tree: links that lead to no file of it
	tree    objects.ID                // the last one that was looked at, and
	targets map[string]string         // its links
}

func (r *Repo) linksOver(nodes objects.Store) *links {
	return &links{Repo: r, nodes: newOverlay(nodes), seen: make(map[objects.ID]prolly.Map), lost: make(map[objects.ID][]string)}
}

var _ objects.Getter = (*links)(nil)

// Get reads a node of a tree as it is, or as it was made, and whatever else the
// store has.
func (l *links) Get(ctx context.Context, id objects.ID) (objects.Object, error) {
	return l.nodes.Get(ctx, id)
}

// resolved is a tree with files in the place of links that lead to them.
func (l *links) resolved(ctx context.Context, tree objects.ID) (prolly.Map, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m, ok := l.seen[tree]; ok {
		return m, nil
	}
	targets, err := l.of(ctx, tree)
	if err != nil {
		return prolly.Map{}, err
	}
	m := prolly.Open(tree)
	if len(targets) > 0 {
		m, err = prolly.Apply(ctx, l.nodes, m, l.edits(ctx, tree, targets))
	}
	if err == nil {
		l.seen[tree] = m
	}
	return m, err
}

// edits put files in the place of links.
func (l *links) edits(ctx context.Context, tree objects.ID, targets map[string]string) iter.Seq2[prolly.Edit, error] {
	return func(yield func(prolly.Edit, error) bool) {
		for _, link := range slices.Sorted(maps.Keys(targets)) {
			to, found := follow(link, targets)
			var e objects.Entry
			var err error
			if found {
				e, found, err = l.lookUp(ctx, tree, to)
			}
			if err == nil && (!found || !e.Mode.IsRegular()) {
				l.lost[tree] = append(l.lost[tree], link)
				continue
			}
			if !yield(prolly.Edit{Key: []byte(link), Value: e.Append(nil)}, err) || err != nil {
				return
			}
		}
	}
}

// maxHops is how many links lead to a file at most, as on Linux.
const maxHops = 40

// follow returns what a path leads to when each link on its way is followed, as
// path_resolution(7) says; false: out of the tree, or around in a circle.
func follow(p string, targets map[string]string) (string, bool) {
	done, rest := "", strings.Split(p, "/")
	for hops := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if done == "" {
				return "", false
			}
			done = strings.TrimPrefix(path.Dir("/"+done), "/")
			continue
		}
		next := path.Join(done, name)
		target, link := targets[next]
		if !link {
			done = next
			continue
		}
		if hops++; hops > maxHops || path.IsAbs(target) {
			return "", false
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return done, true
}

// followLinks returns the file that a path of the disk leads to, and what is there:
// another name where links lead to a file, else the same.
func followLinks(fsys vfs.FS, name string) (string, vfs.Stat, error) {
	st, err := fsys.Lstat(name)
	if err != nil || st.Type != vfs.TypeSymlink {
		return name, st, err
	}
	at := name
	for range maxHops {
		target, err := fsys.Readlink(at)
		if err != nil {
			return name, st, err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(at), target)
		}
		to, err := fsys.Lstat(target)
		switch {
		case err != nil:
			return name, st, fmt.Errorf("%s leads nowhere: %w", name, err)
		case to.Type == vfs.TypeRegular:
			return target, to, nil
		case to.Type != vfs.TypeSymlink:
			return name, st, nil
		}
		at = target
	}
	return name, st, fmt.Errorf("%s leads through more than %d links", name, maxHops)
}

// of returns the links of a tree and their targets. They are kept; where they are
// not, it looks at what differs from the tree before, or at everything.
func (l *links) of(ctx context.Context, tree objects.ID) (targets map[string]string, err error) {
	kept := l.openFacts()
	defer kept.Close() //nolint:errcheck // facts may be lost
	if data, ok := kept.Get(factLinks, tree); ok {
		targets = decodeLinks(data)
	}
	if targets == nil {
		all := true
		if targets, all, err = l.find(ctx, tree); err != nil {
			return nil, err
		}
		if all {
			kept.Put(factLinks, tree, encodeLinks(targets))
		}
	}
	l.tree, l.targets = tree, targets
	return targets, nil
}

// find looks for the links of a tree. all is false where targets of some are not
// here.
func (l *links) find(ctx context.Context, tree objects.ID) (targets map[string]string, all bool, err error) {
	targets, all = maps.Clone(l.targets), true
	if targets == nil {
		targets = make(map[string]string)
	}
	for c, err := range prolly.Diff(ctx, l.store, treeMap(l.tree), treeMap(tree)) {
		if err != nil {
			return nil, false, err
		}
		p := string(c.Key)
		delete(targets, p)
		if c.New == nil || objects.Mode(c.New[0]) != objects.ModeSymlink {
			continue
		}
		target, err := l.target(ctx, p, c.New)
		if _, absent := errors.AsType[*dataset.AbsentError](err); absent {
			all = false
			continue
		}
		if err != nil {
			return nil, false, err
		}
		targets[p] = target
	}
	return targets, all, nil
}

// target reads where a link points.
func (l *links) target(ctx context.Context, p string, value []byte) (string, error) {
	e, err := decodeEntry([]byte(p), value)
	if err != nil {
		return "", err
	}
	c, err := samples{Repo: l.Repo}.Open(ctx, dataset.File{Path: p, Entry: e})
	if err != nil {
		return "", err
	}
	defer c.Close() //nolint:errcheck // it is only read
	target, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	return string(target), err
}

// factLinks is the kind of facts that the links of trees are: each link and its
// target, in the order of paths, a zero byte after each.
const factLinks = "links-v1"

func encodeLinks(targets map[string]string) []byte {
	var data []byte
	for _, p := range slices.Sorted(maps.Keys(targets)) {
		data = append(append(data, p...), 0)
		data = append(append(data, targets[p]...), 0)
	}
	return data
}

func decodeLinks(data []byte) map[string]string {
	targets := make(map[string]string)
	for len(data) > 0 {
		p, rest, _ := bytes.Cut(data, []byte{0})
		target, rest, ok := bytes.Cut(rest, []byte{0})
		if !ok {
			return nil
		}
		targets[string(p)], data = string(target), rest
	}
	return targets
}
