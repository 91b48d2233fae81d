package cli

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/mlvc/mlvc/core"
)

// treePath turns a path as it was written, relative to the current folder,
// into one relative to the repository's root, with slashes; "." is the root.
func (a *app) treePath(r *core.Repo, written string) (string, error) {
	full := written
	if !filepath.IsAbs(full) {
		full = filepath.Join(a.dir, full)
	}
	rel, ok := below(r.Root(), filepath.Clean(full))
	if !ok {
		// The two may have come by different symbolic links.
		rel, ok = below(realPath(r.Root()), realPath(filepath.Clean(full)))
	}
	if !ok {
		return "", usagef("name a path below "+r.Root(), "%s: outside of the repository", quoted(written))
	}
	if rel == core.Dir || strings.HasPrefix(rel, core.Dir+"/") {
		return "", usagef("name a path of the dataset", "%s: the repository itself is not part of the dataset", quoted(written))
	}
	return rel, nil
}

// treePaths is treePath for all of them.
func (a *app) treePaths(r *core.Repo, written []string) ([]string, error) {
	var paths []string
	for _, w := range written {
		p, err := a.treePath(r, w)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	return paths, nil
}

// treePatterns turns patterns as they were written, relative to the current
// folder, into ones relative to the repository's root. What is wrong with one
// is for core to say.
func (a *app) treePatterns(r *core.Repo, written []string) []string {
	here, ok := below(r.Root(), a.dir)
	if !ok {
		here, ok = below(realPath(r.Root()), realPath(a.dir))
	}
	if !ok || here == "." {
		return written
	}
	here = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(here)
	patterns := make([]string, 0, len(written))
	for _, w := range written {
		if w != "" && !path.IsAbs(w) {
			w = path.Join(here, w)
		}
		patterns = append(patterns, w)
	}
	return patterns
}

func below(root, full string) (string, bool) {
	rel, err := filepath.Rel(root, full)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// realPath follows the links of the folders above a path, as far as they are
// there; the last name itself may be a link of the dataset.
func realPath(full string) string {
	dir, name := filepath.Split(full)
	dir = filepath.Clean(dir)
	if dir == full {
		return full
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return filepath.Join(real, name)
	}
	return filepath.Join(realPath(dir), name)
}

// shown turns a path relative to the root into one relative to the current
// folder, as it is printed.
func (a *app) shown(r *core.Repo, path string) string {
	rel, err := filepath.Rel(a.dir, filepath.Join(r.Root(), filepath.FromSlash(path)))
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}
