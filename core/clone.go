package core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlvc/mlvc/core/history"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// CloneOptions say what is cloned, and where to.
type CloneOptions struct {
	URL string // or an absolute path
	Dir string // absolute; made if it does not exist
	// Branch is checked out; empty: the one that was pushed first.
	Branch string
	// Paths limits the working tree to what these patterns select, and leaves
	// the contents of everything else at the remote.
	Paths []string
	// Splits limits it to these splits, as in CheckoutOptions, of what Paths
	// selects; Unseal is why sealed ones are read.
	Splits []string
	Unseal string
	// MetadataOnly brings no content and writes no file of the dataset.
	MetadataOnly bool
}

// CloneResult is what a clone did.
type CloneResult struct {
	Root  string      `json:"root"`
	Part  bool        `json:"part,omitempty"` // contents are left at the remote
	Fetch FetchResult `json:"fetch"`
	CheckoutResult
}

// NothingThereError is for a place that no repository was pushed to.
type NothingThereError struct{ URL string }

func (e *NothingThereError) Error() string {
	return e.URL + ": there is no repository that was pushed there"
}

// NotEmptyError is for a folder that a clone cannot be made in.
type NotEmptyError struct {
	Dir string
	// Unfinished is the place whose clone was begun there, by other words.
	Unfinished string
}

func (e *NotEmptyError) Error() string {
	if e.Unfinished != "" {
		return fmt.Sprintf("%s has an unfinished clone of %s, which was called otherwise", e.Dir, e.Unfinished)
	}
	return e.Dir + " is not empty"
}

// cloning is the record of a clone under way, `.mlvc/cloning`: it is there
// from the moment that `.mlvc` is until the files are in place.
type cloning struct {
	Version  int      `json:"version"`
	URL      string   `json:"url"`
	Branch   string   `json:"branch,omitempty"`
	Paths    []string `json:"paths,omitempty"`
	Splits   []string `json:"splits,omitempty"`
	Unseal   string   `json:"unseal,omitempty"`
	Metadata bool     `json:"metadata_only,omitempty"`
}

const (
	cloningFile    = "cloning"
	cloningVersion = 1
	cloningSplits  = 2 // with splits, or unsealed
)

func newCloning(opt CloneOptions) cloning {
	c := cloning{
		Version: cloningVersion, URL: opt.URL, Branch: opt.Branch, Paths: opt.Paths,
		Splits: opt.Splits, Unseal: strings.ToValidUTF8(opt.Unseal, "?"), Metadata: opt.MetadataOnly,
	}
	if len(c.Splits) > 0 || c.Unseal != "" {
		c.Version = cloningSplits
	}
	return c
}

// encode writes the one valid form.
func (c cloning) encode() ([]byte, error) {
	text, err := json.MarshalIndent(c, "", "  ")
	return append(text, '\n'), err
}

func decodeCloning(text []byte) (c cloning, err error) {
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("%w: .mlvc/cloning: %w", objects.ErrCorrupt, err)
	}
	if c.Version > cloningSplits {
		return c, fmt.Errorf(".mlvc/cloning of version %d (this mlvc reads up to %d): %w", c.Version, cloningSplits, objects.ErrNewer)
	}
	again, err := c.encode()
	if err != nil || !bytes.Equal(again, text) {
		return c, fmt.Errorf("%w: .mlvc/cloning is not in its one valid form", objects.ErrCorrupt)
	}
	return c, nil
}

// Clone makes a repository of what was pushed to a place: its whole history,
// with the place as the remote origin, and a working tree on one of its
// branches. With Paths or MetadataOnly, contents come when they are needed.
// Interrupted, the same call finishes it. The folder must be empty, or it
// fails with a *NotEmptyError; nothing is made where the place has no
// repository, which is a *NothingThereError, and what was made is removed
// again where that repository is damaged or lacks the branch.
func Clone(ctx context.Context, env Env, opt CloneOptions) (res CloneResult, err error) {
	c := newCloning(opt)
	part, err := c.part()
	if err != nil {
		return res, err
	}
	res.Root = opt.Dir
	_, before := env.FS.Lstat(opt.Dir)
	resumed, err := c.prepare(ctx, env, opt.Dir)
	if err != nil {
		return res, err
	}
	began, err := c.run(ctx, env, part, &res)
	res.Resumed = res.Resumed || resumed
	if err != nil && !began && !resumed {
		unmake(env.FS, opt.Dir, errors.Is(before, fs.ErrNotExist))
	}
	return res, err
}

