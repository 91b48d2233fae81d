package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) hashCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "hash [FILE…]", short: "The content ID of files: what b3sum prints", group: groupLook,
		long: `Print the BLAKE3 of each FILE, or of the input, as b3sum does: the ID that a file of these bytes
has in every commit. It needs no repository.`,
		example: `
mlvc hash data/labels.csv
curl -s https://example.org/x | mlvc hash -`,
		exits: []int{ExitNotFound}, prints: []shape{{"for each file", core.FileHash{}}},
	}, func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			args = []string{"-"}
		}
		for _, name := range args {
			h, err := a.hash(cmd, name)
			if err != nil {
				return err
			}
			if err := a.out.answer(h, func(t *text) { t.line("%s  %s", h.Content, h.Path) }); err != nil {
				return err
			}
		}
		return nil
	})
	cmd.ValidArgsFunction = filesHere
	return cmd
}

func (a *app) hash(cmd *cobra.Command, name string) (core.FileHash, error) {
	if name == "-" {
		return core.HashReader(cmd.Context(), "-", a.streams.In)
	}
	full := name
	if !filepath.IsAbs(full) {
		full = filepath.Join(a.dir, full)
	}
	h, err := core.Hash(cmd.Context(), a.env.FS, full)
	h.Path = name
	return h, err
}
