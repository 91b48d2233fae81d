package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset"
)

func (a *app) modelVerifyCommand() *cobra.Command {
	var opt core.ModelVerifyOptions
	cmd := a.command(spec{
		use: "verify ID", short: "Is all that a model was made of still there, and right?",
		long: `Check that the commit of a model's data and its tree are whole, that its splits have the fingerprints
that the link says, that the weights have the bytes, and that git has the code. Weights whose file is
gone, or that of a later model by now, are sought in the commits, at the same path.`,
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
	var opt core.ModelCheckOptions
	var near string
	var all bool
	cmd := a.command(spec{
		use: "check ID REV[:SPLIT] | check ID -- PATH…", short: "Is this evaluation set clean of what a model was trained on?",
		long: `Compare what a model was trained on with REV, one split of it, or files and folders that need be in
no commit. What is printed is the proof, with what was compared and how, or the leaks: then the exit
status is 1. A model was trained on the splits that its link names, except those in the role test, or
else on all of its data.

Files are compared by their bytes, rows of tables by what is in them (in whatever format, in whatever
order of columns), images by their looks and text files by their words. Labels and empty files are no
samples. Columns that do not count in rows, and how near is near, are what [checks] in the mlvc.toml of
the commits says.`,
		example: `
mlvc model check run-42 HEAD:test
mlvc model check run-42 benchmark --near warn
mlvc model check run-42 v2:five-fold/fold-3 --all
mlvc model check run-42 -- ../benchmark`,
		args: words(2, -1, "a model, and what it is measured on"), exits: []int{ExitDamaged, ExitBusy, ExitNotFound}, prints: []shape{{"", core.ModelCheck{}}},
	}, func(cmd *cobra.Command, args []string) error {
		var err error
		if opt.Near, err = parseLevel("--near", near); err != nil {
			return err
		}
		on := strings.Join(args[1:], ", ")
		if cmd.ArgsLenAtDash() == 1 {
			for _, name := range args[1:] {
				opt.Files = append(opt.Files, a.file(name))
			}
		} else if opt.On = args[1]; len(args) > 2 || cmd.ArgsLenAtDash() >= 0 {
			return usagef(cmd.UseLine(), "%s: one revision, or paths after --", quoted(args[len(args)-1]))
		}
		opt.Model = args[0]
		return a.read(cmd.Context(), func(r *core.Repo) error {
			res, err := r.CheckModel(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			err = a.out.answer(res, func(t *text) { printModelCheck(t, res, on, all) })
			if err == nil && !res.Clean {
				err = &silent{ExitError}
			}
			return err
		})
	})
	cmd.Flags().BoolVarP(&all, "all", "a", false, "list everything that was found, not only the first")
	cmd.Flags().StringVar(&near, "near", string(dataset.Error), "near-duplicates are leaks, are told, or are not looked for: `LEVEL` error, warn, off")
	cmd.RegisterFlagCompletionFunc("near", cobra.FixedCompletions([]string{"error", "warn", "off"}, cobra.ShellCompDirectiveNoFileComp)) //nolint:errcheck // the flag is there
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return a.completeModel(cmd, args, begun)
		}
		return a.completeRevision(cmd, args, begun)
	}
	return cmd
}

// parseLevel reads the level of a flag.
func parseLevel(flag, word string) (dataset.Level, error) {
	switch level := dataset.Level(word); level {
	case dataset.Error, dataset.Warn, dataset.Off:
		return level, nil
	}
	return "", usagef("levels are error, warn and off", "%s %s: no level", flag, quoted(word))
}

func printModelCheck(t *text, res core.ModelCheck, on string, all bool) {
	verdict, colour := "clean", green
	switch {
	case !res.Clean:
		verdict, colour = "not clean", red
	case len(res.Unread) > 0:
		verdict, colour = "clean, as far as it can be read,", yellow
	}
	t.line("%s is %s of what model %s was trained on", quoted(on), t.paint(colour, verdict), t.paint(cyan, quoted(res.Model)))
	t.columns("  ", append(setRows("trained on", res.Trained), setRows("evaluated", res.Evaluated)...))
	for _, m := range res.Methods {
		t.line("  %s", methodText(m))
	}
	for _, m := range res.Methods {
		printLeaks(t, res, m, all)
	}
	printUnread(t, res, all)
	if !res.Clean && len(res.Trained.Splits) == 0 && res.Trained.Commit == res.Evaluated.Commit {
		t.line("The link names no splits, so that the model counts as trained on all of the commit")
		t.line("(mlvc model link --force %s --splits … says which).", shellWord(res.Model))
	}
}

// maxLeaksShown is how many leaks of each method people are shown.
const maxLeaksShown = 20

// printLeaks lists what one method found.
func printLeaks(t *text, res core.ModelCheck, m core.LeakMethod, all bool) {
	word, colour := "leak", red
	if m.Level != dataset.Error {
		word, colour = "near", yellow
	}
	shown := int64(0)
	for _, l := range res.Leaks {
		if l.Method != m.Method || !all && shown == maxLeaksShown {
			continue
		}
		shown++
		distance := dataset.DistanceText(l.Distance, l.Measure)
		if distance != "" {
			distance = " (" + distance + ")"
		}
		t.line("  %s %s: trained on as %s%s", t.paint(colour, word), samplePlace(l.Evaluated), samplePlace(l.Trained), distance)
	}
	if more := m.Leaks - shown; more > 0 {
		hint := ""
		if !all {
			hint = " (--all shows each)"
		}
		t.line("  … and %s more by %s%s", decimal(more), methodName(m.Method), hint)
	}
}

// printUnread lists what could not be compared.
func printUnread(t *text, res core.ModelCheck, all bool) {
	for i, u := range res.Unread {
		if i == maxLeaksShown && !all {
			t.line("  … and %s more that cannot be read (--all shows each)", decimal(int64(len(res.Unread)-i)))
			return
		}
		place := quoted(u.Path)
		if u.Place != "" {
			place += ", " + u.Place
		}
		t.line("  %s %s: %s", t.paint(yellow, "not compared"), place, printable(u.Why))
	}
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
	what := plural(s.Files, "file") + ", " + size(s.Bytes)
	if !s.Commit.IsZero() {
		what += ", commit " + s.Commit.Short()
		if len(s.Splits) == 0 {
			return [][]cell{{{text: title}, {text: what + ", all of it: tree " + s.Tree.String()}}}
		}
	}
	rows := [][]cell{{{text: title}, {text: what}}}
	for _, name := range slices.Sorted(maps.Keys(s.Fingerprints)) {
		of := "split " + name
		if s.Commit.IsZero() {
			of = "in no commit"
		}
		rows = append(rows, []cell{{text: ""}, {text: of + ", fingerprint " + s.Fingerprints[name].String()}})
	}
	return rows
}

// methodNames are the methods in words.
var methodNames = map[string]string{core.MethodImages: "looks of images", core.MethodTexts: "words of texts", core.MethodContent: "content of files", core.MethodRows: "rows of tables"}

func methodName(method string) string {
	if name, ok := methodNames[method]; ok {
		return name
	}
	return method
}

func methodText(m core.LeakMethod) string {
	if m.Skipped != "" {
		return "not compared by " + methodName(m.Method) + ": " + m.Skipped
	}
	found := plural(m.Leaks, "leak")
	if m.Level != dataset.Error {
		found = plural(m.Leaks, "near-duplicate") + ", which count as none"
	}
	line := "by " + methodName(m.Method) + ": " + decimal(m.Evaluated) + " against " + decimal(m.Trained) + ", " + found
	if m.Limits != "" {
		line += " (" + m.Limits + ")"
	}
	return line
}
