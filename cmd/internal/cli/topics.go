package cli

import "github.com/spf13/cobra"

// topics are pages of "mlvc help" about what several commands share.
func (a *app) topics() []*cobra.Command {
	topic := func(name, short, long string) *cobra.Command {
		return &cobra.Command{Use: name, Short: short, Long: long}
	}
	json := topic("json", "Every JSON object that --json prints", "")
	json.SetHelpFunc(func(cmd *cobra.Command, _ []string) { a.helpJSON(cmd.Root()) })
	return []*cobra.Command{
		topic("revisions", "How to name a commit, and a path in it", revisionsText),
		topic("kinds", "Full, incremental and differential commits", kindsText),
		topic("splits", "How samples are divided for training and evaluation", splitsText),
		topic("checks", "What every commit is checked for, and how a finding may stand", checksText),
		json,
		topic("exit", "What the exit statuses mean", "What the exit statuses mean:\n\n"+exitText("  ", nil)),
	}
}

const revisionsText = `A commit is named by a revision:

  main, v1, origin/main    a branch, a tag, a branch of a remote
  branch/main, tag/v1      the same in full, where the short form is ambiguous
  HEAD, @                  what the working tree stands on
  3f9c12                   a commit by the first digits of its ID, at least 4
  X~2                      the second first parent back from X
  X^, X^2                  the parent of X, its second parent
  X@{2}                    what the name X stood for two values ago
  X@{yesterday}            what X stood for then
  @{2}, @{yesterday}       the same of HEAD

Times are written: now, today, yesterday, "2 hours ago", 3.days.ago, "last week",
2026-11-24, "2026-11-24 10:00", 10:00, or as in RFC 3339.

  REV:PATH                 a path in a commit; the path is relative to the root
  A..B                     what B reaches and A does not ("mlvc log A..B")

Revisions come before "--" and paths after it. Without it, a word that is both a
revision and a path, or neither, is refused and both readings are named. Paths are
relative to the current folder.`

const kindsText = `Every commit has a kind. It says what the commit reads again, what it holds beyond
its base, and so what a backup of it carries. Checking out is equally direct for all.

  full          holds everything; has no base. Every file is read and hashed again,
                whatever the stat cache says: this finds silent damage.
  incremental   holds what changed since the parent. Only what stat says changed is read.
  differential  holds what changed since the last full commit. All of that is read again.

With --type auto, the default, the kind is chosen and the reason is printed:

  full          for the first commit; when its base is missing or damaged; when the chain
                holds more than twice the full's bytes, is longer than 30, or the full is
                older than a set age
  differential  when it costs at most 1.5 times the incremental, or the chain is longer
                than 7
  incremental   else

The limits are in the section [kinds] of mlvc.toml. An incremental or differential that
is asked for without a usable base becomes full, with a warning.`
