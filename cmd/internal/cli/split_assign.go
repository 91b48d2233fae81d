package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) splitAssignCommand() *cobra.Command {
	var opt core.AssignOptions
	var ratios []string
	cmd := a.command(spec{
		use: "assign [SCHEME]", short: "What the next commit would record, after a change of mlvc.toml if wished",
		long: `Apply the schemes of mlvc.toml to the files as they are, and show what the next commit would record
and what would move. No commit is made.

With an option that says how to divide, SCHEME (the default one, if none is named) is changed in
mlvc.toml before, or made there; comments and everything else stay as they are. What was drawn once
stays: new samples never move old ones, and changed ratios move as few as possible. --redraw forgets
that: the scheme gets another seed.`,
		example: `
mlvc split assign                                              # look
mlvc split assign --ratios train=80,val=10,test=10
mlvc split assign five --folds 5 --of 'images/**' --group 'patient-(\d+)' --stratify folder
mlvc split assign rows --table reviews.csv --ratios train=9,test=1 --group column:user
mlvc split assign listed --table meta.csv --path filename --column split
mlvc split assign five --redraw`,
		args: words(0, 1, "a scheme"), exits: []int{ExitRefused, ExitDamaged, ExitBusy, ExitNotFound}, prints: []shape{{"", core.AssignResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt.Scheme = strings.Join(args, "")
		for _, r := range ratios {
			name, share, ok := strings.Cut(r, "=")
			if !ok {
				return usagef("write --ratios train=80,val=10,test=10", "--ratios %s: not a split and its share", quoted(r))
			}
			opt.Edit.Ratios = append(opt.Edit.Ratios, core.SplitShare{Split: name, Share: share})
		}
		return a.write(cmd.Context(), func(r *core.Repo) error {
			res, err := r.AssignSplits(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			return a.out.answer(res, func(t *text) { printAssigned(t, res) })
		})
	})
	f := cmd.Flags()
	e := &opt.Edit
	f.StringSliceVar(&ratios, "ratios", nil, "draw by shares: `NAME=SHARE`, with commas between them")
	f.IntVar(&e.Folds, "folds", 0, "draw `NUMBER` folds of the same size")
	f.StringVar(&e.Column, "column", "", "the split is what the column `NAME` of the table says")
	f.StringVar(&e.Seed, "seed", "", "draw by `TEXT`; another seed draws everything anew")
	f.StringVar(&e.Group, "group", "", "what never crosses splits: a regular expression on the path, or column:NAME, as `GROUP`")
	f.StringVar(&e.Stratify, "stratify", "", "each class by the same shares; the class is `CLASS`: folder, or column:NAME")
	f.StringArrayVar(&e.Of, "of", nil, "the files that are samples: `GLOB` from the root; may be repeated")
	f.StringArrayVar(&e.Table, "table", nil, "the table whose rows are samples, or list them: `GLOB`; may be repeated")
	f.StringVar(&e.Path, "path", "", "the table lists files, by the column `NAME`")
	f.BoolVar(&e.Redraw, "redraw", false, "forget what was drawn: write another seed")
	cmd.ValidArgsFunction = a.completeScheme
	cmd.RegisterFlagCompletionFunc("stratify", fixed("folder")) //nolint:errcheck // the flag is there
	cmd.RegisterFlagCompletionFunc("table", filesHere)          //nolint:errcheck // the flag is there
	return cmd
}

func printAssigned(t *text, res core.AssignResult) {
	if res.Edited != "" {
		t.line("Wrote the scheme %s to mlvc.toml.", t.paint(cyan, res.Edited))
	}
	t.line("What the next commit records:")
	for _, s := range res.Schemes {
		t.line("")
		printScheme(t, s.SplitScheme, false)
		printMoveCounts(t, s.Diff)
		for i, u := range s.Unread {
			if i == 5 {
				t.line("  … and %s more that cannot be read", decimal(int64(len(s.Unread)-i)))
				break
			}
			t.line("  %s %s: %s", t.paint(yellow, "not read:"), quoted(strings.Trim(u.Path+", "+u.Place, ", ")), u.Why)
		}
		for _, name := range s.Broken {
			t.line("  %s the frozen split %s changes: the commit is refused", t.paint(red, "frozen:"), name)
		}
	}
}

// printMoveCounts prints how many samples went from where to where.
func printMoveCounts(t *text, d core.SchemeDiff) {
	if len(d.Counts) == 0 {
		t.line("  Nothing moves.")
		return
	}
	rows := make([][]cell, 0, len(d.Counts))
	for _, c := range d.Counts {
		rows = append(rows, []cell{
			{text: string(c.Change), colour: moveColours[c.Change]},
			{text: plural(c.Samples, sampleWord(d.Rows)), right: true},
			{text: wayText(c.Change, c.From, c.To)},
		})
	}
	t.columns("  ", rows)
}

var moveColours = map[core.MoveKind]colour{core.MoveMoved: red, core.MoveNew: green, core.MoveGone: yellow, core.MoveChanged: yellow, core.MoveRenamed: dim}

// wayText says from where to where a sample went.
func wayText(k core.MoveKind, from, to string) string {
	switch {
	case k == core.MoveNew:
		return "in " + either(to, "no split")
	case k == core.MoveGone:
		return "from " + either(from, "no split")
	case from == to:
		return "in " + to
	}
	return either(from, "no split") + " → " + either(to, "no split")
}
