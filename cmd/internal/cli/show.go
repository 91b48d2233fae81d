package cli

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) showCommand() *cobra.Command {
	var summary, all bool
	cmd := a.command(spec{
		use: "show [REV | REV:PATH | OP]", short: "One commit with its changes, a path in it, or an operation", group: groupLook,
		long: `Show a commit: kind, base, author, message, what it changed beyond its first parent and what it
holds beyond its base; or a file or folder of a commit; or an operation of "mlvc op log".`,
		example: `
mlvc show                        # the last commit
mlvc show v1 --summary           # without the list of files
mlvc show HEAD~1:data/test`,
		args: words(0, 1, ""), exits: []int{ExitDamaged, ExitNotFound},
		prints: []shape{{"", core.Shown{}}, {"of a commit, then for each file that it changed", core.FileChange{}}, {"of an operation", core.OpInfo{}}},
	}, func(cmd *cobra.Command, args []string) error {
		what := "HEAD"
		if len(args) == 1 {
			what = args[0]
		}
		return a.read(cmd.Context(), func(r *core.Repo) error {
			shown, err := r.Show(cmd.Context(), what)
			if err != nil {
				return err
			}
			switch {
			case shown.Commit != nil:
				return a.showCommit(cmd, r, shown, summary, all)
			case shown.Entry != nil:
				return a.out.answer(shown, func(t *text) { printEntry(t, *shown.Entry) })
			}
			op, err := r.OpShow(cmd.Context(), shown.Operation.String())
			if err != nil {
				return err
			}
			return a.out.answer(op, func(t *text) { printOp(t, op) })
		})
	})
	f := cmd.Flags()
	f.BoolVarP(&summary, "summary", "s", false, "leave out the files that changed")
	f.BoolVarP(&all, "all", "a", false, "list every file that changed, not only the first ones")
	cmd.ValidArgsFunction = a.completeRevision
	return cmd
}

// maxShown is how many changes of a commit people are shown.
const maxShown = 60

func (a *app) showCommit(cmd *cobra.Command, r *core.Repo, shown core.Shown, summary, all bool) error {
	if err := a.out.answer(shown, func(t *text) { printCommitHead(t, *shown.Commit) }); err != nil || summary {
		return err
	}
	n := 0
	for c, err := range shown.Changes.Changes(cmd.Context()) {
		if err != nil {
			return err
		}
		if n++; n > maxShown && !all && !a.out.json {
			continue
		}
		if err := a.out.answer(c, func(t *text) { a.printChange(t, r, c) }); err != nil {
			return err
		}
	}
	if a.out.json {
		return nil
	}
	return a.out.answer(nil, func(t *text) {
		if n > maxShown && !all {
			t.line("  … and %s more (--all shows each)", decimal(int64(n-maxShown)))
		}
		t.line("%s", summaryText(shown.Changes.Summary()))
	})
}

func printCommitHead(t *text, e core.LogEntry) {
	rows := [][]cell{{{text: "commit"}, {text: e.ID.String(), colour: yellow}}}
	row := func(key, value string) { rows = append(rows, []cell{{text: key}, {text: value}}) }
	if names := namesText(&text{}, e); names != "" {
		row("names", strings.Trim(names, " ()"))
	}
	for _, p := range e.Parents {
		row("parent", p.String())
	}
	kind := string(e.Kind)
	if !e.Base.IsZero() {
		kind += " to " + e.Base.Short()
	}
	row("kind", kind+", holding "+changesText(e.Held))
	row("tree", e.Tree.String()+", "+plural(e.Files, "file")+", "+size(e.Bytes))
	author := e.Author.Name
	if e.Author.Email != "" {
		author += " <" + e.Author.Email + ">"
	}
	row("author", author)
	row("time", moment(e.Time))
	for _, key := range slices.Sorted(maps.Keys(e.Meta)) {
		row("meta", key+"="+e.Meta[key])
	}
	for _, s := range e.Splits {
		row("splits", commitSchemeText(s))
	}
	for _, w := range e.Waivers {
		row("waived", waiverText(w))
	}
	for _, m := range e.Models {
		row("model", quoted(m))
	}
	for _, p := range e.Moving {
		row("moving", quoted(p)+" was changing while it was recorded")
	}
	t.columns("", rows)
	t.line("\n    %s\n", strings.ReplaceAll(strings.TrimRight(e.Message, "\n"), "\n", "\n    "))
}

// printEntry describes one path of a commit.
func printEntry(t *text, e core.ListEntry) {
	rows := [][]cell{{{text: "path"}, {text: quoted(e.Path)}}, {{text: "mode"}, {text: e.Mode}}, {{text: "size"}, {text: size(e.Size) + " (" + decimal(e.Size) + " bytes)"}}}
	if e.Folder {
		rows = append(rows, []cell{{text: "files"}, {text: decimal(e.Files)}})
	} else {
		rows = append(rows, []cell{{text: "content"}, {text: e.Content.String()}})
	}
	t.columns("", rows)
}
