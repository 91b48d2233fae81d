package cli

import "github.com/spf13/cobra"

func (a *app) completionCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "completion bash|zsh|fish|powershell", short: "Print the script that completes words in a shell", group: groupHelp,
		long: `Print a script that makes a shell complete mlvc's commands, options, revisions, branches,
tags and paths.`,
		example: `
source <(mlvc completion bash)                                       # this bash; add it to ~/.bashrc
mlvc completion zsh > "${fpath[1]}/_mlvc"                            # every new zsh
mlvc completion fish > ~/.config/fish/completions/mlvc.fish          # every new fish
mlvc completion powershell | Out-String | Invoke-Expression          # this PowerShell`,
		args: words(1, 1, "a shell: bash, zsh, fish or powershell"),
	}, func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.out.w, true)
		case "zsh":
			return root.GenZshCompletion(a.out.w)
		case "fish":
			return root.GenFishCompletion(a.out.w, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(a.out.w)
		}
		return usagef("use bash, zsh, fish or powershell", "%s: no such shell", quoted(args[0]))
	})
	cmd.ValidArgsFunction = fixed("bash", "zsh", "fish", "powershell")
	return cmd
}
