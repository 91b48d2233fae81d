package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/revision"
)

// restoreFlags are the options of backup restore.
type restoreFlags struct {
	keyFlags
	to, repo, time string
	skipDamaged    bool
	splits         []string
}

func (a *app) backupRestoreCommand() *cobra.Command {
	var flags restoreFlags
	cmd := a.command(spec{
		use: "restore DEST [LABEL|REV] [--to DIR|--repo DIR] [-- PATH…]", short: "Bring files, or the whole repository, back",
		long: `Write the files of a set into DIR, which is empty or has equal files: of the newest, of LABEL, of the
newest that was made by --time, or of REV (a branch, a tag or a commit, as the newest set knows
them). With PATHs, which are relative to the root of the dataset, only those; with --split only the
files of splits. Sealed splits are left out, for here is no log to say that they were read: bring the
whole repository back and unseal them there.

With --repo the whole repository comes back: history, branches and tags, the log of operations, and
the files of HEAD.

Nothing is needed but DEST. Every file is checked. Damaged packs are healed by their parity on the
way, and it is said what was; with --skip-damaged what cannot be healed is named and left out.
Interrupted, the same command goes on.`,
		example: `
mlvc backup restore /media/ada/disk/faces --to ~/faces
mlvc backup restore disk v1 --to ../v1
mlvc backup restore disk --time yesterday --to ../before -- labels.csv
mlvc backup restore /media/ada/disk/faces --repo ~/faces`,
		exits: backupExits, prints: []shape{{"with --to", core.BackupRestoreResult{}}, {"with --repo", core.BackupRepoResult{}}},
	}, func(cmd *cobra.Command, args []string) error { return a.backupRestore(cmd, args, flags) })
	f := cmd.Flags()
	f.StringVar(&flags.to, "to", "", "write the files into `DIR`")
	f.StringVar(&flags.repo, "repo", "", "make the whole repository again in `DIR`")
	f.StringVar(&flags.time, "time", "", "the newest set made by `TIME`, as in \"yesterday\" or \"2026-11-23 10:00\"")
	f.BoolVar(&flags.skipDamaged, "skip-damaged", false, "leave out, and name, files that cannot be read or healed")
	f.StringArrayVar(&flags.splits, "split", nil, "write only the files of the splits `[SCHEME:]NAME[,NAME…]`, and what is in none; may be repeated for other schemes")
	flags.add(f)
	cmd.ValidArgsFunction = a.completeBackup
	return cmd
}

func (a *app) backupRestore(cmd *cobra.Command, args []string, flags restoreFlags) error {
	var paths []string
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		args, paths = args[:dash], args[dash:]
	}
	if err := words(1, 2, "a destination")(cmd, args); err != nil {
		return err
	}
	opt := core.BackupRestoreOptions{What: second(args), Paths: paths, Splits: flags.splits, SkipDamaged: flags.skipDamaged}
	switch {
	case (flags.to == "") == (flags.repo == ""):
		return usagef("mlvc backup restore DEST --to DIR, or --repo DIR", "say where to: --to for the files, --repo for the whole repository")
	case flags.repo != "" && (len(paths) > 0 || len(flags.splits) > 0 || flags.skipDamaged):
		return usagef("use --to for some files", "--repo brings everything back, so neither paths nor --split nor --skip-damaged go with it")
	}
	if flags.time != "" {
		t, err := revision.ParseTime(flags.time, a.env.Now())
		if err != nil {
			return usagef(`write it as "yesterday", "2 days ago" or "2026-11-23 10:00"`, "--time %s: %v", quoted(flags.time), err)
		}
		opt.Time = t
	}
	return a.backups(cmd.Context(), args[0], flags.keyFlags, func(_ *core.Repo, b *core.Backups) error {
		if flags.repo != "" {
			return a.restoreRepo(cmd, b, opt, a.folder(flags.repo))
		}
		opt.To = a.folder(flags.to)
		res, err := b.Restore(cmd.Context(), opt)
		if err != nil {
			return err
		}
		a.events.end()
		if err := a.out.report(res, func(t *text) { a.printRestored(t, res) }); err != nil {
			return err
		}
		return leftOut(res.Carried)
	})
}

// folder makes a folder as it was written absolute.
func (a *app) folder(written string) string {
	if !filepath.IsAbs(written) {
		written = filepath.Join(a.dir, written)
	}
	return filepath.Clean(written)
}

func (a *app) restoreRepo(cmd *cobra.Command, b *core.Backups, opt core.BackupRestoreOptions, dir string) error {
	res, err := b.RestoreRepo(cmd.Context(), core.BackupRepoOptions{What: opt.What, Time: opt.Time, Dir: dir})
	if err != nil {
		return err
	}
	a.events.end()
	if err := a.out.report(res, func(t *text) { a.printRepo(t, res) }); err != nil {
		return err
	}
	return leftOut(res.Carried)
}

func (a *app) printRestored(t *text, res core.BackupRestoreResult) {
	t.line("Restored %s to %s", t.paint(green, res.Label), quoted(res.To))
	t.line("  commit %s, from %s", t.paint(yellow, res.Commit.Short()), plural(int64(len(res.Sets)), "set"))
	a.printHealed(t, res.Healed)
	printCarried(t, res.Carried)
	printSealed(t, res.Sealed, "bring the repository back with --repo and unseal it there")
	t.line("  every byte was verified; took %s", tookFor(res.Bytes, res.Took))
}

func (a *app) printRepo(t *text, res core.BackupRepoResult) {
	t.line("Restored the repository from %s into %s", t.paint(green, res.Label), quoted(res.Root))
	t.line("  %s, and %s", transferText(res.Transferred), plural(res.Operations, "operation"))
	a.printHealed(t, res.Healed)
	switch {
	case res.Commit.IsZero():
	case res.Branch != "":
		t.line("  on %s at %s", t.paint(green, res.Branch), t.paint(yellow, res.Commit.Short()))
	default:
		t.line("  on no branch, at %s", t.paint(yellow, res.Commit.Short()))
	}
	printCarried(t, res.Carried)
	if n := int64(len(res.Lacking)); n > 0 {
		t.line("  %s", t.paint(yellow, "the backup was made with --tip-only: contents of "+plural(n, "commit")+" are not in it, and not here: "+idsText(res.Lacking)))
	}
	if !res.HeadWas.IsZero() {
		t.line("  %s", t.paint(yellow, "HEAD was at "+res.HeadWas.Short()+", which is one of them: the files are those of the set's own commit"))
	}
	t.line("  settings of the old copy (user, remotes, backups) are not part of a backup; took %s", took(res.Took))
}