// run does the work, and removes the record of the clone. Not began: it failed
// before anything was received.
func (c cloning) run(ctx context.Context, env Env, part Part, res *CloneResult) (began bool, err error) {
	r, err := Open(ctx, env, res.Root)
	if err != nil {
		return false, err
	}
	defer func() { err = firstError(err, r.Close()) }()
	if began, err = r.fillClone(ctx, c, part, res); err != nil {
		return began, err
	}
	if err := env.FS.Remove(filepath.Join(r.dir, cloningFile)); err != nil {
		return true, err
	}
	return true, env.FS.SyncDir(r.dir)
}

// unmake removes a repository that this run has made and that nothing has come
// into, so that a clone by better words finds the folder empty. What cannot be
// removed stays, as after an interruption.
func unmake(fsys vfs.FS, dir string, folderToo bool) {
	gone := vfs.TempName(dir) // in one step: a part of a repository would be in the way
	if fsys.Rename(filepath.Join(dir, Dir), gone) != nil {
		return
	}
	if removeAll(fsys, gone) == nil && folderToo {
		fsys.Remove(dir) //nolint:errcheck // see above
	}
}

// part is what the working tree shall hold: its filters are not named and
// bound yet.
func (c cloning) part() (Part, error) {
	switch {
	case c.Metadata && (len(c.Paths) > 0 || len(c.Splits) > 0 || c.Unseal != ""):
		return Part{}, &UsageError{What: "--metadata-only writes no files of the data, so --path, --split and --unseal do not go with it", Hint: "use one of them"}
	case c.Metadata:
		return Part{Promised: true, Remote: DefaultRemote, None: true}, nil
	case len(c.Paths) == 0 && len(c.Splits) == 0:
		return Part{All: true}, nil
	}
	filters, err := parseFilters(c.Splits)
	if err != nil {
		return Part{}, err
	}
	part := Part{All: true}
	if len(c.Paths) > 0 {
		part, err = selectPart(c.Paths)
	}
	part = part.filtered(filters)
	part.Promised, part.Remote = true, DefaultRemote
	return part, err
}

