package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

// nameChange is what branch and tag did.
type nameChange struct {
	Change string `json:"change"` // created, deleted, renamed
	core.NameInfo
}

func (a *app) branchCommand() *cobra.Command {
	var flags struct{ remove, rename, force bool }
	cmd := a.command(spec{
		use: "branch [NAME [REV]] | branch -d NAME… | branch -m [OLD] NEW", short: "List, make, rename and delete branches", group: groupMove,
		long: `List the branches; the one that HEAD is on has a star. With NAME make one, at REV or where
HEAD is; "mlvc switch NAME" goes there. A branch whose commits no other name reaches is not
deleted without --force, and even that can be taken back with "mlvc undo".`,
		example: `
mlvc branch                      # list them
mlvc branch cleaner              # make one here
mlvc branch hotfix v1            # make one at a tag
mlvc branch -m main trunk        # rename one
mlvc branch -d cleaner           # delete one`,
		exits: moveExits, prints: []shape{{"for each branch", core.NameInfo{}}, {"for each one changed", nameChange{}}},
	}, func(cmd *cobra.Command, args []string) error {
		switch {
		case flags.remove && flags.rename:
			return usagef("use one of them", "-d and -m do not go together")
		case flags.remove:
			return a.deleteBranches(cmd, args, flags.force)
		case flags.rename:
			return a.renameBranch(cmd, args)
		case len(args) == 0:
			return a.read(cmd.Context(), func(r *core.Repo) error {
				all, err := r.Branches(cmd.Context())
				if err != nil {
					return err
				}
				return a.listNames(all)
			})
		}
		if err := words(1, 2, "a branch")(cmd, args); err != nil {
			return err
		}
		return a.write(cmd.Context(), func(r *core.Repo) error {
			info, err := r.CreateBranch(cmd.Context(), args[0], second(args), flags.force)
			if err != nil {
				return err
			}
			return a.reportName("created", "branch", info)
		})
	})
	f := cmd.Flags()
	f.BoolVarP(&flags.remove, "delete", "d", false, "delete branches")
	f.BoolVarP(&flags.rename, "rename", "m", false, "rename OLD, or the branch that HEAD is on, to NEW")
	f.BoolVarP(&flags.force, "force", "f", false, "move a branch that exists; delete one that is not merged")
	cmd.ValidArgsFunction = a.completeBranch
	return cmd
}

func second(args []string) string {
	if len(args) < 2 {
		return ""
	}
	return args[1]
}

func (a *app) deleteBranches(cmd *cobra.Command, args []string, force bool) error {
	if err := words(1, -1, "the branches to delete")(cmd, args); err != nil {
		return err
	}
	return a.write(cmd.Context(), func(r *core.Repo) error {
		for _, name := range args {
			info, err := r.DeleteBranch(cmd.Context(), name, force)
			if err != nil {
				return err
			}
			if err := a.reportName("deleted", "branch", info); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *app) renameBranch(cmd *cobra.Command, args []string) error {
	if err := words(1, 2, "the new name")(cmd, args); err != nil {
		return err
	}
	return a.write(cmd.Context(), func(r *core.Repo) error {
		from, to := args[0], second(args)
		if to == "" {
			current, err := a.currentBranch(cmd, r)
			if err != nil {
				return err
			}
			from, to = current, args[0]
		}
		info, err := r.RenameBranch(cmd.Context(), from, to)
		if err != nil {
			return err
		}
		return a.reportName("renamed", "branch", info)
	})
}

// currentBranch is the branch that HEAD is on.
func (a *app) currentBranch(cmd *cobra.Command, r *core.Repo) (string, error) {
	all, err := r.Branches(cmd.Context())
	if err != nil {
		return "", err
	}
	for _, b := range all {
		if b.Current {
			return b.Name, nil
		}
	}
	return "", usagef("mlvc branch -m OLD NEW", "HEAD is on no branch that has a commit, so name the branch to rename")
}

// listNames prints branches or tags with the commits that they stand for.
func (a *app) listNames(all []core.NameInfo) error {
	if a.out.json {
		return list(a.out, all, func(*text, core.NameInfo) {})
	}
	rows := make([][]cell, 0, len(all))
	for _, n := range all {
		star, colour := " ", plain
		if n.Current {
			star, colour = "*", green
		}
		rows = append(rows, []cell{{text: star + " " + n.Name, colour: colour}, {text: n.Commit.Short(), colour: yellow}})
	}
	return a.out.answer(all, func(t *text) { t.columns("", rows) })
}

// reportName says what was done to a name.
func (a *app) reportName(change, noun string, info core.NameInfo) error {
	return a.out.report(nameChange{change, info}, func(t *text) {
		switch change {
		case "deleted":
			t.line(`Deleted %s %s, which was at %s ("mlvc undo" takes it back)`, noun, info.Name, t.paint(yellow, info.Commit.Short()))
		case "renamed":
			t.line("Renamed the %s to %s", noun, t.paint(green, info.Name))
		default:
			t.line("Made %s %s at %s", noun, t.paint(green, info.Name), t.paint(yellow, info.Commit.Short()))
		}
	})
}
