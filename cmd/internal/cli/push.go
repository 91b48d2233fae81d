package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

// leaseSeen is --force-with-lease without a value.
const leaseSeen = "seen"

func (a *app) pushCommand() *cobra.Command {
	var opt core.PushOptions
	var leases []string
	cmd := a.command(spec{
		use: "push [REMOTE] [NAME…]", short: "Send branches and tags to a remote", group: groupShare,
		long: `Make branches and tags at a remote stand for what they stand for here, and send what that needs
and the remote lacks. Without NAME: the current branch, the tags and models that it reaches, and
what goes with git. Without REMOTE: origin, or the only one. The first push makes the place.

Others see all of it or nothing: names move when everything is there. Interrupted, the next push
goes on with what has arrived. A branch only moves forward: if the remote has commits that this
one does not contain, the push is refused and says how to bring them in.`,
		example: `
mlvc push                                   # the current branch, its tags and models
mlvc push origin cleaner v2                 # these
mlvc push origin --all --tags               # every branch and tag
mlvc push origin main --force-with-lease    # replace it, if nobody pushed since
mlvc push origin --delete cleaner
mlvc push --dry-run`,
		exits: shareExits, prints: []shape{{"", core.PushResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			opt.Remote, opt.Names = args[0], args[1:]
		}
		for _, lease := range leases {
			if lease == leaseSeen {
				opt.Lease = true
			} else {
				opt.LeaseAt = append(opt.LeaseAt, lease)
			}
		}
		return a.write(cmd.Context(), func(r *core.Repo) error {
			res, err := r.Push(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			return a.out.report(res, func(t *text) { printPush(t, res) })
		})
	})
	f := cmd.Flags()
	f.BoolVar(&opt.All, "all", false, "send every branch")
	f.BoolVar(&opt.Tags, "tags", false, "send every tag")
	f.StringArrayVar(&opt.Delete, "delete", nil, "delete the branch or tag `NAME` at the remote; may be repeated")
	f.StringArrayVar(&leases, "force-with-lease", nil, "replace branches if the remote is where it was last seen, or where `NAME:REV` says")
	f.Lookup("force-with-lease").NoOptDefVal = leaseSeen
	f.BoolVarP(&opt.DryRun, "dry-run", "n", false, "only say what would move")
	cmd.ValidArgsFunction = a.completeRemoteThenNames
	return cmd
}

func printPush(t *text, res core.PushResult) {
	switch {
	case len(res.Moves) == 0 && len(res.Kept) > 0:
		t.line("Nothing else to push: %s has everything but what it has otherwise.", res.Remote)
		return
	case len(res.Moves) == 0:
		t.line("Nothing to push: %s has everything.", res.Remote)
		return
	case res.DryRun:
		t.line("Would push to %s (%s)", t.paint(green, res.Remote), quoted(res.URL))
	default:
		t.line("Pushed to %s (%s)", t.paint(green, res.Remote), quoted(res.URL))
	}
	printMoves(t, res.Moves)
	if !res.DryRun {
		t.line("  sent %s", transferText(res.Transferred))
	}
}
