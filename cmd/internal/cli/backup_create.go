package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) backupCreateCommand() *cobra.Command {
	var opt core.BackupCreateOptions
	var kind string
	var keys keyFlags
	cmd := a.command(spec{
		use: "create DEST [REV]", short: "Write the backup set of a commit",
		long: `Write the backup set of a commit (HEAD) to DEST. Its kind is that of the commit, or what --type says;
its base is the newest set there of an ancestor. Where there is none, or it is damaged, the set
is full, and one line says why. Beside the commit itself the set has all history, every name and
the log of operations. A commit that has a set is reported, and nothing is written.

Only commits are backed up: --commit makes one first. The set is there when all of it is; what was
interrupted is gone on with by the same command.

With --encrypt nobody reads contents, paths and sizes of files without a secret key; a machine that
only makes backups needs no secret. Recipients are noted at DEST, so later sets need not name them.`,
		example: `
mlvc backup create /media/ada/disk/faces
mlvc backup create disk --type full
mlvc backup create disk v1 --tip-only
mlvc backup create disk --commit "Before the clean-up"
mlvc backup create /mnt/share/faces --encrypt age1…    # "age-keygen" makes a key`,
		args: words(1, 2, "where to"), exits: backupExits, prints: []shape{{"", core.BackupCreateResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		var err error
		if opt.Kind, err = parseKind(kind); err != nil {
			return err
		}
		opt.Rev = second(args)
		return a.needingRepo(cmd.Context(), args[0], keys, func(r *core.Repo, b *core.Backups) error {
			res, err := r.CreateBackup(cmd.Context(), b, opt)
			if err != nil {
				return err
			}
			a.events.end()
			return a.out.report(res, func(t *text) { a.printBackup(t, res) })
		})
	})
	f := cmd.Flags()
	f.StringVar(&kind, "type", string(core.KindAuto), "the `KIND`: auto, full, incremental or differential")
	f.BoolVar(&opt.TipOnly, "tip-only", false, "leave out the contents that only earlier commits have")
	f.StringVar(&opt.Parity, "parity", "", "what heals damage: `10+1`, 10+2, … or off (default 10+1)")
	f.StringVar(&opt.Commit, "commit", "", "commit the working tree first, with the message `TEXT`")
	f.BoolVar(&opt.Anew, "anew", false, "begin again at a place that has lost all the sets that it had")
	f.StringArrayVar(&keys.recipients, "encrypt", nil, "encrypt for `RECIPIENT`: age1…, an SSH public key, or passphrase; may be repeated")
	keys.add(f)
	cmd.RegisterFlagCompletionFunc("type", fixed("auto", "full", "incremental", "differential")) //nolint:errcheck // the flag is there
	cmd.ValidArgsFunction = a.completeBackup
	return cmd
}

func (a *app) printBackup(t *text, res core.BackupCreateResult) {
	if c := res.Committed; c != nil && !c.ID.IsZero() {
		t.line("Committed %s", t.paint(yellow, c.ID.Short()))
	}
	what := "Backed up"
	if res.Existed {
		what = "Nothing to do: there is a backup of"
	}
	t.line("%s commit %s: %s", what, t.paint(yellow, res.Commit.Short()), t.paint(green, res.Label))
	base := ""
	if res.Base != "" {
		base = " on " + res.Base
	}
	t.line("  %s%s: %s", t.paint(bold, string(res.Kind)), base, res.Why)
	t.line("  %s, %s in all", plural(res.Files, "file"), size(res.Content))
	if !res.Existed {
		resumed := ""
		if res.Resumed {
			resumed = " (went on with what was interrupted)"
		}
		t.line("  added %s in %s, %s; took %s%s", plural(res.Objects, "object"), plural(res.Packs, "pack"), size(res.Bytes), took(res.Took), resumed)
	}
	if res.Uncommitted > 0 {
		t.line("  %s", t.paint(yellow, plural(res.Uncommitted, "path differs", "paths differ")+` from the commit and `+isAre(res.Uncommitted)+` not in the set; --commit MESSAGE commits first`))
	}
}

func isAre(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func (a *app) backupListCommand() *cobra.Command {
	var keys keyFlags
	cmd := a.command(spec{
		use: "list DEST", short: "List the backup sets, chain by chain",
		long: `List the sets, each full one with those that are based on it: kind, commit, when it was made, bytes that
it added, bytes that a restore reads, and when it was last verified and drilled.`,
		example: `
mlvc backup list /media/ada/disk/faces
mlvc backup list disk --json`,
		args: words(1, 1, "a destination"), exits: backupExits, prints: []shape{{"for each set", core.BackupSet{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.backups(cmd.Context(), args[0], keys, func(_ *core.Repo, b *core.Backups) error {
			sets := b.List()
			if a.out.json {
				return list(a.out, sets, func(*text, core.BackupSet) {})
			}
			if len(sets) == 0 {
				return &core.NoSetsError{URL: b.URL()}
			}
			return a.out.answer(nil, func(t *text) { a.printSets(t, sets) })
		})
	})
	cmd.ValidArgsFunction = a.completeBackup
	keys.add(cmd.Flags())
	return cmd
}

func (a *app) printSets(t *text, sets []core.BackupSet) {
	depth := make(map[string]int)
	var rows [][]cell
	var drill *core.BackupCheck
	for _, s := range sets {
		if s.Base != "" {
			depth[s.Label] = depth[s.Base] + 1
		}
		if d := s.Drilled; d != nil && (drill == nil || d.Time.After(drill.Time)) {
			drill = d
		}
		rows = append(rows, a.setRow(s, depth[s.Label]))
	}
	t.columns("", rows)
	if drill == nil {
		t.line(`No restore was tried yet: "mlvc backup drill DEST" does.`)
		return
	}
	t.line("Last drill %s: %s.", a.age(drill.Time), checkWord(t, drill, "passed", "FAILED"))
}

func checkWord(t *text, c *core.BackupCheck, good, bad string) string {
	if c.OK {
		return t.paint(green, good)
	}
	return t.paint(red, bad)
}

func (a *app) setRow(s core.BackupSet, depth int) []cell {
	branch := ""
	if depth > 0 {
		branch = strings.Repeat("  ", depth-1) + "└ "
	}
	state := cell{text: "not verified", colour: dim}
	switch v := s.Verified; {
	case s.Expiring != nil:
		state = cell{text: "expires", colour: yellow}
	case v != nil && !v.OK:
		state = cell{text: "DAMAGED, found " + a.age(v.Time), colour: red}
	case v != nil && v.Percent < 100:
		state = cell{text: decimal(int64(v.Percent)) + "% verified " + a.age(v.Time), colour: green}
	case v != nil:
		state = cell{text: "verified " + a.age(v.Time), colour: green}
	}
	return []cell{
		{text: branch + s.Label, colour: bold},
		{text: string(s.Kind)},
		{text: s.Commit.Short(), colour: yellow},
		{text: a.local(s.Time)},
		{text: "+" + size(s.Bytes), right: true},
		{text: size(s.Restore) + " to restore", right: true},
		state,
	}
}

func (a *app) backupShowCommand() *cobra.Command {
	var keys keyFlags
	cmd := a.command(spec{
		use: "show DEST [LABEL]", short: "Show a backup set: what it is made of",
		example: `
mlvc backup show disk                      # the newest
mlvc backup show disk 20261123-041900F`,
		args: words(1, 2, "a destination"), exits: backupExits, prints: []shape{{"", core.BackupDetail{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.backups(cmd.Context(), args[0], keys, func(_ *core.Repo, b *core.Backups) error {
			d, err := b.Show(cmd.Context(), second(args))
			if err != nil {
				return err
			}
			return a.out.answer(d, func(t *text) { a.printSet(t, d) })
		})
	})
	cmd.ValidArgsFunction = a.completeBackup
	keys.add(cmd.Flags())
	return cmd
}

func (a *app) printSet(t *text, d core.BackupDetail) {
	t.line("%s  %s", t.paint(green, d.Label), t.paint(bold, string(d.Kind)))
	t.line("  at %s, of repository %.8s", quoted(d.URL), d.Repository)
	t.line("  commit %s, made %s", t.paint(yellow, d.Commit.Short()), a.local(d.Time))
	t.line("  %s, %s in all", plural(d.Files, "file"), size(d.Content))
	t.line("  the commit: %s in %s, %s", plural(d.Tip.Objects, "object"), plural(d.Tip.Packs, "pack"), size(d.Tip.Bytes))
	t.line("  history and metadata: %s in %s, %s", plural(d.Rest.Objects, "object"), plural(d.Rest.Packs, "pack"), size(d.Rest.Bytes))
	t.line("  added %s; a restore reads %s from %s", size(d.Bytes), size(d.Restore), plural(int64(d.Sets), "set"))
	if d.Parity != "" {
		t.line("  parity %s", d.Parity)
	}
	if d.TipOnly {
		t.line("  without the contents that only earlier commits have")
	}
	t.line("  chain: %s", strings.Join(d.Chain, " → "))
	if len(d.Dependents) > 0 {
		t.line("  needed by: %s", strings.Join(d.Dependents, ", "))
	}
	if d.Expiring != nil {
		t.line("  %s", t.paint(yellow, "marked to go since "+a.local(*d.Expiring)))
	}
	if v := d.Verified; v != nil {
		t.line("  verified %s (%d%%): %s", a.age(v.Time), v.Percent, checkWord(t, v, "whole", "DAMAGED"))
	}
	if v := d.Drilled; v != nil {
		t.line("  drilled %s (%d%%): %s", a.age(v.Time), v.Percent, checkWord(t, v, "passed", "FAILED"))
	}
}
