package cli

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

// moveExits are how verbs end that move files and names.
var moveExits = []int{ExitRefused, ExitDamaged, ExitBusy, ExitNotFound}

func (a *app) checkoutCommand() *cobra.Command {
	var opt core.CheckoutOptions
	cmd := a.command(spec{
		use: "checkout [REV] [PATH…] [--split NAME] [--into DIR]", short: "Make the files as they are in a commit", group: groupMove,
		long: `Make the working tree hold a commit. A branch attaches HEAD to it, so that commits go there;
anything else detaches HEAD, and says so. With PATHs only those become as in REV, and HEAD
stays. With --into the files go to another folder, and neither the working tree nor any name
is touched.

Local changes that are not in the way are carried along. Where something would be lost
nothing is touched, and every file at stake is named. Interrupted, it is finished by running
it again; --abort takes it back.

The files may be a part of the dataset: --path makes them what GLOB selects (relative to the
current folder; ? * and […] within a name, ** for any folders, a folder for all below it),
--add-path adds to that, --all brings everything. What leaves the part is deleted from the
disk if a commit holds it; what is outside stays in every commit as it is. Later checkouts
keep the part. --split makes them the files of splits, and what is in no split; with --into
it says what is written.

Splits that mlvc.toml seals are left out of every checkout. With --unseal they are read, and
REASON is kept in the log of operations.`,
		example: `
mlvc checkout v1                     # the whole dataset as in v1
mlvc checkout HEAD~2 labels/         # only these paths
mlvc checkout main@{yesterday} --into ../yesterday
mlvc checkout --path 'images/train/**' --path labels   # only these files from now on
mlvc checkout --split train          # the training data alone; of a scheme: --split folds:fold-1,fold-2
mlvc checkout v1 --split test --into ../test
mlvc checkout --unseal 'numbers of the paper' --split holdout
mlvc checkout --all                  # everything again
mlvc checkout --abort                # take an interrupted one back`,
		exits: moveExits, prints: []shape{{"", core.CheckoutResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.write(cmd.Context(), func(r *core.Repo) error { return a.checkout(cmd, r, args, opt) })
	})
	f := cmd.Flags()
	f.StringVar(&opt.Into, "into", "", "write into `DIR`, which is empty or has equal files")
	f.StringArrayVar(&opt.Part, "path", nil, "from now on hold only what `GLOB` selects; may be repeated")
	f.StringArrayVar(&opt.AddPart, "add-path", nil, "hold what `GLOB` selects too; may be repeated")
	a.splitFlag(cmd, &opt.Splits, "hold, or with --into write, the files of the splits")
	unsealFlag(f, &opt.Unseal)
	f.BoolVar(&opt.All, "all", false, "hold the whole dataset again")
	f.BoolVarP(&opt.Force, "force", "f", false, "replace and delete also what no commit holds")
	f.BoolVar(&opt.SkipDamaged, "skip-damaged", false, "leave out, and name, files whose stored content is damaged")
	f.BoolVar(&opt.Abort, "abort", false, "take unfinished work on the files back")
	cmd.ValidArgsFunction = a.completeRevisionThenPaths
	return cmd
}

func (a *app) checkout(cmd *cobra.Command, r *core.Repo, args []string, opt core.CheckoutOptions) error {
	revs, paths, err := a.split(cmd, r, args, 1)
	if err != nil {
		return err
	}
	opt.Paths = paths
	opt.Part, opt.AddPart = a.treePatterns(r, opt.Part), a.treePatterns(r, opt.AddPart)
	partly := opt.All || opt.Unseal != "" || len(opt.Part)+len(opt.AddPart)+len(opt.Splits) > 0
	switch {
	case len(revs) == 1:
		opt.Rev = revs[0]
	case len(paths) > 0 && cmd.ArgsLenAtDash() < 0:
		return usagef(`to bring paths back from the last commit: mlvc restore `+commandLine(args), "checkout needs a revision before paths")
	case !opt.Abort && !partly && len(paths) == 0:
		return usagef(cmd.UseLine(), "checkout needs a revision")
	}
	if opt.Into != "" && !filepath.IsAbs(opt.Into) {
		opt.Into = filepath.Join(a.dir, opt.Into)
	}
	res, err := r.Checkout(cmd.Context(), opt)
	if err != nil {
		return err
	}
	a.events.end()
	if err := a.out.report(res, func(t *text) { printCheckout(t, res, len(paths) > 0) }); err != nil {
		return err
	}
	return leftOut(res.Carried)
}

// leftOut is the end of a verb that left damaged files out: they were named on
// the way.
func leftOut(c core.Carried) error {
	if c.DamagedCount > 0 {
		return &silent{ExitDamaged}
	}
	return nil
}

func printCheckout(t *text, res core.CheckoutResult, some bool) {
	if res.Aborted != "" {
		t.line("Took back %q.", res.Aborted)
		for _, o := range res.Kept {
			t.line("  kept %s, which %s", quoted(o.Path), o.Reason)
		}
	}
	switch {
	case res.Into != "":
		t.line("Wrote commit %s to %s", t.paint(yellow, res.Commit.Short()), quoted(res.Into))
	case !some:
		printHead(t, res)
	}
	printCarried(t, res.Carried)
	if res.Part != nil && !some && res.Into == "" && !sealedAlone(*res.Part) {
		t.line(`  the files are a part of the dataset: %s`, partText(*res.Part))
	}
	printSealed(t, res.Sealed, unsealWay)
}

// sealedAlone reports whether a part is everything but sealed splits.
func sealedAlone(p core.Part) bool {
	return len(p.Splits) > 0 && len(p.Paths) == 0 && !slices.ContainsFunc(p.Splits, func(f core.SplitFilter) bool { return len(f.Only) > 0 })
}

// partText names a part.
func partText(p core.Part) string {
	switch {
	case p.All:
		return "everything"
	case p.None:
		return "no files"
	}
	const some = 5
	names := quotedAll(p.Paths[:min(some, len(p.Paths))])
	if more := len(p.Paths) - len(names); more > 0 {
		names = append(names, "and "+decimal(int64(more))+" more")
	}
	return strings.Join(append(names, filterTexts(p.Splits)...), ", ")
}

// filterTexts names which splits a part holds, and which it does not.
func filterTexts(filters []core.SplitFilter) []string {
	var list []string
	for _, f := range filters {
		word := "split "
		if len(f.Only) > 1 {
			word = "splits "
		}
		if len(f.Only) > 0 {
			list = append(list, word+strings.Join(f.Only, " and ")+" of scheme "+f.Scheme)
		}
	}
	for _, f := range filters {
		for _, n := range f.Sealed() {
			list = append(list, "without sealed split "+core.SplitName{Scheme: f.Scheme, Split: n}.String())
		}
	}
	return list
}

// printHead says where HEAD stands now.
func printHead(t *text, res core.CheckoutResult) {
	at := ""
	if !res.Commit.IsZero() {
		at = " at " + t.paint(yellow, res.Commit.Short())
	}
	if !res.Detached {
		t.line("On branch %s%s", t.paint(green, res.Branch), at)
		return
	}
	was := ""
	if res.PreviousBranch != "" {
		was = ", no longer on " + res.PreviousBranch
	}
	t.line("%s%s%s", t.paint(red, "HEAD is detached"), at, was)
	t.line(`  Commits made here are on no branch; "mlvc switch -c NAME" makes one.`)
}

// printCarried says what was done to the files.
func printCarried(t *text, c core.Carried) {
	resumed := ""
	if c.Resumed {
		resumed = " (finished what was interrupted)"
	}
	switch {
	case c.Written == 0 && c.Removed == 0:
		t.line("  no file had to change%s", resumed)
	case c.Removed == 0:
		t.line("  wrote %s, %s%s", plural(c.Written, "file"), size(c.Bytes), resumed)
	default:
		t.line("  wrote %s, %s; removed %s%s", plural(c.Written, "file"), size(c.Bytes), decimal(c.Removed), resumed)
	}
	if c.DamagedCount > 0 {
		t.line("  %s", t.paint(red, "left out "+plural(c.DamagedCount, "damaged file")))
	}
}
