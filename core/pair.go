package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/refs"
)

// PairOptions say what is paired with git, and how hooks behave.
type PairOptions struct {
	Dir string // absolute; in the dataset, or where it is made
	// Track are the files and folders that are data, where there is no dataset
	// yet: relative to Dir.
	Track []string
	// Follow, Commit and Push set git.follow, git.commit and git.push; empty:
	// as they are.
	Follow, Commit, Push string
	// Hook is the program that hooks and drivers call, absolute.
	Hook string
	// SharedHooks allows to write into hooks that all repositories share.
	SharedHooks bool
}

// PairResult is what was paired.
type PairResult struct {
	Root   string     `json:"root"`           // of the dataset
	Git    string     `json:"git"`            // the root of the git work tree
	Made   bool       `json:"made,omitempty"` // `.mlvc` was made
	Head   objects.ID `json:"head,omitzero"`
	Branch string     `json:"branch,omitempty"`
	gitpair.Pairing
	// Add are the files that belong into the next git commit, from git's root.
	Add []string `json:"add"`
}

// PairedElsewhereError refuses to pair a dataset whose pointers name another
// commit than the one that the data are at.
type PairedElsewhereError struct {
	File    string
	Pointer objects.ID
	Head    objects.ID
}

func (e *PairedElsewhereError) Error() string {
	if e.Head.IsZero() {
		return fmt.Sprintf("%s names commit %s, and there is no commit here", e.File, e.Pointer.Short())
	}
	return fmt.Sprintf("%s names commit %s, and the data are at %s", e.File, e.Pointer.Short(), e.Head.Short())
}

// Pair pairs a dataset with the git repository that it lies in, and makes the
// dataset first if there is none: hooks, drivers, ignore lines and, where a
// commit exists, the pointers. It may be called again, to finish what was
// interrupted or after what is tracked has changed. git's index is not
// touched.
func Pair(ctx context.Context, env Env, opt PairOptions) (res PairResult, err error) {
	git, err := openGit(ctx, env, opt.Dir)
	if err != nil {
		return res, err
	}
	defer git.close()
	r, err := Open(ctx, env, opt.Dir)
	switch {
	case errors.Is(err, ErrNoRepository):
		if r, err = initPaired(ctx, env, git, opt); err == nil {
			res.Made = true
		}
	case err == nil && len(opt.Track) > 0:
		err = errors.Join(&UsageError{
			What: "there is a dataset already at " + r.root + ", so --track does not go with it",
			Hint: "what it tracks is in " + RulesFile,
		}, r.Close())
	}
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, r.Close()) }()
	res.Root, res.Git = r.root, git.Root()
	if err := r.setGitConfig(opt); err != nil {
		return res, err
	}
	if res.Pairing, err = r.install(ctx, git, opt.Hook, opt.SharedHooks); err != nil {
		return res, err
	}
	return res, r.pairHead(ctx, git, &res)
}

// initPaired makes a dataset that can be paired: not all of the git work tree.
func initPaired(ctx context.Context, env Env, git *gitPlace, opt PairOptions) (*Repo, error) {
	track, err := cleanTrack(env.FS, InitOptions{Dir: opt.Dir, Track: opt.Track})
	if err != nil {
		return nil, err
	}
	rel, ok := git.Rel(opt.Dir)
	if !ok {
		return nil, fmt.Errorf("%s: %w", opt.Dir, gitpair.ErrNoRepository)
	}
	if _, err := (gitpair.Dataset{Root: rel, Track: track}).Pointers(); err != nil {
		return nil, err
	}
	return Init(ctx, env, InitOptions{Dir: opt.Dir, Track: track})
}

func (r *Repo) setGitConfig(opt PairOptions) error {
	for key, value := range map[string]string{"git.follow": opt.Follow, "git.commit": opt.Commit, "git.push": opt.Push} {
		if value == "" {
			continue
		}
		if err := r.SetConfig(key, &value); err != nil {
			return err
		}
	}
	return nil
}

// install puts everything into git. Then the record says that the dataset is
// paired.
func (r *Repo) install(ctx context.Context, git *gitPlace, hook string, shared bool) (gitpair.Pairing, error) {
	rules, err := readRules(r.env.FS, r.root)
	if err == nil && rules.Away {
		err = &RulesAwayError{Root: r.root}
	}
	if err != nil {
		return gitpair.Pairing{}, err
	}
	rel, ok := git.Rel(r.root)
	if !ok {
		return gitpair.Pairing{}, fmt.Errorf("%s: %w", r.root, gitpair.ErrNoRepository)
	}
	p, err := git.Pair(ctx, gitpair.Dataset{Root: rel, Track: rules.Track}, gitpair.InstallOptions{Command: hook, Shared: shared})
	if err != nil {
		return p, err
	}
	record, err := r.readPairing()
	if err == nil && record == nil {
		err = r.writePairing(pairing{})
	}
	return p, err
}

// pairIn is install for a clone: hooks that others share are left alone.
func (r *Repo) pairIn(ctx context.Context, git *gitPlace, hook string) error {
	p, err := r.install(ctx, git, hook, false)
	for _, file := range p.Ignored {
		r.env.Events.Warn(Warning{Code: "ignored", Path: file, Message: "git ignores it, and it belongs into git"})
	}
	return err
}

