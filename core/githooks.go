package core

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
)

// HookCall is one call of a hook by git.
type HookCall struct {
	Name  string
	Args  []string
	Input io.Reader // of pre-push: what is pushed
	// Ask asks the user whether the data of a dataset shall follow now; nil:
	// nobody is there to be asked.
	Ask func(dataset string) bool
	// Who returns in whose name a hook acts. It is asked for only where one
	// does: most calls find nothing to do.
	Who func() objects.Signature
}

// HookReport is what a hook did for one dataset.
type HookReport struct {
	Dataset string        `json:"dataset"` // its root
	Follow  *FollowResult `json:"follow,omitempty"`
	// Commit is the data commit that pre-commit made.
	Commit *CommitResult `json:"commit,omitempty"`
	// Note is what the user should know, in a line.
	Note string `json:"note,omitempty"`
	// Pushed are the data commits that pre-push sent.
	Pushed []objects.ID `json:"pushed,omitempty"`
}

// NotFollowedError is for data that did not follow git, because the user said
// that they shall not by themselves.
type NotFollowedError struct {
	Dataset string
	Wanted  objects.ID
}

func (e *NotFollowedError) Error() string {
	return fmt.Sprintf("the data of %s do not follow: git wants commit %s", e.Dataset, e.Wanted.Short())
}

// DatasetError is an error of one of several datasets.
type DatasetError struct {
	Dataset string
	Err     error
}

func (e *DatasetError) Error() string {
	text := e.Err.Error()
	if strings.Contains(text, e.Dataset) {
		return text // it says which by itself
	}
	return e.Dataset + ": " + text
}

func (e *DatasetError) Unwrap() error { return e.Err }

// GitHook does what a hook has to do for every dataset that is paired in the
// git work tree that dir is in, and reports each. An error of one dataset does
// not keep the others from their turn. A hook that is not known does nothing.
func GitHook(ctx context.Context, env Env, dir string, call HookCall, each func(HookReport)) error {
	git, err := openGit(ctx, env, dir)
	if err != nil {
		return err
	}
	defer git.close()
	roots, err := git.datasets()
	if err != nil {
		return err
	}
	var pushed []gitpair.PushedRef
	if call.Name == "pre-push" {
		text, err := io.ReadAll(call.Input)
		if err != nil {
			return err
		}
		if pushed, err = gitpair.ParsePushed(text); err != nil {
			return err
		}
	}
	var errs []error
	for _, root := range roots {
		h := &hook{env: env, git: git, root: root, call: call, pushed: pushed, report: HookReport{Dataset: root}}
		acted, err := h.run(ctx)
		if err != nil {
			errs = append(errs, &DatasetError{Dataset: root, Err: err})
		}
		if acted {
			each(h.report)
		}
	}
	return errors.Join(errs...)
}

// hook is one call of a hook for one dataset.
type hook struct {
	env    Env
	git    *gitPlace
	root   string
	call   HookCall
	pushed []gitpair.PushedRef
	repo   *Repo
	report HookReport
}

// run says whether there is anything to report.
func (h *hook) run(ctx context.Context) (acted bool, err error) {
	dir := filepath.Join(h.root, Dir)
	p, err := readPairing(h.env.FS, dir)
	if err != nil {
		return false, err
	}
	if p == nil {
		return h.absent(), nil
	}
	news := h.news(p)
	if h.call.Name == "post-index-change" && news != pointerNews {
		return false, nil
	}
	if h.repo, err = Open(ctx, h.env, h.root); err != nil {
		return false, err
	}
	defer func() { err = firstError(err, h.repo.Close()) }()
	if h.call.Name == "pre-commit" || h.call.Name == "post-commit" {
		// Their first look at the data puts HEAD on git's branch.
		if attaches, err := h.repo.attaches(ctx); err != nil {
			return false, err
		} else if attaches {
			h.sign()
		}
	}
	switch h.call.Name {
	case "pre-commit":
		return true, h.preCommit(ctx)
	case "prepare-commit-msg":
		return false, h.prepareMessage(ctx)
	case "post-index-change":
		return true, h.follow(ctx, true)
	case "post-commit":
		return true, h.postCommit(ctx, news == pointerSame && !p.Attach)
	case "post-checkout", "post-merge", "post-rewrite":
		err := h.follow(ctx, false)
		var obstacles *ObstaclesError
		if errors.As(err, &obstacles) && !obstacles.Begun && news == pointerTold {
			err = &NotFollowedError{Dataset: h.root, Wanted: p.Refused}
		}
		return true, err
	case "pre-push":
		h.sign()
		return true, h.prePush(ctx)
	}
	return false, nil
}

