package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/remote"
)

// GitFetchOptions say which data a clone of git gets.
type GitFetchOptions struct {
	Dir string // absolute; in the git work tree
	// Paths, absolute, limit the data to these files and folders; the contents
	// of everything else are left at the remote.
	Paths []string
	// Hook is the program that hooks and drivers call, absolute.
	Hook string
	// Force replaces and deletes also what no commit holds.
	Force bool
}

// GitFetched is what was done for one dataset.
type GitFetched struct {
	Dataset string       `json:"dataset"`        // its root
	Made    bool         `json:"made,omitempty"` // `.mlvc` was made
	Fetch   *FetchResult `json:"fetch,omitempty"`
	Follow  FollowResult `json:"follow"`
}

// NoPointersError is for a git work tree without any pointer.
type NoPointersError struct{ Root string }

func (e *NoPointersError) Error() string {
	return "there is no pointer to a dataset in the git work tree " + e.Root
}

// NoPlaceForDataError is for a clone whose pointer names no remote.
type NoPlaceForDataError struct{ File string }

func (e *NoPlaceForDataError) Error() string {
	return e.File + " names no remote from which its data could be had"
}

// GitFetch makes the data be here that the pointers of the git work tree name:
// in a fresh clone it makes `.mlvc`, with the remote that the pointer names,
// puts hooks and drivers in, and brings the data of that revision; where there
// is a `.mlvc` it brings what is missing. Interrupted, the same call goes on.
func GitFetch(ctx context.Context, env Env, opt GitFetchOptions, each func(GitFetched)) error {
	git, err := openGit(ctx, env, opt.Dir)
	if err != nil {
		return err
	}
	defer git.close()
	found, err := git.pointedDatasets(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return &NoPointersError{Root: git.Root()}
	}
	for _, d := range found {
		paths, wanted := d.choose(opt.Paths)
		if !wanted {
			continue
		}
		res, err := d.fetch(ctx, env, git, opt, paths)
		if err != nil {
			return &DatasetError{Dataset: d.root, Err: err}
		}
		each(res)
	}
	return nil
}

// pointedDataset is a dataset that pointers in the index stand for.
type pointedDataset struct {
	root  string // absolute
	track []string
	first pointed
}

