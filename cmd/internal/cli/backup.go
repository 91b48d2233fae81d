package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects/vfs"
)

// backupExits are how verbs end that deal with backups.
var backupExits = []int{ExitRefused, ExitDamaged, ExitBusy, ExitNotFound}

// backupDestination is a destination of the settings.
type backupDestination struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	Type string `json:"type"`
}

func (a *app) backupCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "backup [COMMAND]", short: "Backups: full, incremental and differential sets", group: groupCare,
		long: `A backup set is a commit with all its history at another place: a folder on another disk, a mount or
a network share. A full set needs nothing else; an incremental one adds to the newest set there,
a differential one to the newest full. A restore needs the place alone, not this repository.

DEST is a path, a file:// URL, or a name of .mlvc/config:

  mlvc config backup.disk.url /media/ada/disk/faces
  mlvc config backup.disk.keep_full 3

with type (auto, full, incremental or differential), parity (10+1 or off), encrypt (public keys,
separated by commas), keep_full, keep_full_days, keep_diff, keep_daily, keep_weekly and
keep_monthly. Without a command, list these names.`,
		example: `
mlvc backup create /media/ada/disk/faces
mlvc backup list /media/ada/disk/faces
mlvc backup restore /media/ada/disk/faces --to ~/faces`,
		args: unknownCommand, exits: []int{ExitNotFound}, prints: []shape{{"for each destination", backupDestination{}}},
	}, func(cmd *cobra.Command, _ []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			var all []backupDestination
			for _, name := range r.BackupNames() {
				s := r.BackupSettings(name)
				all = append(all, backupDestination{name, s.URL, either(s.Type, string(core.KindAuto))})
			}
			return list(a.out, all, func(t *text, d backupDestination) {
				t.line("%s  %s  %s", t.paint(green, d.Name), quoted(d.URL), d.Type)
			})
		})
	})
	cmd.AddCommand(
		a.backupCreateCommand(), a.backupListCommand(), a.backupShowCommand(), a.backupVerifyCommand(),
		a.backupRestoreCommand(), a.backupExpireCommand(), a.backupDrillCommand(), a.backupRepairCommand(), a.backupRotateCommand(),
		a.backupPlanCommand(), a.backupRunCommand(), a.backupTimerCommand(),
	)
	return cmd
}

// keyFlags are the options about encryption.
type keyFlags struct{ identities, recipients []string }

// add adds the option for reading.
func (k *keyFlags) add(f *pflag.FlagSet) {
	f.StringArrayVarP(&k.identities, "identity", "i", nil, "read with the secret keys (of age or SSH) in `FILE`; may be repeated")
}

// keys are the keys that the options and the environment name.
func (a *app) keys(k keyFlags) core.BackupKeys {
	files := k.identities
	if env := a.env.Getenv("MLVC_BACKUP_IDENTITY"); env != "" && len(files) == 0 {
		files = filepath.SplitList(env)
	}
	keys := core.BackupKeys{Ask: a.askPassphrase, AskNew: a.askFirstPassphrase}
	for _, name := range files {
		if !filepath.IsAbs(name) {
			name = filepath.Join(a.dir, name)
		}
		keys.Identities = append(keys.Identities, name)
	}
	keys.Recipients, keys.Named = splitRecipients(k.recipients), "--encrypt"
	return keys
}

// splitRecipients takes apart what commas separate.
func splitRecipients(written []string) []string {
	var all []string
	for _, text := range written {
		all = append(all, core.SplitRecipients(text)...)
	}
	return all
}

// askPassphrase takes a passphrase from the environment, or asks for it.
func (a *app) askPassphrase(what string) (string, error) {
	return a.ask("Passphrase of "+what, "MLVC_BACKUP_PASSPHRASE")
}

// askFirstPassphrase does so for a destination that begins.
func (a *app) askFirstPassphrase(what string) (string, error) {
	return a.askTwice(what, "MLVC_BACKUP_PASSPHRASE")
}

// askNewPassphrase does so for one that takes the place of another.
func (a *app) askNewPassphrase(what string) (string, error) {
	return a.askTwice(what, "MLVC_BACKUP_NEW_PASSPHRASE")
}

// askTwice asks for a passphrase that nothing can be tried with.
func (a *app) askTwice(what, variable string) (string, error) {
	first, err := a.ask("New passphrase of "+what, variable)
	if err != nil {
		return "", err
	}
	again, err := a.ask("The same again", variable)
	if err == nil && again != first {
		err = usagef("call it again; nothing was changed", "the two passphrases differ")
	}
	return first, err
}

