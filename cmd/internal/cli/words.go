package cli

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/prolly"
)

// split divides the words of a command into revisions, which come before
// "--", and paths, which come after it and are returned relative to the root.
// Without "--" a word must be one of the two and not both: else it is refused
// and both readings are named. A path is what is on the disk or in HEAD or in
// one of the revisions before it.
func (a *app) split(cmd *cobra.Command, r *core.Repo, args []string, mostRevs int) (revs, paths []string, err error) {
	rest := args
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		revs, rest = args[:dash], args[dash:]
	} else {
		for len(rest) > 0 && len(revs) < mostRevs {
			rev, err := a.isRevision(cmd, r, rest[0], revs)
			if err != nil {
				return nil, nil, err
			}
			if !rev {
				break
			}
			revs, rest = append(revs, rest[0]), rest[1:]
		}
		for _, word := range rest {
			if err := a.mustBePath(cmd, r, word, revs); err != nil {
				return nil, nil, err
			}
		}
	}
	if len(revs) > mostRevs {
		return nil, nil, usagef(cmd.UseLine(), "%s: one revision too many", quoted(revs[mostRevs]))
	}
	paths, err = a.treePaths(r, rest)
	return revs, paths, err
}

// isRevision decides on a word that may be a revision or a path.
func (a *app) isRevision(cmd *cobra.Command, r *core.Repo, word string, revs []string) (bool, error) {
	asRev, unknown, err := readsAsRevision(cmd.Context(), r, word)
	if err != nil {
		return false, err
	}
	asPath, err := a.readsAsPath(cmd.Context(), r, word, revs)
	if err != nil {
		return false, err
	}
	switch {
	case asRev && asPath:
		return false, usagef(
			`write "`+cmd.CommandPath()+" "+shellWord(word)+` --" for the revision, "`+cmd.CommandPath()+" -- "+shellWord(word)+`" for the path`,
			"%s is both a revision and a path", quoted(word))
	case !asRev && !asPath:
		return false, &neitherError{word: word, rev: unknown}
	}
	return asRev, nil
}

// mustBePath refuses a word after the revisions that is no path.
func (a *app) mustBePath(cmd *cobra.Command, r *core.Repo, word string, revs []string) error {
	asPath, err := a.readsAsPath(cmd.Context(), r, word, revs)
	if err != nil || asPath {
		return err
	}
	asRev, unknown, err := readsAsRevision(cmd.Context(), r, word)
	switch {
	case err != nil:
		return err
	case asRev:
		return usagef("revisions come first, then paths: "+cmd.UseLine(), "%s: a revision where a path is expected", quoted(word))
	}
	return &neitherError{word: word, rev: unknown}
}

// neitherError is for a word that is neither a revision nor a path.
type neitherError struct {
	word string
	rev  error // why it is no revision
}

func (e *neitherError) Error() string {
	return quoted(e.word) + " is neither a revision nor a path on the disk or in the commit"
}

// readsAsRevision reports whether a word names commits, or why not.
func readsAsRevision(ctx context.Context, r *core.Repo, word string) (is bool, why, err error) {
	sides := []string{word}
	if word == "^" {
		return false, &revision.SyntaxError{Text: word, Why: "nothing follows ^"}, nil
	}
	if from, to, isRange, err := revision.ParseRange(word); err != nil {
		return false, err, nil
	} else if isRange {
		sides = []string{from.String(), to.String()}
	}
	for _, side := range sides {
		side = strings.TrimPrefix(side, "^") // left out of a log
		_, err := r.Resolve(ctx, side)
		syntax, bad := errors.AsType[*revision.SyntaxError](err)
		switch {
		case err == nil:
		case bad:
			return false, syntax, nil
		case errors.Is(err, revision.ErrUnknown), errors.Is(err, revision.ErrUnborn):
			return false, err, nil
		default:
			return false, nil, err
		}
	}
	return true, nil, nil
}

// readsAsPath reports whether a word is a path on the disk, in HEAD or in one
// of the revisions.
func (a *app) readsAsPath(ctx context.Context, r *core.Repo, word string, revs []string) (bool, error) {
	full := word
	if !filepath.IsAbs(full) {
		full = filepath.Join(a.dir, full)
	}
	_, err := a.env.FS.Lstat(full)
	if err == nil {
		return true, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return false, err
	}
	path, err := a.treePath(r, word)
	if err != nil {
		return false, nil // outside: no path of a commit
	}
	for _, rev := range append([]string{"HEAD"}, revs...) {
		if in, err := inCommit(ctx, r, rev, path); err != nil || in {
			return in, err
		}
	}
	return false, nil
}

// inCommit reports whether a commit has a file at a path, or files below it. A
// revision that is none has nothing.
func inCommit(ctx context.Context, r *core.Repo, rev, path string) (bool, error) {
	target, err := r.Resolve(ctx, rev)
	if err != nil {
		return false, nil
	}
	o, err := r.Store().Get(ctx, target.ID)
	if err != nil {
		return false, err
	}
	c, err := objects.DecodeCommit(o)
	if err != nil || c.Tree.IsZero() {
		return false, err
	}
	tree := prolly.Open(c.Tree)
	if _, ok, err := tree.Get(ctx, r.Store(), []byte(path)); err != nil || ok {
		return ok, err
	}
	prefix := strings.TrimSuffix(path, "/") + "/"
	for _, err := range tree.Prefix(ctx, r.Store(), []byte(prefix)) {
		return err == nil, err
	}
	return false, nil
}