// pairHead brings HEAD and the pointers together: pointers that are there
// already must name HEAD, or say nothing.
func (r *Repo) pairHead(ctx context.Context, git *gitPlace, res *PairResult) (err error) {
	s, err := r.beginFollow(ctx)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, s.end()) }()
	p, err := s.readPairing()
	if err != nil {
		return err
	}
	if p == nil {
		return ErrNotPaired // somebody has unpaired it meanwhile
	}
	there, err := s.readPointers()
	if err != nil {
		return err
	}
	if there.file != "" && there.Commit != s.head.Commit && there.Commit != p.Seen {
		return &PairedElsewhereError{File: there.file, Pointer: there.Commit, Head: s.head.Commit}
	}
	if p.Branch, err = s.joinBranch(ctx, git); err != nil {
		return err
	}
	res.Head, res.Branch = s.head.Commit, s.head.Branch.Short()
	if !s.head.Commit.IsZero() {
		if err := s.writePointers(ctx, *p); err != nil {
			return err
		}
	}
	return s.toAdd(git, res)
}

// joinBranch puts HEAD on git's branch, and returns it; files stay.
func (s *session) joinBranch(ctx context.Context, git *gitPlace) (string, error) {
	branch, err := git.branch(ctx)
	if err != nil {
		return "", err
	}
	if s.head.Commit.IsZero() {
		return branch, s.joinUnborn(ctx, branch)
	}
	to, _, err := s.headOf(ctx, branch, s.head.Commit)
	if err != nil {
		return "", err
	}
	moves, err := s.followMoves(ctx, to, s.head.Commit)
	if err != nil || len(moves) == 0 {
		return branch, err
	}
	s.quietPointers = true
	return branch, s.move(ctx, refs.Op{Moves: moves})
}

// joinUnborn puts a HEAD without a commit on git's branch, for the first
// commit to make it.
func (s *session) joinUnborn(ctx context.Context, branch string) error {
	name := refs.Branch(branch)
	if branch == "" || name.Validate() != nil || name == s.head.Branch {
		return nil
	}
	if there, err := s.view.Get(ctx, name); err != nil || !there.IsZero() {
		return err // a branch with commits is not gone to without its files
	}
	moves, err := s.headMove(ctx, refs.Value{Branch: name})
	if err != nil || len(moves) == 0 {
		return err
	}
	return s.move(ctx, refs.Op{Moves: moves})
}

// toAdd lists what belongs into the next git commit.
func (s *session) toAdd(git *gitPlace, res *PairResult) error {
	files, err := s.pairedFiles()
	if err != nil {
		return err
	}
	res.Add = append([]string{}, res.Changed...)
	for _, file := range files {
		name, err := git.rel(file)
		if err != nil {
			return err
		}
		res.Add = append(res.Add, name)
	}
	return nil
}

// UnpairResult is what was taken out.
type UnpairResult struct {
	Root string `json:"root"`
	Git  string `json:"git"`
	// Pointers are pointer files that stay, for they are git's.
	Pointers []string `json:"pointers"`
}

// Unpair takes out of git exactly what Pair put in. Data, commits and pointer
// files stay.
func (r *Repo) Unpair(ctx context.Context) (res UnpairResult, err error) {
	s, err := r.beginFollow(ctx)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, s.end()) }()
	p, err := s.readPairing()
	if err != nil {
		return res, err
	}
	if p == nil {
		return res, ErrNotPaired
	}
	git, err := openGit(ctx, s.env, s.root)
	if err != nil {
		return res, err
	}
	defer git.close()
	rel, ok := git.Rel(s.root)
	if !ok {
		return res, fmt.Errorf("%s: %w", s.root, gitpair.ErrNoRepository)
	}
	res.Root, res.Git, res.Pointers = s.root, git.Root(), append([]string{}, p.Pointers...)
	// Of linked work trees the others stay paired: what they share stays too.
	if len(git.siblings(s.root)) == 0 {
		if err := git.Unpair(ctx, rel); err != nil {
			return res, err
		}
	}
	if err := s.env.FS.Remove(s.pairingPath()); err != nil {
		return res, err
	}
	return res, s.env.FS.SyncDir(s.dir)
}

// GitStatus is how a dataset is paired.
type GitStatus struct {
	Paired bool   `json:"paired"`
	Root   string `json:"root"`
	Git    string `json:"git"`              // the root of the git work tree
	Branch string `json:"branch,omitempty"` // of git; empty: detached
	Commit string `json:"commit,omitempty"` // of git
	Follow string `json:"follow"`
	// OnCommit and OnPush are git.commit and git.push.
	OnCommit string `json:"on_commit"`
	OnPush   string `json:"on_push"`
	*Standing
	Hooks   []gitpair.Hook `json:"hooks"`
	Drivers bool           `json:"drivers"` // git's settings name the drivers
}

// GitStatus looks how the dataset is paired; hook is the program that hooks
// should call. It takes no lock.
func (r *Repo) GitStatus(ctx context.Context, hook string) (GitStatus, error) {
	c := r.config.Git
	st := GitStatus{Root: r.root, Follow: c.Follow, OnCommit: c.Commit, OnPush: c.Push, Hooks: []gitpair.Hook{}}
	git, err := openGit(ctx, r.env, r.root)
	if err != nil {
		return st, err
	}
	defer git.close()
	st.Git = git.Root()
	h, err := git.Head(ctx)
	if err != nil {
		return st, err
	}
	st.Branch, st.Commit = h.Branch, h.Commit
	if err := r.attachIfFree(ctx); err != nil {
		return st, err
	}
	if st.Standing, err = r.gitStanding(ctx); err != nil || st.Standing == nil {
		return st, err
	}
	st.Paired = true
	if st.Hooks, err = git.HookState(ctx, gitpair.InstallOptions{Command: hook}); err != nil {
		return st, err
	}
	st.Drivers, err = git.DriversInstalled(ctx)
	return st, err
}
