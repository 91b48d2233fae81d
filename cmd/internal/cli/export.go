package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset/export"
	"github.com/mlvc/mlvc/objects/vfs"
)

// exported is what export wrote.
type exported struct {
	Format  string `json:"format"`
	Version string `json:"version"`
	File    string `json:"file,omitempty"`
	Text    string `json:"text,omitempty"` // where it went to no file
}

func (a *app) exportCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "export FORMAT [REV]", short: "Describe the dataset for others", group: groupShare,
		long: `Describe the data of REV, or of the last commit. Name, description, license, url, creators and citation
are those of [dataset] in the mlvc.toml of that commit; the version is its tag.`,
		example: `
mlvc export croissant -o croissant.json
mlvc export card v1 -o README.md
mlvc export openlineage`,
		args: unknownCommand, exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"", exported{}}},
	}, func(cmd *cobra.Command, _ []string) error { return cmd.Help() })
	cmd.AddCommand(
		a.exportFormat("croissant", "MLCommons Croissant 1.1, in JSON-LD", false, export.Croissant),
		a.exportFormat("openlineage", "Events of OpenLineage, one a line: the dataset, and the runs that made models of it", false, export.OpenLineage),
		a.exportFormat("card", "A dataset card, in Markdown", true, func(d export.Dataset) ([]byte, error) { return export.Card(d), nil }),
	)
	return cmd
}

// exportFormat is the command of one format; checks: it tells what became of the
// rules.
func (a *app) exportFormat(format, short string, checks bool, encode func(export.Dataset) ([]byte, error)) *cobra.Command {
	var file string
	cmd := a.command(spec{
		use: format + " [REV]", short: short, example: "\nmlvc export " + format + " v1",
		args: words(0, 1, "a revision"), exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"", exported{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			d, err := r.Describe(cmd.Context(), core.DescribeOptions{Rev: strings.Join(args, ""), Checks: checks})
			if err != nil {
				return err
			}
			body, err := encode(d)
			if err != nil {
				return err
			}
			a.events.end()
			done := exported{Format: format, Version: d.Version, File: a.file(file)}
			if file == "" {
				done.Text = string(body)
				return a.out.answer(done, func(t *text) { t.w.Write(body) }) //nolint:errcheck // the buffer keeps the first error for flush
			}
			if err := vfs.WriteFile(a.env.FS, done.File, body, 0o666); err != nil {
				return err
			}
			return a.out.report(done, func(t *text) { t.line("Wrote %s of version %s", quoted(file), d.Version) })
		})
	})
	cmd.Flags().StringVarP(&file, "output", "o", "", "write it to `FILE`")
	cmd.ValidArgsFunction = a.completeRevision
	return cmd
}
