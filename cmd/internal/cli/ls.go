package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) lsCommand() *cobra.Command {
	var opt core.LsOptions
	cmd := a.command(spec{
		use: "ls [REV] [--] [PATH…]", short: "List what a commit holds", group: groupLook,
		long: `List the files and folders of a commit (HEAD, if none is given), with mode, size and the beginning
of the content ID: what lies in PATHs, or in the root. Folders are listed by themselves unless
-r is given. --split lists the files of splits alone.`,
		example: `
mlvc ls                          # the root of the last commit
mlvc ls v1 data/test
mlvc ls -r v1 --json             # every file
mlvc ls -r --split train         # the files of a split
mlvc ls --totals data            # with the files and bytes of each folder`,
		exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"for each path", core.ListEntry{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			revs, paths, err := a.split(cmd, r, args, 1)
			if err != nil {
				return err
			}
			if opt.Paths = paths; len(revs) == 1 {
				opt.Rev = revs[0]
			}
			_, err = each(a.out, r.Ls(cmd.Context(), opt), func(t *text, e core.ListEntry) { a.printListed(t, r, e, opt.Totals) })
			return err
		})
	})
	f := cmd.Flags()
	f.BoolVarP(&opt.Recursive, "recursive", "r", false, "list every file below")
	f.BoolVar(&opt.Totals, "totals", false, "count the files and bytes of folders")
	a.splitFlag(cmd, &opt.Splits, "list only the files of the splits")
	cmd.ValidArgsFunction = a.completeRevisionOrPath
	return cmd
}

func (a *app) printListed(t *text, r *core.Repo, e core.ListEntry, totals bool) {
	name, bytes, id := quoted(a.shown(r, e.Path)), size(e.Size), e.Content.Short()
	if e.Folder {
		name, id = t.paint(cyan, name+"/"), padRight("", 10)
		if bytes = ""; totals {
			bytes = size(e.Size)
			name += "  (" + plural(e.Files, "file") + ")"
		}
	}
	t.line("%s  %s  %s  %s", padRight(e.Mode, 10), padLeft(bytes, 10), t.paint(yellow, id), name)
}
