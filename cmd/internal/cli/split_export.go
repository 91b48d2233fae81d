package cli

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset"
)

// splitExported is what split export wrote into a file.
type splitExported struct {
	Scheme  string `json:"scheme"`
	Split   string `json:"split"`
	File    string `json:"file"`
	Samples int64  `json:"samples"`
}

// exportFlags are the options of split export as they are written.
type exportFlags struct {
	opt    core.SplitExportOptions
	format string
	file   string
}

func (a *app) splitExportCommand() *cobra.Command {
	var flags exportFlags
	cmd := a.command(spec{
		use: "export [SCHEME:]NAME [REV]", short: "List the samples of a split, for loaders",
		long: `List the samples of a split of a commit (HEAD, if none is given): a path a line, or of a scheme of rows
"path,row". --epoch lists them in the order of that epoch: by a keyed hash of the seed, the epoch and
each sample, so that it is the same everywhere, and samples that come or go leave the order of the
others as it is.`,
		example: `
mlvc split export train > train.txt
mlvc split export train v1 --epoch 3 --seed run-42 -o epoch-3.txt
mlvc split export five:fold-1 --format jsonl`,
		args: words(1, 2, "a split"), exits: []int{ExitDamaged, ExitNotFound},
		prints: []shape{{"for each sample", dataset.Sample{}}, {"with -o", splitExported{}}},
	}, func(cmd *cobra.Command, args []string) error {
		flags.opt.Split, flags.opt.Rev = args[0], second(args)
		flags.opt.Shuffle = cmd.Flags().Changed("epoch") || cmd.Flags().Changed("seed")
		return a.read(cmd.Context(), func(r *core.Repo) error { return a.exportSplit(cmd, r, flags) })
	})
	f := cmd.Flags()
	f.IntVar(&flags.opt.Epoch, "epoch", 0, "list them in the order of the epoch `NUMBER`")
	f.StringVar(&flags.opt.Seed, "seed", "", "the order is that of the seed `TEXT`")
	f.StringVar(&flags.format, "format", "paths", "the `FORMAT`: paths, csv or jsonl")
	f.StringVarP(&flags.file, "output", "o", "", "write them into `FILE`")
	cmd.ValidArgsFunction = a.completeSplitName
	cmd.RegisterFlagCompletionFunc("format", fixed("paths", "csv", "jsonl")) //nolint:errcheck // the flag is there
	return cmd
}

func (a *app) exportSplit(cmd *cobra.Command, r *core.Repo, flags exportFlags) error {
	format := flags.format
	if a.out.json && flags.file == "" {
		format = "jsonl"
	}
	if format != "paths" && format != "csv" && format != "jsonl" {
		return usagef("use paths, csv or jsonl", "--format %s: no such format", quoted(format))
	}
	e, err := r.ExportSplit(cmd.Context(), flags.opt)
	if err != nil {
		return err
	}
	a.events.end()
	if flags.file == "" {
		_, err := writeSamples(a.out.w, e, format)
		return err
	}
	done := splitExported{Scheme: e.Scheme, Split: e.Split, File: a.file(flags.file)}
	err = a.writeMade(flags.file, func(w io.Writer) error {
		done.Samples, err = writeSamples(w, e, format)
		return err
	})
	if err != nil || flags.file == "-" {
		return err
	}
	return a.out.report(done, func(t *text) {
		t.line("Wrote %s of the split %s into %s", plural(done.Samples, "sample"), done.Split, quoted(flags.file))
	})
}

// writeSamples writes the samples in a format, and counts them.
func writeSamples(w io.Writer, e core.SplitExport, format string) (n int64, err error) {
	c := csv.NewWriter(w)
	if format == "csv" {
		if err := c.Write(csvRow(e.Rows, "path", "row")); err != nil {
			return 0, err
		}
	}
	for s, err := range e.Samples() {
		if err != nil {
			return n, err
		}
		n++
		row := strconv.FormatInt(s.Row, 10)
		switch format {
		case "csv":
			err = c.Write(csvRow(e.Rows, s.Path, row))
		case "jsonl":
			err = writeJSONLine(w, s)
		default:
			err = writePathLine(w, csvRow(e.Rows, s.Path, row))
		}
		if err != nil {
			return n, err
		}
	}
	c.Flush()
	return n, c.Error()
}

func csvRow(rows bool, path, row string) []string {
	if rows {
		return []string{path, row}
	}
	return []string{path}
}

// writePathLine writes a path as it is: what reads lines could not read one
// with a line break in it.
func writePathLine(w io.Writer, row []string) error {
	if strings.ContainsAny(row[0], "\r\n") {
		return usagef("use --format csv or jsonl", "%s has a line break in its name", quoted(row[0]))
	}
	_, err := io.WriteString(w, strings.Join(row, ",")+"\n")
	return err
}

func writeJSONLine(w io.Writer, v any) error {
	line, err := encodeJSON(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}
