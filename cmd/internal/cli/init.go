package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

// initResult is what init made.
type initResult struct {
	Root  string   `json:"root"`
	ID    string   `json:"id"`
	Track []string `json:"track"`
}

func (a *app) initCommand() *cobra.Command {
	var track []string
	cmd := a.command(spec{
		use: "init [DIR] [--track PATH…]", short: "Make a repository beside the data", group: groupStart,
		long: `Make a repository in DIR, or in the current folder: the folder .mlvc, and mlvc.toml and
.mlvcignore where they are not there yet. Nothing else is touched.

Without --track everything below DIR is the dataset, except .git and what .mlvcignore
names. In a project of code and data, --track says which folders are the dataset. It is
written to mlvc.toml and can be changed there at any time.`,
		example: `
mlvc init                              # the current folder is the dataset
mlvc init --track data                 # a project whose dataset is in data/
mlvc init ~/faces --track img --track labels.csv`,
		args: words(0, 1, ""), exits: []int{ExitRefused}, prints: []shape{{"", initResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		dir := a.dir
		if len(args) == 1 {
			if dir = args[0]; !filepath.IsAbs(dir) {
				dir = filepath.Join(a.dir, dir)
			}
		}
		r, err := core.Init(cmd.Context(), a.coreEnv(nobody), core.InitOptions{Dir: filepath.Clean(dir), Track: track})
		if err != nil {
			return err
		}
		defer r.Close() //nolint:errcheck // nothing was written through it
		rules, err := r.Rules()
		if err != nil {
			return err
		}
		return a.out.report(initResult{r.Root(), r.ID(), rules.Track}, func(t *text) {
			t.line("Made an empty repository in %s", quoted(filepath.Join(r.Root(), core.Dir)))
			if len(rules.Track) == 1 && rules.Track[0] == "." {
				t.line("The dataset is everything in %s but what %s names.", quoted(r.Root()), core.IgnoreFile)
			} else {
				t.line("The dataset (track in %s):", core.RulesFile)
				for _, p := range rules.Track {
					t.line("  %s", quoted(p))
				}
			}
			t.line(`Next: "mlvc status" shows what there is, "mlvc commit -m MESSAGE" records it.`)
		})
	})
	cmd.Flags().StringArrayVar(&track, "track", nil, "`PATH` of a file or folder that is the dataset, relative to DIR; may be repeated")
	return cmd
}
