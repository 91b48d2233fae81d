package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// checkoutInto writes a commit into another folder. It touches neither the
// working tree nor names, and needs no lock.
func (r *Repo) checkoutInto(ctx context.Context, opt CheckoutOptions) (CheckoutResult, error) {
	res := CheckoutResult{Into: opt.Into, Detached: true}
	if inside(r.dir, opt.Into) {
		return res, &UsageError{What: fmt.Sprintf("%s is inside of %s", opt.Into, r.dir), Hint: "choose a folder outside of it"}
	}
	target, err := r.Resolve(ctx, orHead(opt.Rev))
	if err != nil {
		return res, err
	}
	res.Commit = target.ID
	commit, err := r.commit(ctx, target.ID)
	if err != nil {
		return res, err
	}
	into := r.into(opt.Into, commit.Tree, &res.Carried)
	if into.paths, err = cleanPaths(opt.Paths); err != nil {
		return res, err
	}
	if err := r.checkMatch(ctx, opt.Rev, into.paths, commit.Tree); err != nil {
		return res, err
	}
	if err := into.choose(ctx, target.ID.Short(), commit, opt.Splits, opt.Unseal != ""); err != nil {
		return res, err
	}
	res.Sealed = into.part.sealedOut()
	if opt.Unseal != "" {
		names := binding{splits: commit.Splits}.unseals(into.part.Splits)
		if err := r.logUnseal(ctx, target.ID, names, opt.Unseal); err != nil {
			return res, err
		}
	}
	return res, into.run(ctx, opt.SkipDamaged)
}

// choose limits what is written to splits of the commit, and to what it does not
// seal. A path that nothing is left of is refused.
func (f *intoFolder) choose(ctx context.Context, rev string, c objects.Commit, splits []string, unseal bool) error {
	filters, err := parseFilters(splits)
	if err != nil {
		return err
	}
	b := binding{splits: c.Splits, unseal: unseal, warn: f.env.Events.Warn}
	if filters, err = b.choose(rev, filters); err != nil {
		return err
	}
	f.part, err = b.bind(Part{All: true}.filtered(filters)).compile(ctx, f.from)
	if err != nil {
		return err
	}
	if len(f.paths) == 0 && f.part.All {
		f.total = c.Delta
	}
	return notHeld(ctx, f.from, rev, c.Splits, checkInside(ctx, f.from, f.part, f.paths, f.tree))
}

