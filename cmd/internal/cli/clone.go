package cli

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) cloneCommand() *cobra.Command {
	var opt core.CloneOptions
	cmd := a.command(spec{
		use: "clone URL [DIR]", short: "Make a repository of what was pushed to a place", group: groupStart,
		long: `Make a repository in DIR, or in a folder named like the place, with the whole history that was
pushed there, and check out its branch. The place is its remote "origin". DIR must be empty or not
there; interrupted, the same command goes on.

With --path or --metadata-only all commits, trees and names come, so that log, diff and ls work, but
contents only when a command needs them. The working tree then holds that part alone; commits keep
everything outside it as it was. So it is with --split, for the files of splits and what is in none.
Sealed splits are left out; with --unseal they are read, and REASON is kept in the log of operations.`,
		example: `
mlvc clone /mnt/share/faces
mlvc clone file:///mnt/share/faces ~/faces --branch cleaner
mlvc clone /mnt/share/faces --path 'images/train/**' --path labels.csv
mlvc clone /mnt/share/faces --split train,val
mlvc clone /mnt/share/faces --metadata-only`,
		args: words(1, 2, "the place to clone"), exits: shareExits, prints: []shape{{"", core.CloneResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt.URL = a.placeURL(args[0])
		opt.Dir = second(args)
		if opt.Dir == "" {
			if opt.Dir = lastPart(opt.URL); opt.Dir == "" {
				return usagef("mlvc clone URL DIR", "%s has no last part to name a folder after", quoted(args[0]))
			}
		}
		if !filepath.IsAbs(opt.Dir) {
			opt.Dir = filepath.Join(a.dir, opt.Dir)
		}
		opt.Dir = filepath.Clean(opt.Dir)
		res, err := core.Clone(cmd.Context(), a.coreEnv(func() signature { return a.signature(cmd.Context()) }), opt)
		if err != nil {
			return err
		}
		a.events.end()
		return a.out.report(res, func(t *text) { printClone(t, opt, res) })
	})
	f := cmd.Flags()
	f.StringVarP(&opt.Branch, "branch", "b", "", "check out the branch `NAME`")
	f.StringArrayVar(&opt.Paths, "path", nil, "bring only files that the pattern `GLOB` selects; a folder is all below; may be repeated")
	a.splitFlag(cmd, &opt.Splits, "bring only the files of the splits")
	unsealFlag(f, &opt.Unseal)
	f.BoolVar(&opt.MetadataOnly, "metadata-only", false, "bring no contents and write no files of the data")
	cmd.ValidArgsFunction = filesHere
	return cmd
}

// lastPart is the name that a clone of a place gets.
func lastPart(url string) string {
	name := path.Base(strings.TrimRight(filepath.ToSlash(url), "/"))
	if name == "." || name == "/" || strings.HasSuffix(name, ":") {
		return ""
	}
	return name
}

func printClone(t *text, opt core.CloneOptions, res core.CloneResult) {
	t.line("Cloned %s into %s", quoted(opt.URL), quoted(res.Root))
	t.line("  received %s", transferText(res.Fetch.Transferred))
	if res.Branch != "" && !res.Commit.IsZero() {
		t.line("  on %s at %s", t.paint(green, res.Branch), t.paint(yellow, res.Commit.Short()))
	}
	printCarried(t, res.Carried)
	printSealed(t, res.Sealed, "mlvc checkout --unseal REASON reads it")
	if res.Part {
		t.line(`  contents that are not here come when they are needed; "mlvc fetch --contents" brings all`)
	}
}
