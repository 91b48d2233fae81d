package cli

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
)

// idsText lists the first few IDs.
func idsText(ids []objects.ID) string {
	text := ""
	for i, id := range ids {
		if i == 5 {
			return text + ", …"
		}
		if i > 0 {
			text += ", "
		}
		text += id.Short()
	}
	return text
}

func (a *app) backupVerifyCommand() *cobra.Command {
	var sample string
	var full bool
	var keys keyFlags
	cmd := a.command(spec{
		use: "verify DEST [LABEL]", short: "Check that backup sets are whole",
		long: `Check all sets, or one with its chain: lists, manifests, indexes, sizes, that every file of the commits
has its chunks, and every byte of the packs (--full, the default) or of some of them, chosen at
random (--sample). Whatever is damaged is named with the files that it costs. The result is noted
at DEST: expire counts a full only when it was verified.`,
		example: `
mlvc backup verify disk
mlvc backup verify disk --sample 5%
mlvc backup verify disk 20261123-041900F`,
		args: words(1, 2, "a destination"), exits: backupExits,
		prints: []shape{{"for everything damaged", core.BackupDamage{}}, {"at the end", core.BackupVerified{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt := core.BackupVerifyOptions{Label: second(args)}
		var err error
		if sample != "" && !full {
			if opt.Percent, err = percent("--sample", sample); err != nil {
				return err
			}
		}
		return a.backups(cmd.Context(), args[0], keys, func(_ *core.Repo, b *core.Backups) error {
			res, err := b.Verify(cmd.Context(), opt, a.answerDamage)
			if err != nil {
				return err
			}
			a.events.end()
			if err := a.out.report(res, func(t *text) { printBackupsVerified(t, res) }); err != nil {
				return err
			}
			return damagedExit(res.Damaged)
		})
	})
	f := cmd.Flags()
	f.StringVar(&sample, "sample", "", "read only this `SHARE` of the packs, as 5%")
	f.BoolVar(&full, "full", false, "read every byte (the default)")
	keys.add(f)
	cmd.ValidArgsFunction = a.completeBackup
	return cmd
}

// damagedExit ends a verb that found damage and told it.
func damagedExit(n int) error {
	if n > 0 {
		return &silent{ExitDamaged}
	}
	return nil
}

func (a *app) answerDamage(d core.BackupDamage) error {
	return a.out.answer(d, func(t *text) {
		what := d.Key
		if what == "" {
			what = "set " + d.Label
		}
		t.line("%s %s: %s", t.paint(red, "damaged:"), what, d.Error)
		for i, p := range d.Paths {
			if i == 10 {
				t.line("    and %s", plural(int64(len(d.Paths)-i), "more file"))
				break
			}
			t.line("    costs %s", quoted(p))
		}
		for _, label := range d.Sets {
			t.line("    of set %s", label)
		}
	})
}

func printBackupsVerified(t *text, res core.BackupVerified) {
	share := "every byte"
	if res.Percent < 100 {
		share = decimal(int64(res.Percent)) + "% of the packs"
	}
	t.line("Verified %s: %s, %s, %s read in %s.", plural(int64(len(res.Sets)), "set"), share, plural(int64(res.Packs), "pack"), size(res.Bytes), took(res.Took))
	if res.Damaged == 0 {
		t.line("%s", t.paint(green, "Nothing is damaged."))
		return
	}
	t.line("%s", t.paint(red, plural(int64(res.Damaged), "object is damaged", "objects are damaged")+`. "mlvc backup repair DEST" heals what parity can.`))
}

func (a *app) backupExpireCommand() *cobra.Command {
	var opt core.BackupExpireOptions
	var grace time.Duration
	var keys keyFlags
	cmd := a.command(spec{
		use: "expire DEST [LABEL…] [--dry-run]", short: "Take old backup sets away",
		long: `Take sets away that no rule keeps, or that are named, in two runs: the first marks them, one after the
grace time (20 hours) removes them, so that what runs beside it is not disturbed. The rules are
those of the options, or else of .mlvc/config; without any, nothing goes. A set that stays
keeps its chain, a full counts only when it was verified, and the newest full that was verified
always stays.`,
		example: `
mlvc backup expire disk --dry-run --keep-full 2
mlvc backup expire disk --keep-daily 7 --keep-weekly 4 --keep-monthly 12
mlvc backup expire disk 20261123-041900F`,
		args: words(1, -1, "a destination"), exits: backupExits,
		prints: []shape{{"for each set", core.BackupDecision{}}, {"at the end", core.BackupExpired{}}},
	}, func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("grace") {
			if grace < 0 {
				return usagef("use a duration such as 10h", "--grace %v: it is negative", grace)
			}
			opt.Grace = &grace
		}
		opt.Labels = args[1:]
		return a.backups(cmd.Context(), args[0], keys, func(r *core.Repo, b *core.Backups) error {
			var settings core.BackupConfig
			if r != nil {
				settings = r.BackupSettings(args[0])
			}
			res, err := b.Expire(cmd.Context(), opt, settings, a.answerDecision)
			if err != nil {
				return err
			}
			a.events.end()
			return a.out.report(res, func(t *text) { printExpired(t, res) })
		})
	})
	f := cmd.Flags()
	p := &opt.Policy
	f.IntVar(&p.KeepFull, "keep-full", 0, "keep the newest `N` full sets, with what is based on them")
	f.IntVar(&p.KeepFullDays, "keep-full-days", 0, "keep what is needed to go back `N` days")
	f.IntVar(&p.KeepDiff, "keep-diff", 0, "keep the newest `N` differential sets of fulls that stay")
	f.IntVar(&p.KeepDaily, "keep-daily", 0, "keep the newest set of each of `N` days")
	f.IntVar(&p.KeepWeekly, "keep-weekly", 0, "keep the newest set of each of `N` weeks")
	f.IntVar(&p.KeepMonthly, "keep-monthly", 0, "keep the newest set of each of `N` months")
	f.BoolVarP(&opt.DryRun, "dry-run", "n", false, "only say what would go, and why")
	f.DurationVar(&grace, "grace", 0, "the least `DURATION` between marking and removing (default 20h)")
	keys.add(f)
	cmd.ValidArgsFunction = a.completeBackup
	return cmd
}

func (a *app) answerDecision(d core.BackupDecision) error {
	if a.flags.quiet && !a.out.json {
		return nil
	}
	return a.out.answer(d, func(t *text) {
		colour := plain
		switch d.Action {
		case core.BackupKept:
			colour = green
		case core.BackupMarked, core.BackupWaiting:
			colour = yellow
		case core.BackupRemoved:
			colour = red
		}
		due := ""
		if d.Due != nil {
			due = "; may be removed from " + a.local(*d.Due) + " on"
		}
		t.line("%s %s  %s%s", t.paint(colour, padRight(d.Action, 8)), d.Label, d.Reason, due)
	})
}

func printExpired(t *text, res core.BackupExpired) {
	would := ""
	if res.DryRun {
		would = "Nothing was changed. It would be: "
	}
	t.line("%s%s kept, %d marked, %d waiting, %d removed (%s).", would, plural(int64(res.Kept), "set"), res.Marked, res.Waiting, res.Removed, size(res.Bytes))
	if res.Swept > 0 {
		t.line("  swept %s of runs that were interrupted long ago", plural(int64(res.Swept), "object"))
	}
	if res.SweptKeys > 0 {
		t.line("  swept %s that nothing is encrypted with any more", plural(int64(res.SweptKeys), "key"))
	}
}

func (a *app) backupDrillCommand() *cobra.Command {
	var opt core.BackupDrillOptions
	var sample string
	var whole bool
	var keys keyFlags
	cmd := a.command(spec{
		use: "drill DEST [LABEL]", short: "Try a restore, and note that it worked",
		long: `Restore a random sample of the files of the newest set, or of LABEL, into a scratch folder, read them
back from the disk, compare, remove them, and note date and result at DEST. "mlvc backup list"
shows how long ago that was. With --whole all files.`,
		example: `
mlvc backup drill disk
mlvc backup drill disk --sample 20%
mlvc backup drill disk --whole --scratch /var/tmp`,
		args: words(1, 2, "a destination"), exits: backupExits, prints: []shape{{"", core.BackupDrill{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt.Label = second(args)
		var err error
		switch {
		case whole:
			opt.Percent = 100
		case sample != "":
			if opt.Percent, err = percent("--sample", sample); err != nil {
				return err
			}
		}
		if opt.Scratch == "" {
			opt.Scratch = os.TempDir()
		}
		opt.Scratch = a.folder(opt.Scratch)
		return a.backups(cmd.Context(), args[0], keys, func(_ *core.Repo, b *core.Backups) error {
			res, err := b.Drill(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			if err := a.out.report(res, func(t *text) { a.printDrill(t, res) }); err != nil {
				return err
			}
			if !res.OK {
				return &silent{ExitDamaged}
			}
			return nil
		})
	})
	f := cmd.Flags()
	f.StringVar(&sample, "sample", "", "restore this `SHARE` of the files (default 5%)")
	f.BoolVar(&whole, "whole", false, "restore everything")
	f.StringVar(&opt.Scratch, "scratch", "", "make the scratch folder in `DIR` (default: where temporary files go)")
	keys.add(f)
	cmd.ValidArgsFunction = a.completeBackup
	return cmd
}

func (a *app) printDrill(t *text, res core.BackupDrill) {
	verdict := t.paint(green, "passed")
	if !res.OK {
		verdict = t.paint(red, "FAILED")
	}
	t.line("Drill of %s %s: %s, %s restored and compared in %s.", res.Label, verdict, plural(res.Files, "file"), size(res.Bytes), took(res.Took))
	a.printHealed(t, res.Healed)
	for i, p := range res.Failed {
		if i == 10 {
			t.line("  and %s", plural(int64(len(res.Failed)-i), "more file"))
			break
		}
		t.line("  %s %s", t.paint(red, "failed"), quoted(p))
	}
}

func (a *app) backupRepairCommand() *cobra.Command {
	var from string
	var keys keyFlags
	cmd := a.command(spec{
		use: "repair DEST [--from SECOND]", short: "Heal damaged backup sets",
		long: `Read everything at DEST, and put right what is damaged or missing: packs by their parity; manifests and
the list of sets, which are there twice, by each other; indexes by what the packs say; and what cannot
be healed so from SECOND, another destination that has it, such as a copy. What was healed was verified
before it took the place of what is damaged. Interrupted, the same command goes on.`,
		example: `
mlvc backup repair disk
mlvc backup repair disk --from /mnt/share/faces`,
		args: words(1, 1, "a destination"), exits: backupExits,
		prints: []shape{{"for each object healed", core.BackupHealed{}}, {"for each that was not", core.BackupDamage{}}, {"at the end", core.BackupRepaired{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.backups(cmd.Context(), args[0], keys, func(r *core.Repo, b *core.Backups) error {
			if from == "" {
				return a.backupRepair(cmd, b, nil)
			}
			return a.backupsOf(cmd.Context(), r, from, keys, func(_ *core.Repo, other *core.Backups) error {
				return a.backupRepair(cmd, b, other)
			})
		})
	})
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "take what cannot be healed from the destination `SECOND`")
	keys.add(f)
	cmd.ValidArgsFunction = a.completeBackup
	return cmd
}

func (a *app) backupRepair(cmd *cobra.Command, b, other *core.Backups) error {
	each := core.BackupRepairEach{
		Healed: func(h core.BackupHealed) error {
			return a.out.report(h, func(t *text) { a.printHealed(t, []core.BackupHealed{h}) })
		},
		Left: a.answerDamage,
	}
	res, err := b.Repair(cmd.Context(), other, each)
	if err != nil {
		return err
	}
	a.events.end()
	err = a.out.report(res, func(t *text) {
		if res.Damaged == 0 {
			t.line("%s", t.paint(green, "Nothing is damaged."))
			return
		}
		t.line("Found %s damaged, healed %d, %d left; took %s.", plural(int64(res.Damaged), "object"), res.Healed, res.Left, took(res.Took))
	})
	if err != nil {
		return err
	}
	return damagedExit(res.Left)
}
