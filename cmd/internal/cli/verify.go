package cli

import (
	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) verifyCommand() *cobra.Command {
	var opt core.VerifyOptions
	cmd := a.command(spec{
		use: "verify [REV…] [--] [PATH…]", short: "Check that everything stored is whole", group: groupCare,
		long: `Check every operation, commit, tree and chunk list, and that every chunk has a place in a pack that
is there. With --full every stored byte is read and hashed. With REVs or PATHs only these are
checked. Whatever is damaged is named with the commit and the path that it belongs to.`,
		example: `
mlvc verify                      # the structure: quick
mlvc verify --full               # every byte
mlvc verify --full v1 -- data/test`,
		exits:  []int{ExitDamaged, ExitBusy, ExitNotFound},
		prints: []shape{{"for everything damaged", core.Damage{}}, {"at the end", core.VerifyResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.write(cmd.Context(), func(r *core.Repo) error { return a.verify(cmd, r, args, opt) })
	})
	f := cmd.Flags()
	f.BoolVar(&opt.Full, "full", false, "read and hash every byte")
	f.BoolVar(&opt.Repair, "repair", false, "let the next commit that has the bytes store them again")
	cmd.ValidArgsFunction = a.completeRevisionOrPath
	return cmd
}

func (a *app) verify(cmd *cobra.Command, r *core.Repo, args []string, opt core.VerifyOptions) error {
	const anyNumber = 1 << 20
	revs, paths, err := a.split(cmd, r, args, anyNumber)
	if err != nil {
		return err
	}
	opt.Paths = paths
	for _, rev := range revs {
		target, err := r.Resolve(cmd.Context(), rev)
		if err != nil {
			return err
		}
		opt.Commits = append(opt.Commits, target.ID)
	}
	res, err := r.Verify(cmd.Context(), opt, func(d core.Damage) error {
		return a.out.answer(d, func(t *text) { printDamage(t, d) })
	})
	if err != nil {
		return err
	}
	a.events.end()
	if err := a.out.report(res, func(t *text) { printVerified(t, res, opt.Full) }); err != nil {
		return err
	}
	if res.Damaged > 0 {
		return &silent{ExitDamaged}
	}
	return nil
}

func printDamage(t *text, d core.Damage) {
	what := "object " + d.Object.Short()
	switch {
	case d.Path != "":
		what = quoted(d.Path)
	case d.Object.IsZero() && !d.Pack.IsZero():
		what = "pack " + d.Pack.Short()
	}
	if !d.Commit.IsZero() {
		what += " in commit " + d.Commit.Short()
	} else if !d.Operation.IsZero() {
		what += " in operation " + d.Operation.Short()
	}
	t.line("%s %s: %s", t.paint(red, "damaged:"), what, d.Error)
}

func printVerified(t *text, res core.VerifyResult, full bool) {
	read := ""
	if full {
		read = ", " + plural(res.Packs, "pack") + ", " + size(res.Bytes) + " read"
	}
	t.line("Verified %s, %s, %s%s in %s.", plural(res.Operations, "operation"), plural(res.Commits, "commit"), plural(res.Contents, "content"), read, took(res.Took))
	if res.NotHere > 0 {
		t.line("%s not here, and to be brought from the remote when needed.", plural(res.NotHere, "content is", "contents are"))
	}
	switch {
	case res.Damaged == 0:
		t.line("%s", t.paint(green, "Nothing is damaged."))
	case res.Repaired > 0:
		t.line("%s; %s will be stored again by the next commit that has the bytes.", t.paint(red, plural(res.Damaged, "object is damaged", "objects are damaged")), decimal(int64(res.Repaired)))
	default:
		t.line("%s", t.paint(red, plural(res.Damaged, "object is damaged", "objects are damaged")+"."))
		t.line(`"mlvc doctor" says what can be done; "mlvc verify --repair" lets the next commit store again what it still has.`)
	}
}
