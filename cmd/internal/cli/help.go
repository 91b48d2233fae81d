package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpCommand is "mlvc help [COMMAND|TOPIC]".
func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	cmd := a.command(spec{
		use: "help [COMMAND | TOPIC]", short: "Show the help of a command or a topic", group: groupHelp,
		example: `
mlvc help commit      # one command
mlvc help revisions   # how to name a commit
mlvc help exit        # what the exit statuses mean
mlvc help json        # every JSON object`,
	}, func(_ *cobra.Command, args []string) error {
		cmd, rest, err := root.Find(args)
		if err != nil || cmd == nil || len(rest) > 0 {
			return unknownCommand(root, args)
		}
		return cmd.Help()
	})
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		if len(args) == 0 {
			for _, c := range root.Commands() {
				if !c.Hidden {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// help prints the help of a command.
func (a *app) help(cmd *cobra.Command) {
	t := &text{a.out.w, a.out.style}
	if !cmd.HasParent() {
		a.helpRoot(t, cmd)
		return
	}
	for _, s := range a.sections(cmd) {
		if s.title != "" {
			t.line("%s", t.paint(bold, s.title))
		}
		t.line("%s\n", strings.TrimRight(s.body, "\n"))
	}
}

// section is a part of a help page, or of a manual page.
type section struct{ title, body string }

// sections are the help of one command.
func (a *app) sections(cmd *cobra.Command) []section {
	about := cmd.Long
	if about == "" {
		about = sentence(cmd.Short)
	}
	all := []section{{"", about}}
	if !cmd.Runnable() && !cmd.HasAvailableSubCommands() {
		return all // a topic
	}
	all = append(all, section{"Usage:", usageLines(cmd)})
	if cmd.HasAvailableSubCommands() {
		all = append(all, section{"Commands:", commandList(cmd.Commands(), "")})
	}
	if cmd.Example != "" {
		all = append(all, section{"Examples:", indent(cmd.Example)})
	}
	if own := flagText(cmd.LocalNonPersistentFlags()); own != "" {
		all = append(all, section{"Options:", own})
	}
	all = append(all, section{"Options of every command:", flagText(cmd.Root().PersistentFlags())})
	return append(all, section{"Exit status:", exitText("  ", a.exitsOf(cmd))})
}

// exitsOf are the statuses of a command; never nil.
func (a *app) exitsOf(cmd *cobra.Command) []int {
	return append([]int{}, a.exits[cmd]...)
}

func usageLines(cmd *cobra.Command) string {
	var lines []string
	if cmd.Runnable() {
		lines = append(lines, "  "+cmd.UseLine())
	}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			lines = append(lines, "  "+c.UseLine())
		}
	}
	return strings.Join(lines, "\n")
}

func (a *app) helpRoot(t *text, root *cobra.Command) {
	t.line("%s\n", root.Long)
	t.line("%s\n  mlvc COMMAND [OPTION…] [WORD…]\n", t.paint(bold, "Usage:"))
	for _, g := range groups {
		t.line("%s", t.paint(bold, g.Title+":"))
		t.line("%s", commandList(root.Commands(), g.ID))
	}
	t.line("%s", t.paint(bold, "Topics of \"mlvc help\":"))
	var b strings.Builder
	for _, c := range root.Commands() {
		if c.IsAdditionalHelpTopicCommand() {
			b.WriteString("  " + padRight(c.Name(), 13) + c.Short + "\n")
		}
	}
	t.line("%s", b.String())
	t.line("%s\n%s", t.paint(bold, "Options of every command:"), flagText(root.PersistentFlags()))
	t.line("\"mlvc help COMMAND\" shows examples and options of a command.")
}

// commandList lists commands of a group, or all of them, in their order.
func commandList(commands []*cobra.Command, group string) string {
	var b strings.Builder
	for _, c := range commands {
		if c.IsAvailableCommand() && (group == "" || c.GroupID == group) {
			b.WriteString("  " + padRight(c.Name(), 13) + c.Short + "\n")
		}
	}
	return b.String()
}

// flagText lists options, each with its meaning.
func flagText(flags *pflag.FlagSet) string {
	type option struct{ name, meaning string }
	var options []option
	width := 0
	flags.SortFlags = false
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		word, meaning := pflag.UnquoteUsage(f)
		name := "    --" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", --" + f.Name
		}
		if word != "" {
			name += " " + strings.ToUpper(word)
		}
		if def := defaultText(f); def != "" {
			meaning += " (default " + def + ")"
		}
		options = append(options, option{name, meaning})
		width = max(width, len(name))
	})
	var b strings.Builder
	for _, o := range options {
		b.WriteString("  " + padRight(o.name+"  ", min(width, 30)+2) + o.meaning + "\n")
	}
	return b.String()
}

func defaultText(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "0", "false", "[]", "0s":
		return ""
	}
	if f.Value.Type() == "duration" {
		return strings.TrimSuffix(f.DefValue, "0s")
	}
	return f.DefValue
}

// sentence makes a full sentence of a short description.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(s, "\n", "\n  ")
}
