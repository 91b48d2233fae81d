package cli

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

// modelChange is what model link and model unlink did.
type modelChange struct {
	Change string `json:"change"` // linked, unlinked
	core.ModelInfo
}

func (a *app) modelCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "model [COMMAND]", short: "The models that were trained, and the data that each saw", group: groupLook,
		long: `A link ties a model to exactly the data that it saw: a commit, and the splits of it. Links are names,
as branches and tags are: they are pushed and fetched, logged, and "mlvc undo" takes a change of
them back. What a linked model needs is never removed. Without a command, list the models.

An ID is whatever the models are known by elsewhere, such as the name of a run: letters, digits, and
. _ - / between them. "model:ID" names the data wherever a revision is wanted.`,
		example: `
mlvc model
mlvc commit -m "Batch 7" --model run-42          # link it as the data are recorded
mlvc model link run-42 --splits train,val        # or afterwards
mlvc model check run-42 HEAD:test                # is the test set clean?
mlvc reproduce run-42 --into ../run-42`,
		args: unknownCommand, exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"for each model", core.ModelInfo{}}},
	}, func(cmd *cobra.Command, _ []string) error { return a.listModels(cmd) })
	cmd.AddCommand(
		a.modelListCommand(), a.modelShowCommand(), a.modelLinkCommand(), a.modelUnlinkCommand(),
		a.modelOfCommand(), a.modelVerifyCommand(), a.modelCheckCommand(),
	)
	return cmd
}

func (a *app) modelListCommand() *cobra.Command {
	return a.command(spec{
		use: "list", short: "List the models",
		example: `
mlvc model list
mlvc model list --json`,
		args: noWords, exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"for each model", core.ModelInfo{}}},
	}, func(cmd *cobra.Command, _ []string) error { return a.listModels(cmd) })
}

func (a *app) listModels(cmd *cobra.Command) error {
	return a.read(cmd.Context(), func(r *core.Repo) error {
		if a.out.json {
			_, err := each(a.out, r.Models(cmd.Context()), func(*text, core.ModelInfo) {})
			return err
		}
		rows := [][]cell{{{text: "model"}, {text: "commit"}, {text: "linked"}, {text: "splits"}, {text: "metrics"}}}
		for m, err := range r.Models(cmd.Context()) {
			if err != nil {
				return err
			}
			rows = append(rows, []cell{
				{text: quoted(m.Model), colour: cyan},
				{text: m.Commit.Short(), colour: yellow},
				{text: m.Time.Format("2006-01-02 15:04")},
				{text: modelSplitsText(m.Splits)},
				{text: metricsText(m.Metrics)},
			})
		}
		return a.out.report(nil, func(t *text) {
			if len(rows) == 1 {
				t.line(`No model is linked ("mlvc model link ID" links one).`)
				return
			}
			t.columns("", rows)
		})
	})
}

func modelSplitsText(splits []core.ModelSplit) string {
	if len(splits) == 0 {
		return "all"
	}
	words := make([]string, 0, len(splits))
	for _, s := range splits {
		word := s.String()
		if s.Scheme == core.DefaultScheme && s.Role == s.Split {
			word = s.Role
		}
		words = append(words, quoted(word))
	}
	return strings.Join(words, ",")
}

func metricsText(metrics map[string]string) string {
	words := make([]string, 0, len(metrics))
	for _, key := range slices.Sorted(maps.Keys(metrics)) {
		words = append(words, key+"="+metrics[key])
	}
	return strings.Join(words, " ")
}

func (a *app) modelShowCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "show ID", short: "Everything that is known of a model",
		example: `
mlvc model show run-42
mlvc model show run-42 --json | jq -r .params`,
		args: words(1, 1, "a model"), exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"", core.ModelInfo{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			m, err := r.Model(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.out.answer(m, func(t *text) { printModel(t, m) })
		})
	})
	cmd.ValidArgsFunction = a.completeModel
	return cmd
}

func printModel(t *text, m core.ModelInfo) {
	rows := [][]cell{{{text: "model"}, {text: quoted(m.Model), colour: cyan}}, {{text: "data"}, {text: m.Commit.String(), colour: yellow}}}
	row := func(key, value string) { rows = append(rows, []cell{{text: key}, {text: value}}) }
	if !m.Link.IsZero() {
		row("link", m.Link.String())
	}
	row("linked", moment(m.Time)+" by "+m.By.Name)
	if len(m.Splits) == 0 {
		row("splits", "none named: it saw all of the data")
	}
	for _, s := range m.Splits {
		row("split", s.String()+", fingerprint "+m.Fingerprints[s.Name()].String())
	}
	if w := m.Weights; w != nil {
		row("weights", quoted(w.Name)+", "+size(w.Size)+", BLAKE3 "+w.Content.String())
	}
	for _, key := range slices.Sorted(maps.Keys(m.Metrics)) {
		row("metric", key+"="+m.Metrics[key])
	}
	if m.Code != "" {
		row("code", "git "+m.Code)
	}
	t.columns("", rows)
	if m.Params != "" {
		t.line("\n    %s", strings.ReplaceAll(printable(strings.TrimRight(m.Params, "\n")), "\n", "\n    "))
	}
}

