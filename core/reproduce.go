package core

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// ReproduceOptions say what is reproduced, and where.
type ReproduceOptions struct {
	Rev  string // REV, git:REV or model:ID
	Into string // absolute; must not exist, or be an empty folder
}

// ReproduceResult is what was reproduced.
type ReproduceResult struct {
	Commit objects.ID `json:"commit"`
	Git    string     `json:"git"` // the git revision that goes with it
	Into   string     `json:"into"`
	Data   string     `json:"data"` // the folder below it that the dataset is in
	// Verified counts the files that were read again from the disk and compared
	// with the commit.
	Verified int64 `json:"verified"`
	Carried
}

// NoGitRevisionError is for a commit that no git commit goes with.
type NoGitRevisionError struct{ Commit objects.ID }

func (e *NoGitRevisionError) Error() string {
	return fmt.Sprintf("no git commit has a pointer to commit %s", e.Commit.Short())
}

// NoPointerError is for a git revision without a pointer to this dataset.
type NoPointerError struct{ Rev string }

func (e *NoPointerError) Error() string {
	return fmt.Sprintf("git revision %s has no pointer to this dataset", e.Rev)
}

// Reproduce makes a fresh git worktree of the revision that goes with a
// commit, writes the commit's data into it, and reads every file back. The git
// commit of an mlvc commit is the first whose pointer names it. What fails
// leaves no worktree behind.
func (r *Repo) Reproduce(ctx context.Context, opt ReproduceOptions) (res ReproduceResult, err error) {
	res.Into = opt.Into
	if err := r.emptyOrNew(opt.Into); err != nil {
		return res, err
	}
	git, err := openGit(ctx, r.env, r.root)
	if err != nil {
		return res, err
	}
	defer git.close()
	if res.Commit, res.Git, err = r.reproduced(ctx, git, opt.Rev); err != nil {
		return res, err
	}
	c, err := r.commit(ctx, res.Commit)
	if err != nil {
		return res, err
	}
	rel, err := filepath.Rel(git.Root(), r.root)
	if err != nil {
		return res, err
	}
	if err := git.AddWorktree(ctx, res.Git, opt.Into); err != nil {
		return res, err
	}
	res.Data = filepath.Join(opt.Into, rel)
	if err := r.reproduceData(ctx, c.Tree, &res); err != nil {
		return res, errors.Join(err, git.RemoveWorktree(context.WithoutCancel(ctx), opt.Into))
	}
	return res, nil
}

// emptyOrNew fails for a folder with something in it, and for a place inside
// of `.mlvc`.
func (r *Repo) emptyOrNew(dir string) error {
	if inside(r.dir, dir) {
		return &UsageError{What: fmt.Sprintf("%s is inside of %s", dir, r.dir), Hint: "choose a folder outside of it"}
	}
	d, err := r.env.FS.OpenDir(dir)
	if err != nil {
		return nil // git says what is wrong with it, if anything is
	}
	defer d.Close() //nolint:errcheck // it was only read
	names, err := d.Names()
	if err == nil && len(names) > 0 {
		err = &UsageError{What: fmt.Sprintf("%s is not empty", dir), Hint: "name a folder that does not exist yet"}
	}
	return err
}

// reproduced finds the commit of a revision and the git commit that goes with
// it.
func (r *Repo) reproduced(ctx context.Context, git *gitPlace, rev string) (objects.ID, string, error) {
	spec, err := revision.ParseSpec(rev)
	if err != nil {
		return objects.ID{}, "", err
	}
	if spec.HasPath {
		return objects.ID{}, "", &revision.SyntaxError{Text: rev, Why: "a path in a commit stands where a commit is expected"}
	}
	if spec.Scheme == revision.Git {
		hash, err := git.Resolve(ctx, spec.Outside)
		if err != nil {
			return objects.ID{}, "", err
		}
		id, err := r.dataAt(ctx, git, hash)
		return id, hash, err
	}
	t, err := r.resolveModelOr(ctx, rev)
	if err != nil {
		return objects.ID{}, "", err
	}
	history, err := git.History(ctx, r.gitCachePath())
	if err != nil {
		return objects.ID{}, "", err
	}
	if hash, ok := history.FirstNaming(t); ok {
		return t, hash, nil
	}
	c, err := r.commit(ctx, t)
	if err != nil {
		return t, "", err
	}
	if hash, ok := importedFor(c); ok {
		return t, hash, nil
	}
	return t, "", &NoGitRevisionError{Commit: t}
}

// resolveModelOr finds the commit of a revision; a word that is a model too is
// ambiguous.
func (r *Repo) resolveModelOr(ctx context.Context, rev string) (objects.ID, error) {
	t, err := r.Resolve(ctx, rev)
	if err != nil && !errors.Is(err, revision.ErrUnknown) {
		return objects.ID{}, err
	}
	name := refs.Name(refs.Models + rev)
	if name.Validate() != nil {
		return t.ID, err
	}
	_, view, _, verr := r.current(ctx)
	if verr != nil {
		return objects.ID{}, verr
	}
	model, verr := view.Get(ctx, name)
	switch {
	case verr != nil || model.IsZero():
		return t.ID, firstError(verr, err)
	case err == nil:
		return objects.ID{}, &revision.AmbiguousError{Text: rev, Names: []refs.Name{t.Name, name}}
	}
	return model.Commit, nil
}

// reproduceData writes a tree beside the files that git has checked out, which
// may be in its way only where they are not the same, and verifies it.
func (r *Repo) reproduceData(ctx context.Context, tree objects.ID, res *ReproduceResult) error {
	into := r.into(res.Data, tree, &res.Carried)
	if err := vfs.MkdirAll(r.env.FS, res.Data, 0o777); err != nil {
		return err
	}
	options, err := r.env.applyOptions(res.Data, res.Data)
	if err != nil {
		return err
	}
	obstacles, err := worktree.Check(ctx, options, into.changes(ctx))
	if err != nil {
		return err
	}
	if obstacles.Count > 0 {
		return &ObstaclesError{Verb: "reproduce into " + res.Into, Obstacles: obstacles}
	}
	if err := into.write(ctx, options, false); err != nil {
		return err
	}
	return r.verifyFolder(ctx, tree, res)
}

// verifyFolder reads every file of a tree back from a folder.
func (r *Repo) verifyFolder(ctx context.Context, tree objects.ID, res *ReproduceResult) error {
	for e, err := range r.treeEntries(ctx, tree) {
		if err != nil {
			return err
		}
		name := filepath.Join(res.Data, filepath.FromSlash(e.Path))
		if err := verifyFile(ctx, r.env.FS, name, e.Entry); err != nil {
			return err
		}
		res.Verified++
		if res.Verified%progressStep == 0 {
			r.env.Events.Progress(Progress{Phase: PhaseVerify, Files: res.Verified})
		}
	}
	return ctx.Err()
}

// verifyFile reads a file that was written back.
func verifyFile(ctx context.Context, fsys vfs.FS, name string, want objects.Entry) error {
	var got objects.ID
	var err error
	switch want.Mode {
	case objects.ModeDir:
		_, err = fsys.Lstat(name)
		return err
	case objects.ModeSymlink:
		var target string
		target, err = fsys.Readlink(name)
		got = objects.Sum(objects.KindChunk, []byte(target))
	default:
		got, _, err = hashFile(ctx, fsys, name)
	}
	if err == nil && got != want.Content {
		err = fmt.Errorf("%w: %s has other bytes than were written", objects.ErrCorrupt, name)
	}
	return err
}
