package worktree

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// ConfigName is the dataset's configuration, at the root of the working tree.
const ConfigName = "mlvc.toml"

// ErrOutside is for a path that leads out of the working tree.
var ErrOutside = errors.New("outside of the working tree")

// selection is a set of paths with all that lies below them. It is fixed once
// made.
type selection struct {
	all   bool
	whole map[string]bool     // the paths themselves
	steps map[string][]string // folder above one → names that lead there, sorted
}

// newSelection selects the paths, relative to the root and '/'-separated; "."
// is everything.
func newSelection(paths []string) (*selection, error) {
	s := &selection{whole: map[string]bool{}, steps: map[string][]string{}}
	for _, p := range paths {
		clean := path.Clean(p)
		switch {
		case clean == ".":
			s.all = true
		case path.IsAbs(clean), clean == "..", strings.HasPrefix(clean, "../"):
			return nil, fmt.Errorf("%q: %w", p, ErrOutside)
		default:
			s.whole[clean] = true
		}
	}
	s.connect()
	return s, nil
}

// newTracked selects what makes up a dataset: the tracked paths, and the
// root's configuration and ignore file.
func newTracked(track []string) (*selection, error) {
	return newSelection(append(slices.Clone(track), ConfigName, IgnoreName))
}

// connect fills steps.
func (s *selection) connect() {
	names := map[string]map[string]bool{}
	for p := range s.whole {
		for p != "" {
			dir, name := splitPath(p)
			if names[dir] == nil {
				names[dir] = map[string]bool{}
			}
			if names[dir][name] {
				break
			}
			names[dir][name] = true
			p = dir
		}
	}
	for dir, set := range names {
		s.steps[dir] = slices.Sorted(maps.Keys(set))
	}
}

// splitPath returns the folder ("" is the root) and the name in it.
func splitPath(p string) (dir, name string) {
	i := strings.LastIndexByte(p, '/')
	return p[:max(i, 0)], p[i+1:]
}

// covers reports whether p is selected, by itself or by a folder above it.
func (s *selection) covers(p string) bool {
	if s.all {
		return true
	}
	for ; p != ""; p, _ = splitPath(p) {
		if s.whole[p] {
			return true
		}
	}
	return false
}

// and returns what both select.
func (s *selection) and(t *selection) *selection {
	if s.all {
		return t
	}
	if t.all {
		return s
	}
	both := &selection{whole: map[string]bool{}, steps: map[string][]string{}}
	for p := range s.whole {
		if t.covers(p) {
			both.whole[p] = true
		}
	}
	for p := range t.whole {
		if s.covers(p) {
			both.whole[p] = true
		}
	}
	both.connect()
	return both
}
