package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/remote/bucket"
	"github.com/mlvc/mlvc/remote/bucket/local"
)

// schemeError is for a kind of place that this mlvc does not know.
type schemeError struct{ scheme string }

func (e *schemeError) Error() string {
	return fmt.Sprintf("%s:// is no kind of place that this mlvc knows", e.scheme)
}

// openBucket opens a place: a folder, by its path or as file://.
func (a *app) openBucket(ctx context.Context, url string) (bucket.Bucket, error) {
	scheme, _, isURL := strings.Cut(url, "://")
	if isURL && scheme != "file" && !filepath.IsAbs(url) {
		return nil, &schemeError{scheme}
	}
	b, err := local.Open(ctx, a.env.FS, url)
	if err != nil {
		return nil, err
	}
	if root := a.repositoryAt(b.Folder()); root != "" {
		return nil, errors.Join(&repositoryError{root}, b.Close())
	}
	return b, nil
}

// repositoryError is for a place that is a repository with its dataset, or the
// inside of one.
type repositoryError struct{ root string }

func (e *repositoryError) Error() string {
	return e.root + " is a repository itself, not a place that one is pushed to"
}

// repositoryAt returns the root of the repository that a folder is, or is the
// inside of; empty if it is none. A place stays one whatever is made in it.
func (a *app) repositoryAt(folder string) string {
	is := func(names ...string) bool {
		_, err := a.env.FS.Lstat(filepath.Join(append([]string{folder}, names...)...))
		return err == nil
	}
	switch {
	case filepath.Base(folder) == core.Dir && is("format"):
		return filepath.Dir(folder)
	case is(core.Dir, "format") && !is("current"):
		return folder
	}
	return ""
}

// placeURL makes a path that was written relative to the current folder
// absolute; URLs stay as they are.
func (a *app) placeURL(written string) string {
	if written == "" || strings.Contains(written, "://") || filepath.IsAbs(written) {
		return written
	}
	return filepath.Join(a.dir, written)
}

// completeRemote completes the name of a remote.
func (a *app) completeRemote(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, func(r *core.Repo) []string {
		var found []string
		for _, info := range r.Remotes() {
			found = append(found, info.Name+"\t"+info.URL)
		}
		return found
	})
}

// completeRemoteThenNames completes a remote, then branches and tags.
func (a *app) completeRemoteThenNames(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeRemote(cmd, args, begun)
	}
	branches, _ := a.completeBranch(cmd, args, begun)
	tags, _ := a.completeTag(cmd, args, begun)
	return append(branches, tags...), noFiles
}

// printMoves prints how names moved.
func printMoves(t *text, moves []core.NameMove) {
	for _, m := range moves {
		what, colour := m.Change, plain
		ids := m.Old.Short() + " → " + m.New.Short()
		switch m.Change {
		case core.NameNew:
			ids, colour = m.New.Short(), green
		case core.NameDeleted:
			ids, colour = m.Old.Short(), red
		case core.NameForced:
			what, colour = "replaced", yellow
		}
		t.line("  %s %s  %s", t.paint(colour, padRight(what, 8)), m.Name, ids)
	}
}

// transferText says how much was sent or received.
func transferText(n core.Transferred) string {
	return plural(n.Objects, "object") + " in " + plural(n.Packs, "pack") + ", " + size(n.Bytes)
}

// shareExits are how verbs end that deal with a remote.
var shareExits = []int{ExitRefused, ExitDamaged, ExitBusy, ExitNotFound}
