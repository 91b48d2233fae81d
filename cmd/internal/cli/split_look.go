package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset/split"
	"github.com/mlvc/mlvc/core/revision"
)

func (a *app) splitExplainCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "explain [SCHEME:]PATH[:ROW] [REV]", short: "Why a sample is where it is",
		long: `Say in which split a file is, or the row of that number in a table, and why: the globs, lines and
rows that name it, its group and class, and how full the splits are. Without SCHEME, in every scheme.`,
		example: `
mlvc split explain images/patient-7/0042.png
mlvc split explain five:images/0042.png v1
mlvc split explain rows:reviews.csv:17 --json`,
		args: words(1, 2, "a sample"), exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"for each scheme", split.Explanation{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			all, err := r.ExplainSplit(cmd.Context(), second(args), args[0], func(p string) (string, error) { return a.treePath(r, p) })
			if err != nil {
				return err
			}
			return list(a.out, all, printExplanation)
		})
	})
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return a.completeTracked(cmd, args, begun)
		}
		return a.completeRevision(cmd, args, begun)
	}
	return cmd
}

func printExplanation(t *text, e split.Explanation) {
	what := quoted(e.Path)
	if e.Row > 0 {
		what = fmt.Sprintf("row %d of %s", e.Row, what)
	}
	switch e.Split {
	case "":
		t.line("%s: %s is in %s", t.paint(bold, e.Scheme), what, t.paint(yellow, "no split"))
	case split.AllRows:
		t.line("%s: %s", t.paint(bold, e.Scheme), what)
	default:
		t.line("%s: %s is in %s", t.paint(bold, e.Scheme), what, t.paint(cyan, strings.ReplaceAll(e.Split, ",", " and ")))
	}
	for _, w := range e.Why {
		line := w.What
		if w.Where != "" {
			line += " (" + w.Where + ")"
		}
		if w.Split != "" && w.Split != e.Split {
			line = w.Split + ": " + line
		}
		t.line("  %s", line)
	}
	if e.Group != "" {
		t.line("  group %s", quoted(e.Group))
	}
	if e.Class != "" {
		t.line("  class %s", quoted(e.Class))
	}
	for _, q := range e.Quotas {
		line := fmt.Sprintf("%s holds %s of %s that are its share", q.Split, decimal(q.Held), trimmed(q.Quota))
		if q.Class != "" {
			line += fmt.Sprintf(", of the class %s of %s", decimal(q.InClass), trimmed(q.OfClass))
		}
		t.line("  %s", line)
	}
}

// trimmed writes a number with one decimal, where it has one.
func trimmed(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }

func (a *app) splitDiffCommand() *cobra.Command {
	var scheme string
	var all bool
	cmd := a.command(spec{
		use: "diff REV [REV]", short: "Which samples moved between the splits of two commits",
		long: `List what differs between the splits of two commits (the second is HEAD, if it is not given): how many
samples went from which split to which, then each. A file under another name is the same sample.
Rows are compared by what is in them, wherever they stand. What the next commit would change is
shown by "mlvc split assign".`,
		example: `
mlvc split diff v1
mlvc split diff v1..v2
mlvc split diff HEAD~1 HEAD --scheme five
mlvc split diff v1 --json | jq 'select(.change == "moved")'`,
		args: words(1, 2, "a revision"), exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"for each move", core.SplitMove{}}},
	}, func(cmd *cobra.Command, args []string) error {
		from, to := args[0], second(args)
		if a, b, isRange, err := revision.ParseRange(from); err != nil {
			return err
		} else if isRange && to == "" {
			from, to = a.String(), b.String()
		}
		return a.read(cmd.Context(), func(r *core.Repo) error {
			d, err := r.DiffSplits(cmd.Context(), from, to, scheme)
			if err != nil {
				return err
			}
			a.events.end()
			return a.printSplitDiff(cmd, r, d, all)
		})
	})
	f := cmd.Flags()
	f.StringVar(&scheme, "scheme", "", "compare only the scheme `NAME`")
	f.BoolVarP(&all, "all", "a", false, "list every sample, not only the first ones")
	cmd.ValidArgsFunction = a.completeRevision
	cmd.RegisterFlagCompletionFunc("scheme", a.completeScheme) //nolint:errcheck // the flag is there
	return cmd
}

func (a *app) printSplitDiff(cmd *cobra.Command, r *core.Repo, d core.SplitDiff, all bool) error {
	for _, s := range d.Schemes {
		if !a.out.json {
			err := a.out.answer(nil, func(t *text) {
				rule := ""
				if s.Rule != "" {
					rule = ", " + s.Rule
				}
				t.line("%s%s:", t.paint(bold, s.Scheme), rule)
				printMoveCounts(t, s)
			})
			if err != nil {
				return err
			}
		}
		n := 0
		for m, err := range s.Moves(cmd.Context()) {
			if err != nil {
				return err
			}
			if n++; n > maxShown && !all && !a.out.json {
				continue
			}
			if err := a.out.answer(m, func(t *text) { a.printMove(t, r, m, all) }); err != nil {
				return err
			}
		}
		if n > maxShown && !all && !a.out.json {
			err := a.out.answer(nil, func(t *text) { t.line("    … and %s more (--all lists each)", decimal(int64(n-maxShown))) })
			if err != nil {
				return err
			}
		}
	}
	if len(d.Schemes) == 0 && !a.out.json {
		return a.out.answer(nil, func(t *text) { t.line("Neither commit has splits.") })
	}
	return nil
}

// maxRowsShown is how many rows that went the same way people are shown.
const maxRowsShown = 10

func (a *app) printMove(t *text, r *core.Repo, m core.SplitMove, all bool) {
	if m.Rows == 0 {
		name := quoted(a.shown(r, m.Path))
		if m.OldPath != "" {
			name = quoted(a.shown(r, m.OldPath)) + " → " + name
		}
		t.line("    %s  %s  %s", t.paint(moveColours[m.Change], padRight(string(m.Change), 7)), wayText(m.Change, m.From, m.To), name)
		return
	}
	for i, s := range m.Samples {
		if i == maxRowsShown && !all {
			break
		}
		t.line("    %s  %s  row %d of %s", t.paint(moveColours[m.Change], padRight(string(m.Change), 7)), wayText(m.Change, m.From, m.To), s.Row, quoted(a.shown(r, s.Path)))
	}
}
