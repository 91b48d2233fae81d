package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// The groups of commands, in the order of the help.
const (
	groupStart = "start"
	groupWork  = "work"
	groupLook  = "look"
	groupMove  = "move"
	groupShare = "share"
	groupCare  = "care"
	groupHelp  = "help"
)

var groups = []*cobra.Group{
	{ID: groupStart, Title: "Begin"},
	{ID: groupWork, Title: "Record the dataset"},
	{ID: groupLook, Title: "Look at what there is"},
	{ID: groupMove, Title: "Go to another state, and back"},
	{ID: groupShare, Title: "Share it"},
	{ID: groupCare, Title: "Keep it well"},
	{ID: groupHelp, Title: "Find out more"},
}

// root makes the whole command line. Commands are listed here, one by one.
func (a *app) root() *cobra.Command {
	cobra.EnableCommandSorting = false // they are listed in the order of their use
	root := &cobra.Command{
		Use:               "mlvc",
		Short:             "Git for machine-learning datasets",
		Long:              "mlvc is git for machine-learning datasets: commits of millions of files, or of few\nhuge ones, that cost what changed and are restored byte for byte.",
		Version:           a.env.Version,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              unknownCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: a.prepare,
	}
	root.SetIn(a.streams.In)
	root.SetOut(a.out.w)
	root.SetErr(a.err.w)
	root.SetVersionTemplate("mlvc {{.Version}}\n")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { a.help(cmd) })
	root.SetFlagErrorFunc(flagError)
	a.globals(root)
	root.AddGroup(groups...)
	root.AddCommand(
		a.initCommand(), a.importCommand(), a.cloneCommand(), a.configCommand(),
		a.statusCommand(), a.commitCommand(), a.checkCommand(), a.splitCommand(),
		a.diffCommand(), a.logCommand(), a.showCommand(), a.lsCommand(), a.catCommand(), a.duCommand(), a.hashCommand(),
		a.checkoutCommand(), a.switchCommand(), a.restoreCommand(), a.branchCommand(), a.tagCommand(),
		a.mergeCommand(), a.undoCommand(), a.opCommand(),
		a.remoteCommand(), a.pushCommand(), a.pullCommand(), a.fetchCommand(), a.exportCommand(),
		a.verifyCommand(), a.backupCommand(), a.gcCommand(), a.doctorCommand(),
		a.gitCommand(), a.modelCommand(), a.reproduceCommand(),
		a.completionCommand(), a.manCommand(),
	)
	root.AddCommand(a.topics()...)
	root.SetHelpCommand(a.helpCommand(root))
	root.SetHelpCommandGroupID(groupHelp)
	return root
}

// globals adds the options of every command.
func (a *app) globals(root *cobra.Command) {
	f := root.PersistentFlags()
	f.SortFlags = false
	f.StringVarP(&a.flags.dir, "directory", "C", "", "work as if called in `DIR`")
	f.BoolVar(&a.flags.json, "json", false, "print JSON, one object a line (\"mlvc help json\")")
	f.BoolVarP(&a.flags.quiet, "quiet", "q", false, "print only what was asked for, warnings and errors")
	f.DurationVar(&a.flags.wait, "wait", time.Minute, "wait at most `DURATION` for another mlvc that writes")
	f.BoolVar(&a.flags.noProgress, "no-progress", false, "show no progress on a terminal")
	f.StringVar(&a.flags.color, "color", "auto", "colours `WHEN`: auto, always or never; NO_COLOR is heeded")
	f.BoolP("help", "h", false, "show the help of a command")
	root.Flags().Bool("version", false, "print the version")
	root.RegisterFlagCompletionFunc("color", fixed("auto", "always", "never")) //nolint:errcheck // the flag is there
}

// spec is what a command is, beside what it does.
type spec struct {
	use     string // the line after "mlvc "
	aliases []string
	short   string
	long    string
	example string // lines "command  # what it does"
	group   string
	args    cobra.PositionalArgs
	exits   []int   // beside everyExit
	prints  []shape // with --json
}

// shape is one kind of JSON line of a command.
type shape struct {
	when  string // for the help; empty: the only one
	value any
}

// command makes a command. Runs get a context from cmd and the words that are
// no options.
func (a *app) command(s spec, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: s.use, Aliases: s.aliases, Short: s.short, Long: s.long, Example: strings.TrimSpace(s.example),
		GroupID: s.group, Args: s.args, RunE: run, DisableFlagsInUseLine: true,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().SortFlags = false
	a.prints[cmd], a.exits[cmd] = s.prints, s.exits
	return cmd
}

// unknownCommand refuses a first word that is no command.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	hint := `"` + cmd.CommandPath() + ` --help" lists the commands`
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, ", ") + "?"
	}
	return usagef(hint, "%s: no such command", quoted(args[0]))
}

// flagError is for options that cannot be read.
func flagError(cmd *cobra.Command, err error) error {
	return usagef(`"`+cmd.CommandPath()+` --help" lists the options`, "%v", err)
}

// words bounds how many words a command takes; what names them for the
// message.
func words(low, high int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		hint := "mlvc " + strings.TrimPrefix(cmd.UseLine(), "mlvc ")
		switch {
		case len(args) < low:
			return usagef(hint, "%s: name %s", cmd.CommandPath(), what)
		case high >= 0 && len(args) > high:
			return usagef(hint, "%s: %s is one word too many", cmd.CommandPath(), quoted(args[high]))
		}
		return nil
	}
}

// noWords is for commands that are options alone.
func noWords(cmd *cobra.Command, args []string) error { return words(0, 0, "")(cmd, args) }