// inside reports whether name is dir or below it.
func inside(dir, name string) bool {
	rel, err := filepath.Rel(dir, name)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// intoFolder writes a tree into a folder that is no working tree.
type intoFolder struct {
	env   Env
	from  objects.Getter  // of trees and lists
	files worktree.Source // of contents
	// bring makes contents be there before any file is written; nil: they are.
	bring func(ctx context.Context, wanted entries) error
	verb  string // for messages, as in "checkout into"
	dir   string
	tree  objects.ID
	paths []string
	part  Part          // that is written
	total objects.Delta // of the whole tree, where all of it is wanted
	res   *Carried
}

// into is a checkout into a folder.
func (r *Repo) into(dir string, tree objects.ID, res *Carried) *intoFolder {
	return &intoFolder{
		env: r.env, from: r.store, files: source{r.store, r.env.workers()}, bring: r.bring,
		verb: "checkout into", dir: dir, tree: tree, part: Part{All: true}, res: res,
	}
}

func (f *intoFolder) changes(ctx context.Context) worktree.Changes {
	all := changesIn(ctx, f.from, objects.ID{}, f.tree, f.paths)
	if f.part.All {
		return all
	}
	return func(yield func(worktree.Change, error) bool) {
		for change, err := range all {
			if err == nil && !f.part.holds(change.Path, change.New) {
				continue
			}
			if !yield(change, err) || err != nil {
				return
			}
		}
	}
}

func (f *intoFolder) run(ctx context.Context, skipDamaged bool) error {
	if err := vfs.MkdirAll(f.env.FS, f.dir, 0o777); err != nil {
		return err
	}
	options, err := f.env.applyOptions(f.dir, f.dir)
	if err != nil {
		return err
	}
	var strangers worktree.Obstacles
	empty := true
	if err := f.look(ctx, "", &strangers, &empty); err != nil {
		return err
	}
	if !empty {
		found, err := worktree.Check(ctx, options, f.changes(ctx))
		if err != nil {
			return err
		}
		strangers.List = append(strangers.List, found.List...)
		strangers.Count += found.Count
	}
	if strangers.Count > 0 {
		return &ObstaclesError{Verb: f.verb + " " + f.dir, Obstacles: strangers}
	}
	if f.bring != nil {
		if err := f.bring(ctx, newEntries(f.changes(ctx))); err != nil {
			return err
		}
	}
	return f.write(ctx, options, skipDamaged)
}

// write writes the files. The token is that of the contents alone: the same
// checkout into the same folder takes up what an interrupted one has written.
func (f *intoFolder) write(ctx context.Context, options worktree.Options, skipDamaged bool) error {
	job := worktree.Job{
		Source: f.files,
		Mtime:  f.env.Now().Add(-mtimeBack),
		Token:  "into " + f.tree.String(),
		Done:   f.done,
	}
	if skipDamaged {
		job.Damaged = func(path string, err error) error {
			f.res.leaveOut(path)
			f.env.Events.Warn(Warning{Code: "damaged", Path: path, Message: err.Error()})
			return nil
		}
	}
	obstacles, err := worktree.Apply(ctx, options, job, f.changes(ctx))
	if err != nil {
		return err
	}
	if obstacles.Count > 0 {
		return &ObstaclesError{Verb: f.verb + " " + f.dir, Obstacles: obstacles, Begun: true}
	}
	if f.res.Resumed {
		return worktree.Sweep(ctx, options, f.changes(ctx))
	}
	return nil
}

func (f *intoFolder) done(r worktree.Result) error {
	if f.res.count(r) {
		f.env.Events.Progress(Progress{
			Phase: PhaseWrite, Files: f.res.Written, Bytes: f.res.Bytes,
			TotalFiles: f.total.Files, TotalBytes: f.total.Bytes,
		})
	}
	return nil
}

// look lists a folder and what is below it for files that the commit does not
// have. Names that an interrupted run left say that this one resumes it.
func (f *intoFolder) look(ctx context.Context, dir string, strangers *worktree.Obstacles, empty *bool) error {
	d, err := f.env.FS.OpenDir(filepath.Join(f.dir, filepath.FromSlash(dir)))
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // it was only read
	names, err := d.Names()
	if err != nil {
		return err
	}
	for _, n := range names {
		if strings.HasPrefix(n.Name, vfs.TempPrefix) {
			f.res.Resumed = true
			continue
		}
		*empty = false
		if err := f.lookAt(ctx, d, path.Join(dir, n.Name), strangers, empty); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (f *intoFolder) lookAt(ctx context.Context, d vfs.Dir, name string, strangers *worktree.Obstacles, empty *bool) error {
	st, err := d.Lstat(path.Base(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	reason := worktree.Untracked
	switch base := path.Base(name); {
	case base == Dir || base == ".git":
		reason = worktree.OtherRepo
	case st.Type == vfs.TypeDir:
		return f.look(ctx, name, strangers, empty)
	default:
		_, known, err := lookUpIn(ctx, f.from, f.tree, name)
		if err != nil {
			return err
		}
		if known && selected(f.paths, name) && f.part.Has(name) {
			return nil
		}
	}
	strangers.Count++
	if len(strangers.List) < worktree.MaxObstacles {
		strangers.List = append(strangers.List, worktree.Obstacle{Path: name, Reason: reason})
	}
	return nil
}

// selected reports whether clean paths (none: everything) cover a path.
func selected(paths []string, name string) bool {
	if len(paths) == 0 || paths[0] == "." {
		return true
	}
	for _, p := range paths {
		if name == p || strings.HasPrefix(name, p+"/") {
			return true
		}
	}
	return false
}