// absent says where the data are to be had, when git has put a pointer there
// and `.mlvc` is missing: in a clone or a new worktree.
func (h *hook) absent() bool {
	there, err := readPointers(h.env.FS, h.root)
	if h.call.Name != "post-checkout" || err != nil || there.file == "" {
		return false
	}
	h.report.Note = `its data are not here: "mlvc git fetch" brings them`
	return true
}

// pointerState is what the pointers say beyond what was seen.
type pointerState int

const (
	pointerSame pointerState = iota // nothing, or nothing that can be followed
	pointerNews
	pointerTold // what was refused before, and told
)

// news compares the pointers with the record. It is asked at every change of
// git's index and opens no database.
func (h *hook) news(p *pairing) pointerState {
	there, err := readPointers(h.env.FS, h.root)
	switch {
	case err == nil && there.file == "" && p.leaving():
		return pointerNews
	case err != nil || there.file == "" || !p.news(there.Commit):
		return pointerSame
	case there.Commit == p.Refused:
		return pointerTold
	}
	return pointerNews
}

// sign says in whose name what comes is done.
func (h *hook) sign() {
	if h.call.Who != nil {
		h.repo.env.Who = h.call.Who()
	}
}

// follow lets the data follow, as the settings say.
func (h *hook) follow(ctx context.Context, early bool) error {
	standing, err := h.repo.gitStanding(ctx)
	if err != nil {
		return err
	}
	switch standing.State {
	case StandingUnreadable:
		if early {
			return nil // git has left a conflict, and says so itself
		}
	case StandingBehind:
		if follow, err := h.mayFollow(standing.Wanted); err != nil {
			return err
		} else if !follow {
			return firstError(h.repo.noteRefused(ctx, standing.Wanted), &NotFollowedError{Dataset: h.root, Wanted: standing.Wanted})
		}
	}
	h.sign()
	res, err := h.repo.Follow(ctx, FollowOptions{Early: early})
	h.report.Follow = &res
	return err
}

// mayFollow reports whether the data may follow. One command of git calls
// several hooks, and asks once.
func (h *hook) mayFollow(wanted objects.ID) (bool, error) {
	switch h.repo.config.Git.Follow {
	case "off":
		return false, nil
	case "ask":
		p, err := h.repo.readPairing()
		if err != nil || p != nil && p.Refused == wanted {
			return false, err
		}
		return h.call.Ask != nil && h.call.Ask(h.root), nil
	}
	return true, nil
}

// postCommit puts HEAD on git's branch, and adds to the index of git what
// pre-commit could only add to the one of the commit (git commit PATH…).
func (h *hook) postCommit(ctx context.Context, settled bool) error {
	if settled {
		if err := h.repo.attachIfFree(ctx); err != nil {
			return err
		}
	}
	if elsewhere, err := h.elsewhere(ctx); err != nil || !settled || elsewhere {
		if err := firstError(err, h.follow(ctx, false)); err != nil {
			return err
		}
	}
	if h.repo.config.Git.Commit != "auto" {
		return nil
	}
	files, err := h.repo.pairedFiles()
	if err != nil {
		return err
	}
	return h.git.stage(ctx, files)
}

// elsewhere reports whether HEAD is on another branch than git: the data were
// switched, and now git has committed that.
func (h *hook) elsewhere(ctx context.Context) (bool, error) {
	branch, err := h.git.branch(ctx)
	if err != nil || branch == "" {
		return false, err
	}
	_, _, at, err := h.repo.current(ctx)
	return at.Branch != refs.Branch(branch) && refs.Branch(branch).Validate() == nil && !at.Commit.IsZero(), err
}

