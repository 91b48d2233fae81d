package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
)

func (a *app) doctorCommand() *cobra.Command {
	var opt core.DoctorOptions
	var operation string
	cmd := a.command(spec{
		use: "doctor [--fix] [--rebuild] [--full]", short: "What is wrong with this repository or machine, and what to do", group: groupCare,
		long: `Look at the repository and the machine, and say what is wrong and what helps. Nothing is changed
without --fix or --rebuild. It opens even what no other command opens.

Of a damaged pack --fix saves what can be read: if its objects are whole, it is made again as it was;
else they are copied to new packs and the damaged one is moved to .mlvc/damaged, where nothing looks
any more. What cannot be saved is named with its file and commit. Header and footer of every pack are
looked at, with --full every byte.`,
		example: `
mlvc doctor
mlvc doctor --fix                # write a lost pointer, record what the database lost, salvage packs
mlvc doctor --fix --full         # find damage in the middle of packs too
mlvc doctor --rebuild            # make the database anew from the packs`,
		args: noWords, exits: []int{ExitDamaged, ExitBusy, ExitNotFound}, prints: []shape{{"", core.DoctorResult{}}},
	}, func(cmd *cobra.Command, _ []string) error {
		if operation != "" {
			id, err := objects.ParseID(operation)
			if err != nil {
				return usagef(`"mlvc doctor" prints the IDs`, "--operation %s: %v", quoted(operation), err)
			}
			opt.Operation = id
		}
		res, err := core.Doctor(cmd.Context(), a.coreEnv(func() signature { return a.signature(cmd.Context()) }), a.dir, opt)
		if err != nil {
			return err
		}
		a.events.end()
		if err := a.out.answer(res, func(t *text) { printFindings(t, res) }); err != nil {
			return err
		}
		if res.Bad() > 0 {
			return &silent{ExitDamaged}
		}
		return nil
	})
	f := cmd.Flags()
	f.BoolVar(&opt.Fix, "fix", false, "mend what can be mended without a choice")
	f.BoolVar(&opt.Full, "full", false, "read every byte of every pack")
	f.BoolVar(&opt.Rebuild, "rebuild", false, "make the database anew from the packs")
	f.StringVar(&operation, "operation", "", "the `ID` of the operation that a lost pointer is to name")
	return cmd
}

func printFindings(t *text, res core.DoctorResult) {
	t.line("%s: %s, %s", quoted(res.Root), plural(int64(res.Packs), "pack"), size(res.Bytes))
	if res.Rebuilt > 0 {
		t.line("Made the database anew from %s.", plural(int64(res.Rebuilt), "pack"))
	}
	colours := map[core.Severity]colour{core.SeverityInfo: dim, core.SeverityWarning: yellow, core.SeverityError: red}
	problems := 0
	for _, f := range res.Findings {
		word := string(f.Severity)
		if f.Fixed {
			word = "fixed"
		} else if f.Severity != core.SeverityInfo {
			problems++
		}
		t.line("%s %s", t.paint(colours[f.Severity], word+":"), f.What)
		if f.Do != "" && !f.Fixed {
			t.line("  → %s", f.Do)
		}
	}
	if problems == 0 {
		t.line(`%s "mlvc verify --full" reads every stored byte, which doctor does not.`, t.paint(green, "Nothing is wrong."))
	}
}
