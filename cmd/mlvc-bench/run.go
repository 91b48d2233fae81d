package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type runOptions struct {
	sizes
	mlvc, dir   string
	only        []string
	pairs       int
	quick, json bool
	keep        bool
}

func newRun() *cobra.Command {
	var opt runOptions
	cmd := &cobra.Command{
		Use:   "run --mlvc PATH --dir DIR",
		Short: "Measure every budget side by side with its reference, and print the table",
		Long: `Measure every budget side by side with its reference, on this machine, in one
run, and print the table (Markdown, or JSON).

Each row is measured in pairs, mlvc and the reference in turn, after a sync;
what stands in the table is the median, and the part of the budget that was
used is the median over the pairs. Everything is made in a folder below --dir,
which goes at the end. Progress goes to standard error.

Exit status: 0 when all rows were measured, whether or not the budgets were
kept; 1 when one failed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.quick {
				quicken(cmd, &opt)
			}
			return run(cmd.Context(), opt, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.mlvc, "mlvc", "mlvc", "the program to measure")
	f.StringVar(&opt.dir, "dir", "", "folder on the disk to measure")
	f.IntVar(&opt.Files, "files", 100_000, "files of 10 KiB")
	f.Int64Var(&opt.Size, "size", 1<<30, "bytes of a large file, and of the CSV")
	f.IntVar(&opt.Many, "many", 1_000_000, "files of 100 bytes; 0 leaves their rows out")
	f.IntVar(&opt.Images, "images", 100_000, "JPEG files of 112×112 pixels; 0 leaves their row out")
	f.Int64Var(&opt.Huge, "huge", 0, "bytes of one huge file, such as 10737418240; 0 leaves its row out")
	f.StringSliceVar(&opt.only, "only", nil, "only these `ROW`s: "+strings.Join(rowNames(), ", "))
	f.IntVar(&opt.pairs, "pairs", 3, "pairs for each row")
	f.BoolVar(&opt.quick, "quick", false, "10,000 files, 64 MiB, 50,000 files and 5,000 images, where not given otherwise")
	f.BoolVar(&opt.json, "json", false, "print JSON")
	f.BoolVar(&opt.keep, "keep", false, "leave the data there at the end")
	if err := cmd.MarkFlagRequired("dir"); err != nil {
		panic(err)
	}
	return cmd
}

// quicken makes the sizes small that were not given.
func quicken(cmd *cobra.Command, opt *runOptions) {
	for name, set := range map[string]func(){
		"files": func() { opt.Files = 10_000 },
		"size":  func() { opt.Size = 64 << 20 },
		"many":  func() { opt.Many = 50_000 },

		"images": func() { opt.Images = 5_000 },
	} {
		if !cmd.Flags().Changed(name) {
			set()
		}
	}
}

func rowNames() []string {
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
	}
	return names
}

// run measures the rows and prints the report.
func run(ctx context.Context, opt runOptions, out, progress io.Writer) (err error) {
	for _, name := range opt.only {
		if !slices.Contains(rowNames(), name) {
			return fmt.Errorf("no row is named %q (there are %s)", name, strings.Join(rowNames(), ", "))
		}
	}
	if opt.pairs < 1 || opt.Files < 100 || opt.Size < 1<<20 || opt.Many < 0 || opt.Images < 0 || opt.Huge < 0 {
		return errors.New("at least 1 pair, 100 files and 1 MiB are needed")
	}
	b, err := newBench(opt, progress)
	if err != nil {
		return err
	}
	if !opt.keep {
		defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	}
	rep := report{Machine: thisMachine(opt.dir), Sizes: opt.sizes, When: time.Now().UTC().Truncate(time.Second), Mlvc: b.version(ctx)}
	if err := b.touchMemory(ctx); err != nil {
		return err
	}
	for _, r := range rows {
		if len(opt.only) == 0 || slices.Contains(opt.only, r.name) {
			rep.Results = append(rep.Results, b.row(ctx, r, opt.sizes)...)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if opt.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		err = enc.Encode(rep)
	} else {
		err = rep.write(out)
	}
	return errors.Join(err, rep.failed())
}

// newBench makes the folder to work in.
func newBench(opt runOptions, progress io.Writer) (*bench, error) {
	mlvc, err := exec.LookPath(opt.mlvc)
	if err != nil {
		return nil, err
	}
	if mlvc, err = filepath.Abs(mlvc); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(opt.dir, "mlvc-bench-")
	if err != nil {
		return nil, err
	}
	return &bench{mlvc: mlvc, self: self, dir: dir, pairs: opt.pairs, sets: newSets(dir, opt.sizes), log: progress}, nil
}

// version asks mlvc for its version.
func (b *bench) version(ctx context.Context) string {
	_, out, err := measure(ctx, true, b.mlvc, "--version")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// row measures one row: its pairs, and a result for each of its checks. A row
// that fails or is left out says so in its results.
func (b *bench) row(ctx context.Context, r row, z sizes) []result {
	res := result{Row: r.name, Work: z.fill(r.work), Ref: r.ref}
	err := b.measureRow(ctx, r, &res)
	var left errLeft
	switch {
	case errors.As(err, &left):
		res.Left = left.Error()
	case err != nil:
		res.Error = err.Error()
	}
	if err != nil {
		b.say("%s: %v", r.name, err)
		return []result{res}
	}
	var all []result
	for _, c := range r.checks {
		all = append(all, res.judged(c))
	}
	return all
}

// measureRow fills in the samples. The order within a pair changes from pair
// to pair, so that neither side always comes second.
func (b *bench) measureRow(ctx context.Context, r row, res *result) error {
	s := b.sets[r.set]
	if err := b.prepare(ctx, s); err != nil {
		return err
	}
	pairs := b.pairs
	if r.once {
		pairs = 1
	}
	for i := range pairs {
		one := pair{}
		steps := []func() error{
			func() (err error) { one.Mlvc, err = r.mlvc(ctx, b, s); return err },
			func() (err error) {
				if r.refer != nil {
					one.Ref, err = r.refer(ctx, b, s)
				}
				return err
			},
		}
		if i%2 == 1 {
			slices.Reverse(steps)
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		b.say("%s: pair %d of %d: %s", r.name, i+1, pairs, one.line(r.ref))
		res.Pairs = append(res.Pairs, one)
	}
	return nil
}

// timed measures a function of ours.
func timed(f func()) sample {
	begin := time.Now()
	f()
	return sample{Seconds: time.Since(begin).Seconds()}
}
