package cli

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/objects/vfs"
)

func (a *app) manCommand() *cobra.Command {
	var to string
	cmd := a.command(spec{
		use: "man [COMMAND…] [--to DIR]", short: "Print a manual page, or write all of them", group: groupHelp,
		example: `
mlvc man commit | man -l -                        # read one page
mlvc man --to ~/.local/share/man/man1             # all pages, for man(1)`,
	}, func(cmd *cobra.Command, args []string) error {
		if to != "" {
			if len(args) > 0 {
				return usagef("leave one of them out", "--to writes every page, a command names one")
			}
			return a.writePages(cmd.Root(), to)
		}
		page, rest, err := cmd.Root().Find(args)
		if err != nil || len(rest) > 0 {
			return unknownCommand(cmd.Root(), args)
		}
		_, err = a.out.w.WriteString(a.manPage(page))
		return err
	})
	cmd.Flags().StringVar(&to, "to", "", "write a file for each command into `DIR`")
	return cmd
}

// writePages writes a page for each command and topic.
func (a *app) writePages(root *cobra.Command, dir string) (err error) {
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(a.dir, dir)
	}
	if err := vfs.MkdirAll(a.env.FS, dir, 0o777); err != nil {
		return err
	}
	n := int64(0)
	walkCommands(root, func(cmd *cobra.Command) {
		if err == nil {
			n++
			err = vfs.WriteFile(a.env.FS, filepath.Join(dir, pageName(cmd)+".1"), []byte(a.manPage(cmd)), 0o666)
		}
	})
	if err != nil {
		return err
	}
	return a.out.report(struct {
		Pages int64 `json:"pages"`
	}{n}, func(t *text) { t.line("Wrote %s to %s", plural(n, "page"), quoted(dir)) })
}

func pageName(cmd *cobra.Command) string {
	return strings.ReplaceAll(cmd.CommandPath(), " ", "-")
}

// manPage writes a command's help in the language of man(1).
func (a *app) manPage(cmd *cobra.Command) string {
	var b strings.Builder
	b.WriteString(`.TH "` + strings.ToUpper(pageName(cmd)) + `" "1" "" "mlvc ` + roff(a.env.Version) + `" "mlvc manual"` + "\n")
	b.WriteString(".SH NAME\n" + roff(pageName(cmd)) + ` \- ` + roff(cmd.Short) + "\n")
	for _, s := range a.sections(cmd) {
		title := strings.TrimSuffix(strings.ToUpper(either(s.title, "Description")), ":")
		b.WriteString(".SH " + title + "\n.nf\n" + roff(strings.TrimRight(s.body, "\n")) + "\n.fi\n")
	}
	b.WriteString(".SH SEE ALSO\n")
	if parent := cmd.Parent(); parent != nil {
		b.WriteString(".BR " + roff(pageName(parent)) + " (1)\n")
	} else {
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				b.WriteString(".BR " + roff(pageName(c)) + " (1)\n")
			}
		}
	}
	return b.String()
}

// roff escapes what would be a command of the page's language.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
