package gitpair

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ErrNotEmpty is for a folder that should be made and holds something.
var ErrNotEmpty = errors.New("the folder is not empty")

// AddWorktree makes a linked work tree of a revision in the folder into, which
// must not exist or be empty, with a detached HEAD. No hooks run. After an
// error there is none.
func (r *Repo) AddWorktree(ctx context.Context, rev, into string) error {
	hash, err := r.Resolve(ctx, rev)
	if err != nil {
		return err
	}
	if into, err = filepath.Abs(into); err != nil {
		return err
	}
	names, err := os.ReadDir(into)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(names) > 0 {
		return fmt.Errorf("%s: %w", into, ErrNotEmpty)
	}
	args := append(slices.Clone(noHooks), "worktree", "add", "--detach", "--force", into, hash)
	if _, err := r.git(ctx, args...); err != nil {
		return errors.Join(err, r.dropWorktree(context.WithoutCancel(ctx), into))
	}
	return nil
}

// dropWorktree removes what an AddWorktree that failed has left.
func (r *Repo) dropWorktree(ctx context.Context, into string) error {
	if _, err := os.Lstat(filepath.Join(into, ".git")); err == nil {
		return r.RemoveWorktree(ctx, into)
	}
	_, err := r.git(ctx, "worktree", "prune")
	return err
}

// RemoveWorktree removes a linked work tree that AddWorktree made, with
// everything in it. One that is not there is no error.
func (r *Repo) RemoveWorktree(ctx context.Context, into string) error {
	into, err := filepath.Abs(into)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(into); errors.Is(err, fs.ErrNotExist) {
		_, err := r.git(ctx, "worktree", "prune")
		return err
	}
	_, err = r.git(ctx, append(slices.Clone(noHooks), "worktree", "remove", "--force", "--force", into)...)
	return err
}
