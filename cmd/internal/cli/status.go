package cli

import (
	"path"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) statusCommand() *cobra.Command {
	var all bool
	cmd := a.command(spec{
		use: "status [PATH…]", short: "What differs between the files and the last commit", group: groupLook,
		long: `Show on which branch the files stand, and which of them differ from the last commit: what
"mlvc commit" would record. Where many files of one folder differ in the same way, the
folder is shown with their number; --all shows each.

  new         not in the last commit
  changed     other content or another kind of file
  removed     in the last commit, not on the disk
  left        no longer tracked, or ignored: leaves the next commit, stays on the disk
  outside     on the disk, outside of the part of the dataset that the files are: not recorded
  special     named pipes, sockets, devices: never recorded
  unreadable  cannot be read`,
		example: `
mlvc status               # everything
mlvc status labels/       # one folder
mlvc status --json        # one object a path, and a last one for the whole`,
		exits:  []int{ExitDamaged, ExitNotFound},
		prints: []shape{{"for each path", core.StatusEntry{}}, {"at the end", core.Status{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			paths, err := a.treePaths(r, args)
			if err != nil {
				return err
			}
			return a.status(cmd, r, paths, all)
		})
	})
	cmd.Flags().BoolVarP(&all, "all", "a", false, "show every path that differs")
	cmd.ValidArgsFunction = filesHere
	return cmd
}

func (a *app) status(cmd *cobra.Command, r *core.Repo, paths []string, all bool) error {
	if a.out.json {
		st, err := r.Status(cmd.Context(), paths, func(e core.StatusEntry) error { return a.out.object(e) })
		if err != nil {
			return err
		}
		return a.out.object(st)
	}
	g := &statusGroups{most: 60, few: 4}
	if all {
		g.most, g.few = -1, -1
	}
	st, err := r.Status(cmd.Context(), paths, g.add)
	if err != nil {
		return err
	}
	g.close()
	a.events.end()
	return a.out.answer(st, func(t *text) {
		a.printWhere(t, st)
		printGit(t, st.Git)
		if len(st.SplitRules) > 0 {
			t.line(`Splits: mlvc.toml has %s ("mlvc split assign" shows the outcome).`, schemeChangesText(st.SplitRules))
		}
		g.print(t, func(p string) string { return quoted(a.shown(r, p)) })
		printSum(t, st, len(paths) > 0)
	})
}

// statusGroups gathers entries in path order: where more than few of one
// folder have one status they become one line. At most so many lines are kept;
// the rest is counted. Negative: no limit.
type statusGroups struct {
	most, few int
	lines     []statusLine
	open      []core.StatusEntry // the group being gathered, at most few
	folder    statusLine         // the sum of that group
	left      int64              // entries that got no line
}

type statusLine struct {
	core.StatusEntry
	count int64 // of a folder; 0: one path
}

func (g *statusGroups) add(e core.StatusEntry) error {
	dir := path.Dir(e.Path)
	if e.Status != g.folder.Status || dir != g.folder.Path || g.few < 0 {
		g.close()
		g.folder = statusLine{StatusEntry: core.StatusEntry{Path: dir, Status: e.Status}}
	}
	g.folder.count++
	g.folder.Size += e.Size
	g.folder.OldSize += e.OldSize
	if g.few < 0 || len(g.open) < g.few {
		g.open = append(g.open, e)
	}
	return nil
}

// close ends the group being gathered.
func (g *statusGroups) close() {
	if g.folder.count > int64(len(g.open)) {
		g.put(g.folder)
	} else {
		for _, e := range g.open {
			g.put(statusLine{StatusEntry: e})
		}
	}
	g.open, g.folder = g.open[:0], statusLine{}
}

func (g *statusGroups) put(l statusLine) {
	if g.most >= 0 && len(g.lines) >= g.most {
		g.left += max(1, l.count)
		return
	}
	g.lines = append(g.lines, l)
}

var statusColours = map[core.StatusKind]colour{
	core.StatusNew: green, core.StatusChanged: yellow, core.StatusRemoved: red,
	core.StatusLeft: red, core.StatusOutside: dim, core.StatusSpecial: dim, core.StatusUnreadable: red,
}

func (g *statusGroups) print(t *text, shown func(string) string) {
	rows := make([][]cell, 0, len(g.lines))
	for _, l := range g.lines {
		name := shown(l.Path)
		if l.count > 0 {
			name += "/  (" + plural(l.count, "file") + ")"
		}
		rows = append(rows, []cell{{text: string(l.Status), colour: statusColours[l.Status]}, {text: sizesText(l.StatusEntry), right: true}, {text: name + noteText(l)}})
	}
	t.columns("  ", rows)
	if g.left > 0 {
		t.line("  … and %s more (--all shows each)", decimal(g.left))
	}
}

// sizesText is the size of a path, before and after where it changed.
func sizesText(e core.StatusEntry) string {
	switch {
	case e.Status == core.StatusSpecial || e.Status == core.StatusUnreadable || e.Status == core.StatusOutside:
		return ""
	case e.Status == core.StatusRemoved || e.Status == core.StatusLeft:
		return size(e.OldSize)
	case e.Status == core.StatusChanged && e.Size != e.OldSize:
		return size(e.OldSize) + " → " + size(e.Size)
	}
	return size(e.Size)
}

// noteText adds what else there is to say of a path.
func noteText(l statusLine) string {
	switch {
	case l.Error != "":
		return "  (" + l.Error + ")"
	case l.Status == core.StatusChanged && l.Mode != l.OldMode && l.OldMode != "":
		return "  (" + l.OldMode + " → " + l.Mode + ")"
	case l.Status == core.StatusOutside && l.Mode == "folder":
		return "/"
	case l.Mode == "folder" && l.count == 0:
		return "/  (empty folder)"
	case l.Status == core.StatusLeft:
		return "  (stays on the disk)"
	}
	return ""
}

func (a *app) printWhere(t *text, st core.Status) {
	if st.Part != nil {
		t.line("%s", partLine(*st.Part))
	}
	switch {
	case st.Branch != "" && st.Head.IsZero():
		t.line("On branch %s, without a commit yet", t.paint(green, st.Branch))
	case st.Branch != "":
		t.line("On branch %s at %s", t.paint(green, st.Branch), t.paint(yellow, st.Head.Short()))
	default:
		t.line("%s at %s: on no branch", t.paint(red, "HEAD is detached"), t.paint(yellow, st.Head.Short()))
	}
	if u := st.Unfinished; u != nil {
		t.line("%s %q of %s ago was interrupted.", t.paint(red, "Unfinished:"), u.Command, took(a.env.Now().Sub(u.Since).Truncate(time.Second)))
		t.line(`  "mlvc %s" finishes it, "mlvc checkout --abort" takes it back.`, u.Command)
	}
}

// printGit says how the data stand to git, where they do not agree.
func printGit(t *text, g *core.Standing) {
	if g == nil {
		return
	}
	switch g.State {
	case core.StandingBehind:
		t.line("%s the pointer names commit %s.", t.paint(red, "The data have not followed git:"), t.paint(yellow, g.Wanted.Short()))
		t.line(`  "mlvc git follow" takes them there.`)
	case core.StandingAhead:
		t.line("%s it names commit %s.", t.paint(red, "The pointer was left behind:"), t.paint(yellow, g.Wanted.Short()))
		t.line(`  "mlvc git follow" writes it anew.`)
	case core.StandingUnreadable:
		t.line("%s %s", t.paint(red, "The data cannot follow git:"), g.Problem)
	case core.StandingNone:
		if !g.Head.IsZero() {
			t.line("git's revision has no pointer to this dataset, so the data stay as they are.")
		}
	}
}

// partLine says what of the dataset is here.
func partLine(p core.PartStatus) string {
	from := ""
	if p.Promised {
		from = "; other contents are brought from " + p.Remote + " when they are needed"
	}
	switch {
	case p.All:
		return "Part: every file" + from
	case p.Files > 0:
		from = " — " + decimal(p.Files) + " of " + plural(p.TotalFiles, "file") + from
	}
	if sealedAlone(p.Part) {
		return "Part: every file " + partText(p.Part) + from + `; "mlvc checkout --unseal REASON" reads it`
	}
	return "Part: " + partText(p.Part) + from + `; "mlvc checkout --all" for everything`
}

func printSum(t *text, st core.Status, some bool) {
	what := "the dataset"
	if some {
		what = "these paths"
	}
	switch {
	case st.Clean && st.Head.IsZero():
		t.line("Nothing to commit: there is no file in %s.", what)
	case st.Clean:
		t.line("Nothing changed in %s: %s, %s.", what, plural(st.Changes.Files, "file"), size(st.Changes.Bytes))
	default:
		t.line("%s; %s, %s in all", changesText(st.Changes), plural(st.Changes.Files, "file"), size(st.Changes.Bytes))
	}
	if st.Skipped > 0 {
		t.line("%s cannot be recorded.", plural(st.Skipped, "path"))
	}
	if st.Outside > 0 {
		t.line(`%s outside of the part: not recorded ("mlvc checkout --add-path GLOB" takes it in).`, plural(st.Outside, "path is", "paths are"))
	}
}
