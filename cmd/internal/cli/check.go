package cli

import (
	"bufio"
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/report"
	"github.com/mlvc/mlvc/objects/vfs"
)

type checkFlags struct {
	all    bool
	html   string
	unseal string
	sarif  string
}

func (a *app) checkCommand() *cobra.Command {
	var flags checkFlags
	cmd := a.command(spec{
		use: "check [REV]", short: "Look for leaks between splits, and whatever else breaks the rules", group: groupWork,
		long: `Hold the dataset to the [splits] and [checks] of mlvc.toml: the working tree as the next commit
would record it, or a commit to its own rules. The checks are those that every commit is held to
("mlvc help checks"); here nothing is refused and no commit is made. The exit status is 1 when
something is found that would refuse a commit.

--html writes one file to look at, with the images of each pair side by side; those of sealed splits
only with --unseal, whose REASON is kept in the log of operations. --sarif writes a file for the tools
that show the findings of linters.`,
		example: `
mlvc check
mlvc check v1.0 --all
mlvc check --html report.html
mlvc check --json | jq '.report.findings[] | select(.rule == "near")'`,
		args:  words(0, 1, "a revision"),
		exits: []int{ExitError, ExitBusy, ExitNotFound}, prints: []shape{{"", core.CheckResult{}}},
	}, func(cmd *cobra.Command, args []string) error { return a.check(cmd, args, flags) })
	f := cmd.Flags()
	f.BoolVar(&flags.all, "all", false, "print every finding, waived ones too, with all its samples")
	f.StringVar(&flags.html, "html", "", "write a report to look at into `FILE`")
	unsealFlag(f, &flags.unseal)
	f.StringVar(&flags.sarif, "sarif", "", "write the findings as SARIF 2.1.0 into `FILE`; - is the output")
	cmd.RegisterFlagCompletionFunc("html", filesHere)  //nolint:errcheck // the flag is there
	cmd.RegisterFlagCompletionFunc("sarif", filesHere) //nolint:errcheck // the flag is there
	cmd.ValidArgsFunction = a.completeRevision
	return cmd
}

func (a *app) check(cmd *cobra.Command, args []string, flags checkFlags) error {
	ctx := cmd.Context()
	if flags.unseal != "" && flags.html == "" {
		return usagef("leave it out, or write a report with --html FILE", "--unseal shows sealed samples in the report that --html writes")
	}
	return a.write(ctx, func(r *core.Repo) error {
		res, err := r.Check(ctx, strings.Join(args, ""))
		if err != nil {
			return err
		}
		a.events.end()
		if flags.html != "" {
			err := a.writeMade(flags.html, func(w io.Writer) error { return a.checkPage(ctx, r, res, flags.unseal, w) })
			if err != nil {
				return err
			}
		}
		if flags.sarif != "" {
			err := a.writeMade(flags.sarif, func(w io.Writer) error { return report.SARIF(w, res.Report, a.env.Version) })
			if err != nil {
				return err
			}
		}
		if flags.sarif != "-" {
			if err := a.out.answer(res, func(t *text) { printCheck(t, res, flags.all) }); err != nil {
				return err
			}
		}
		if res.Report.Refused() {
			return &silent{ExitError}
		}
		return nil
	})
}

func (a *app) checkPage(ctx context.Context, r *core.Repo, res core.CheckResult, unseal string, w io.Writer) error {
	page, err := r.CheckPage(ctx, res, unseal)
	if err != nil {
		return err
	}
	page.Version = a.env.Version
	return report.HTML(ctx, w, page)
}

func printCheck(t *text, res core.CheckResult, all bool) {
	what := "The working tree"
	if !res.Commit.IsZero() {
		what = "Commit " + res.Commit.Short()
	}
	t.line("%s, by the rules of its mlvc.toml:", what)
	printSplits(t, res.Schemes)
	t.line("")
	printReport(t, res.Report, all)
	if all && len(res.Waivers) > 0 {
		t.line("")
		for _, w := range res.Waivers {
			t.line("Waived: %s", waiverText(w))
		}
	}
}

// printReport prints a report in the colours of the terminal.
func printReport(t *text, r *dataset.Report, all bool) {
	colours := map[report.Role]colour{report.Good: green, report.Caution: yellow, report.Bad: red, report.Faint: dim, report.Head: bold}
	// What cannot be written is told when the output is flushed.
	_ = report.Text(t.w, r, report.TextOptions{All: all, Style: func(role report.Role, text string) string { return t.paint(colours[role], text) }})
}

// printSplits prints what the splits hold, a line each.
func printSplits(t *text, schemes []core.SchemeResult) {
	for _, s := range schemes {
		var parts []string
		for _, one := range s.Splits {
			n := one.Files
			if s.Rows {
				n = one.Rows
			}
			parts = append(parts, one.Name+" "+decimal(n))
		}
		unit := "files"
		if s.Rows {
			unit = "rows"
		}
		t.line("  %s: %s (%s)", s.Scheme, strings.Join(parts, ", "), unit)
	}
}

// commitSchemeText says what the splits of a commit hold, or which there are.
func commitSchemeText(s core.CommitScheme) string {
	var parts []string
	for _, one := range s.Splits {
		switch {
		case !s.Counted:
			parts = append(parts, one.Name)
		case s.Rows:
			parts = append(parts, one.Name+" "+decimal(one.Rows))
		default:
			parts = append(parts, one.Name+" "+decimal(one.Files))
		}
	}
	text := s.Scheme + ": " + strings.Join(parts, ", ")
	if s.Rows {
		text += " (rows)"
	}
	return text
}

func waiverText(w core.WaiverInfo) string {
	return plural(int64(len(w.Findings)), "finding") + " of the rule " + string(w.Rule) + ": " + quoted(w.Reason)
}

// waiveFlags are --waive and --reason, of the verbs that make commits.
type waiveFlags struct {
	rules  []string
	reason string
}

func (w *waiveFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&w.rules, "waive", nil, "let what the check `RULE` finds now stand; with --reason, may be repeated")
	f.StringVar(&w.reason, "reason", "", "why it may stand: `TEXT` that is kept with the commit")
	cmd.RegisterFlagCompletionFunc("waive", fixed(ruleWords()...)) //nolint:errcheck // the flag is there
}

func (w *waiveFlags) parse() ([]core.Waive, error) {
	rules, reason := w.rules, strings.TrimSpace(w.reason)
	switch {
	case len(rules) > 0 && reason == "":
		return nil, usagef(`say why it may stand: --waive RULE --reason "TEXT"`, "--waive needs a --reason, which is kept with the commit")
	case len(rules) == 0 && reason != "":
		return nil, usagef("name the rule whose findings may stand: --waive RULE", "--reason goes with --waive")
	}
	var list []core.Waive
	for _, name := range rules {
		list = append(list, core.Waive{Rule: dataset.Rule(name), Reason: reason})
	}
	return list, nil
}

func ruleWords() []string {
	words := make([]string, len(check.Rules))
	for i, r := range check.Rules {
		words[i] = string(r)
	}
	return words
}

// writeMade writes what make makes into a file, or, for "-", prints it.
func (a *app) writeMade(file string, make func(w io.Writer) error) error {
	if file == "-" {
		return make(a.out.w)
	}
	return vfs.WriteFrom(a.env.FS, a.file(file), 0o666, func(w io.Writer) error {
		buffered := bufio.NewWriterSize(w, 1<<20)
		if err := make(buffered); err != nil {
			return err
		}
		return buffered.Flush()
	})
}
