package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/core/worktree"
)

// outsChange is what a git commit changed of the outs, beyond its first
// parent: those that both have alike are left out. Both are sorted.
type outsChange struct{ old, new []foreignOut }

// outsOf compares the pointers of a git commit with those of its first parent.
func (im *importing) outsOf(ctx context.Context, c gitpair.RevisionCommit) (outsChange, error) {
	if im.plain[c.ID] {
		return outsChange{}, nil
	}
	parent := ""
	if len(c.Parents) > 0 {
		parent = c.Parents[0]
	}
	seen := make(map[string]bool)
	var d outsChange
	err := im.history.Diff(ctx, parent, c.ID, func(name string, old, new *gitpair.RevisionFile) error {
		pointer, err := im.project.Pointer(name, old, new)
		if err != nil || pointer == "" || seen[pointer] {
			return err
		}
		seen[pointer] = true
		beside := pointer != name
		for _, side := range []struct {
			commit string
			file   *gitpair.RevisionFile
			outs   *[]foreignOut
		}{{parent, old, &d.old}, {c.ID, new, &d.new}} {
			if beside {
				side.file = nil
			} else if side.file == nil {
				continue
			}
			outs, err := im.project.Outs(side.commit, pointer, side.file)
			if err != nil {
				return err
			}
			*side.outs = append(*side.outs, im.inside(outs)...)
		}
		return nil
	})
	if err == nil && len(seen) == 0 {
		im.plain[c.ID] = true
	}
	d.old, d.new = im.tidyOuts(d.old), im.tidyOuts(d.new)
	return d.without(), err
}

// inside makes the paths of outs relative to the repository's folder, and
// leaves out what lies outside of it.
func (im *importing) inside(outs []foreignOut) []foreignOut {
	var in []foreignOut
	for _, o := range outs {
		rel, ok := strings.CutPrefix(path.Clean(o.Path), im.prefix)
		if o.Wrong == "" && (!ok || worktree.CheckPath(rel) != nil || rel == RulesFile || rel == IgnoreFile) {
			im.env.Events.Warn(Warning{Code: "outside", Path: o.Path, Message: fmt.Sprintf("not imported: no path of a dataset in %s", im.root)})
			continue
		}
		o.Path = rel
		in = append(in, o)
	}
	return in
}

// tidyOuts sorts outs in the order of their files, and leaves out those that
// lie in another one.
func (im *importing) tidyOuts(outs []foreignOut) []foreignOut {
	slices.SortFunc(outs, func(a, b foreignOut) int { return strings.Compare(a.span(), b.span()) })
	var tidy []foreignOut
	for _, o := range outs {
		if n := len(tidy); n > 0 && (tidy[n-1].span() == o.span() || tidy[n-1].Dir && strings.HasPrefix(o.Path, tidy[n-1].span())) {
			if tidy[n-1] != o {
				im.env.Events.Warn(Warning{Code: "overlap", Path: o.Path, Message: fmt.Sprintf("not imported: it lies in %q, which is imported", tidy[n-1].span())})
			}
			continue
		}
		tidy = append(tidy, o)
	}
	return tidy
}

// without leaves out what both sides have alike.
func (d outsChange) without() outsChange {
	both := make(map[foreignOut]int)
	for _, o := range d.old {
		both[o] |= 1
	}
	for _, o := range d.new {
		both[o] |= 2
	}
	alike := func(o foreignOut) bool { return both[o] == 3 }
	return outsChange{slices.DeleteFunc(d.old, alike), slices.DeleteFunc(d.new, alike)}
}

// filesOf yields the files of outs in path order. An out that cannot be had is
// one file with the reason; if it is a folder, its path ends in a slash.
func (im *importing) filesOf(ctx context.Context, outs []foreignOut) iter.Seq2[foreignFile, error] {
	return func(yield func(foreignFile, error) bool) {
		for _, o := range outs {
			if !o.Dir || o.Wrong != "" {
				if !yield(foreignFile{Path: o.span(), Hash: o.Hash, Size: o.Size, Exec: o.Exec, Wrong: o.Wrong}, nil) {
					return
				}
				continue
			}
			for f, err := range im.project.Listing(ctx, o.Hash) {
				if e, ok := errors.AsType[*notHeldError](err); ok {
					f, err = foreignFile{Hash: o.Hash + dirOfDVC, Wrong: e.Why}, nil
				} else if err == nil && worktree.CheckPath(o.Path+"/"+f.Path) != nil {
					f.Wrong = "its path is not safe"
				}
				f.Path = o.span() + f.Path
				if !yield(f, err) || err != nil {
					return
				}
			}
		}
	}
}