// pointedDatasets finds the datasets by the pointers of the index.
func (g *gitPlace) pointedDatasets(ctx context.Context) ([]*pointedDataset, error) {
	files, err := g.PointersInIndex(ctx)
	if err != nil {
		return nil, err
	}
	var list []*pointedDataset
	for _, f := range files {
		if f.Err != nil {
			return nil, f.Err
		}
		rel, ok := datasetOf(f)
		if !ok {
			return nil, &ForgedPointerError{File: f.Name, Commit: f.Pointer.Commit, What: "path"}
		}
		root := filepath.Join(g.Root(), filepath.FromSlash(rel))
		i := slices.IndexFunc(list, func(d *pointedDataset) bool { return d.root == root })
		if i < 0 {
			i, list = len(list), append(list, &pointedDataset{root: root})
		}
		list[i].track = append(list[i].track, f.Pointer.Path)
		if err := list[i].first.add(f.Pointer, f.Name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// datasetOf returns the root of the dataset that a pointer file stands for, as
// git names it: the pointer lies beside the tracked path.
func datasetOf(f gitpair.PointerFile) (string, bool) {
	data := strings.TrimSuffix(f.Name, gitpair.PointerSuffix)
	track := f.Pointer.Path
	switch {
	case track == ".":
		return data, true
	case path.Clean(track) != track || path.IsAbs(track) || track == ".." || strings.HasPrefix(track, "../"):
		return "", false
	case data == track:
		return ".", true
	}
	return strings.CutSuffix(data, "/"+track)
}

// choose returns which of the paths are of this dataset, relative to its
// root; without any paths every dataset is wanted whole.
func (d *pointedDataset) choose(paths []string) (own []string, wanted bool) {
	for _, p := range paths {
		if inside(p, d.root) {
			return nil, true // a folder that all of it lies in
		}
		if inside(d.root, p) {
			rel, err := filepath.Rel(d.root, p)
			if err == nil {
				own = append(own, filepath.ToSlash(rel))
			}
		}
	}
	return own, len(own) > 0 || len(paths) == 0
}

// fetch brings the data of one dataset.
func (d *pointedDataset) fetch(ctx context.Context, env Env, git *gitPlace, opt GitFetchOptions, paths []string) (res GitFetched, err error) {
	res.Dataset = d.root
	if res.Made, err = d.make(env, git); err != nil {
		return res, err
	}
	r, err := Open(ctx, env, d.root)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, r.Close()) }()
	if r.root != d.root {
		return res, &ExistsError{Root: r.root}
	}
	if err := r.takeRemote(ctx, d.first); err != nil {
		return res, err
	}
	if len(paths) > 0 {
		if err := r.wantPart(paths); err != nil {
			return res, err
		}
	}
	if err := r.pairIn(ctx, git, opt.Hook); err != nil {
		return res, err
	}
	res.Follow, err = r.Follow(ctx, FollowOptions{Force: opt.Force})
	return res, err
}

// make makes `.mlvc`, with the remote that the pointer names.
func (d *pointedDataset) make(env Env, git *gitPlace) (bool, error) {
	st, err := env.FS.Lstat(filepath.Join(d.root, Dir))
	if err == nil && st.Type == vfs.TypeDir {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := throughLinks(env.FS, git.Root(), filepath.Join(d.root, Dir)); err != nil {
		return false, err
	}
	var config Config
	switch url := d.first.Remote; {
	case url != "":
		if err := checkURL(d.first.file, url); err != nil {
			return false, err
		}
		config.Remotes = map[string]RemoteConfig{DefaultRemote: {URL: url}}
	case len(git.siblings(d.root)) == 0:
		return false, &NoPlaceForDataError{File: d.first.file}
	}
	settings, err := toml.Marshal(config)
	if err != nil {
		return false, err
	}
	if err := vfs.MkdirAll(env.FS, d.root, 0o777); err != nil {
		return false, err
	}
	// The rules first: where there is a `.mlvc` nothing is made any more.
	if err := d.makeRules(env); err != nil {
		return false, err
	}
	if err := makeRepository(env.FS, d.root, map[string][]byte{"config": settings}); err != nil {
		return false, fmt.Errorf("make %s: %w", filepath.Join(d.root, Dir), err)
	}
	return true, nil
}

// takeRemote goes to the remote that the pointer names where nothing has come
// yet from another, which an earlier pointer named.
func (r *Repo) takeRemote(ctx context.Context, p pointed) error {
	op, err := r.operation(ctx)
	if err != nil || !op.IsZero() || p.Remote == "" || len(r.config.Remotes) != 1 {
		return err
	}
	if old, ok := r.config.Remotes[DefaultRemote]; !ok || old.URL == p.Remote {
		return nil
	}
	if err := checkURL(p.file, p.Remote); err != nil {
		return err
	}
	return r.SetConfig("remote."+DefaultRemote+".url", &p.Remote)
}

// makeRules writes an mlvc.toml where git has none, so that what is tracked is
// known: the pointers say it.
func (d *pointedDataset) makeRules(env Env) error {
	name := filepath.Join(d.root, RulesFile)
	if _, err := env.FS.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return vfs.WriteFile(env.FS, name, []byte(rulesText(d.track)), 0o666)
}

// wantPart limits a repository without data to some paths. One that has data
// already keeps its part.
func (r *Repo) wantPart(paths []string) error {
	if _, err := r.env.FS.Lstat(r.partPath()); err == nil {
		return nil
	}
	if _, err := r.env.FS.Lstat(r.indexPath()); err == nil {
		return nil
	}
	info, err := r.remote("")
	if err != nil {
		return err
	}
	part, err := selectPart(paths)
	if err != nil {
		return err
	}
	part.Promised, part.Remote = true, info.Name
	return r.setPart(part)
}

// siblings are the roots that the dataset has in the other work trees of the
// same git repository, where they have a `.mlvc`.
func (g *gitPlace) siblings(root string) []string {
	rel, ok := g.Rel(root)
	if !ok {
		return nil
	}
	var trees []string
	if filepath.Base(g.CommonDir()) == ".git" {
		trees = append(trees, filepath.Dir(g.CommonDir()))
	}
	linked := filepath.Join(g.CommonDir(), "worktrees")
	if d, err := g.env.FS.OpenDir(linked); err == nil {
		names, _ := d.Names()
		d.Close() //nolint:errcheck // it was only read
		for _, n := range names {
			text, err := vfs.ReadFile(g.env.FS, filepath.Join(linked, n.Name, "gitdir"))
			if err != nil {
				continue
			}
			file := filepath.FromSlash(strings.TrimSpace(string(text)))
			if !filepath.IsAbs(file) { // git worktree add --relative-paths
				file = filepath.Join(linked, n.Name, file)
			}
			trees = append(trees, filepath.Dir(file))
		}
	}
	var roots []string
	for _, tree := range trees {
		other := filepath.Join(tree, filepath.FromSlash(rel))
		if st, err := g.env.FS.Lstat(filepath.Join(other, Dir)); err == nil && st.Type == vfs.TypeDir && other != root {
			roots = append(roots, other)
		}
	}
	return roots
}

// takeFromSibling brings a commit from another work tree of the same git
// repository; false: none of them has it.
func (s *session) takeFromSibling(ctx context.Context, git *gitPlace, id objects.ID) (bool, error) {
	for _, root := range git.siblings(s.root) {
		if ok, err := s.takeFrom(ctx, root, id); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (s *session) takeFrom(ctx context.Context, root string, id objects.ID) (ok bool, err error) {
	env := s.env
	env.Events = NoEvents{}
	other, err := Open(ctx, env, root)
	if err != nil {
		return false, nil // no reason to stop: others are asked
	}
	defer func() { err = firstError(err, other.Close()) }()
	if _, err := other.operation(ctx); err != nil { // from here on its gc knows of a reader
		return false, ctx.Err()
	}
	if _, err := other.commit(ctx, id); err != nil {
		return false, ctx.Err()
	}
	temp := s.tempPath()
	_, err = remote.Copy(ctx, s.local(temp), other.local(temp), remote.Want{Commits: []objects.ID{id}}, s.copyOptions(PhaseReceive, temp))
	return err == nil, err
}
