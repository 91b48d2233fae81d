package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) configCommand() *cobra.Command {
	var unset bool
	cmd := a.command(spec{
		use: "config [KEY [VALUE]] [--unset]", short: "Show and change the settings of this copy", group: groupStart,
		long: `Show all settings of this copy, one, or set one. They are in .mlvc/config and not versioned;
the rules of the dataset are in mlvc.toml, which is.

  user.name           who signs commits made here
  user.email
  gc.keep_days        what operations younger than this reach is kept (default 30)
  gc.grace_minutes    the least time between marking and deleting (default 60)
  git.follow          whether data follow the code: auto, ask or off (default auto)
  git.commit          before a git commit: check that the pointer names the data, auto
                      commits both, off (default check)
  git.push            before a git push: check that the data are on the remote, auto sends
                      them, off (default check)
  remote.NAME.url     where a remote is ("mlvc remote add" writes it)
  backup.NAME.url     where backups go; with type, parity, encrypt, keep_full and others
                      ("mlvc backup --help")`,
		example: `
mlvc config                          # all that is set
mlvc config user.name "Ada Lovelace" # set one
mlvc config user.name                # show one
mlvc config --unset gc.keep_days     # back to the default`,
		args: words(0, 2, ""), exits: []int{ExitNotFound}, prints: []shape{{"", core.Setting{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			switch {
			case unset && len(args) != 1:
				return usagef("mlvc config --unset KEY", "--unset takes one key and no value")
			case unset:
				return r.SetConfig(args[0], nil)
			case len(args) == 2:
				return r.SetConfig(args[0], &args[1])
			}
			return a.showConfig(r, args)
		})
	})
	cmd.Flags().BoolVar(&unset, "unset", false, "remove the setting")
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return []string{"user.name", "user.email", "gc.keep_days", "gc.grace_minutes", "git.follow", "git.commit", "git.push"}, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// showConfig prints all settings, or the value of one.
func (a *app) showConfig(r *core.Repo, args []string) error {
	settings, err := r.Settings()
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return list(a.out, settings, func(t *text, s core.Setting) { t.line("%s = %s", s.Key, quoted(s.Value)) })
	}
	for _, s := range settings {
		if s.Key == args[0] {
			return a.out.answer(s, func(t *text) { t.line("%s", s.Value) })
		}
	}
	return &notSet{args[0]}
}

// notSet is for a setting that has no value here.
type notSet struct{ key string }

func (e *notSet) Error() string { return e.key + " is not set" }