// ask takes a secret from a variable of the environment, or asks for it.
func (a *app) ask(question, variable string) (string, error) {
	if word := a.env.Getenv(variable); word != "" {
		return word, nil
	}
	in, ok := a.streams.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", usagef("set "+variable+", or call it on a terminal", "%s: nobody can be asked for it", question)
	}
	a.events.end()
	a.err.answer(nil, func(t *text) { t.line("%s:", question) }) //nolint:errcheck // people only
	if err := a.err.flush(); err != nil {
		return "", err
	}
	word, err := term.ReadPassword(int(in.Fd()))
	if err == nil && len(word) == 0 {
		err = usagef("call it again", "%s: it is empty", question)
	}
	return string(word), err
}

// backups opens a destination. The repository is the one here, or nil: then only
// what needs none can be done.
func (a *app) backups(ctx context.Context, word string, flags keyFlags, do func(r *core.Repo, b *core.Backups) error) (err error) {
	r, err := core.Open(ctx, a.coreEnv(nobody), a.dir)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		r = nil // it may be what is to be brought back
	}
	if r != nil {
		defer func() { err = errors.Join(err, r.Close()) }()
	}
	return a.backupsOf(ctx, r, word, flags, do)
}

// needingRepo is backups for what needs the repository here.
func (a *app) needingRepo(ctx context.Context, word string, flags keyFlags, do func(r *core.Repo, b *core.Backups) error) error {
	return a.write(ctx, func(r *core.Repo) error { return a.backupsOf(ctx, r, word, flags, do) })
}

func (a *app) backupsOf(ctx context.Context, r *core.Repo, word string, flags keyFlags, do func(r *core.Repo, b *core.Backups) error) error {
	place, err := a.backupPlace(r, word)
	if err != nil {
		return err
	}
	place.Keys = a.keys(flags)
	if r != nil && len(place.Keys.Recipients) == 0 {
		place.Keys.Recipients, place.Keys.Named = r.BackupSettings(place.Name).Recipients(), "backup."+place.Name+".encrypt"
	}
	b, err := core.OpenBackups(ctx, a.coreEnv(nobody), place)
	if err != nil {
		return err
	}
	err = do(r, b)
	return errors.Join(err, b.Close())
}

// backupPlace finds what DEST means.
func (a *app) backupPlace(r *core.Repo, word string) (core.BackupPlace, error) {
	url := a.placeURL(word)
	if r != nil {
		return r.BackupPlace(word, url)
	}
	if !strings.ContainsAny(word, `/\.`) {
		if st, err := a.env.FS.Lstat(url); err != nil || st.Type == vfs.TypeRegular {
			return core.BackupPlace{}, &core.NoBackupError{Name: word}
		}
	}
	return core.BackupPlace{URL: url, Cache: vfs.TempName(os.TempDir()), Temporary: true}, nil
}

// completeBackup completes the name of a destination.
func (a *app) completeBackup(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	found, _ := a.complete(cmd, func(r *core.Repo) []string { return r.BackupNames() })
	return found, cobra.ShellCompDirectiveDefault
}

// percent reads a share such as 5%.
func percent(flag, word string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(word, "%"))
	if err != nil || n < 1 || n > 100 {
		return 0, usagef("write it as "+flag+" 5%", "%s %s: not a share between 1%% and 100%%", flag, quoted(word))
	}
	return n, nil
}

// age says how long ago something was.
func (a *app) age(t time.Time) string {
	d := a.env.Now().Sub(t)
	switch {
	case d < 2*time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return plural(int64(d/time.Minute), "minute") + " ago"
	case d < 48*time.Hour:
		return plural(int64(d/time.Hour), "hour") + " ago"
	}
	return plural(int64(d/(24*time.Hour)), "day") + " ago"
}

// local writes a time in the zone here.
func (a *app) local(t time.Time) string {
	return t.In(a.env.Now().Location()).Format("2006-01-02 15:04")
}

func (a *app) printHealed(t *text, healed []core.BackupHealed) {
	for _, h := range healed {
		damaged := ""
		if h.Bytes > 0 {
			damaged = size(h.Bytes) + " damaged, "
		}
		t.line("  %s %s: %smade whole from %s", t.paint(yellow, "healed"), h.Key, damaged, h.From)
	}
}