// prepare makes `.mlvc`, with the remote in its settings and the record of the
// clone, or finds that of an interrupted run.
func (c cloning) prepare(ctx context.Context, env Env, dir string) (resumed bool, err error) {
	if err := checkURL("clone", c.URL); err != nil {
		return false, err
	}
	text, err := vfs.ReadFile(env.FS, filepath.Join(dir, Dir, cloningFile))
	if err == nil {
		return true, c.takeUp(text, dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := checkEmpty(env.FS, dir); err != nil {
		return false, err
	}
	if root, err := findRoot(env.FS, dir); err == nil {
		return false, &ExistsError{Root: root}
	} else if !errors.Is(err, ErrNoRepository) {
		return false, err
	}
	if err := c.checkPlace(ctx, env); err != nil {
		return false, err
	}
	record, err := c.encode()
	if err != nil {
		return false, err
	}
	settings, err := toml.Marshal(Config{Remotes: map[string]RemoteConfig{DefaultRemote: {URL: c.URL}}})
	if err != nil {
		return false, err
	}
	if err := vfs.MkdirAll(env.FS, dir, 0o777); err != nil {
		return false, err
	}
	return false, makeRepository(env.FS, dir, map[string][]byte{"config": settings, cloningFile: record})
}

// takeUp goes on with an interrupted clone, if it was called by the same
// words.
func (c cloning) takeUp(text []byte, dir string) error {
	earlier, err := decodeCloning(text)
	if err == nil && !reflect.DeepEqual(earlier, c) {
		err = &NotEmptyError{Dir: dir, Unfinished: earlier.URL}
	}
	return err
}

// checkPlace fails where there is nothing to clone, before anything is made.
func (c cloning) checkPlace(ctx context.Context, env Env) error {
	if env.OpenBucket == nil {
		return &PlaceError{URL: c.URL, Err: errNoPlaces}
	}
	b, err := env.OpenBucket(ctx, c.URL)
	if err != nil {
		return unreached(ctx, "", c.URL, err)
	}
	defer b.Close() //nolint:errcheck // it was only read
	_, _, err = b.Get(ctx, "current")
	if errors.Is(err, fs.ErrNotExist) {
		return &NothingThereError{URL: b.String()}
	}
	if err != nil {
		return unreached(ctx, "", b.String(), err)
	}
	return nil
}

// checkEmpty fails unless a folder is empty, but for what an interrupted init
// left, or is not there.
func checkEmpty(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // it was only read
	names, err := d.Names()
	for _, n := range names {
		if !strings.HasPrefix(n.Name, vfs.TempPrefix) {
			return &NotEmptyError{Dir: dir}
		}
	}
	return err
}

// fillClone fetches, and checks a branch out. What was decided before an
// interruption stands: the remote may have moved on. Not began: it failed
// before anything was received.
func (r *Repo) fillClone(ctx context.Context, c cloning, part Part, res *CloneResult) (began bool, err error) {
	s, err := r.begin(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = firstError(err, s.end()) }()
	if res.Part = part.Promised; res.Part && !r.hasPart() {
		if err := s.setPart(part.filtered(nil)); err != nil {
			return false, err
		}
	}
	info, err := r.remote(DefaultRemote)
	if err != nil {
		return false, err
	}
	work, err := r.Unfinished()
	if err != nil {
		return false, err
	}
	if work != nil && work.Verb == "clone" {
		res.Carried, err = s.carry(ctx, Unfinished{Verb: "clone", Goal: work.Goal}, carryOptions{})
		res.setHead(s.head)
		return true, err
	}
	name, part, began, err := s.fetchClone(ctx, info, c, part, res)
	if err != nil {
		return began, err
	}
	return true, s.checkoutClone(ctx, name, part, c.Unseal, res)
}

// fetchClone finds the branch to check out and fetches, from one look at the
// remote. The part comes back with its filters named.
func (s *session) fetchClone(ctx context.Context, info RemoteInfo, c cloning, part Part, res *CloneResult) (branch refs.Name, _ Part, began bool, err error) {
	place, err := s.openPlace(ctx, info)
	if err != nil {
		return "", part, false, err
	}
	defer func() { err = firstError(err, place.Close()) }()
	if branch, err = place.headBranch(ctx, c.Branch); err != nil {
		return "", part, false, err
	}
	if part, err = place.chooseSplits(ctx, branch, part, c.Unseal != ""); err != nil {
		return "", part, false, err
	}
	res.Fetch, err = s.fetchFrom(ctx, place, FetchOptions{})
	return branch, part, true, err
}

// headBranch is the branch that a clone checks out: the one asked for, the
// one that the remote says, main, or the first.
func (p *place) headBranch(ctx context.Context, asked string) (refs.Name, error) {
	view, err := p.depot.View(ctx)
	if err != nil {
		return "", p.failed(err)
	}
	if asked != "" {
		name := refs.Branch(strings.TrimPrefix(asked, refs.Branches))
		value, err := view.Get(ctx, name)
		if err == nil && value.IsZero() {
			return "", &NotThereError{Remote: p.Name, Name: asked}
		}
		return name, p.failed(err)
	}
	head, err := view.Get(ctx, refs.HEAD)
	if err != nil {
		return "", p.failed(err)
	}
	for _, name := range []refs.Name{head.Branch, refs.Branch(DefaultBranch)} {
		if name == "" {
			continue
		}
		value, err := view.Get(ctx, name)
		if err != nil || !value.IsZero() {
			return name, p.failed(err)
		}
	}
	for ref, err := range view.List(ctx, refs.Branches) {
		return ref.Name, p.failed(err)
	}
	return "", nil // tags alone
}

// chooseSplits names the filters of a part as the commit of a branch has them.
// It fails, before anything is received, for splits that it does not have, or
// seals.
func (p *place) chooseSplits(ctx context.Context, branch refs.Name, part Part, unseal bool) (Part, error) {
	if branch == "" || len(part.Splits) == 0 && !unseal {
		return part, nil
	}
	view, err := p.depot.View(ctx)
	if err != nil {
		return part, p.failed(err)
	}
	value, err := view.Get(ctx, branch)
	if err != nil {
		return part, p.failed(err)
	}
	c, err := history.Read(ctx, p.depot, value.Commit)
	if err != nil {
		return part, p.failed(err)
	}
	b := binding{splits: c.Splits, unseal: unseal}
	if part.Splits, err = b.choose(branch.Short(), part.Splits); err != nil {
		return part, err
	}
	if unseal && len(b.unseals(part.Splits)) == 0 {
		return part, ErrNothingSealed
	}
	return part, nil
}

// checkoutClone puts the working tree on a branch at the remote's commit, with
// what the part has of it.
func (s *session) checkoutClone(ctx context.Context, branch refs.Name, part Part, unseal string, res *CloneResult) error {
	if branch == "" {
		return nil
	}
	at, err := s.view.Get(ctx, tracking(DefaultRemote, branch))
	if err != nil {
		return err
	}
	old, err := s.view.Get(ctx, branch)
	if err != nil {
		return err
	}
	if !old.IsZero() {
		// All was done but to remove the record. What was done to the branch
		// since is the user's.
		res.setHead(s.head)
		return nil
	}
	if len(part.Splits) > 0 {
		if err := s.setPart(part); err != nil {
			return err
		}
	}
	moves, err := s.headMove(ctx, refs.Value{Branch: branch})
	if err != nil {
		return err
	}
	moves = append(moves, refs.Move{Name: branch, New: at})
	res.CheckoutResult, err = s.takeTo(ctx, taking{
		verb: "clone", goal: fmt.Sprintf("HEAD on %s at %s", branch, at.Commit),
		commit: at.Commit, moves: moves, unseal: unseal,
	})
	return err
}
