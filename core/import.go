package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// MetaImported is the key of a commit's free values that says from which tool
// it was imported; MetaMissing lists the paths that could not be had.
const (
	MetaImported = "imported"
	MetaMissing  = "missing"
)

// ImportOptions say what is imported from where.
type ImportOptions struct {
	Dir  string // absolute, in a git work tree
	From string // the tool: dvc or lfs
	// Store is a further folder with contents, looked into first: a cache or
	// a remote. Absolute; may be empty.
	Store string
	// All takes all branches and tags instead of the current branch.
	All bool
	// AllowMissing imports the rest where contents are missing or damaged.
	AllowMissing bool
	// Prefix is put before the names of branches and tags, with a slash; HEAD
	// then stays where it is. Empty: git's own names.
	Prefix string
	// Missing is told of each content that is missing, if it is set.
	Missing func(ImportGap) error
}

// ImportGap is a file of a revision whose content could not be had.
type ImportGap struct {
	Path     string `json:"path"` // a folder ends in a slash
	Revision string `json:"revision"`
	Hash     string `json:"hash,omitempty"`
	Why      string `json:"why"`
}

// ImportResult is what an import did.
type ImportResult struct {
	From string `json:"from"`
	Root string `json:"root"`
	Made bool   `json:"made"` // the repository
	// Revisions are the git commits looked at, Commits what was made of them;
	// Known were imported before.
	Revisions int `json:"revisions"`
	Commits   int `json:"commits"`
	Known     int `json:"known"`
	// Files are the versions of files in these commits, Contents the distinct
	// contents among them and Bytes theirs; Missing the versions left out.
	Files    int64 `json:"files"`
	Contents int64 `json:"contents"`
	Bytes    int64 `json:"bytes"`
	Missing  int64 `json:"missing"`
	// Verified are the versions of files compared with the listings, and
	// Read the contents read back from the store and hashed.
	Verified int64         `json:"verified"`
	Read     int64         `json:"read"`
	Stored   int64         `json:"bytes_stored"`
	Names    []ImportName  `json:"names"` // that were set, sorted
	Branch   string        `json:"branch,omitempty"`
	Took     time.Duration `json:"took_ns"`
}

// ImportName is a branch or tag that an import set.
type ImportName struct {
	Name   string     `json:"name"`
	Commit objects.ID `json:"commit"`
}

// ImportMissingError stops an import before its first commit: contents are
// missing or damaged in every place.
type ImportMissingError struct {
	From   string
	Gaps   []ImportGap // the first ones
	Count  int64
	Looked []string
}

func (e *ImportMissingError) Error() string {
	return fmt.Sprintf("the contents of %s are missing or damaged; nothing was imported", count(int(e.Count), "version of a file", "versions of files"))
}

// ImportNamesError refuses to move names that have commits of their own.
type ImportNamesError struct{ Names []string }

func (e *ImportNamesError) Error() string {
	return fmt.Sprintf("%s not part of what was imported: %s", count(len(e.Names), "name has commits that are", "names have commits that are"), strings.Join(e.Names, ", "))
}

// ImportDifferError is for an import whose result is not what the tool's
// listings say; no name was moved.
type ImportDifferError struct {
	Revision, Path, What string
}

func (e *ImportDifferError) Error() string {
	return fmt.Sprintf("what was imported differs: %q of git commit %s: %s", e.Path, e.Revision, e.What)
}

// Import makes commits of the history of a project whose data DVC or git-lfs
// keeps: one for each git commit that changes data, with its author, time and
// message. It makes the repository, and its mlvc.toml, where there is none.
//
//  1. Every content that a revision names is read from the tool's cache or a
//     folder remote, checked against the tool's own hash, and stored.
//  2. If one is missing that ends it, unless that is allowed.
//  3. Commits are made, parents first, of the trees.
//  4. Each distinct content is read back and hashed as the tool does, and what
//     each commit changed is compared with what its revision's pointers say.
//  5. One operation sets all names, and HEAD as git's. Until then nothing is
//     visible. The files of the working tree are not touched.
//
// A revision that a commit was made of before is not looked at again.
func Import(ctx context.Context, env Env, opt ImportOptions) (res ImportResult, err error) {
	started := env.Now()
	h, err := gitpair.OpenRevisions(opt.Dir)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, h.Close()) }()
	var project foreign
	root := h.Root()
	switch foreignKind(opt.From) {
	case fromDVC:
		project, root, err = openDVC(env.FS, h, opt.Dir, opt.Store)
	case fromLFS:
		project, err = openLFS(env, h, opt.Store)
	default:
		err = &UsageError{What: fmt.Sprintf("%q is no tool that can be imported from", opt.From), Hint: "dvc and lfs can"}
	}
	if err != nil {
		return res, err
	}
	im := &importing{opt: opt, history: h, project: project, res: ImportResult{From: opt.From, Names: []ImportName{}}}
	r, err := im.open(ctx, env, root)
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, r.Close()) }()
	if im.session, err = r.begin(ctx); err != nil {
		return res, err
	}
	defer func() { err = firstError(err, im.end()) }()
	err = im.run(ctx)
	im.res.Took = env.Now().Sub(started)
	return im.res, err
}

