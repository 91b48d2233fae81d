package core

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
)

// LsOptions say what of a commit is listed.
type LsOptions struct {
	Rev string // empty: HEAD
	// Paths are files and folders, relative to the root; of a folder what lies
	// in it is listed. Empty: the root.
	Paths []string
	// Splits limits it to the files of splits, as in CheckoutOptions; of several
	// schemes to what all of them have.
	Splits []string
	// Recursive lists every file; else folders are listed by themselves.
	Recursive bool
	// Totals counts the files of listed folders and their bytes, which reads
	// all of the tree below them.
	Totals bool
}

// ListEntry is one path of a tree.
type ListEntry struct {
	Path    string     `json:"path"`
	Mode    string     `json:"mode"`
	Size    int64      `json:"size"`
	Content objects.ID `json:"content,omitzero"`
	List    objects.ID `json:"list,omitzero"` // the chunk list of a large file
	// Folder says that the entry stands for what lies below it: Files entries
	// of Size bytes if totals were asked for.
	Folder bool  `json:"folder,omitempty"`
	Files  int64 `json:"files,omitempty"`
}

// NotInTreeError is for a path that a commit does not have.
type NotInTreeError struct{ Rev, Path string }

func (e *NotInTreeError) Error() string { return fmt.Sprintf("%q is not in %s", e.Path, e.Rev) }

func listEntry(e worktree.TreeEntry) ListEntry {
	return ListEntry{
		Path: e.Path, Mode: e.Entry.Mode.String(), Size: e.Entry.Size,
		Content: e.Entry.Content, List: e.Entry.List, Folder: e.Entry.Mode == objects.ModeDir,
	}
}

// revTree resolves a revision without a path; empty is HEAD, which may have no
// commit yet.
func (r *Repo) revTree(ctx context.Context, rev string) (DiffSide, error) {
	op, _, h, err := r.current(ctx)
	if err != nil {
		return DiffSide{}, err
	}
	if rev == "" {
		return DiffSide{Name: "HEAD", Commit: h.Commit, tree: h.Tree}, nil
	}
	return r.side(ctx, op, rev)
}

// Ls lists a commit's tree in path order, a folder where what lies in it
// would stand. It fails with a *NotInTreeError for a path that is not there.
func (r *Repo) Ls(ctx context.Context, opt LsOptions) iter.Seq2[ListEntry, error] {
	return func(yield func(ListEntry, error) bool) {
		at, err := r.revTree(ctx, opt.Rev)
		if err != nil {
			yield(ListEntry{}, err)
			return
		}
		paths, err := lsPaths(opt.Paths)
		if err != nil {
			yield(ListEntry{}, err)
			return
		}
		l := &lister{repo: r, tree: at.tree, opt: opt, yield: yield}
		if l.chosen, err = r.chosenFiles(ctx, at, opt.Splits); err != nil {
			yield(ListEntry{}, err)
			return
		}
		for _, p := range paths {
			before := l.found
			err := l.path(ctx, p)
			if err == nil && l.found == before && p != "." {
				err = &NotInTreeError{Rev: at.Name, Path: p}
			}
			if err != nil {
				yield(ListEntry{}, err)
			}
			if err != nil || l.stopped {
				return
			}
		}
	}
}

// chosenFiles are the files of splits of a commit, a set a scheme.
func (r *Repo) chosenFiles(ctx context.Context, at DiffSide, splits []string) ([]hashedPaths, error) {
	filters, err := parseFilters(splits)
	if err != nil || len(filters) == 0 {
		return nil, err
	}
	var c objects.Commit
	if !at.Commit.IsZero() {
		if c, err = r.commit(ctx, at.Commit); err != nil {
			return nil, err
		}
	}
	b := binding{splits: c.Splits, unseal: true, warn: r.env.Events.Warn}
	if filters, err = b.choose(at.Name, filters); err != nil {
		return nil, err
	}
	var sets []hashedPaths
	for _, f := range b.bind(Part{All: true}.filtered(filters)).Splits {
		files := newHashedPaths()
		for item, err := range treeMap(f.Table).All(ctx, r.store) {
			if err != nil {
				return nil, err
			}
			if !f.leaves(strings.Split(string(item.Value), ",")) {
				files.add(item.Key)
			}
		}
		files.sort()
		sets = append(sets, files)
	}
	return sets, nil
}

