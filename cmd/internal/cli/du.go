package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) duCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "du [REV…] [--] [PATH…]", short: "What commits, branches and paths cost", group: groupLook,
		long: `Show what each REV costs (HEAD, if none is given), or what PATHs cost in each REV; PATHs alone are
looked at in all of history.

  files, size    in its tree, every path counted
  stored         what its contents take in packs, each once
  alone          what is in nothing else: contents that no other name or commit has
  frees          what gc frees once it is dropped and no kept operation reaches it`,
		example: `
mlvc du                          # the last commit
mlvc du main cleaner v1
mlvc du -- data/raw              # a folder in all of history`,
		exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"for each", core.Usage{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			const anyNumber = 1 << 20
			revs, paths, err := a.split(cmd, r, args, anyNumber)
			if err != nil {
				return err
			}
			return a.printUsage(cmd, r, core.DuOptions{Revs: revs, Paths: paths})
		})
	})
	cmd.ValidArgsFunction = a.completeRevisionOrPath
	return cmd
}

func (a *app) printUsage(cmd *cobra.Command, r *core.Repo, opt core.DuOptions) error {
	rows := [][]cell{{{text: "name", colour: bold}, {text: "files", colour: bold, right: true}, {text: "size", colour: bold, right: true}, {text: "stored", colour: bold, right: true}, {text: "alone", colour: bold, right: true}, {text: "frees", colour: bold, right: true}}}
	for u, err := range r.Du(cmd.Context(), opt) {
		if err != nil {
			return err
		}
		if a.out.json {
			if err := a.out.object(u); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []cell{
			{text: quoted(u.Name)},
			{text: decimal(u.Files), right: true},
			{text: size(u.Bytes), right: true},
			{text: size(u.Stored), right: true},
			{text: size(u.UniqueBytes), right: true},
			{text: size(u.Freed), right: true},
		})
	}
	a.events.end()
	if a.out.json {
		return nil
	}
	return a.out.answer(nil, func(t *text) { t.columns("", rows) })
}
