package core

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/objects"
)

// GitEnv is what git tells the programs that it starts. The zero GitEnv is for
// those that git did not start.
type GitEnv struct {
	Dir, WorkTree string // absolute; GIT_DIR and GIT_WORK_TREE
	IndexFile     string // absolute; GIT_INDEX_FILE
}

// gitPlace is the git repository that a dataset lies in, as core asks it.
type gitPlace struct {
	*gitpair.Repo
	env Env
}

// openGit opens the git repository that dir is in.
func openGit(ctx context.Context, env Env, dir string) (*gitPlace, error) {
	repo, err := gitpair.Open(ctx, dir, gitpair.Options{
		FS: env.FS, GitDir: env.Git.Dir, WorkTree: env.Git.WorkTree, IndexFile: env.Git.IndexFile,
	})
	if err != nil {
		return nil, err
	}
	return &gitPlace{repo, env}, nil
}

func (g *gitPlace) close() { g.Close() } //nolint:errcheck // it was only read

// datasets returns the roots of the datasets that are paired in this work
// tree, absolute.
func (g *gitPlace) datasets() ([]string, error) {
	list, err := g.Datasets()
	for i, root := range list {
		list[i] = filepath.Join(g.Root(), filepath.FromSlash(root))
	}
	return list, err
}

// branch returns git's branch; empty if HEAD is detached.
func (g *gitPlace) branch(ctx context.Context) (string, error) {
	h, err := g.Head(ctx)
	return h.Branch, err
}

// hasBranch reports whether git has a branch; also where that cannot be told.
func (g *gitPlace) hasBranch(ctx context.Context, name string) bool {
	_, err := g.Resolve(ctx, "refs/heads/"+name)
	var none *gitpair.RevisionError
	return !errors.As(err, &none)
}

// rel is a name as git has it.
func (g *gitPlace) rel(name string) (string, error) {
	rel, ok := g.Rel(name)
	if !ok || rel == "." {
		return "", fmt.Errorf("%s is not inside of the git work tree %s", name, g.Root())
	}
	return rel, nil
}

// pointersOf finds the pointers of a dataset among those that git has.
func (g *gitPlace) pointersOf(root string, list []gitpair.PointerFile) (pointed, error) {
	var found pointed
	for _, f := range list {
		if !g.belongs(root, f) {
			continue
		}
		if f.Err != nil {
			return pointed{}, f.Err
		}
		if err := found.add(f.Pointer, f.Name); err != nil {
			return pointed{}, err
		}
	}
	return found, nil
}

// belongs reports whether a pointer file stands for a path of the dataset at
// root: the pointer says for which path, and lies beside it.
func (g *gitPlace) belongs(root string, f gitpair.PointerFile) bool {
	if f.Err != nil {
		own, err := g.ownPointers(root)
		return err == nil && slices.Contains(own, f.Name)
	}
	rel, err := g.rel(pointerName(root, f.Pointer.Path))
	return err == nil && rel == f.Name
}

// ownPointers are the pointers of what the working mlvc.toml tracks, as git
// names them.
func (g *gitPlace) ownPointers(root string) ([]string, error) {
	rules, err := readRules(g.env.FS, root)
	if err != nil {
		return nil, err
	}
	rel, ok := g.Rel(root)
	if !ok {
		return nil, fmt.Errorf("%s is not inside of the git work tree %s", root, g.Root())
	}
	places, err := gitpair.Dataset{Root: rel, Track: rules.Track}.Pointers()
	names := make([]string, 0, len(places))
	for _, p := range places {
		names = append(names, p.Name)
	}
	return names, err
}

// at returns what the pointers of a dataset say at a git revision.
func (g *gitPlace) at(ctx context.Context, root, rev string) (pointed, error) {
	list, err := g.PointersAt(ctx, rev)
	if err != nil {
		return pointed{}, err
	}
	return g.pointersOf(root, list)
}

// atHead is at for git's HEAD; before the first git commit they say nothing.
func (g *gitPlace) atHead(ctx context.Context, root string) (pointed, error) {
	h, err := g.Head(ctx)
	if err != nil || h.Commit == "" {
		return pointed{}, err
	}
	return g.at(ctx, root, h.Commit)
}

func (g *gitPlace) inIndex(ctx context.Context, root string) (pointed, error) {
	list, err := g.PointersInIndex(ctx)
	if err != nil {
		return pointed{}, err
	}
	return g.pointersOf(root, list)
}

// indexPointers are the pointers of the index by their names.
func (g *gitPlace) indexPointers(ctx context.Context) (map[string]gitpair.PointerFile, error) {
	list, err := g.PointersInIndex(ctx)
	files := make(map[string]gitpair.PointerFile, len(list))
	for _, f := range list {
		files[f.Name] = f
	}
	return files, err
}

// pointedAt returns the commit that the pointer of a git revision names.
func (g *gitPlace) pointedAt(ctx context.Context, root, rev string) (objects.ID, error) {
	p, err := g.at(ctx, root, rev)
	if err == nil && p.file == "" {
		err = &NoPointerError{Rev: rev}
	}
	return p.Commit, err
}

// stage adds files, given by absolute names, to the index.
func (g *gitPlace) stage(ctx context.Context, files []string) error {
	names := make([]string, 0, len(files))
	for _, file := range files {
		name, err := g.rel(file)
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	return g.Stage(ctx, names...)
}

// gitState is the state of the git repository that a commit is made beside;
// nil where there is none.
func (r *Repo) gitState(ctx context.Context) (*objects.Git, error) {
	git, err := openGit(ctx, r.env, r.root)
	var bare *gitpair.BareError
	if errors.Is(err, gitpair.ErrNoRepository) || errors.As(err, &bare) {
		return nil, nil
	}
	if err != nil {
		return nil, r.gitUnknown(err)
	}
	defer git.close()
	h, err := git.Head(ctx)
	if err != nil {
		return nil, r.gitUnknown(err)
	}
	state := &objects.Git{Revision: h.Commit, Branch: text(h.Branch)}
	url, err := git.RemoteURL(ctx, h.Branch)
	if err != nil {
		return nil, r.gitUnknown(err)
	}
	state.Remote = text(url)
	dirty, err := git.Dirty(ctx)
	if err != nil {
		return nil, r.gitUnknown(err)
	}
	state.Dirty = len(dirty) > 0
	return state, nil
}

// gitUnknown tells that the state of git is not recorded: a git repository
// that cannot be read is no reason to lose a commit of the data.
func (r *Repo) gitUnknown(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	r.env.Events.Warn(Warning{Code: "git", Message: fmt.Sprintf("the git revision is not recorded: %v", err)})
	return nil
}
