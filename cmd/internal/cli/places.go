package cli

import (
	"context"
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
	return local.Open(ctx, a.env.FS, url)
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