// pairedFiles are the files of the dataset that git has too: its pointers,
// mlvc.toml and .mlvcignore, absolute.
func (r *Repo) pairedFiles() ([]string, error) {
	places, err := pointerPlaces(r.env.FS, r.root)
	if err != nil {
		return nil, err
	}
	files := []string{filepath.Join(r.root, RulesFile), filepath.Join(r.root, IgnoreFile)}
	for _, place := range places {
		files = append(files, place.name)
	}
	var there []string
	for _, name := range files {
		if _, err := r.env.FS.Lstat(name); err == nil {
			there = append(there, name)
		}
	}
	return there, nil
}

// prepareMessage adds a line that says what the commit changes in the data. A
// message that is a merge's, a squash's or an earlier commit's stays as it is.
func (h *hook) prepareMessage(ctx context.Context) error {
	source := ""
	if len(h.call.Args) > 1 {
		source = h.call.Args[1]
	}
	if len(h.call.Args) == 0 || source == "merge" || source == "squash" || source == "commit" {
		return nil
	}
	line, err := h.changeLine(ctx)
	if err != nil || line == "" {
		return err
	}
	name := h.call.Args[0]
	if !filepath.IsAbs(name) {
		name = filepath.Join(h.git.Root(), filepath.FromSlash(name))
	}
	text, err := vfs.ReadFile(h.env.FS, name)
	if err != nil {
		return err
	}
	if bytes.Contains(text, []byte(line)) {
		return nil
	}
	mark, err := h.git.CommentMark(ctx, text)
	if err != nil {
		return err
	}
	// The file is git's own and lies in its folder: it is written in place.
	f, err := h.env.FS.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(withDataLine(text, line, mark))
	return firstError(err, f.Close())
}

// withDataLine puts a line below what is written of a message, and above the
// comments that git puts there.
func withDataLine(text []byte, line, comment string) []byte {
	body, rest := text, []byte(nil)
	for at := 0; at < len(text); {
		end := bytes.IndexByte(text[at:], '\n') + 1
		if end == 0 {
			end = len(text) - at
		}
		if bytes.HasPrefix(text[at:], []byte(comment)) {
			body, rest = text[:at], text[at:]
			break
		}
		at += end
	}
	written := strings.TrimRight(string(body), " \t\n")
	out := written + "\n\n" + line + "\n"
	if written == "" {
		out = "\n\n" + line + "\n" // the first line is for the subject
	}
	if len(rest) > 0 {
		out += "\n"
	}
	return append([]byte(out), rest...)
}

// changeLine says what differs between the pointer that is committed and the
// one before it; empty: nothing.
func (h *hook) changeLine(ctx context.Context) (string, error) {
	now, err := h.git.inIndex(ctx, h.root)
	if err != nil || now.file == "" {
		return "", err
	}
	was, err := h.git.atHead(ctx, h.root)
	if err != nil || was.Commit == now.Commit {
		return "", err
	}
	name, err := filepath.Rel(h.git.Root(), h.root)
	if err != nil {
		return "", err
	}
	if name == "." {
		name = now.Path
	}
	d, err := h.repo.changeBetween(ctx, was.Commit, now.Commit)
	if err != nil {
		return "", nil // a line of comfort is no reason to stop a commit
	}
	return fmt.Sprintf("Data: %s: %d added, %d changed, %d removed (%s, %d bytes)", filepath.ToSlash(name),
		d.Added, d.Changed, d.Removed, count(int(now.Files), "file"), now.Bytes), nil
}

func (r *Repo) changeBetween(ctx context.Context, from, to objects.ID) (objects.Delta, error) {
	a, err := r.treeOf(ctx, from)
	if err != nil {
		return objects.Delta{}, err
	}
	b, err := r.treeOf(ctx, to)
	if err != nil {
		return objects.Delta{}, err
	}
	return r.summary(ctx, a, b)
}
