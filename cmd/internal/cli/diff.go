package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) diffCommand() *cobra.Command {
	opt := core.DiffOptions{Renames: true}
	var noRenames, summary bool
	cmd := a.command(spec{
		use: "diff [REV [REV]] [--] [PATH…]", short: "What differs between commits, or a commit and the files", group: groupLook,
		long: `List the files that differ, with their sizes: with no REV between the last commit and the files,
with one between it and the files, with two (or A..B) between them. Renames and copies are
found by their content.`,
		example: `
mlvc diff                        # what would be committed
mlvc diff v1                     # from v1 to the files
mlvc diff HEAD~1 HEAD            # between two commits
mlvc diff v1..v2 -- labels/      # only these paths
mlvc diff v1 v2 --summary        # only the numbers`,
		exits:  []int{ExitDamaged, ExitNotFound},
		prints: []shape{{"for each file", core.FileChange{}}, {"with --summary", core.DiffSummary{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt.Renames = !noRenames
		return a.read(cmd.Context(), func(r *core.Repo) error {
			revs, paths, err := a.split(cmd, r, args, 2)
			if err != nil {
				return err
			}
			if len(revs) > 0 {
				opt.From = revs[0]
			}
			opt.To, opt.Paths = second(revs), paths
			d, err := r.Diff(cmd.Context(), opt)
			if err != nil {
				return err
			}
			return a.printDiff(cmd, r, d, summary)
		})
	})
	f := cmd.Flags()
	f.BoolVar(&noRenames, "no-renames", false, "do not look for renames and copies")
	f.BoolVarP(&summary, "summary", "s", false, "print only how many files and bytes differ")
	cmd.ValidArgsFunction = a.completeRevisionOrPath
	return cmd
}

// printDiff prints the changes as they come, and for people what they add up
// to.
func (a *app) printDiff(cmd *cobra.Command, r *core.Repo, d *core.Difference, summary bool) error {
	var n int64
	for c, err := range d.Changes(cmd.Context()) {
		if err != nil {
			return err
		}
		n++
		if summary {
			continue
		}
		if err := a.out.answer(c, func(t *text) { a.printChange(t, r, c) }); err != nil {
			return err
		}
	}
	a.events.end()
	sum := d.Summary()
	switch {
	case summary:
		return a.out.answer(sum, func(t *text) { t.line("%s", summaryText(sum)) })
	case a.out.json:
		return nil
	}
	return a.out.answer(sum, func(t *text) {
		t.line("%s", summaryText(sum))
		if sum.RenamesLeftOut {
			t.line("There are too many changes to look for renames and copies.")
		}
	})
}

var changeColours = map[core.ChangeKind]colour{
	core.ChangeAdded: green, core.ChangeRemoved: red, core.ChangeChanged: yellow,
	core.ChangeRenamed: cyan, core.ChangeCopied: cyan, core.ChangeMode: yellow,
}

func (a *app) printChange(t *text, r *core.Repo, c core.FileChange) {
	name := quoted(a.shown(r, c.Path))
	if c.From != "" {
		name = quoted(a.shown(r, c.From)) + " → " + name
	}
	if c.Mode != c.OldMode && c.Mode != "" && c.OldMode != "" {
		name += "  (" + c.OldMode + " → " + c.Mode + ")"
	}
	sizes := size(c.Size)
	switch {
	case c.Change == core.ChangeRemoved:
		sizes = size(c.OldSize)
	case c.Change == core.ChangeChanged && c.Size != c.OldSize:
		sizes = size(c.OldSize) + " → " + sizes
	}
	t.line("  %s  %s  %s", t.paint(changeColours[c.Change], padRight(string(c.Change), 7)), padLeft(sizes, 21), name)
}

func summaryText(d core.DiffSummary) string {
	text := ""
	for _, p := range []struct {
		n, bytes int64
		word     string
	}{
		{d.Added, d.AddedBytes, "added"},
		{d.Changed, d.ChangedBytes, "changed"},
		{d.Removed, d.RemovedBytes, "removed"},
		{d.Renamed, -1, "renamed"},
		{d.Copied, -1, "copied"},
		{d.Mode, -1, "with another mode"},
	} {
		if p.n == 0 {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += decimal(p.n) + " " + p.word
		if p.bytes >= 0 {
			text += " (" + size(p.bytes) + ")"
		}
	}
	return either(text, "No difference.")
}
