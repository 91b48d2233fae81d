package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) reproduceCommand() *cobra.Command {
	var opt core.ReproduceOptions
	cmd := a.command(spec{
		use: "reproduce REV --into DIR", short: "Code and data of a revision, side by side in a fresh folder", group: groupMove,
		long: `Make a fresh git worktree in DIR with the code that goes with REV, and the data of REV in it. Every
file of the data is read back from the disk and compared with the commit. REV is a revision of
mlvc, git:REV one of git, model:ID a model.

The code that goes with a commit is the first git commit whose pointer names it.
"git worktree remove DIR" removes the folder again.`,
		example: `
mlvc reproduce v1 --into ../v1
mlvc reproduce git:HEAD~3 --into /tmp/then`,
		args: words(1, 1, "a revision"), exits: moveExits, prints: []shape{{"", core.ReproduceResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		if opt.Rev = args[0]; opt.Into == "" {
			return usagef("mlvc reproduce "+args[0]+" --into DIR", "--into says where")
		}
		if !filepath.IsAbs(opt.Into) {
			opt.Into = filepath.Join(a.dir, opt.Into)
		}
		return a.read(cmd.Context(), func(r *core.Repo) error {
			res, err := r.Reproduce(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			return a.out.report(res, func(t *text) {
				t.line("%s: code at git %s, data at %s", quoted(res.Into), t.paint(yellow, shortGit(res.Git)), t.paint(yellow, res.Commit.Short()))
				printCarried(t, res.Carried)
				t.line("  verified %s", plural(res.Verified, "file"))
			})
		})
	})
	cmd.Flags().StringVar(&opt.Into, "into", "", "the `DIR` to make; it must not exist, or be empty")
	cmd.ValidArgsFunction = a.completeRevision
	return cmd
}
