package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// ReproduceOptions say what is reproduced, and where.
type ReproduceOptions struct {
	Rev  string // REV, git:REV, model:ID, or the ID of a model
	Into string // absolute; must not exist, or be an empty folder
}

// ReproduceResult is what was reproduced.
type ReproduceResult struct {
	Commit objects.ID `json:"commit"`
	// Git is the git revision that goes with it; empty: the repository is not
	// paired, and the data are all that there is.
	Git  string `json:"git,omitempty"`
	Into string `json:"into"`
	Data string `json:"data"` // the folder in it, or Into itself, that the dataset is in
	// Model is the model whose data they are. Record is the file beside Into
	// that says what is known of it, and Params the one with its parameters.
	Model  string `json:"model,omitempty"`
	Record string `json:"record,omitempty"`
	Params string `json:"params,omitempty"`
	// Verified counts the files that were read again from the disk and compared
	// with the commit, Splits those whose fingerprints are as the model's link
	// says.
	Verified int64 `json:"verified"`
	Splits   int   `json:"splits,omitempty"`
	// Sealed are the sealed splits that were left out.
	Sealed []SealedSplit `json:"sealed,omitempty"`
	Carried
}

// NoGitRevisionError is for a commit that no git commit goes with.
type NoGitRevisionError struct{ Commit objects.ID }

func (e *NoGitRevisionError) Error() string {
	return fmt.Sprintf("no git commit has a pointer to commit %s", e.Commit.Short())
}

// CodeGoneError is for a model whose code git does not have.
type CodeGoneError struct{ Model, Code string }

func (e *CodeGoneError) Error() string {
	return fmt.Sprintf("git does not have the code of model %s: %s", e.Model, e.Code)
}

// NoPointerError is for a git revision without a pointer to this dataset.
type NoPointerError struct{ Rev string }

func (e *NoPointerError) Error() string {
	return fmt.Sprintf("git revision %s has no pointer to this dataset", e.Rev)
}

// Reproduce writes the data of a commit into a fresh folder, and reads every
// file back. Where the repository goes with git, the folder is a git worktree
// of the revision that goes with the commit: the first whose pointer names it,
// or what a model's link says. What is known of a model is written beside the
// folder, never into it. What fails leaves no worktree behind.
func (r *Repo) Reproduce(ctx context.Context, opt ReproduceOptions) (ReproduceResult, error) {
	p := &reproducing{Repo: r, res: ReproduceResult{Into: opt.Into, Data: opt.Into}}
	if err := p.prepare(ctx, opt.Rev); err != nil {
		return p.res, err
	}
	c, err := r.commit(ctx, p.res.Commit)
	if err != nil {
		return p.res, err
	}
	if err := p.checkModel(ctx, c); err != nil {
		return p.res, err
	}
	if p.res.Git == "" {
		err = p.dataAlone(ctx, c)
	} else {
		err = p.beside(ctx, c)
	}
	if err == nil {
		err = p.writeModel()
	}
	return p.res, err
}

// reproducing is one revision being reproduced.
type reproducing struct {
	*Repo
	res     ReproduceResult
	model   *ModelInfo // nil: none was named
	code    bool       // the model's link says which code
	gitRoot string     // of git's work tree
}

// prepare finds the commit and the code, and checks where they go.
func (p *reproducing) prepare(ctx context.Context, rev string) error {
	if inside(p.dir, p.res.Into) {
		return &UsageError{What: fmt.Sprintf("%s is inside of %s", p.res.Into, p.dir), Hint: "choose a folder outside of it"}
	}
	spec, err := revision.ParseSpec(rev)
	if err != nil {
		return err
	}
	if spec.HasPath {
		return &revision.SyntaxError{Text: rev, Why: "a path in a commit stands where a commit is expected"}
	}
	git, err := openGit(ctx, p.env, p.root)
	switch {
	case err == nil:
		defer git.close()
		p.gitRoot = git.Root()
	case spec.Scheme == revision.Git || !errors.Is(err, gitpair.ErrNoRepository):
		return err
	default:
		if paired, perr := p.Paired(); perr != nil || paired {
			return firstError(perr, err)
		}
	}
	if err := p.find(ctx, git, spec, rev); err != nil || p.res.Git == "" {
		return err
	}
	return p.emptyOrNew(p.res.Into)
}

// beside writes the data into a fresh git worktree.
func (p *reproducing) beside(ctx context.Context, c objects.Commit) error {
	rel, err := filepath.Rel(p.gitRoot, p.root)
	if err != nil {
		return err
	}
	git, err := openGit(ctx, p.env, p.root)
	if err != nil {
		return err
	}
	defer git.close()
	if err := git.AddWorktree(ctx, p.res.Git, p.res.Into); err != nil {
		return err
	}
	p.res.Data = filepath.Join(p.res.Into, rel)
	if err := p.overCode(ctx, c); err != nil {
		return errors.Join(err, git.RemoveWorktree(context.WithoutCancel(ctx), p.res.Into))
	}
	return nil
}

