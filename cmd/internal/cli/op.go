package cli

import (
	"iter"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) opCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "op", short: "The log of all changes of names", group: groupMove,
		long: `Every change of names (a commit, a switch, a tag, …) is an operation, and every operation can
be taken back with "mlvc undo" while gc keeps what it reached (gc.keep_days, 30 days).`,
		args: unknownCommand,
	}, func(cmd *cobra.Command, _ []string) error { return cmd.Help() })
	cmd.AddCommand(a.opLogCommand(), a.opShowCommand(), a.opRestoreCommand())
	return cmd
}

func (a *app) opLogCommand() *cobra.Command {
	var limit int
	cmd := a.command(spec{
		use: "log [-n NUMBER]", short: "List the operations, newest first",
		example: `
mlvc op log
mlvc op log -n 5 --json`,
		args: noWords, exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"for each operation", core.OpInfo{}}},
	}, func(cmd *cobra.Command, _ []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			_, err := each(a.out, first(r.OpLog(cmd.Context()), limit), printOp)
			return err
		})
	})
	cmd.Flags().IntVarP(&limit, "limit", "n", 0, "at most `NUMBER` of them")
	return cmd
}

// first yields at most n values; 0 is all.
func first[T any](seq iter.Seq2[T, error], n int) iter.Seq2[T, error] {
	if n <= 0 {
		return seq
	}
	return func(yield func(T, error) bool) {
		left := n
		for v, err := range seq {
			left--
			if !yield(v, err) || left == 0 {
				return
			}
		}
	}
}

func (a *app) opShowCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "show [OP]", short: "Show an operation: which names it moved",
		example: `
mlvc op show           # the last one
mlvc op show 3f9c12`,
		args: words(0, 1, ""), exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"", core.OpInfo{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			op := "@"
			if len(args) == 1 {
				op = args[0]
			}
			info, err := r.OpShow(cmd.Context(), op)
			if err != nil {
				return err
			}
			return a.out.answer(info, func(t *text) { printOp(t, info) })
		})
	})
	cmd.ValidArgsFunction = a.completeOperation
	return cmd
}

func (a *app) opRestoreCommand() *cobra.Command {
	var opt core.UndoOptions
	cmd := a.command(spec{
		use: "restore OP", short: "Make every name what it was after an operation",
		long: `Make every name what it was after OP, and the files with them, under the rules of "mlvc
checkout". It is an operation itself and can be undone.`,
		example: `
mlvc op restore 3f9c12`,
		args: words(1, 1, "an operation"), exits: moveExits, prints: []shape{{"", core.UndoResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt.Op = args[0]
		return a.write(cmd.Context(), func(r *core.Repo) error {
			res, err := r.OpRestore(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			return a.reportUndo(res, "Went back to")
		})
	})
	a.undoFlags(cmd, &opt)
	return cmd
}

func printOp(t *text, op core.OpInfo) {
	mark := ""
	if op.Current {
		mark = t.paint(green, "  (now)")
	}
	t.line("%s  %s  %s%s", t.paint(yellow, op.ID.Short()), moment(op.When), op.Who, mark)
	t.line("    %s", t.paint(bold, op.Reason))
	for _, m := range op.Moves {
		old, now := either(string(m.OldBranch), shortID(m.Old)), either(string(m.NewBranch), shortID(m.New))
		t.line("    %s: %s → %s", m.Name, old, now)
	}
	for _, u := range op.Unseals {
		name := core.SplitName{Scheme: u.Scheme, Split: u.Split}.String()
		t.line("    %s of %s: %s", t.paint(red, "unsealed "+name), shortID(u.Commit), u.Why)
	}
}
