package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) mergeCommand() *cobra.Command {
	var opt core.MergeOptions
	var ours, theirs, waive []string
	var reason string
	cmd := a.command(spec{
		use: "merge REV", short: "Bring what another commit has into this branch", group: groupMove,
		long: `Bring what REV has into the current branch, and the files with it. Where the branch has nothing
of its own it moves forward; else both sides are compared with their common ancestor, path by
path, and a commit with both as parents is made.

Paths that both sides changed differently are conflicts: they are listed, and nothing at all is
changed. Then say which side wins, for a file or a folder, or keep both.`,
		example: `
mlvc merge cleaner
mlvc merge cleaner --theirs labels/ --ours readme.txt
mlvc merge cleaner --keep-both        # theirs is written as NAME.theirs.EXT
mlvc merge cleaner --waive content --reason "a title page in both"`,
		args: words(1, 1, "a revision to merge"), exits: moveExits, prints: []shape{{"", core.MergeResult{}}},
	}, func(cmd *cobra.Command, args []string) (err error) {
		opt.Rev = args[0]
		if opt.Waive, err = parseWaive(waive, reason); err != nil {
			return err
		}
		return a.write(cmd.Context(), func(r *core.Repo) (err error) {
			if opt.Ours, err = a.treePaths(r, ours); err != nil {
				return err
			}
			if opt.Theirs, err = a.treePaths(r, theirs); err != nil {
				return err
			}
			res, err := r.Merge(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			if err := a.out.report(res, func(t *text) { printMerge(t, res) }); err != nil {
				return err
			}
			return leftOut(res.Carried)
		})
	})
	f := cmd.Flags()
	f.StringVarP(&opt.Message, "message", "m", "", "the message of the merge commit (default \"merge REV\")")
	f.StringArrayVar(&ours, "ours", nil, "our side wins at `PATH` and below; may be repeated")
	f.StringArrayVar(&theirs, "theirs", nil, "their side wins at `PATH` and below; may be repeated")
	f.BoolVar(&opt.KeepBoth, "keep-both", false, "keep ours, and theirs beside it as NAME.theirs.EXT")
	f.BoolVar(&opt.FFOnly, "ff-only", false, "only move forward, or fail")
	f.BoolVar(&opt.NoFF, "no-ff", false, "make a merge commit even where moving forward would do")
	f.StringVar(&opt.Base, "base", "", "bring only what REV has beyond the revision `BASE`, as git's cherry-pick does")
	f.BoolVar(&opt.Unrelated, "unrelated", false, "merge a history that has no commit in common with this one")
	f.StringArrayVar(&waive, "waive", nil, "let what the check `RULE` finds in the merge stand; with --reason, may be repeated")
	f.StringVar(&reason, "reason", "", "why it may stand: `TEXT` that is kept with the merge commit")
	f.BoolVarP(&opt.Force, "force", "f", false, "replace and delete also what no commit holds")
	f.BoolVar(&opt.SkipDamaged, "skip-damaged", false, "leave out, and name, files whose stored content is damaged")
	cmd.RegisterFlagCompletionFunc("waive", fixed(ruleWords()...)) //nolint:errcheck // the flag is there
	cmd.ValidArgsFunction = a.completeRevision
	return cmd
}

func printMerge(t *text, res core.MergeResult) {
	switch {
	case res.UpToDate:
		t.line("Nothing to merge: %s is part of this branch already.", t.paint(yellow, res.Theirs.Short()))
		return
	case res.FastForward:
		t.line("Moved %s forward to %s", t.paint(green, either(res.Branch, "HEAD")), t.paint(yellow, res.Theirs.Short()))
	default:
		t.line("%s merged %s", t.paint(yellow, "["+either(res.Branch, "detached HEAD")+" "+res.Merge.Short()+"]"), res.Theirs.Short())
	}
	t.line("  %s", changesText(res.Changes))
	for _, c := range res.Settled {
		t.line("  settled %s: %s", quoted(c.Path), c.Settled)
	}
	printCarried(t, res.Carried)
}
