package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) undoCommand() *cobra.Command {
	var opt core.UndoOptions
	cmd := a.command(spec{
		use: "undo [OP]", short: "Take back the last change of names", group: groupMove,
		long: `Take back the last operation that was not taken back yet, or OP of "mlvc op log". Names go
back to where they were. After a commit the files stay as they are; after a checkout, a switch
or a merge they go back too, under the rules of "mlvc checkout". An undo is an operation
itself: "mlvc undo OP" of an undo does it again.`,
		example: `
mlvc undo              # the last commit, switch, tag, … was a mistake
mlvc undo              # again: the one before
mlvc undo 3f9c12       # a certain operation`,
		args: words(0, 1, ""), exits: moveExits, prints: []shape{{"", core.UndoResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			opt.Op = args[0]
		}
		return a.write(cmd.Context(), func(r *core.Repo) error {
			res, err := r.Undo(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			return a.reportUndo(res, "Took back")
		})
	})
	a.undoFlags(cmd, &opt)
	return cmd
}

func (a *app) undoFlags(cmd *cobra.Command, opt *core.UndoOptions) {
	f := cmd.Flags()
	f.BoolVarP(&opt.Force, "force", "f", false, "replace and delete also what no commit holds")
	f.BoolVar(&opt.SkipDamaged, "skip-damaged", false, "leave out, and name, files whose stored content is damaged")
	cmd.ValidArgsFunction = a.completeOperation
}

func (a *app) reportUndo(res core.UndoResult, did string) error {
	if err := a.out.report(res, func(t *text) {
		t.line("%s %s of %s: %s", did, t.paint(yellow, res.Op.ID.Short()), moment(res.Op.When), res.Op.Reason)
		printHead(t, res.CheckoutResult)
		if res.Written > 0 || res.Removed > 0 || res.DamagedCount > 0 {
			printCarried(t, res.Carried)
		}
	}); err != nil {
		return err
	}
	return leftOut(res.Carried)
}
