package core

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// UnpushedError refuses a git push whose pointers name data that are not on
// the remote: whoever pulls them could not get the data.
type UnpushedError struct {
	Commits []objects.ID
	Remote  string // its name; empty: there is none
}

func (e *UnpushedError) Error() string {
	where := "on no remote, for there is none"
	if e.Remote != "" {
		where = "not on remote " + e.Remote
	}
	return fmt.Sprintf("git would publish pointers whose data are %s (%s, the first %s)", where, count(len(e.Commits), "commit"), e.Commits[0].Short())
}

// prePush makes sure that the data that the pushed git commits name are on the
// remote.
func (h *hook) prePush(ctx context.Context) error {
	if h.repo.config.Git.Push == "off" {
		return nil
	}
	named, err := h.pushedData(ctx)
	if err != nil || len(named) == 0 {
		return err
	}
	info, err := h.repo.remote("")
	if err != nil {
		return &UnpushedError{Commits: commitsIn(named)}
	}
	lacking, err := h.repo.lackingAt(ctx, info, named)
	if err != nil || len(lacking) == 0 {
		return err
	}
	if h.repo.config.Git.Push != "auto" {
		return &UnpushedError{Commits: commitsIn(lacking), Remote: info.Name}
	}
	h.report.Pushed = commitsIn(lacking)
	return h.repo.pushGit(ctx, info, lacking)
}

func commitsIn(named []gitpair.PushedNaming) []objects.ID {
	var list []objects.ID
	seen := make(map[objects.ID]bool)
	for _, n := range named {
		if !seen[n.Commit] {
			seen[n.Commit] = true
			list = append(list, n.Commit)
		}
	}
	return list
}

// pushedData lists what the pushed git commits name of this dataset: commits
// that are here, and those that its own pointers name.
func (h *hook) pushedData(ctx context.Context) ([]gitpair.PushedNaming, error) {
	gitRemote := ""
	if len(h.call.Args) > 0 {
		gitRemote = h.call.Args[0]
	}
	named, err := h.git.ForPush(ctx, h.repo.gitCachePath(), gitRemote, h.pushed)
	if err != nil || len(named) == 0 {
		return nil, err
	}
	own, err := h.git.ownPointers(h.root)
	if err != nil {
		return nil, err
	}
	missing, err := h.repo.store.Missing(ctx, commitsIn(named))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(named, func(n gitpair.PushedNaming) bool {
		return slices.Contains(missing, n.Commit) && !slices.Contains(own, n.Path)
	}), nil
}

// gitCachePath is no folder that openPlace uses: the name of a remote has no
// dot in it.
func (r *Repo) gitCachePath() string { return filepath.Join(r.cachePath(), "git.history") }

// lackingAt are those whose commit a remote does not hold.
func (r *Repo) lackingAt(ctx context.Context, info RemoteInfo, named []gitpair.PushedNaming) ([]gitpair.PushedNaming, error) {
	place, err := r.openPlace(ctx, info)
	if err != nil {
		return nil, err
	}
	defer place.Close() //nolint:errcheck // it was only read
	ids := commitsIn(named)
	places, err := place.depot.Locate(ctx, ids)
	if err != nil {
		return nil, place.failed(err)
	}
	held := make(map[objects.ID]bool)
	for i, id := range ids {
		held[id] = places[i].Length > 0
	}
	return slices.DeleteFunc(named, func(n gitpair.PushedNaming) bool { return held[n.Commit] }), nil
}

// gitName is the name under which a remote holds the data of a git commit.
func gitName(hash string) refs.Name { return refs.Name(refs.Gits + hash) }

// pushGit sends commits with all their history, under the names of the git
// commits that name them.
func (r *Repo) pushGit(ctx context.Context, info RemoteInfo, named []gitpair.PushedNaming) (err error) {
	var res PushResult
	res.Remote, res.URL = info.Name, info.URL
	p := &pushing{
		Repo: r, res: &res,
		wanted: make(map[refs.Name]objects.ID), leases: make(map[refs.Name]lease),
	}
	if _, p.view, p.head, err = r.current(ctx); err != nil {
		return err
	}
	for _, n := range named {
		if _, err := r.commit(ctx, n.Commit); err != nil {
			return &UnknownPointerError{File: n.Path, Commit: n.Commit, Remote: info.URL}
		}
		p.wanted[gitName(n.Git)] = n.Commit
	}
	return p.send(ctx, info)
}
