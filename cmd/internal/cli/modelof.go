package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
)

func (a *app) modelOfCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "of PATH|CONTENT|REV:PATH|[REV:]TABLE:ROW", short: "Every model that saw a sample",
		long: `List every model that saw a sample, for recalls and erasure: whose splits, or whose data where its
link names no splits, have the same bytes under whatever name. A sample is named by its PATH, by the
CONTENT that it has (64 digits, as "mlvc hash" prints), or by REV:PATH. For a PATH, also what was at
that path when a model saw it, with other bytes.

A row of a table is named by its number, the first one 1, a header not counted: of the table as it is
on the disk, or else in HEAD, or in REV. It is sought by what is in it, in every table that models
saw, wherever it moved and in whatever format; in JSON arrays only for a row of one. Columns that do
not count in rows, by [checks] in the mlvc.toml of the commits, do not count here, nor do those that
say the split. A table that cannot be read is listed, for the row may be in it.`,
		example: `
mlvc model of faces/0042.png
mlvc model of HEAD~3:faces/0042.png
mlvc model of reviews.csv:1042
mlvc model of v2:reviews.csv:1042
mlvc model of $(mlvc hash --json deleted.png | jq -r .content)`,
		args: words(1, 1, "a sample"), exits: []int{ExitDamaged, ExitBusy, ExitNotFound}, prints: []shape{{"for each file or row that a model saw", core.ModelSaw{}}},
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
// makes it TABLE:ROW or REV:PATH, unless there is such a path.
func (a *app) sought(cmd *cobra.Command, r *core.Repo, word string) (core.Sought, error) {
	if id, err := objects.ParseID(word); err == nil {
		return core.Sought{Contents: []objects.ID{id}}, nil
	}
	isPath, err := a.readsAsPath(cmd.Context(), r, word, nil)
	if err != nil {
		return core.Sought{}, err
	}
	if !isPath && strings.Contains(word, ":") {
		return a.soughtAfterColon(cmd, r, word)
	}
	path, err := a.treePath(r, word)
	if err != nil {
		return core.Sought{}, err
	}
	return r.SoughtAt(cmd.Context(), path)
}

// soughtAfterColon reads TABLE:ROW if there is such a table, or else what a
// revision has.
func (a *app) soughtAfterColon(cmd *cobra.Command, r *core.Repo, word string) (core.Sought, error) {
	table, row, isRow := core.CutRow(word)
	var none error
	if isRow {
		path, err := a.treePath(r, table)
		if err != nil {
			none = err
		} else {
			sought, err := r.SoughtRowAt(cmd.Context(), path, row)
			if _, no := errors.AsType[*core.NoSampleError](err); !no {
				return sought, err
			}
			none = err
		}
	}
	sought, err := r.SoughtIn(cmd.Context(), word)
	if _, unknown := errors.AsType[*revision.UnknownError](err); unknown && isRow && !strings.Contains(table, ":") {
		err = none // it was meant as a table
	}
	return sought, err
}

func printSaw(t *text, s core.ModelSaw) {
	how, place := "", quoted(s.Path)
	if s.Row > 0 {
		place += " row " + decimal(s.Row)
	}
	switch {
	case s.By == core.SawUnread:
		how = ", may have it: " + printable(s.Unread)
	case s.By == core.SawPath:
		how = ", with other bytes: " + s.Content.Short()
	case s.Rows:
		how = ", some rows of it"
	}
	t.line("%s  %s  %s  %s%s", t.paint(cyan, quoted(s.Model)), splitsSeen(s.Splits), place, t.paint(yellow, s.Commit.Short()), how)
}