// importing is one import.
type importing struct {
	*session
	opt     ImportOptions
	history *gitpair.Revisions
	project foreign
	prefix  string // of the repository's folder in git's work tree, with a slash
	res     ImportResult

	order    []string // git commits, parents first
	states   map[string]imported
	known    map[string]imported
	plain    map[string]bool // git commits that change no pointer: found once
	start    objects.ID      // the tree before any data: mlvc.toml and .mlvcignore
	contents *importContents
	made     []madeCommit
	gaps     ImportMissingError
	last     *objects.Commit // that was made last, whose data the checks look at
}

// imported is what a git commit became: its own commit, or that of the
// ancestor whose data it still has; no commit before there are any.
type imported struct{ commit, tree objects.ID }

// open opens the repository or makes it, and mlvc.toml with it.
func (im *importing) open(ctx context.Context, env Env, root string) (*Repo, error) {
	r, err := Open(ctx, env, im.opt.Dir)
	if errors.Is(err, ErrNoRepository) {
		im.res.Made = true
		if err := makeRepository(env.FS, root, nil); err != nil {
			return nil, fmt.Errorf("make %s: %w", filepath.Join(root, Dir), err)
		}
		r, err = Open(ctx, env, root)
	}
	if err != nil {
		return nil, err
	}
	im.res.Root = r.Root()
	rel, err := filepath.Rel(im.history.Root(), r.Root())
	if rel = filepath.ToSlash(rel); err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return nil, errors.Join(&UsageError{
			What: fmt.Sprintf("the repository at %s is not in the git work tree %s", r.Root(), im.history.Root()),
			Hint: "import inside of one git project",
		}, r.Close())
	}
	if rel != "." {
		im.prefix = rel + "/"
	}
	return r, nil
}

func (im *importing) run(ctx context.Context) error {
	if err := im.refuseUnfinished(ctx, "import"); err != nil {
		return err
	}
	contents, err := newImportContents(im)
	if err != nil {
		return err
	}
	im.contents = contents
	defer contents.close()

	refs, err := im.wanted()
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return im.readHistory(ctx, refs) },
		im.rulesFiles, im.gather, im.record, im.verify,
		func(ctx context.Context) error { return im.publish(ctx, refs) },
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	im.res.Stored = im.store.Stats().Stored
	return nil
}

// wanted returns the names of git that are imported; one without a name is a
// detached HEAD.
func (im *importing) wanted() ([]gitpair.RevisionRef, error) {
	branch, commit, err := im.history.Head()
	if err != nil {
		return nil, err
	}
	var list []gitpair.RevisionRef
	if im.opt.All {
		if list, err = im.history.Refs(); err != nil {
			return nil, err
		}
	}
	isHead := func(r gitpair.RevisionRef) bool { return !r.Tag && r.Name == branch }
	if commit != "" && !slices.ContainsFunc(list, isHead) {
		list = append(list, gitpair.RevisionRef{Name: branch, Commit: commit})
	}
	if len(list) == 0 {
		return nil, &UsageError{What: "the git repository has no commit yet", Hint: `there is nothing to import; "mlvc init" begins anew`}
	}
	return list, nil
}

