package gitpair

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
)

// Dirty returns the tracked files that differ from HEAD, in the work tree or
// in the index, sorted, from the work tree's root. It writes nothing. Before
// the first commit every staged file differs.
func (r *Repo) Dirty(ctx context.Context) ([]string, error) {
	if r.program == nil {
		return r.dirtyGoGit()
	}
	out, err := r.git(ctx, "status", "--porcelain=v1", "--untracked-files=no", "--no-renames", "-z")
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.SplitSeq(string(out), "\x00") {
		if len(line) > 3 {
			list = append(list, line[3:])
		}
	}
	slices.Sort(list)
	return list, nil
}

func (r *Repo) dirtyGoGit() ([]string, error) {
	g, ok := r.readers[0].(*goGit)
	if !ok {
		return nil, ErrNoProgram
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	repo, err := git.Open(g.storage, osfs.New(r.root))
	if err != nil {
		return nil, err
	}
	tree, err := repo.Worktree()
	if err != nil {
		return nil, err
	}
	status, err := tree.Status()
	if err != nil {
		return nil, err
	}
	var list []string
	for name, s := range status {
		clean := s.Staging == git.Unmodified && s.Worktree == git.Unmodified
		if !clean && s.Staging != git.Untracked && s.Worktree != git.Untracked {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list, nil
}

// Ignored returns those of the names that git would ignore, tracked or not.
func (r *Repo) Ignored(ctx context.Context, names ...string) ([]string, error) {
	if r.program == nil {
		return nil, ErrNoProgram
	}
	stdin := []byte(strings.Join(names, "\x00") + "\x00")
	out, err := r.program.run(ctx, stdin, "check-ignore", "--no-index", "-z", "--stdin")
	if err != nil && exitStatus(err) != 1 { // 1: none
		return nil, err
	}
	return strings.FieldsFunc(string(out), func(c rune) bool { return c == 0 }), nil
}

// Work is what git is in the middle of.
type Work string

// The kinds of work, "" for none.
const (
	WorkMerge      Work = "merge"
	WorkRebase     Work = "rebase"
	WorkCherryPick Work = "cherry-pick"
	WorkRevert     Work = "revert"
	WorkBisect     Work = "bisect"
)

// Work returns what git is in the middle of in this work tree; a rebase or a
// bisect before the step that it is at.
func (r *Repo) Work() (Work, error) {
	for _, w := range []struct {
		name string
		work Work
	}{
		{"rebase-merge", WorkRebase},
		{"rebase-apply", WorkRebase},
		{"BISECT_LOG", WorkBisect},
		{"MERGE_HEAD", WorkMerge},
		{"CHERRY_PICK_HEAD", WorkCherryPick},
		{"REVERT_HEAD", WorkRevert},
	} {
		_, err := os.Lstat(filepath.Join(r.gitDir, w.name))
		if err == nil {
			return w.work, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}
