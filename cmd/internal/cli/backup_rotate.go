package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) backupRotateCommand() *cobra.Command {
	var opt core.BackupRotateOptions
	var all, add, remove []string
	var keys keyFlags
	cmd := a.command(spec{
		use: "rotate DEST --encrypt RECIPIENT…", short: "Change who can read encrypted backups",
		long: `Change who can read the backups at DEST, all of them and those to come: name everybody with --encrypt,
or add and remove some. A recipient is age1…, an SSH public key, or passphrase alone. Only the
key files are encrypted anew, with the secret key given by --identity; no pack is written.

At every moment all backups can be read with the keys that DEST names then. What is interrupted
is ended by the same command, given the old and the new keys. backup.NAME.encrypt of .mlvc/config
follows; elsewhere it has to be changed by hand, and "mlvc backup create" refuses until it is.

Rotation does not take back what could be read: who had a key, and kept a copy of the old key files,
can still read what was backed up until now. What is backed up from now on has new keys.`,
		example: `
mlvc backup rotate disk --add age1… -i key.txt            # one more who can read
mlvc backup rotate disk --remove age1… -i key.txt         # one less
mlvc backup rotate disk --encrypt age1… -i old-key.txt    # another key
mlvc backup rotate disk --encrypt passphrase              # asks for the old one, then for the new`,
		args: words(1, 1, "a destination"), exits: backupExits, prints: []shape{{"", core.BackupRotated{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt.Recipients, opt.Add, opt.Remove = splitRecipients(all), splitRecipients(add), splitRecipients(remove)
		opt.AskNew = a.askNewPassphrase
		return a.backups(cmd.Context(), args[0], keys, func(r *core.Repo, b *core.Backups) error {
			res, err := b.RotateKeys(cmd.Context(), r, opt)
			if err != nil {
				return err
			}
			return a.out.report(res, func(t *text) { printRotated(t, res) })
		})
	})
	f := cmd.Flags()
	f.StringArrayVar(&all, "encrypt", nil, "let this `RECIPIENT` read, and nobody who is not named; may be repeated")
	f.StringArrayVar(&add, "add", nil, "let this `RECIPIENT` read too; may be repeated")
	f.StringArrayVar(&remove, "remove", nil, "let this `RECIPIENT` read no more; may be repeated")
	keys.add(f)
	cmd.ValidArgsFunction = a.completeBackup
	return cmd
}

func printRotated(t *text, res core.BackupRotated) {
	t.line("Encrypted %s of %s anew; no pack was written.", plural(int64(res.Keys), "key"), plural(int64(res.Sets), "set"))
	for _, r := range res.Recipients {
		t.line("  %s %s", t.paint(green, "can read:"), r)
	}
	for _, r := range res.Removed {
		t.line("  %s %s", t.paint(yellow, "no more:"), r)
	}
	if len(res.Removed) > 0 || slices.Contains(res.Recipients, "passphrase") {
		t.line("  who could read before and kept a copy of the old key files can still read what was backed up until now")
	}
	if res.Setting != "" {
		t.line("  %s in .mlvc/config says so, too", res.Setting)
	}
}
