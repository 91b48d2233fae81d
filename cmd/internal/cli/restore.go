package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) restoreCommand() *cobra.Command {
	var opt core.RestoreOptions
	cmd := a.command(spec{
		use: "restore PATH… [--from REV]", short: "Bring paths back as they are in a commit", group: groupMove,
		long: `Make PATHs of the working tree as they are in the last commit, or in REV. HEAD and the branches
stay. A path whose content no commit holds is refused unless --force says so. The files are
read even if they look unchanged: bytes that a disk has damaged are mended. What REV seals is refused; with
--unseal it is read, and REASON is kept in the log of operations.`,
		example: `
mlvc restore labels.csv               # a deleted file comes back
mlvc restore --force labels.csv       # edits that no commit holds are given up
mlvc restore --from v1 data/test`,
		args: words(1, -1, "the paths to restore"), exits: moveExits, prints: []shape{{"", core.CheckoutResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.write(cmd.Context(), func(r *core.Repo) (err error) {
			if opt.Paths, err = a.treePaths(r, args); err != nil {
				return err
			}
			res, err := r.Restore(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			if err := a.out.report(res, func(t *text) { printCheckout(t, res, true) }); err != nil {
				return err
			}
			return leftOut(res.Carried)
		})
	})
	f := cmd.Flags()
	f.StringVar(&opt.Rev, "from", "", "the commit to take them from (default HEAD)")
	f.BoolVarP(&opt.Force, "force", "f", false, "replace and delete also what no commit holds")
	f.BoolVar(&opt.SkipDamaged, "skip-damaged", false, "leave out, and name, files whose stored content is damaged")
	unsealFlag(f, &opt.Unseal)
	cmd.RegisterFlagCompletionFunc("from", a.completeRevision) //nolint:errcheck // the flag is there
	cmd.ValidArgsFunction = a.completeTracked
	return cmd
}