// overCode writes the data over what git has checked out.
func (p *reproducing) overCode(ctx context.Context, c objects.Commit) error {
	if p.code {
		// The code need not be that which the pointers go with, and its rules
		// are not those of the data.
		for _, name := range []string{RulesFile, IgnoreFile} {
			err := p.env.FS.Remove(filepath.Join(p.res.Data, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return p.reproduceData(ctx, c, &p.res)
}

// dataAlone writes the data of a repository that goes with no git.
func (p *reproducing) dataAlone(ctx context.Context, c objects.Commit) error {
	into := p.into(p.res.Data, c.Tree, &p.res.Carried)
	into.verb = "reproduce into"
	if err := into.choose(ctx, p.res.Commit.Short(), c, nil, false); err != nil {
		return err
	}
	if err := into.run(ctx, false); err != nil {
		return err
	}
	return p.verifyFolder(ctx, into, &p.res)
}

// emptyOrNew fails for a folder with something in it.
func (r *Repo) emptyOrNew(dir string) error {
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

// find finds the commit that is meant and the git commit that goes with it;
// without a git repository (nil) the commit alone.
func (p *reproducing) find(ctx context.Context, git *gitPlace, spec revision.Spec, rev string) (err error) {
	if spec.Scheme == revision.Git {
		if p.res.Git, err = git.Resolve(ctx, spec.Outside); err == nil {
			p.res.Commit, err = p.dataAt(ctx, git, p.res.Git)
		}
		return err
	}
	if p.model, p.res.Commit, err = p.resolveModelOr(ctx, spec, rev); err != nil || git == nil {
		return err
	}
	if p.model != nil && p.model.Code != "" {
		p.code = true
		p.res.Git, err = git.Resolve(ctx, p.model.Code)
		if _, gone := errors.AsType[*gitpair.RevisionError](err); gone {
			err = &CodeGoneError{Model: p.model.Model, Code: p.model.Code}
		}
		return err
	}
	p.res.Git, err = p.gitOf(ctx, git, p.res.Commit)
	var none *NoGitRevisionError
	if errors.As(err, &none) {
		if paired, perr := p.Paired(); perr != nil || !paired {
			return perr
		}
	}
	return err
}

// gitOf finds the git commit that goes with a commit.
func (r *Repo) gitOf(ctx context.Context, git *gitPlace, id objects.ID) (string, error) {
	history, err := git.History(ctx, r.gitCachePath())
	if err != nil {
		return "", err
	}
	if hash, ok := history.FirstNaming(id); ok {
		return hash, nil
	}
	c, err := r.commit(ctx, id)
	if err != nil {
		return "", err
	}
	if hash, ok := importedFor(c); ok {
		return hash, nil
	}
	return "", &NoGitRevisionError{Commit: id}
}

// resolveModelOr finds the commit of a revision, or of a model, which is
// returned too; a word that is both is ambiguous.
func (r *Repo) resolveModelOr(ctx context.Context, spec revision.Spec, rev string) (*ModelInfo, objects.ID, error) {
	if spec.Scheme == revision.Model {
		m, err := r.Model(ctx, spec.Outside)
		return &m, m.Commit, err
	}
	t, err := r.Resolve(ctx, rev)
	if err != nil && !errors.Is(err, revision.ErrUnknown) {
		return nil, objects.ID{}, err
	}
	name := refs.Name(refs.Models + rev)
	if name.Validate() != nil {
		return nil, t.ID, err
	}
	m, merr := r.Model(ctx, rev)
	var none *NoModelError
	switch {
	case errors.As(merr, &none) && err != nil && len(none.Near) > 0:
		return nil, objects.ID{}, none
	case errors.As(merr, &none):
		return nil, t.ID, err
	case merr != nil:
		return nil, objects.ID{}, merr
	case err == nil:
		return nil, objects.ID{}, &revision.AmbiguousError{Text: rev, Names: []refs.Name{t.Name, name}}
	}
	return &m, m.Commit, nil
}

// reproduceData writes a tree beside the files that git has checked out, which
// may be in its way only where they are not the same, and verifies it.
func (r *Repo) reproduceData(ctx context.Context, c objects.Commit, res *ReproduceResult) error {
	into := r.into(res.Data, c.Tree, &res.Carried)
	if err := into.choose(ctx, res.Commit.Short(), c, nil, false); err != nil {
		return err
	}
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
	return r.verifyFolder(ctx, into, res)
}

// verifyFolder reads every file back that was written of a tree.
func (r *Repo) verifyFolder(ctx context.Context, into *intoFolder, res *ReproduceResult) error {
	res.Sealed = into.part.sealedOut()
	for e, err := range r.treeEntries(ctx, into.tree) {
		if err != nil {
			return err
		}
		if !into.part.holds(e.Path, &e.Entry) {
			continue
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
