package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) gcCommand() *cobra.Command {
	var opt core.GCOptions
	var grace time.Duration
	cmd := a.command(spec{
		use: "gc [--dry-run]", short: "Remove what nobody needs, and tidy the packs", group: groupCare,
		long: `Remove what no branch, no tag and no operation of the last gc.keep_days days reaches. One run marks,
a run after the grace time (gc.grace_minutes, an hour) removes: who reads meanwhile is not
disturbed. Packs with much that is dead and small packs are rewritten. What is there stays
whole if it is interrupted.`,
		example: `
mlvc gc --dry-run                # how much there is
mlvc gc`,
		args: noWords, exits: []int{ExitDamaged, ExitBusy, ExitNotFound}, prints: []shape{{"", core.GCResult{}}},
	}, func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("grace") {
			if grace < 0 {
				return usagef("use a duration such as 10m", "--grace %v: it is negative", grace)
			}
			opt.Grace = &grace
		}
		return a.write(cmd.Context(), func(r *core.Repo) error {
			res, err := r.GC(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			return a.out.report(res, func(t *text) { a.printGC(t, res, opt.DryRun) })
		})
	})
	f := cmd.Flags()
	f.BoolVarP(&opt.DryRun, "dry-run", "n", false, "only say what would be done")
	f.DurationVar(&grace, "grace", 0, "the least `DURATION` between marking and removing, in place of gc.grace_minutes")
	return cmd
}

func (a *app) printGC(t *text, res core.GCResult, dry bool) {
	marked, removed, freed := "marked", "removed", "freed"
	if dry {
		marked, removed, freed = "would mark", "would remove", "would free"
	}
	t.line("Kept %s, reached from names and %s.", plural(int64(res.Kept), "object"), plural(int64(res.Operations), "operation"))
	if res.Removed.Objects > 0 {
		t.line("  %s %s, %s", removed, plural(res.Removed.Objects, "object"), size(res.Removed.Bytes))
	}
	if res.Marked.Objects > 0 {
		t.line("  %s %s, %s", marked, plural(res.Marked.Objects, "object"), size(res.Marked.Bytes))
	}
	if res.Compacted.Removed > 0 || res.Freed > 0 {
		t.line("  packs: %s %d (%d of them rewritten into %d), %s %s", removed, res.Compacted.Removed, res.Rewritten, res.Written, freed, size(res.Freed))
	}
	if res.Removed.Objects == 0 && res.Marked.Objects == 0 && res.Compacted.Removed == 0 && res.Due.IsZero() {
		t.line("There is nothing to remove.")
	}
	if !res.Due.IsZero() && !dry {
		t.line(`What is marked may be removed from %s on, by the next "mlvc gc".`, res.Due.In(a.env.Now().Location()).Format("2006-01-02 15:04"))
	}
	if res.Readers {
		t.line(`Something stays for now because it may still be being read; "mlvc gc" removes it later.`)
	}
}
