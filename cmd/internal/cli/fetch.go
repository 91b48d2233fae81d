package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) fetchCommand() *cobra.Command {
	var opt core.FetchOptions
	cmd := a.command(spec{
		use: "fetch [REMOTE] [NAME…]", short: "Bring what a remote has, and change nothing else", group: groupShare,
		long: `Bring branches and tags of a remote, with all their history. The remote's branch main is here as
origin/main, to be looked at and merged; branches of this repository and its files stay. Tags and
models that are new come along. Without NAME: everything. Everything that arrives is verified.

In a repository that left contents at the remote ("mlvc clone --path"), contents still come when
they are needed; --contents brings those of all history, after which the remote is not needed. What
damage took from a repository ("mlvc doctor") comes back in the same way.`,
		example: `
mlvc fetch
mlvc fetch origin main
mlvc log origin/main            # what came
mlvc fetch --prune              # forget branches that the remote deleted
mlvc fetch --contents           # need the remote no more`,
		exits: shareExits, prints: []shape{{"", core.FetchResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			opt.Remote, opt.Names = args[0], args[1:]
		}
		return a.write(cmd.Context(), func(r *core.Repo) error {
			res, err := r.Fetch(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			return a.out.report(res, func(t *text) { printFetch(t, res) })
		})
	})
	f := cmd.Flags()
	f.BoolVarP(&opt.Prune, "prune", "p", false, "forget branches that the remote no longer has")
	f.BoolVar(&opt.Contents, "contents", false, "bring the contents of all history that are not here")
	f.BoolVarP(&opt.DryRun, "dry-run", "n", false, "only say what would move")
	cmd.ValidArgsFunction = a.completeRemoteThenNames
	return cmd
}

func printFetch(t *text, res core.FetchResult) {
	switch {
	case len(res.Moves) == 0 && res.Packs == 0:
		t.line("Nothing new at %s.", res.Remote)
	case res.DryRun:
		t.line("Would fetch from %s (%s)", t.paint(green, res.Remote), quoted(res.URL))
	default:
		t.line("Fetched from %s (%s)", t.paint(green, res.Remote), quoted(res.URL))
	}
	printMoves(t, res.Moves)
	if res.Objects > 0 {
		t.line("  received %s", transferText(res.Transferred))
	}
	if res.Whole {
		t.line("  all contents are here now; the remote is not needed for them any more")
	}
}
