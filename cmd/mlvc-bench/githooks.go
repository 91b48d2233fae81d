package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// hookedCommits is how many commits of each kind one sample takes: a commit is
// short, and what the hooks add is the difference of two.
const hookedCommits = 5

// hooked measures what mlvc's hooks add to `git commit` while the dataset is
// clean: a change of the code committed with them, and one without.
func hooked(ctx context.Context, b *bench, s *set) (sample, error) {
	if err := b.ensurePaired(ctx, s); err != nil {
		return sample{}, err
	}
	var added []float64
	for range hookedCommits {
		with, err := b.gitCommit(ctx, s)
		if err != nil {
			return with, err
		}
		without, err := b.gitCommit(ctx, s, "-c", "core.hooksPath="+os.DevNull)
		if err != nil {
			return without, err
		}
		added = append(added, with.Seconds-without.Seconds)
	}
	return sample{Seconds: max(0, median(added))}, nil
}

// gitCommit commits a change of the code beside the data.
func (b *bench) gitCommit(ctx context.Context, s *set, settings ...string) (sample, error) {
	code := []byte("print(" + strconv.Quote(b.fresh("code")) + ")\n")
	if err := os.WriteFile(filepath.Join(s.dir, "train.py"), code, 0o644); err != nil {
		return sample{}, err
	}
	if _, err := b.git(ctx, s, "add", "train.py"); err != nil {
		return sample{}, err
	}
	return b.git(ctx, s, append(settings, "commit", "-q", "-m", "the code changed")...)
}

func (b *bench) git(ctx context.Context, s *set, args ...string) (sample, error) {
	return b.tool(ctx, "git", append([]string{
		"-C", s.dir, "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0",
	}, args...)...)
}

// ensurePaired makes a git repository beside the data, paired with the
// dataset, in which all that belongs there is committed.
func (b *bench) ensurePaired(ctx context.Context, s *set) error {
	if err := b.ensureCommitted(ctx, s); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(s.dir, ".git")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := b.git(ctx, s, "init", "-q", "-b", "main"); err != nil {
		return err
	}
	if _, err := b.run(ctx, s, "git", "pair"); err != nil {
		return err
	}
	// Pairing may have changed files that are part of the dataset.
	if _, err := b.commit(ctx, s, "paired"); err != nil {
		return err
	}
	if _, err := b.git(ctx, s, "add", "--all"); err != nil {
		return err
	}
	_, err := b.git(ctx, s, "commit", "-q", "-m", "paired")
	return err
}