// readHistory finds the git commits and which of them were imported before.
func (im *importing) readHistory(ctx context.Context, names []gitpair.RevisionRef) error {
	var tips []string
	for _, n := range names {
		tips = append(tips, n.Commit)
	}
	order, err := im.history.Walk(ctx, tips)
	if err != nil {
		return err
	}
	im.order, im.res.Revisions = order, len(order)
	im.states, im.known = make(map[string]imported, len(order)), make(map[string]imported)
	im.plain = make(map[string]bool)
	for c, err := range im.importedIn(ctx, im.view) {
		if err != nil {
			return err
		}
		if c.Meta[MetaImported] == im.opt.From {
			im.known[c.Git.Revision] = imported{c.ID, c.Tree}
		}
	}
	return nil
}

// rulesFiles makes mlvc.toml and .mlvcignore where they are not there, and the
// tree that holds just them.
func (im *importing) rulesFiles(ctx context.Context) error {
	name := filepath.Join(im.root, RulesFile)
	text, err := vfs.ReadFile(im.env.FS, name)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && im.op.IsZero() && string(text) == rulesText([]string{"."}):
		// Nobody wrote anything into it yet.
		track, err := im.tracks(ctx)
		if err != nil {
			return err
		}
		if err := vfs.WriteFile(im.env.FS, name, []byte(rulesText(track)), 0o666); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	if _, err := readRules(im.env.FS, im.root); err != nil {
		return err
	}
	ignore := filepath.Join(im.root, IgnoreFile)
	if _, err := im.env.FS.Lstat(ignore); errors.Is(err, fs.ErrNotExist) {
		if err := vfs.WriteFile(im.env.FS, ignore, []byte(ignoreText), 0o666); err != nil {
			return err
		}
	}
	return im.makeStart(ctx)
}

// publish sets the names, all or none.
func (im *importing) publish(ctx context.Context, names []gitpair.RevisionRef) error {
	op, own := refs.Op{}, &ImportNamesError{}
	for _, n := range names {
		state := im.states[n.Commit]
		if n.Name == "" || state.commit.IsZero() {
			continue // HEAD is detached, or there are no data yet
		}
		name := im.nameOf(n)
		if err := name.Validate(); err != nil {
			im.env.Events.Warn(Warning{Code: "bad_name", Message: fmt.Sprintf("%s has no counterpart here: %v", n.Name, err)})
			continue
		}
		old, err := im.view.Get(ctx, name)
		if err != nil {
			return err
		}
		if old.Commit == state.commit {
			continue
		}
		if !old.IsZero() {
			forward, err := history.IsAncestor(ctx, im.store, old.Commit, state.commit)
			if err != nil {
				return err
			}
			behind, err := history.IsAncestor(ctx, im.store, state.commit, old.Commit)
			if err != nil {
				return err
			}
			if behind && !name.IsTag() {
				continue // it went on from what was imported
			}
			if !forward || name.IsTag() {
				own.Names = append(own.Names, name.Short())
				continue
			}
		}
		op.Moves = append(op.Moves, refs.Move{Name: name, Old: old, New: refs.Value{Commit: state.commit}})
		im.res.Names = append(im.res.Names, ImportName{name.Short(), state.commit})
	}
	if len(own.Names) > 0 {
		im.res.Names = []ImportName{}
		return own
	}
	head, err := im.headMoves(ctx)
	if err != nil {
		return err
	}
	if op.Moves = append(op.Moves, head...); len(op.Moves) > 0 {
		im.env.Events.Progress(Progress{Phase: PhaseRecord})
		if err := im.move(ctx, op); err != nil {
			return err
		}
	}
	im.res.Branch = im.head.Branch.Short()
	return nil
}

func (im *importing) nameOf(n gitpair.RevisionRef) refs.Name {
	short := n.Name
	if im.opt.Prefix != "" {
		short = im.opt.Prefix + "/" + short
	}
	if n.Tag {
		return refs.Tag(short)
	}
	return refs.Branch(short)
}

// headMoves puts HEAD where git's is: on a branch, or on a commit.
func (im *importing) headMoves(ctx context.Context) ([]refs.Move, error) {
	branch, commit, err := im.history.Head()
	state := im.states[commit]
	if err != nil || state.commit.IsZero() || im.opt.Prefix != "" && !im.head.Commit.IsZero() {
		return nil, err
	}
	name := im.nameOf(gitpair.RevisionRef{Name: branch})
	if branch == "" || name.Validate() != nil {
		return im.headMove(ctx, refs.Value{Commit: state.commit})
	}
	return im.headMove(ctx, refs.Value{Branch: name})
}