// printable replaces what would move a terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			return '\uFFFD'
		}
		return r
	}, s)
}

func (a *app) modelLinkCommand() *cobra.Command {
	var opt core.ModelLinkOptions
	var splits, metrics []string
	cmd := a.command(spec{
		use: "link ID", short: "Tie a model to exactly the data that it saw",
		long: `Tie the model ID to the data of a commit, the last one if --commit does not say another. --splits
says which splits of it the model saw, and as what: ROLE=SPLIT, ROLE=SCHEME/SPLIT, or SPLIT alone.
What it was only measured on has the role test; every other role counts as trained on. Without
--splits the model counts as having seen all of the data.

The weights are hashed, not stored (commit them with the data if they are to be kept), the parameters
are kept as they are. A model that is linked already is refused unless it is the same link; --force
replaces it, and "mlvc undo" takes that back.`,
		example: `
mlvc model link run-42
mlvc model link run-42 --commit v3 --splits train=train,val=val
mlvc model link run-42 --weights out/model.safetensors --params params.yaml --metric f1=0.91
mlvc model link team/cls/7 --splits train=five-fold/fold-1,train=five-fold/fold-2,test=five-fold/fold-3`,
		args: words(1, 1, "a model"), exits: []int{ExitRefused, ExitDamaged, ExitBusy, ExitNotFound}, prints: []shape{{"", modelChange{}}},
	}, func(cmd *cobra.Command, args []string) (err error) {
		opt.Model = args[0]
		if opt.Splits, err = parseSplits(splits); err != nil {
			return err
		}
		if opt.Metrics, err = parsePairs("--metric", metrics); err != nil {
			return err
		}
		opt.Weights, opt.Params = a.file(opt.Weights), a.file(opt.Params)
		return a.write(cmd.Context(), func(r *core.Repo) error {
			m, err := r.LinkModel(cmd.Context(), opt)
			if err != nil {
				return err
			}
			return a.out.report(modelChange{"linked", m}, func(t *text) {
				t.line("Model %s saw %s of commit %s", t.paint(cyan, quoted(m.Model)), splitsSeen(m.Splits), t.paint(yellow, m.Commit.Short()))
			})
		})
	})
	f := cmd.Flags()
	f.StringVar(&opt.Rev, "commit", "", "the data are those of `REV`; the last commit, if it is not given")
	f.StringSliceVar(&splits, "splits", nil, "the splits that it saw: `ROLE=SPLIT`, with commas between them")
	f.StringVar(&opt.Weights, "weights", "", "hash the weights in `FILE`")
	f.StringVar(&opt.Params, "params", "", "keep the text of `FILE`, 64 KiB at most")
	f.StringArrayVar(&metrics, "metric", nil, "keep a metric, as `KEY=VALUE`; may be repeated")
	f.StringVar(&opt.Code, "code", "", "the code is that of the git `REVISION`")
	f.BoolVarP(&opt.Force, "force", "f", false, "replace another link of the model")
	cmd.RegisterFlagCompletionFunc("commit", a.completeRevision) //nolint:errcheck // the flag is there
	cmd.RegisterFlagCompletionFunc("weights", filesHere)         //nolint:errcheck // the flag is there
	cmd.RegisterFlagCompletionFunc("params", filesHere)          //nolint:errcheck // the flag is there
	cmd.ValidArgsFunction = a.completeModel
	return cmd
}

// file makes a path as it was written absolute; empty stays.
func (a *app) file(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(a.dir, name)
}

func parseSplits(written []string) ([]core.ModelSplit, error) {
	var splits []core.ModelSplit
	for _, w := range written {
		s, err := core.ParseModelSplit(w)
		if err != nil {
			return nil, err
		}
		splits = append(splits, s)
	}
	return splits, nil
}

func splitsSeen(splits []core.ModelSplit) string {
	if len(splits) == 0 {
		return "all data"
	}
	return modelSplitsText(splits)
}

func (a *app) modelUnlinkCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "unlink ID…", short: "Take the links of models away",
		long: `Take the links of models away, all of them or none. A commit that was made with --model goes on saying so. A remote
that has a link gives it back with the next fetch, until it is taken away there, too.`,
		example: `
mlvc model unlink run-41
mlvc undo                        # takes it back
mlvc push origin --delete model/run-41`,
		args: words(1, -1, "the models to unlink"), exits: []int{ExitBusy, ExitDamaged, ExitNotFound}, prints: []shape{{"for each model", modelChange{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.write(cmd.Context(), func(r *core.Repo) error {
			all, err := r.UnlinkModels(cmd.Context(), args)
			if err != nil {
				return err
			}
			for _, m := range all {
				err := a.out.report(modelChange{"unlinked", m}, func(t *text) {
					t.line(`Unlinked model %s, which saw commit %s ("mlvc undo" takes it back)`, t.paint(cyan, quoted(m.Model)), t.paint(yellow, m.Commit.Short()))
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	cmd.ValidArgsFunction = a.completeModel
	return cmd
}

func (a *app) completeModel(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.complete(cmd, func(r *core.Repo) []string {
		var found []string
		for m, err := range r.Models(cmd.Context()) {
			if err == nil {
				found = append(found, m.Model+"\tmodel of "+m.Commit.Short())
			}
		}
		return found
	})
}
