package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
)

func (a *app) modelOfCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "of PATH|CONTENT|REV:PATH", short: "Every model that saw a sample",
		long: `List every model that saw a sample, for recalls and erasure: whose splits, or whose data where its
link names no splits, have the same bytes under whatever name. A sample is named by its PATH, by the
CONTENT that it has (64 digits, as "mlvc hash" prints), or by REV:PATH. For a PATH, also what was at
that path when a model saw it, with other bytes.`,
		example: `
mlvc model of faces/0042.png
mlvc model of HEAD~3:faces/0042.png
mlvc model of $(mlvc hash --json deleted.png | jq -r .content)`,
		args: words(1, 1, "a sample"), exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"for each file that a model saw", core.ModelSaw{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			sought, err := a.sought(cmd, r, args[0])
			if err != nil {
				return err
			}
			n, err := each(a.out, r.ModelsOf(cmd.Context(), sought), func(t *text, s core.ModelSaw) { printSaw(t, s) })
			if err != nil || n > 0 || a.out.json {
				return err
			}
			return a.out.report(nil, func(t *text) { t.line("No model saw %s.", quoted(args[0])) })
		})
	})
	cmd.ValidArgsFunction = a.completeTracked
	return cmd
}

// sought reads how a sample is named. What can be a content is one; a colon
// makes it REV:PATH, unless there is such a path.
func (a *app) sought(cmd *cobra.Command, r *core.Repo, word string) (core.Sought, error) {
	if id, err := objects.ParseID(word); err == nil {
		return core.Sought{Contents: []objects.ID{id}}, nil
	}
	isPath, err := a.readsAsPath(cmd.Context(), r, word, nil)
	if err != nil {
		return core.Sought{}, err
	}
	if !isPath && strings.Contains(word, ":") {
		return r.SoughtIn(cmd.Context(), word)
	}
	path, err := a.treePath(r, word)
	if err != nil {
		return core.Sought{}, err
	}
	return r.SoughtAt(cmd.Context(), path)
}

func printSaw(t *text, s core.ModelSaw) {
	how := ""
	switch {
	case s.By == core.SawPath:
		how = ", with other bytes: " + s.Content.Short()
	case s.Rows:
		how = ", some rows of it"
	}
	t.line("%s  %s  %s  %s%s", t.paint(cyan, quoted(s.Model)), splitsSeen(s.Splits), quoted(s.Path), t.paint(yellow, s.Commit.Short()), how)
}
