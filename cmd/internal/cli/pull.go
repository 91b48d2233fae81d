package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) pullCommand() *cobra.Command {
	var opt core.PullOptions
	cmd := a.command(spec{
		use: "pull [REMOTE] [BRANCH]", short: "Fetch, and move the current branch forward", group: groupShare,
		long: `Fetch, and move the current branch, and the files with it, forward to the remote's branch of the
same name, or BRANCH. Local changes that are not in the way stay. If both sides have commits of
their own nothing is moved, and what to merge is named.`,
		example: `
mlvc pull
mlvc pull origin main`,
		args: words(0, 2, ""), exits: shareExits, prints: []shape{{"", core.PullResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt.Branch = second(args)
		if len(args) > 0 {
			opt.Remote = args[0]
		}
		return a.write(cmd.Context(), func(r *core.Repo) error {
			res, err := r.Pull(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			return a.out.report(res, func(t *text) {
				printFetch(t, res.Fetch)
				printMerge(t, res.Merge)
			})
		})
	})
	cmd.Flags().BoolVarP(&opt.Force, "force", "f", false, "replace and delete also what no commit holds")
	cmd.ValidArgsFunction = a.completeRemoteThenNames
	return cmd
}
