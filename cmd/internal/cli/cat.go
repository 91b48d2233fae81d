package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) catCommand() *cobra.Command {
	var opt core.CatOptions
	var length int64
	var split string
	cmd := a.command(spec{
		use: "cat REV:PATH", short: "Write a file of a commit to the output", group: groupLook,
		long: `Write the content of a file of a commit to the output; of a symbolic link its target. PATH is
relative to the root. Every byte is verified before it is written. With a range only the chunks
in it are read. With --split only the rows of a table that are in a split, as they stand in it; those of
Parquet as JSON lines. A file of a sealed split is refused; with --unseal it is read, and REASON is kept in
the log of operations.`,
		example: `
mlvc cat HEAD~1:data/labels.csv
mlvc cat v1:data/train.bin --offset 1048576 --length 4096 | xxd
mlvc cat HEAD:reviews.csv --split train`,
		args: words(1, 1, "a file, as REV:PATH"), exits: []int{ExitRefused, ExitDamaged, ExitBusy, ExitNotFound},
	}, func(cmd *cobra.Command, args []string) error {
		if opt.Offset < 0 || length < 0 {
			return usagef("give a number of bytes", "--offset and --length are not negative")
		}
		if cmd.Flags().Changed("length") {
			opt.Length = &length
		}
		if split != "" && (opt.Offset > 0 || opt.Length != nil) {
			return usagef("leave one of them out", "--split chooses rows, --offset and --length bytes")
		}
		open := a.read
		if opt.Unseal != "" {
			open = a.write
		}
		return open(cmd.Context(), func(r *core.Repo) error {
			if split != "" {
				return r.CatSplit(cmd.Context(), args[0], split, opt.Unseal, a.out.w)
			}
			return r.Cat(cmd.Context(), args[0], a.out.w, opt)
		})
	})
	f := cmd.Flags()
	f.Int64Var(&opt.Offset, "offset", 0, "begin after so many `BYTES`")
	f.Int64Var(&length, "length", 0, "write so many `BYTES` (default: to the end)")
	unsealFlag(f, &opt.Unseal)
	f.StringVar(&split, "split", "", "write only the rows of the split `[SCHEME:]NAME`")
	cmd.RegisterFlagCompletionFunc("split", func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) { //nolint:errcheck // the flag is there
		return a.completeSplitName(cmd, nil, begun)
	})
	cmd.ValidArgsFunction = a.completeInRevision
	return cmd
}
