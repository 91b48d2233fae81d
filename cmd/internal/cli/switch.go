package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) switchCommand() *cobra.Command {
	var opt core.SwitchOptions
	cmd := a.command(spec{
		use: "switch BRANCH | switch -c NEW [REV]", short: "Go to a branch, or make one and go there", group: groupMove,
		long: `Make the working tree hold a branch, and attach HEAD to it. With -c the branch is made first,
at REV or where HEAD is. The rules are those of "mlvc checkout": local changes that are not in
the way are carried along, and nothing is lost. A branch that only a remote has is made.`,
		example: `
mlvc switch cleaner              # an existing branch
mlvc switch -c cleaner           # a new one from here
mlvc switch -c hotfix v1         # a new one from a tag`,
		args: words(1, 2, "a branch"), exits: moveExits, prints: []shape{{"", core.CheckoutResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt.Branch = args[0]
		if len(args) == 2 {
			if opt.Start = args[1]; !opt.Create {
				return usagef("mlvc switch -c "+args[0]+" "+args[1], "a start goes only with -c")
			}
		}
		return a.write(cmd.Context(), func(r *core.Repo) error {
			res, err := r.Switch(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			if err := a.out.report(res, func(t *text) { printCheckout(t, res, false) }); err != nil {
				return err
			}
			return leftOut(res.Carried)
		})
	})
	f := cmd.Flags()
	f.BoolVarP(&opt.Create, "create", "c", false, "make the branch first")
	f.BoolVarP(&opt.Force, "force", "f", false, "replace and delete also what no commit holds")
	f.BoolVar(&opt.SkipDamaged, "skip-damaged", false, "leave out, and name, files whose stored content is damaged")
	cmd.ValidArgsFunction = a.completeBranch
	return cmd
}
