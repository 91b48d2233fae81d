package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) reproduceCommand() *cobra.Command {
	var opt core.ReproduceOptions
	cmd := a.command(spec{
		use: "reproduce REV|ID --into DIR", short: "Data and code of a revision or a model in a fresh folder", group: groupMove,
		long: `Write the data of REV into DIR, and read every file back from the disk to compare it with the commit.
REV is a revision of mlvc, git:REV one of git, model:ID or ID alone a model.

In a repository that goes with git, DIR is a fresh git worktree with the code that goes with the data:
the first git commit whose pointer names them, or the one that the model's link says. "git worktree
remove DIR" removes the folder again.

What is known of a model is written beside DIR, never into it: DIR.model.json, and its parameters as
DIR.params.`,
		example: `
mlvc reproduce v1 --into ../v1
mlvc reproduce run-42 --into ../run-42
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
				printReproduced(t, res)
			})
		})
	})
	cmd.Flags().StringVar(&opt.Into, "into", "", "the `DIR` to make; it must not exist, or be empty")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		models, _ := a.completeModel(cmd, args, begun)
		revisions, directive := a.completeRevision(cmd, args, begun)
		return append(models, revisions...), directive
	}
	return cmd
}

func printReproduced(t *text, res core.ReproduceResult) {
	code := ""
	if res.Git != "" {
		code = "code at git " + t.paint(yellow, shortGit(res.Git)) + ", "
	}
	t.line("%s: %sdata at %s", quoted(res.Into), code, t.paint(yellow, res.Commit.Short()))
	printCarried(t, res.Carried)
	printSealed(t, res.Sealed, `"mlvc checkout `+res.Commit.Short()+` --unseal REASON --into DIR" reads it`)
	verified := plural(res.Verified, "file")
	if res.Splits > 0 {
		verified += " and the fingerprints of " + plural(int64(res.Splits), "split")
	}
	t.line("  verified %s", verified)
	for _, name := range []string{res.Record, res.Params} {
		if name != "" {
			t.line("  beside them: %s", quoted(name))
		}
	}
}
