package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mlvc/mlvc/core"
)

// reason is a flag that says why; an empty one says nothing.
type reason struct{ text *string }

var _ pflag.Value = reason{}

func (r reason) String() string {
	if r.text == nil {
		return ""
	}
	return *r.text
}

func (reason) Type() string { return "string" }

func (r reason) Set(text string) error {
	if *r.text = strings.TrimSpace(text); *r.text == "" {
		return errors.New("say in some words why")
	}
	return nil
}

// unsealFlag adds --unseal.
func unsealFlag(f *pflag.FlagSet, why *string) {
	f.Var(reason{why}, "unseal", "read sealed splits, too, and keep `REASON` in the log of operations")
}

// splitFlag adds --split.
func (a *app) splitFlag(cmd *cobra.Command, splits *[]string, usage string) {
	cmd.Flags().StringArrayVar(splits, "split", nil, usage+" `[SCHEME:]NAME[,NAME…]`; may be repeated for other schemes")
	cmd.RegisterFlagCompletionFunc("split", a.completeSplit) //nolint:errcheck // the flag is there
}

// completeSplit completes [SCHEME:]NAME[,NAME…] by the splits of the last
// commit.
func (a *app) completeSplit(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	chosen, _ := cutLast(begun, ",")
	scheme, _, named := strings.Cut(chosen, ":")
	found, directive := a.complete(cmd, func(r *core.Repo) []string {
		names, _ := r.SplitNames(cmd.Context(), "")
		var found []string
		for _, n := range names {
			switch {
			case n.Rows:
			case chosen == "":
				found = append(found, n.String()+"\t"+splitNote(n))
			case named && n.Scheme == scheme, !named && n.String() == n.Split:
				found = append(found, chosen+n.Split+"\t"+splitNote(n))
			}
		}
		return found
	})
	return found, directive | cobra.ShellCompDirectiveNoSpace
}

// cutLast cuts text after the last separator.
func cutLast(text, separator string) (before, after string) {
	i := strings.LastIndex(text, separator) + len(separator)
	if i < len(separator) {
		i = 0
	}
	return text[:i], text[i:]
}

func splitNote(n core.SplitName) string {
	if n.Sealed {
		return "sealed split of scheme " + n.Scheme
	}
	return "split of scheme " + n.Scheme
}

// printSealed says which sealed splits were left out.
func printSealed(t *text, sealed []core.SealedSplit, way string) {
	for _, s := range sealed {
		name := core.SplitName{Scheme: s.Scheme, Split: s.Split}.String()
		t.line("  sealed split %s left out (%s): %s", name, plural(s.Files, "file"), way)
	}
}

const unsealWay = "--unseal REASON reads it"

// explainSeal is for splits that are not there, or sealed.
func explainSeal(err error) (failure, bool) {
	if _, ok := errors.AsType[*core.NoRowError](err); ok {
		return failure{Code: "no_row", Hint: "rows count from 1, a header not counted", Exit: ExitError}, true
	}
	if e, ok := errors.AsType[*core.NoSplitError](err); ok {
		return failure{Code: "no_split", Hint: splitsHint(e), Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.RowSplitError](err); ok {
		return failure{Code: "row_split", Hint: `"mlvc cat REV:TABLE --split SCHEME:NAME" writes the rows of a split`, Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*core.SealedError](err); ok {
		hint := `with --unseal REASON it is read, and "mlvc op log" says so from then on`
		if e.Backup {
			hint = `bring the whole repository back with "mlvc backup restore DEST --repo DIR", and unseal it there`
		} else if e.Outside {
			hint = `"mlvc checkout --unseal REASON" writes the whole split, and "mlvc cat --unseal REASON REV:PATH" one file to the output; "mlvc op log" says so from then on`
		}
		return failure{Code: "sealed", Hint: hint, Exit: ExitRefused}, true
	}
	return failure{}, false
}

// splitsHint names the splits or schemes that are meant, or could be.
func splitsHint(e *core.NoSplitError) string {
	names, near := e.Names(), e.Near()
	switch {
	case len(names) == 0:
		return "declare them under [splits] in mlvc.toml and commit: \"mlvc help splits\""
	case len(near) > 0:
		return "did you mean " + strings.Join(near, ", ") + "? It has: " + strings.Join(names, ", ")
	}
	return "it has: " + strings.Join(names, ", ")
}
