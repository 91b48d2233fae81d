package cli

import (
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset"
)

func (a *app) modelVerifyCommand() *cobra.Command {
	var opt core.ModelVerifyOptions
	cmd := a.command(spec{
		use: "verify ID", short: "Is all that a model was made of still there, and right?",
		long: `Check that the commit of a model's data and its tree are whole, that its splits have the fingerprints
that the link says, that the weights have the bytes, and that git has the code.`,
		example: `
mlvc model verify run-42
mlvc model verify run-42 --full                  # reads every byte of the data
mlvc model verify run-42 --weights /mnt/models/run-42.safetensors`,
		args: words(1, 1, "a model"), exits: []int{ExitDamaged, ExitBusy, ExitNotFound}, prints: []shape{{"for each part", core.ModelVerified{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt.Model, opt.Weights = args[0], a.file(opt.Weights)
		return a.read(cmd.Context(), func(r *core.Repo) error {
			parts, err := r.VerifyModel(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			wrong := false
			err = list(a.out, parts, func(t *text, p core.ModelVerified) { printPart(t, p) })
			for _, p := range parts {
				wrong = wrong || !p.OK
			}
			if err == nil && wrong {
				err = &silent{ExitDamaged}
			}
			return err
		})
	})
	f := cmd.Flags()
	f.BoolVar(&opt.Full, "full", false, "read and hash every byte of the data")
	f.StringVar(&opt.Weights, "weights", "", "the weights are in `FILE`, not where the link says")
	cmd.RegisterFlagCompletionFunc("weights", filesHere) //nolint:errcheck // the flag is there
	cmd.ValidArgsFunction = a.completeModel
	return cmd
}

func printPart(t *text, p core.ModelVerified) {
	mark, colour := "ok", green
	switch {
	case !p.OK:
		mark, colour = "wrong", red
	case p.Skipped:
		mark, colour = "-", dim
	}
	t.line("%s  %s  %s", t.paint(colour, padRight(mark, 5)), padRight(p.Part, 7), p.Detail)
}

func (a *app) modelCheckCommand() *cobra.Command {
	var all bool
	cmd := a.command(spec{
		use: "check ID REV[:SPLIT]", short: "Is this evaluation set clean of what a model was trained on?",
		long: `Compare what a model was trained on with REV, or one split of it. What is printed is the proof, with what
was compared and how, or the leaks: then the exit status is 1. A model was trained on the splits that
its link names, except those in the role test, or else on all of its data.`,
		example: `
mlvc model check run-42 HEAD:test
mlvc model check run-42 benchmark
mlvc model check run-42 v2:five-fold/fold-3 --all`,
		args: words(2, 2, "a model, and what it is measured on"), exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"", core.ModelCheck{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			res, err := r.CheckModel(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			a.events.end()
			err = a.out.answer(res, func(t *text) { printModelCheck(t, res, args[1], all) })
			if err == nil && !res.Clean {
				err = &silent{ExitError}
			}
			return err
		})
	})
	cmd.Flags().BoolVarP(&all, "all", "a", false, "list every leak, not only the first ones")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return a.completeModel(cmd, args, begun)
		}
		return a.completeRevision(cmd, args, begun)
	}
	return cmd
}

func printModelCheck(t *text, res core.ModelCheck, on string, all bool) {
	verdict, colour := "clean", green
	if !res.Clean {
		verdict, colour = "not clean", red
	}
	t.line("%s is %s of what model %s was trained on", quoted(on), t.paint(colour, verdict), t.paint(cyan, quoted(res.Model)))
	t.columns("  ", append(setRows("trained on", res.Trained), setRows("evaluated", res.Evaluated)...))
	for _, m := range res.Methods {
		t.line("  %s", methodText(m))
	}
	shown := res.Leaks
	if !all && len(shown) > maxLeaksShown {
		shown = shown[:maxLeaksShown]
	}
	for _, l := range shown {
		distance := ""
		if l.Measure != "" {
			distance = " (" + strconv.FormatFloat(l.Distance, 'g', 3, 64) + " " + l.Measure + ")"
		}
		t.line("  %s %s: trained on as %s%s", t.paint(red, "leak"), samplePlace(l.Evaluated), samplePlace(l.Trained), distance)
	}
	if more := leaksOf(res) - int64(len(shown)); more > 0 {
		t.line("  … and %s more (--all shows each)", decimal(more))
	}
	if !res.Clean && len(res.Trained.Splits) == 0 && res.Trained.Commit == res.Evaluated.Commit {
		t.line("The link names no splits, so that the model counts as trained on all of the commit")
		t.line("(mlvc model link --force %s --splits … says which).", shellWord(res.Model))
	}
}

// maxLeaksShown is how many leaks people are shown.
const maxLeaksShown = 20

func leaksOf(res core.ModelCheck) (n int64) {
	for _, m := range res.Methods {
		n += m.Leaks
	}
	return n
}

func samplePlace(s dataset.Sample) string {
	place := quoted(s.Path)
	if s.Row > 0 {
		place += " row " + decimal(s.Row)
	}
	return place
}

// setRows describe a set, with what proves which it was.
func setRows(title string, s core.ModelSet) [][]cell {
	what := plural(s.Files, "file") + ", " + size(s.Bytes) + ", commit " + s.Commit.Short()
	if len(s.Splits) == 0 {
		return [][]cell{{{text: title}, {text: what + ", all of it: tree " + s.Tree.String()}}}
	}
	rows := [][]cell{{{text: title}, {text: what}}}
	for _, name := range slices.Sorted(maps.Keys(s.Fingerprints)) {
		rows = append(rows, []cell{{text: ""}, {text: "split " + name + ", fingerprint " + s.Fingerprints[name].String()}})
	}
	return rows
}

func methodText(m core.LeakMethod) string {
	if m.Skipped != "" {
		return "not compared by " + m.Method + ": " + m.Skipped
	}
	line := "by " + m.Method + ": " + decimal(m.Evaluated) + " against " + decimal(m.Trained) + ", " + plural(m.Leaks, "leak")
	if m.Limits != "" {
		line += " (" + m.Limits + ")"
	}
	return line
}
