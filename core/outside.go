package core

import (
	"context"
	"iter"
	"path"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// scan is worktree.Scan of a working tree that holds a part of a tree. What
// the tree has outside of the part stays as it is, so that nothing is told
// which would contradict it:
//
//  1. a folder is no empty one if the tree has something outside of the part
//     below it;
//  2. a new file, or another one than the tree has, is outside of the part too
//     if the tree has a file outside of it at the path or above it.
func (r *Repo) scan(ctx context.Context, part Part, tree objects.ID, opt worktree.ScanOptions) iter.Seq2[worktree.Item, error] {
	if part.All {
		return worktree.Scan(ctx, opt)
	}
	opt.Outside = part.outside()
	o := &outside{Repo: r, part: part, tree: tree}
	o.files = newFolders(o.isFile)
	return func(yield func(worktree.Item, error) bool) {
		for item, err := range worktree.Scan(ctx, opt) {
			told := true
			if err == nil && (item.Record == nil || !item.Record.InTree) {
				told, err = o.judge(ctx, &item)
			}
			if told && !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// outside looks what a tree has outside of a part.
type outside struct {
	*Repo
	part  Part
	tree  objects.ID
	files *folders // with a file outside of the part at them or above
}

// judge makes an item that is not known to be of the tree what it has to be;
// false leaves it out.
func (o *outside) judge(ctx context.Context, item *worktree.Item) (told bool, err error) {
	has, stays, err := o.entry(ctx, item)
	if err != nil {
		return false, err
	}
	switch item.Kind {
	case worktree.KindMissing, worktree.KindLeft:
		return !stays, nil
	case worktree.KindSkipped:
		if stays {
			item.Record = nil // the path is nothing of the tree's
		}
		return true, nil
	case worktree.KindOutside:
		if has && !stays { // something of the part, which is gone
			item.Kind, item.Stat = worktree.KindMissing, vfs.Stat{}
		}
		return true, nil
	}
	return o.judgeFound(ctx, item, stays)
}

// entry reports whether the tree has an entry at an item's path, and whether
// that lies outside of the part, and so stays.
func (o *outside) entry(ctx context.Context, item *worktree.Item) (has, stays bool, err error) {
	if item.Record == nil {
		return false, false, nil // what the tree has, has a record
	}
	e, has, err := o.lookUp(ctx, o.tree, item.Path)
	return has, has && !o.part.holds(item.Path, &e), err
}

// judgeFound judges a file or a folder on the disk that is of the part by its
// name; blocked says that something outside of the part is at its path.
func (o *outside) judgeFound(ctx context.Context, item *worktree.Item, blocked bool) (told bool, err error) {
	if !blocked {
		blocked, err = o.files.above(ctx, path.Dir(item.Path))
	}
	folder := item.Mode == objects.ModeDir
	if err == nil && !blocked && (folder || o.mayBeFolder(item.Path)) {
		if blocked, err = o.below(ctx, item.Path); blocked && folder {
			return false, err
		}
	}
	if blocked {
		item.Kind, item.Mode = worktree.KindOutside, 0
	}
	return true, err
}

// mayBeFolder: files of this name belong to the part whatever lies below a
// folder of the same name.
func (o *outside) mayBeFolder(name string) bool {
	return len(o.part.Splits) > 0 || name == RulesFile || path.Base(name) == IgnoreFile
}

// isFile reports whether the tree has an entry outside of the part at a path.
func (o *outside) isFile(ctx context.Context, path string) (bool, error) {
	e, ok, err := o.lookUp(ctx, o.tree, path)
	return ok && !o.part.holds(path, &e), err
}

// below reports whether the tree has something outside of the part below a
// folder.
func (o *outside) below(ctx context.Context, dir string) (bool, error) {
	for item, err := range treeMap(o.tree).Prefix(ctx, o.store, []byte(dir+"/")) {
		if err != nil {
			return false, err
		}
		e, err := decodeEntry(item.Key, item.Value)
		if err != nil || !o.part.holds(string(item.Key), &e) {
			return err == nil, err
		}
	}
	return false, nil
}

// OutsideError is for paths that the working tree does not hold.
type OutsideError struct {
	Paths []string
	Part  Part
}

func (e *OutsideError) Error() string {
	return "the working tree holds a part of the dataset, and nothing of it is at " + quoteSome(e.Paths)
}

// checkInside fails with an *OutsideError for paths at which none of the trees
// has anything of the part.
func (r *Repo) checkInside(ctx context.Context, part Part, paths []string, trees ...objects.ID) error {
	return checkInside(ctx, r.store, part, paths, trees...)
}

func checkInside(ctx context.Context, g objects.Getter, part Part, paths []string, trees ...objects.ID) error {
	var out []string
	for _, p := range paths {
		in := part.All || p == "."
		for _, tree := range trees {
			if in || !part.HasFolder(p) && !part.Has(p) {
				break
			}
			var err error
			if in, err = hasInside(ctx, g, part, p, tree); err != nil {
				return err
			}
		}
		if !in {
			out = append(out, p)
		}
	}
	if out != nil {
		return &OutsideError{Paths: out, Part: part}
	}
	return nil
}

// hasInside reports whether a tree has something of the part at a path or
// below it.
func hasInside(ctx context.Context, g objects.Getter, part Part, path string, tree objects.ID) (bool, error) {
	for _, s := range spansOf([]string{path}) {
		for item, err := range s.items(ctx, g, treeMap(tree)) {
			if err != nil {
				return false, err
			}
			e, err := decodeEntry(item.Key, item.Value)
			if err != nil || part.holds(string(item.Key), &e) {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// checkPart fails with an *UnmatchedError for patterns of a part that select
// nothing in a tree; where names the tree.
func (r *Repo) checkPart(ctx context.Context, where string, part Part, tree objects.ID) error {
	left := make(map[string]Part, len(part.Paths))
	for _, pattern := range part.Paths {
		one, err := selectPart([]string{pattern})
		if err != nil {
			return err
		}
		left[pattern] = one
	}
	for e, err := range r.treeEntries(ctx, tree) {
		if err != nil {
			return err
		}
		for pattern, one := range left {
			if one.patterns.Match(e.Path) {
				delete(left, pattern)
			}
		}
		if len(left) == 0 {
			return nil
		}
	}
	var unmatched []string
	for _, pattern := range part.Paths {
		if _, is := left[pattern]; is {
			unmatched = append(unmatched, pattern)
		}
	}
	if unmatched == nil {
		return nil
	}
	return &UnmatchedError{Paths: unmatched, Where: where}
}
