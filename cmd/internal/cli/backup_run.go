package cli

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) backupRunCommand() *cobra.Command {
	var keys keyFlags
	cmd := a.command(spec{
		use: "run [NAME…]", short: "Make the backups that the settings ask for",
		long: `For every destination of .mlvc/config, or those named: back HEAD up, read the new set back whole, and
expire. Made for cron and timers ("mlvc backup timer"). What fails at one place does not keep the
others from their turn; the exit status then is that of the first failure.`,
		example: `
mlvc backup run
mlvc backup run disk -q`,
		exits: backupExits, prints: []shape{{"for each destination", core.BackupRun{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.write(cmd.Context(), func(r *core.Repo) error {
			names := args
			if len(names) == 0 {
				if names = r.BackupNames(); len(names) == 0 {
					return &core.NoBackupError{}
				}
			}
			var failed error
			for _, name := range names {
				if err := a.runAt(cmd, r, name, keys); err != nil && failed == nil {
					failed = err
				}
				if cmd.Context().Err() != nil {
					break
				}
			}
			return failed
		})
	})
	keys.add(cmd.Flags())
	cmd.ValidArgsFunction = a.completeBackup
	return cmd
}

// runAt makes the backup at one place, and tells what came of it.
func (a *app) runAt(cmd *cobra.Command, r *core.Repo, name string, keys keyFlags) error {
	run := core.BackupRun{Name: name, URL: r.BackupSettings(name).URL}
	if run.URL == "" {
		return &core.NoBackupError{Name: name, Known: r.BackupNames()}
	}
	err := a.backupsOf(cmd.Context(), r, name, keys, func(_ *core.Repo, b *core.Backups) error {
		run = r.RunBackup(cmd.Context(), b)
		return nil
	})
	if run.Err = errors.Join(run.Err, err); run.Err != nil {
		run.Error = run.Err.Error()
	}
	a.events.end()
	err = a.out.report(run, func(t *text) {
		t.line("%s (%s):", t.paint(green, run.Name), quoted(run.URL))
		if c := run.Created; c != nil {
			a.printBackup(t, *c)
		}
		if v := run.Verified; v != nil {
			t.line("  read back %s in %s: %s", size(v.Bytes), plural(int64(v.Packs), "pack"), plural(int64(v.Damaged), "object is damaged", "objects are damaged"))
		}
		if e := run.Expired; e != nil {
			t.line("  %s kept, %d marked to go, %d removed", plural(int64(e.Kept), "set"), e.Marked, e.Removed)
		}
	})
	return errors.Join(run.Err, err)
}

// backupTimer is what a scheduler is given.
type backupTimer struct {
	Service string `json:"service"` // a systemd unit
	Timer   string `json:"timer"`   // likewise
	Cron    string `json:"cron"`    // a line of a crontab
}

func (a *app) backupTimerCommand() *cobra.Command {
	var at string
	cmd := a.command(spec{
		use: "timer [--at TIME]", short: "Print what makes the backups run every day",
		long: `Print units for systemd, and a line for cron, that call "mlvc backup run" for this repository every day.
Nothing is installed.`,
		example: `
mlvc backup timer
mlvc backup timer --at 04:30`,
		args: noWords, exits: []int{ExitNotFound}, prints: []shape{{"", backupTimer{}}},
	}, func(cmd *cobra.Command, _ []string) error {
		hour, minute, ok := strings.Cut(at, ":")
		if !ok || len(hour) != 2 || len(minute) != 2 || strings.Trim(hour+minute, "0123456789") != "" || hour > "23" || minute > "59" {
			return usagef("write it as --at 04:30", "--at %s: not a time of the day", quoted(at))
		}
		return a.read(cmd.Context(), func(r *core.Repo) error {
			units := a.timer(r.Root(), hour, minute)
			return a.out.answer(units, func(t *text) {
				name := "mlvc-backup-" + unitName(filepath.Base(r.Root()))
				t.line("# ~/.config/systemd/user/%s.service\n%s", name, units.Service)
				t.line("# ~/.config/systemd/user/%s.timer\n%s", name, units.Timer)
				t.line("# then: systemctl --user enable --now %s.timer", name)
				t.line("# or, with cron (crontab -e):\n%s", units.Cron)
			})
		})
	})
	cmd.Flags().StringVar(&at, "at", "03:00", "the `TIME` of the day")
	return cmd
}

// timer writes the units.
func (a *app) timer(root, hour, minute string) backupTimer {
	program := either(a.env.Self, "mlvc")
	return backupTimer{
		Service: "[Unit]\nDescription=Backups of " + unitText(root) + "\n\n[Service]\nType=oneshot\nNice=10\n" +
			"ExecStart=" + unitWord(program) + " -C " + unitWord(root) + " --wait 1h --no-progress backup run\n",
		Timer: "[Unit]\nDescription=Daily backups of " + unitText(root) + "\n\n[Timer]\nOnCalendar=*-*-* " + hour + ":" + minute + ":00\n" +
			"RandomizedDelaySec=10min\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n",
		// % is a line break for cron.
		Cron: strings.ReplaceAll(strings.TrimPrefix(minute, "0")+" "+strings.TrimPrefix(hour, "0")+" * * * "+
			shellWord(program)+" -C "+shellWord(root)+" --wait 1h -q backup run", "%", `\%`),
	}
}

// unitText makes a specifier of systemd's of no word.
func unitText(word string) string { return strings.ReplaceAll(word, "%", "%%") }

// unitWord quotes a word for ExecStart.
func unitWord(word string) string {
	word = strings.NewReplacer("%", "%%", "$", "$$", `\`, `\\`, `"`, `\"`).Replace(word)
	return `"` + word + `"`
}

// unitName makes a name of a unit of any text.
func unitName(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, text)
}
