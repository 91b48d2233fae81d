package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/refs"
)

// logFlags are the options of log as they are written.
type logFlags struct {
	opt          core.LogOptions
	since, until string
	oneline      bool
	noGraph      bool
	blame        bool
}

func (a *app) logCommand() *cobra.Command {
	var flags logFlags
	cmd := a.command(spec{
		use: "log [REV…] [--] [PATH…]", short: "The history of commits", group: groupLook,
		long: `List the commits that REV reaches (HEAD, if none is given), newest first, with what each changed.
A..B lists what B reaches and A does not; ^A leaves out what A reaches. With PATHs only commits
that changed one of them are listed.

With --blame, for each file at or below PATH: the commit that made it what it is.`,
		example: `
mlvc log
mlvc log --all -n 20             # every branch and tag
mlvc log v1..main                # since v1
mlvc log -- labels/train.csv     # what changed this file
mlvc log --git                   # with the git commits that go with them
mlvc log --blame labels/         # who made each file what it is
mlvc log --since "2 weeks ago" --json`,
		exits:  []int{ExitDamaged, ExitNotFound},
		prints: []shape{{"for each commit", core.LogEntry{}}, {"with --blame, for each file", core.BlameEntry{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error { return a.log(cmd, r, args, &flags) })
	})
	f := cmd.Flags()
	f.IntVarP(&flags.opt.Limit, "limit", "n", 0, "at most `NUMBER` commits")
	f.BoolVar(&flags.oneline, "oneline", false, "one line a commit")
	f.BoolVar(&flags.opt.All, "all", false, "begin at every branch, tag and HEAD")
	f.BoolVar(&flags.opt.FirstParent, "first-parent", false, "of merges follow only the first parent")
	f.StringVar(&flags.since, "since", "", "only commits made since `TIME` (\"mlvc help revisions\")")
	f.StringVar(&flags.until, "until", "", "only commits made until `TIME`")
	f.BoolVar(&flags.noGraph, "no-graph", false, "draw no lines")
	f.BoolVar(&flags.opt.Git, "git", false, "show the git commit that goes with each, and the state of git that it was made in")
	f.BoolVar(&flags.blame, "blame", false, "for each file at or below PATH, its last commit")
	cmd.ValidArgsFunction = a.completeRevisionOrPath
	return cmd
}

func (a *app) log(cmd *cobra.Command, r *core.Repo, args []string, flags *logFlags) (err error) {
	opt := flags.opt
	const anyNumber = 1 << 20
	if opt.Revs, opt.Paths, err = a.split(cmd, r, args, anyNumber); err != nil {
		return err
	}
	if flags.blame {
		return a.blame(cmd, r, opt.Revs, opt.Paths)
	}
	if opt.Since, err = a.time("--since", flags.since); err != nil {
		return err
	}
	if opt.Until, err = a.time("--until", flags.until); err != nil {
		return err
	}
	opt.Graph = !flags.noGraph && !a.out.json
	n, err := each(a.out, r.Log(cmd.Context(), opt), func(t *text, e core.LogEntry) { printLogEntry(t, e, flags) })
	if err != nil || n > 0 || a.out.json {
		return err
	}
	return a.out.report(nil, func(t *text) {
		if len(opt.Revs) == 0 && len(opt.Paths) == 0 && flags.since == "" && flags.until == "" {
			t.line("There is no commit yet.")
		} else {
			t.line("No commit is like that.")
		}
	})
}

// time reads a time that an option says.
func (a *app) time(option, words string) (time.Time, error) {
	if words == "" {
		return time.Time{}, nil
	}
	t, err := revision.ParseTime(words, a.env.Now())
	if err != nil {
		return t, usagef(`write it as yesterday, "2 hours ago" or "2026-11-24 10:00"`, "%s %s: not a time", option, quoted(words))
	}
	return t, nil
}

func printLogEntry(t *text, e core.LogEntry, flags *logFlags) {
	for _, line := range e.Graph.Before {
		t.line("%s", line)
	}
	subject, _, _ := strings.Cut(e.Message, "\n")
	t.line("%s%s%s %s", graphPart(e.Graph.Commit), t.paint(yellow, e.ID.Short()), namesText(t, e), subject)
	if flags.opt.Git {
		t.line("%s  %s", graphPart(e.Graph.Rest), gitText(e))
	}
	if !flags.oneline {
		for _, s := range e.Splits {
			if s.Counted {
				t.line("%s  splits %s", graphPart(e.Graph.Rest), commitSchemeText(s))
			}
		}
		t.line("%s  %s, %s", graphPart(e.Graph.Rest), e.Kind, changesText(e.Delta))
		t.line("%s  %s", graphPart(e.Graph.Rest), t.paint(dim, e.Author.Name+", "+moment(e.Time)+"; "+plural(e.Files, "file")+", "+size(e.Bytes)))
	}
	for _, line := range e.Graph.Edges {
		t.line("%s", line)
	}
}

// gitText says which git commit goes with a commit.
func gitText(e core.LogEntry) string {
	text := "git: no commit names it"
	if e.GitCommit != "" {
		text = "git: " + shortGit(e.GitCommit)
	}
	if g := e.Git; g != nil {
		text += " (made on " + either(g.Branch, "no branch") + " after " + either(shortGit(g.Revision), "nothing")
		if g.Dirty {
			text += ", with uncommitted changes"
		}
		text += ")"
	}
	return text
}

// shortGit is the beginning of a git hash.
func shortGit(hash string) string { return hash[:min(len(hash), 12)] }

func graphPart(s string) string {
	if s == "" {
		return ""
	}
	return s + " "
}

// namesText lists the names that stand at a commit.
func namesText(t *text, e core.LogEntry) string {
	var names []string
	for _, n := range e.Names {
		switch {
		case n == refs.HEAD && e.HeadBranch != "":
			names = append(names, t.paint(cyan, "HEAD → ")+t.paint(green, e.HeadBranch.Short()))
		case n == e.HeadBranch:
		case n == refs.HEAD:
			names = append(names, t.paint(cyan, "HEAD"))
		case n.IsTag():
			names = append(names, t.paint(yellow, "tag "+n.Short()))
		case n.IsModel():
			names = append(names, t.paint(cyan, "model "+strings.TrimPrefix(string(n), refs.Models)))
		default:
			names = append(names, t.paint(green, n.Short()))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// blame prints which commit made each file what it is.
func (a *app) blame(cmd *cobra.Command, r *core.Repo, revs, paths []string) error {
	if len(revs) > 1 || len(paths) != 1 {
		return usagef("mlvc log --blame [REV] PATH", "--blame takes one path and at most one revision")
	}
	rev := ""
	if len(revs) == 1 {
		rev = revs[0]
	}
	_, err := each(a.out, r.Blame(cmd.Context(), rev, paths[0]), func(t *text, e core.BlameEntry) {
		subject, _, _ := strings.Cut(e.Message, "\n")
		t.line("%s  %s  %s  %s", t.paint(yellow, e.Commit.Short()), e.Time.Format("2006-01-02 15:04"), quoted(a.shown(r, e.Path)), t.paint(dim, e.Author.Name+": "+subject))
	})
	return err
}
