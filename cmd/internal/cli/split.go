package cli

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) splitCommand() *cobra.Command {
	var opt core.SplitsOptions
	cmd := a.command(spec{
		use: "split [REV | COMMAND]", short: "How the samples are divided for training and evaluation", group: groupLook,
		long: `Show the splits of a commit (HEAD, if none is given): what each holds, its fingerprint, and the rule
that divides. They are declared under [splits] of mlvc.toml ("mlvc help splits") and recorded with
every commit.

Two splits with the same fingerprint hold the same samples with the same bytes.`,
		example: `
mlvc split
mlvc split v1 --classes
mlvc split assign --ratios train=80,val=10,test=10     # declare them, and see the outcome
mlvc split explain images/0042.png
mlvc split diff v1 v2
mlvc split export train --epoch 3 --seed 7`,
		args: words(0, 1, "a revision"), exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"", core.SplitsResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt.Rev = strings.Join(args, "")
		return a.read(cmd.Context(), func(r *core.Repo) error {
			res, err := r.Splits(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			return a.out.answer(res, func(t *text) { printSplitsResult(t, res, opt.Classes) })
		})
	})
	cmd.Flags().BoolVar(&opt.Classes, "classes", false, "count the samples of each class, by the scheme or by the labels")
	cmd.ValidArgsFunction = a.completeRevision
	cmd.AddCommand(a.splitAssignCommand(), a.splitExplainCommand(), a.splitDiffCommand(), a.splitExportCommand())
	return cmd
}

func printSplitsResult(t *text, res core.SplitsResult, classes bool) {
	if !res.Commit.IsZero() && len(res.Schemes) > 0 {
		t.line("Splits of commit %s:", t.paint(yellow, res.Commit.Short()))
	}
	for _, s := range res.Schemes {
		t.line("")
		printScheme(t, s, classes)
	}
	if len(res.Schemes) == 0 {
		if res.Commit.IsZero() {
			t.line("There is no commit yet, so no splits.")
		} else {
			t.line("Commit %s has no splits.", t.paint(yellow, res.Commit.Short()))
		}
	} else if len(res.Working) > 0 {
		t.line("")
	}
	if len(res.Working) > 0 {
		t.line(`%s %s: "mlvc split assign" shows what the next commit records.`, t.paint(yellow, "mlvc.toml has"), schemeChangesText(res.Working))
	} else if len(res.Schemes) == 0 {
		t.line(`"mlvc split assign --ratios train=80,val=10,test=10" declares some; "mlvc help splits" shows all ways.`)
	}
}

// schemeChangesText says how mlvc.toml differs from a commit.
func schemeChangesText(changes []core.SchemeChange) string {
	words := map[string]string{core.SchemeNew: "a new scheme ", core.SchemeChanged: "another rule for the scheme ", core.SchemeRemoved: "no longer the scheme "}
	parts := make([]string, 0, len(changes))
	for _, c := range changes {
		parts = append(parts, words[c.Change]+c.Scheme)
	}
	return strings.Join(parts, ", ")
}

// printScheme prints one scheme: its rule, and a line a split.
func printScheme(t *text, s core.SplitScheme, classes bool) {
	t.line("%s: %s", t.paint(bold, s.Scheme), ruleWordsOf(s))
	if !s.Counted {
		for _, one := range s.Splits {
			t.line("  %s  %s%s", one.Name, t.paint(dim, one.Fingerprint.Short()), guardText(one))
		}
		if s.Parsed != nil {
			t.line("  What they hold cannot be counted: contents are not here.")
		}
		return
	}
	rows := make([][]cell, 0, len(s.Splits))
	for _, one := range s.Splits {
		row := []cell{{text: one.Name, colour: cyan}}
		if s.Rows {
			row = append(row, cell{text: plural(one.Rows, "row"), right: true}, cell{text: "in " + plural(one.Files, "table"), right: true})
		} else {
			row = append(row, cell{text: plural(one.Files, "file"), right: true}, cell{text: size(one.Bytes), right: true})
		}
		rows = append(rows, append(row, cell{text: one.Fingerprint.Short(), colour: dim}, cell{text: guardText(one)}))
	}
	t.columns("  ", rows)
	if s.Uncovered > 0 {
		t.line("  %s in no split", plural(s.Uncovered, sampleWord(s.Rows)))
	}
	if classes {
		printClasses(t, s)
	}
}

func sampleWord(rows bool) string {
	if rows {
		return "row"
	}
	return "file"
}

func guardText(s core.SplitResult) string {
	switch {
	case s.Sealed:
		return "sealed"
	case s.Frozen:
		return "frozen"
	}
	return ""
}

// printClasses prints a table of classes and splits.
func printClasses(t *text, s core.SplitScheme) {
	all := make(map[string]int64)
	for _, one := range s.Splits {
		for class, n := range one.Classes {
			all[class] += n
		}
	}
	if len(all) == 0 {
		t.line(`  No classes are known: "stratify" of the scheme or labels beside the samples tell them.`)
		return
	}
	names := slices.SortedFunc(maps.Keys(all), func(x, y string) int { return cmp.Or(cmp.Compare(all[y], all[x]), cmp.Compare(x, y)) })
	head := []cell{{text: "class", colour: dim}}
	for _, one := range s.Splits {
		head = append(head, cell{text: one.Name, colour: dim, right: true})
	}
	rows := [][]cell{head}
	for _, class := range names {
		row := []cell{{text: quoted(either(class, "(none)"))}}
		for _, one := range s.Splits {
			row = append(row, cell{text: decimal(one.Classes[class]), right: true})
		}
		rows = append(rows, row)
	}
	t.columns("    ", rows)
}

// completeScheme completes the schemes of the last commit and of mlvc.toml.
func (a *app) completeScheme(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, func(r *core.Repo) []string {
		names, err := r.SchemeNames(cmd.Context())
		if err != nil {
			return nil
		}
		for i, name := range names {
			names[i] = name + "\tscheme"
		}
		return names
	})
}

// completeSplitName completes [SCHEME:]NAME of the last commit, and revisions
// after it.
func (a *app) completeSplitName(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return a.completeRevision(cmd, args, begun)
	}
	return a.complete(cmd, func(r *core.Repo) []string {
		names, _ := r.SplitNames(cmd.Context(), "")
		var found []string
		for _, n := range names {
			found = append(found, n.String()+"\t"+splitNote(n))
		}
		return found
	})
}
