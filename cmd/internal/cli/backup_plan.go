package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/backupplan"
	"github.com/mlvc/mlvc/objects/vfs"
)

// megabyte is that of rates, as disks and networks are sold.
const megabyte = 1e6

func (a *app) backupPlanCommand() *cobra.Command {
	var opt core.BackupPlanOptions
	var rate float64
	var plot string
	cmd := a.command(spec{
		use: "plan [DEST]", short: "Which strategy of backup fits this history",
		long: `Compute from what the history really changed what each strategy comes to, as if every commit had
been backed up, and recommend one. Nothing is backed up.

  full          every set is a full one
  incremental   what changed since the set before, and a full again after so many sets
  differential  what changed since the last full, and a full again after so many sets
  auto          the kind that a commit chooses for itself, by the rules in mlvc.toml

Times are bytes over the rate of the destination: that of --rate, or measured at DEST by writing and
deleting an object of 32 MiB there, or else assumed to be 100 MB/s. Whatever the strategy, a restore
reads what it needs once; writing the files is not in its time.`,
		example: `
mlvc backup plan                              # the table and a recommendation
mlvc backup plan /mnt/backup/faces            # at the rate of that disk
mlvc backup plan --rate 30 --keep-full 2 --svg plan.svg`,
		args:  words(0, 1, "at most a destination"),
		exits: []int{ExitRefused, ExitDamaged, ExitNotFound}, prints: []shape{{"", backupplan.Plan{}}},
	}, func(cmd *cobra.Command, args []string) error {
		if opt.Rate = rate * megabyte; rate < 0 || cmd.Flags().Changed("rate") && rate == 0 {
			return usagef("give megabytes a second, such as --rate 100", "--rate %g: not a rate", rate)
		}
		return a.planBackup(cmd, args, opt, plot)
	})
	f := cmd.Flags()
	f.StringVar(&opt.Rev, "rev", "HEAD", "the history of `REV`, by first parents")
	f.Float64Var(&rate, "rate", 0, "megabytes (10^6 bytes) a second at the destination, `MB/S`")
	f.IntVar(&opt.Horizon, "horizon", 100, "look `N` commits ahead, at the same rate of change")
	f.IntVar(&opt.FullEvery, "full-every", 0, "incremental and differential begin anew after `N` sets; 0: max_chain of mlvc.toml")
	f.IntVar(&opt.KeepFull, "keep-full", 0, "keep the newest `N` full sets and what stands on them; 0: everything")
	f.StringVar(&opt.Parity, "parity", "10+1", "parity of packs, as `D+P`, or "+core.ParityOff)
	f.StringVar(&plot, "svg", "", "draw it into `FILE` too")
	cmd.ValidArgsFunction = nil // files
	return cmd
}

func (a *app) planBackup(cmd *cobra.Command, dest []string, opt core.BackupPlanOptions, plot string) error {
	if plot != "" {
		if plot = a.inDir(plot); !a.mayPlot(plot) {
			return &core.UsageError{What: quoted(plot) + " is there already, and is no plot of a plan", Hint: "name another file for --svg"}
		}
	}
	return a.read(cmd.Context(), func(r *core.Repo) error {
		if len(dest) > 0 {
			place, err := r.BackupPlace(dest[0], a.placeURL(dest[0]))
			if err != nil {
				return err
			}
			opt.Place = place.URL
		}
		plan, err := r.BackupPlan(cmd.Context(), opt)
		if err != nil {
			return err
		}
		a.events.end()
		if plot != "" {
			if err := vfs.WriteFile(a.env.FS, plot, plan.SVG(), 0o666); err != nil {
				return err
			}
		}
		return a.out.answer(plan, func(t *text) { printPlan(t, plan, plot) })
	})
}

// maxPlot is more than a plot has, in bytes.
const maxPlot = 16 << 20

// mayPlot reports whether a file may be written: nothing is there, or an older
// plot.
func (a *app) mayPlot(name string) bool {
	st, err := a.env.FS.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil || st.Type != vfs.TypeRegular || st.Size > maxPlot {
		return false
	}
	old, err := vfs.ReadFile(a.env.FS, name)
	return err == nil && bytes.Contains(old, []byte(backupplan.Mark))
}

func printPlan(t *text, p backupplan.Plan, plot string) {
	t.line("%s, %s to %s; %s to come at the same rate", plural(p.Commits, "commit"),
		p.From.Format(time.DateOnly), p.To.Format(time.DateOnly), plural(p.Horizon, "commit"))
	kept := "all sets kept"
	if p.KeepFull > 0 {
		kept = "the newest " + plural(p.KeepFull, "full") + " kept"
	}
	t.line("%s %s; a full every %s; %s; parity %s\n", decimalRate(p.Rate), p.RateIs, plural(p.FullEvery, "set"), kept, p.Parity)
	head := func(words ...string) (row []cell) {
		for i, w := range words {
			row = append(row, cell{text: w, colour: bold, right: i > 0})
		}
		return row
	}
	rows := [][]cell{
		head("", "stored", "stored", "each backup", "", "largest", "", "restore", "", "from", "at most"),
		head("strategy", "now", "then", "writes", "takes", "writes", "takes", "reads", "takes", "sets", "sets"),
	}
	for _, o := range p.Strategies {
		colour := plain
		if o.Strategy == p.Recommended {
			colour = green
		}
		row := []cell{{text: o.Strategy, colour: colour}}
		for _, word := range []string{
			size(o.Stored), size(o.StoredHorizon), size(o.Backup), took(o.BackupTime), size(o.Largest), took(o.LargestTime),
			size(o.Restore), took(o.RestoreTime), decimal(o.RestoreSets), decimal(o.MostSets),
		} {
			row = append(row, cell{text: word, right: true})
		}
		rows = append(rows, row)
	}
	t.columns("", rows)
	t.line("\nRecommended: %s: %s", t.paint(green, p.Recommended), p.Reason)
	if plot != "" {
		t.line("Drawn in %s", quoted(plot))
	}
}

// decimalRate writes bytes a second as they are given.
func decimalRate(n float64) string {
	return strconv.FormatFloat(math.Round(n/megabyte*10)/10, 'f', -1, 64) + " MB/s"
}
