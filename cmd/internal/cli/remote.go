package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

// remoteChange is what remote add and remote remove did.
type remoteChange struct {
	Change string `json:"change"` // added, removed
	core.RemoteInfo
}

func (a *app) remoteCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "remote [COMMAND]", short: "Where the dataset is shared", group: groupShare,
		long: `A remote is a place that holds a repository for others: a folder on another disk, a mount or a
network share, given by its path or as a file:// URL. It is kept in .mlvc/config, without secrets.
Without a command, list the remotes.`,
		example: `
mlvc remote
mlvc remote add origin /mnt/share/faces`,
		args: unknownCommand, exits: []int{ExitNotFound}, prints: []shape{{"for each remote", core.RemoteInfo{}}},
	}, func(cmd *cobra.Command, _ []string) error { return a.listRemotes(cmd) })
	cmd.AddCommand(a.remoteAddCommand(), a.remoteListCommand(), a.remoteRemoveCommand())
	return cmd
}

func (a *app) remoteListCommand() *cobra.Command {
	return a.command(spec{
		use: "list", short: "List the remotes",
		example: `
mlvc remote list
mlvc remote list --json`,
		args: noWords, exits: []int{ExitNotFound}, prints: []shape{{"for each remote", core.RemoteInfo{}}},
	}, func(cmd *cobra.Command, _ []string) error { return a.listRemotes(cmd) })
}

func (a *app) listRemotes(cmd *cobra.Command) error {
	return a.read(cmd.Context(), func(r *core.Repo) error {
		return list(a.out, r.Remotes(), func(t *text, info core.RemoteInfo) {
			star := " "
			if info.Default {
				star = "*"
			}
			t.line("%s %s  %s", star, info.Name, quoted(info.URL))
		})
	})
}

func (a *app) remoteAddCommand() *cobra.Command {
	return a.command(spec{
		use: "add NAME URL", short: "Note a remote place",
		long: `Note a place under a name. A relative path is taken from the current folder. The place need not
exist yet: the first push makes it. The remote "origin", or the only one, is meant where none is
named.`,
		example: `
mlvc remote add origin /mnt/share/faces
mlvc remote add disk file:///media/ada/disk/faces
mlvc remote add team ../shared/faces`,
		args: words(2, 2, "a name and a place"), exits: []int{ExitRefused, ExitBusy, ExitNotFound}, prints: []shape{{"", remoteChange{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.write(cmd.Context(), func(r *core.Repo) error {
			info, err := r.AddRemote(cmd.Context(), args[0], a.placeURL(args[1]))
			if err != nil {
				return err
			}
			return a.out.report(remoteChange{"added", info}, func(t *text) {
				t.line("Remote %s is %s", t.paint(green, info.Name), quoted(info.URL))
			})
		})
	})
}

func (a *app) remoteRemoveCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "remove NAME", short: "Forget a remote",
		long: `Forget a remote and the names that were fetched from it. Nothing at the place itself changes.`,
		example: `
mlvc remote remove disk`,
		args: words(1, 1, "a remote"), exits: []int{ExitRefused, ExitBusy, ExitNotFound}, prints: []shape{{"", remoteChange{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.write(cmd.Context(), func(r *core.Repo) error {
			info, err := r.RemoveRemote(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.out.report(remoteChange{"removed", info}, func(t *text) {
				t.line("Forgot remote %s, which is %s", info.Name, quoted(info.URL))
			})
		})
	})
	cmd.ValidArgsFunction = a.completeRemote
	return cmd
}