// lsPaths are the paths that are listed, each once; those below others too,
// since what lies in a folder is not listed with the folder above it.
func lsPaths(paths []string) ([]string, error) {
	if len(paths) == 0 {
		return []string{"."}, nil
	}
	clean := make([]string, 0, len(paths))
	for _, p := range paths {
		c, err := cleanPath(p)
		if err != nil {
			return nil, err
		}
		clean = append(clean, c)
	}
	slices.Sort(clean)
	return slices.Compact(clean), nil
}

// lister lists parts of one tree.
type lister struct {
	repo    *Repo
	tree    objects.ID
	opt     LsOptions
	chosen  []hashedPaths // each has a file that is listed; none: all are
	yield   func(ListEntry, error) bool
	stopped bool // by the consumer
	found   int
}

// isChosen reports whether a file is in the splits asked for.
func (l *lister) isChosen(path string) bool {
	return !slices.ContainsFunc(l.chosen, func(files hashedPaths) bool { return !files.has(path) })
}

func (l *lister) tell(e ListEntry) {
	l.found++
	l.stopped = !l.yield(e, nil)
}

// path lists one file, or what lies in one folder.
func (l *lister) path(ctx context.Context, path string) error {
	if path == "." {
		return l.folder(ctx, "", span{})
	}
	e, ok, err := l.repo.lookUp(ctx, l.tree, path)
	if err != nil {
		return err
	}
	if ok && !l.isChosen(path) {
		return nil
	}
	if ok {
		l.tell(listEntry(worktree.TreeEntry{Path: path, Entry: e}))
		return nil
	}
	return l.folder(ctx, path+"/", below(path))
}

// folder lists a range, whose keys all begin with the prefix.
func (l *lister) folder(ctx context.Context, prefix string, k span) error {
	for {
		rest, err := l.run(ctx, prefix, k)
		if err != nil || rest == "" || l.stopped {
			return err
		}
		k.from = rest
	}
}

// seekAfter is how many entries of a folder are read before what follows it
// is looked up instead.
const seekAfter = 256

// run lists a range to its end, or to the end of a folder that is not worth
// reading: rest is where what follows it begins.
func (l *lister) run(ctx context.Context, prefix string, k span) (rest string, err error) {
	var folder ListEntry // under way; no path: none
	for e, err := range l.repo.entriesIn(ctx, l.tree, ranges{k}) {
		if err != nil {
			return "", err
		}
		if !l.isChosen(e.Path) {
			continue
		}
		if folder.Path != "" && strings.HasPrefix(e.Path, folder.Path+"/") {
			folder.Files++
			folder.Size += e.Entry.Size
			if l.opt.Totals || folder.Files < seekAfter {
				continue
			}
			l.tellFolder(folder)
			return below(folder.Path).to, nil
		}
		if l.tellFolder(folder); l.stopped {
			return "", nil
		}
		folder = ListEntry{}
		name, _, inFolder := strings.Cut(e.Path[len(prefix):], "/")
		if inFolder && !l.opt.Recursive {
			folder = ListEntry{Path: prefix + name, Mode: objects.ModeDir.String(), Folder: true, Files: 1, Size: e.Entry.Size}
			continue
		}
		if l.tell(listEntry(e)); l.stopped {
			return "", nil
		}
	}
	l.tellFolder(folder)
	return "", nil
}

func (l *lister) tellFolder(e ListEntry) {
	if e.Path == "" {
		return
	}
	if !l.opt.Totals {
		e.Files, e.Size = 0, 0
	}
	l.tell(e)
}
