package cli

import "github.com/spf13/cobra"

type completer = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// fixed completes one of a few words.
func fixed(choices ...string) completer {
	return cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)
}

// filesHere leaves completion to the shell: files and folders.
func filesHere(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}
