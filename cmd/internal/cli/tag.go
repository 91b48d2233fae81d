package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) tagCommand() *cobra.Command {
	var flags struct{ remove, force bool }
	cmd := a.command(spec{
		use: "tag [NAME [REV]] | tag -d NAME…", short: "List, make and delete tags", group: groupMove,
		long: `List the tags, or with NAME make one that stands for REV, or for the last commit, for good.`,
		example: `
mlvc tag                         # list them
mlvc tag v1                      # name the last commit
mlvc tag v0 HEAD~3               # name another one
mlvc tag -d v0                   # delete one`,
		exits: moveExits, prints: []shape{{"for each tag", core.NameInfo{}}, {"for each one changed", nameChange{}}},
	}, func(cmd *cobra.Command, args []string) error {
		switch {
		case flags.remove:
			return a.deleteTags(cmd, args)
		case len(args) == 0:
			return a.read(cmd.Context(), func(r *core.Repo) error {
				all, err := r.Tags(cmd.Context())
				if err != nil {
					return err
				}
				return a.listNames(all)
			})
		}
		if err := words(1, 2, "a tag")(cmd, args); err != nil {
			return err
		}
		return a.write(cmd.Context(), func(r *core.Repo) error {
			info, err := r.CreateTag(cmd.Context(), args[0], second(args), flags.force)
			if err != nil {
				return err
			}
			return a.reportName("created", "tag", info)
		})
	})
	f := cmd.Flags()
	f.BoolVarP(&flags.remove, "delete", "d", false, "delete tags")
	f.BoolVarP(&flags.force, "force", "f", false, "move a tag that exists")
	cmd.ValidArgsFunction = a.completeTag
	return cmd
}

func (a *app) deleteTags(cmd *cobra.Command, args []string) error {
	if err := words(1, -1, "the tags to delete")(cmd, args); err != nil {
		return err
	}
	return a.write(cmd.Context(), func(r *core.Repo) error {
		deleted, err := r.DeleteTags(cmd.Context(), args)
		if err != nil {
			return err
		}
		for _, info := range deleted {
			if err := a.reportName("deleted", "tag", info); err != nil {
				return err
			}
		}
		return nil
	})
}