// foreignChange is a path in which two revisions differ; nil where one has none.
type foreignChange struct {
	path     string
	old, new *foreignFile
}

// changes yields the paths that differ by what the tool says, in path order.
func (im *importing) changes(ctx context.Context, d outsChange) iter.Seq2[foreignChange, error] {
	return func(yield func(foreignChange, error) bool) {
		key := func(f foreignFile) string { return f.Path }
		for p, err := range joined(im.filesOf(ctx, d.old), im.filesOf(ctx, d.new), key) {
			if err != nil {
				yield(foreignChange{}, err)
				return
			}
			if p.a != nil && p.b != nil && p.a.Hash == p.b.Hash && p.a.Exec == p.b.Exec && p.a.Wrong == p.b.Wrong {
				continue
			}
			if !yield(foreignChange{p.key, p.a, p.b}, nil) {
				return
			}
		}
	}
}

// maxTracks bounds the paths that mlvc.toml is given.
const maxTracks = 1000

// tracks finds what the dataset is: the outs of all revisions. Files of which
// a folder has many, as with git-lfs, are tracked by their folder, if no
// revision has a file of git's own in it. What git itself holds by now is not
// tracked, though older commits have it.
func (im *importing) tracks(ctx context.Context) ([]string, error) {
	outs, own := make(map[string]bool), make(map[string]bool)
	for _, id := range im.order {
		c, err := im.history.Commit(id)
		if err != nil {
			return nil, err
		}
		d, err := im.outsOf(ctx, c)
		if err != nil {
			return nil, err
		}
		for _, o := range d.new {
			if o.Wrong == "" {
				outs[o.Path] = true
			}
		}
		if err := im.noteOwn(ctx, c, outs, own); err != nil {
			return nil, err
		}
	}
	if err := im.leaveToGit(outs, own); err != nil {
		return nil, err
	}
	folders := make(map[string]bool)
	for p := range outs {
		if foreignKind(im.opt.From) == fromLFS {
			p = purest(p, own)
		}
		folders[p] = true
	}
	track := outermost(folders)
	if len(track) > maxTracks {
		clear(folders)
		for _, p := range track {
			folders[path.Dir(p)] = true
		}
		track = outermost(folders)
	}
	if len(track) == 0 {
		track = []string{"."}
	}
	return track, nil
}

// noteOwn notes the folders that hold a file which is git's own.
func (im *importing) noteOwn(ctx context.Context, c gitpair.RevisionCommit, outs, own map[string]bool) error {
	if foreignKind(im.opt.From) != fromLFS {
		return nil
	}
	parent := ""
	if len(c.Parents) > 0 {
		parent = c.Parents[0]
	}
	return im.history.Diff(ctx, parent, c.ID, func(name string, _, new *gitpair.RevisionFile) error {
		rel, ok := strings.CutPrefix(name, im.prefix)
		if new == nil || !ok || outs[rel] {
			return nil
		}
		noteFolders(rel, own)
		return nil
	})
}

// noteFolders notes all folders that a path is in.
func noteFolders(name string, in map[string]bool) {
	for dir := path.Dir(name); !in[dir]; dir = path.Dir(dir) {
		in[dir] = true
	}
}

// leaveToGit takes away the outs that git's HEAD has as files of its own.
func (im *importing) leaveToGit(outs, own map[string]bool) error {
	_, head, err := im.history.Head()
	if err != nil || head == "" {
		return err
	}
	for rel := range outs {
		name := im.prefix + rel
		f, ok, err := im.history.File(head, name)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		still := []foreignOut(nil)
		if pointer, err := im.project.Pointer(name, nil, &f); err != nil {
			return err
		} else if pointer == name {
			if still, err = im.project.Outs(head, name, &f); err != nil {
				return err
			}
		}
		if len(still) == 0 {
			delete(outs, rel)
			noteFolders(rel, own)
		}
	}
	return nil
}

// purest returns the outermost folder of a path in which git has nothing of
// its own, or the path itself.
func purest(p string, own map[string]bool) string {
	for dir := path.Dir(p); dir != "." && !own[dir]; dir = path.Dir(dir) {
		p = dir
	}
	return p
}

// outermost sorts paths and leaves out those below another one.
func outermost(paths map[string]bool) []string {
	var out []string
	for p := range paths {
		inner := paths["."] && p != "."
		for dir := path.Dir(p); dir != "." && !inner; dir = path.Dir(dir) {
			inner = paths[dir]
		}
		if !inner {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}
