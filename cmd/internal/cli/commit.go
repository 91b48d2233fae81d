package cli

import (
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// commitFlags are the options of commit as they are written.
type commitFlags struct {
	messages []string
	file     string
	kind     string
	meta     []string
	accept   []string
	waive    waiveFlags
	opt      core.CommitOptions
}

func (a *app) commitCommand() *cobra.Command {
	var flags commitFlags
	cmd := a.command(spec{
		use: "commit -m MESSAGE [PATH…]", short: "Record the dataset, or some paths of it", group: groupWork,
		long: `Record the dataset as it is on the disk: files with their executable bit, symbolic links
as links, empty folders. With PATHs only those are recorded; the rest stays as in the last
commit. There is nothing to add or stage first.

Named pipes, sockets and devices are named and skipped. When nothing changed no commit is
made. The kind of the commit is chosen and the reason is printed, unless --type says it
("mlvc help kinds").

Who signs is user.name and user.email of "mlvc config", else MLVC_AUTHOR_NAME and
MLVC_AUTHOR_EMAIL, else what git would sign with, else the user and the host.`,
		example: `
mlvc commit -m "Labels of batch 7"
mlvc commit -m "Only the labels" labels/
mlvc commit -m "Monthly" --type full           # reads everything again: finds silent damage
mlvc commit -m "Batch 8" --waive near --reason "two frames of one scene, looked at"
mlvc commit -m "Cleaned" --meta tool=dedup --meta threshold=0.9
mlvc commit -m "What run 42 saw" --model run-42`,
		exits: []int{ExitRefused, ExitDamaged, ExitBusy, ExitNotFound}, prints: []shape{{"", core.CommitResult{}}},
	}, func(cmd *cobra.Command, args []string) error {
		return a.commit(cmd, args, &flags)
	})
	f := cmd.Flags()
	f.StringArrayVarP(&flags.messages, "message", "m", nil, "`TEXT` of the message: what changed, and why; each further -m is a paragraph")
	f.StringVarP(&flags.file, "file", "F", "", "read the message from `FILE`; - is the input")
	f.StringVar(&flags.kind, "type", "auto", "the `KIND`: auto, full, incremental or differential")
	f.StringArrayVar(&flags.meta, "meta", nil, "keep `KEY=VALUE` with the commit; may be repeated")
	f.StringArrayVar(&flags.opt.Models, "model", nil, "link the model `ID` to the commit; may be repeated")
	f.BoolVar(&flags.opt.AllowEmpty, "allow-empty", false, "make a commit even if nothing changed")
	f.BoolVar(&flags.opt.SkipUnreadable, "skip-unreadable", false, "keep what the last commit has of paths that cannot be read")
	f.BoolVar(&flags.opt.AllowMoving, "allow-moving", false, "record paths that change all the while, and mark them")
	f.StringArrayVar(&flags.accept, "accept", nil, "record `PATH` though it is suspected to be damaged")
	flags.waive.add(cmd)
	cmd.RegisterFlagCompletionFunc("type", fixed("auto", "full", "incremental", "differential")) //nolint:errcheck // the flag is there
	cmd.ValidArgsFunction = filesHere
	return cmd
}

func (a *app) commit(cmd *cobra.Command, args []string, flags *commitFlags) error {
	opt := flags.opt
	var err error
	if opt.Message, err = a.message(flags.messages, flags.file); err != nil {
		return err
	}
	if opt.Kind, err = parseKind(flags.kind); err != nil {
		return err
	}
	if opt.Meta, err = parsePairs("--meta", flags.meta); err != nil {
		return err
	}
	if opt.Waive, err = flags.waive.parse(); err != nil {
		return err
	}
	return a.write(cmd.Context(), func(r *core.Repo) error {
		if opt.Paths, err = a.treePaths(r, args); err != nil {
			return err
		}
		if opt.Accept, err = a.treePaths(r, flags.accept); err != nil {
			return err
		}
		res, err := r.Commit(cmd.Context(), opt)
		if err != nil {
			return err
		}
		a.events.end()
		return a.out.report(res, func(t *text) { printCommit(t, res, opt.Message) })
	})
}

// message joins the paragraphs of -m, or reads -F.
func (a *app) message(paragraphs []string, file string) (string, error) {
	text := strings.Join(paragraphs, "\n\n")
	switch {
	case file != "" && len(paragraphs) > 0:
		return "", usagef("leave one of them out", "-m and -F both say the message")
	case file == "-":
		read, err := io.ReadAll(a.streams.In)
		if err != nil {
			return "", err
		}
		text = string(read)
	case file != "":
		if !filepath.IsAbs(file) {
			file = filepath.Join(a.dir, file)
		}
		read, err := vfs.ReadFile(a.env.FS, file)
		if err != nil {
			return "", err
		}
		text = string(read)
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", usagef(`say what changed: mlvc commit -m "MESSAGE"`, "a commit needs a message")
	}
	return text, nil
}

func parseKind(word string) (objects.CommitKind, error) {
	kind := objects.CommitKind(word)
	if kind != core.KindAuto && !kind.Valid() {
		return "", usagef("use auto, full, incremental or differential (\"mlvc help kinds\")", "--type %s: no such kind of commit", quoted(word))
	}
	return kind, nil
}

// parsePairs reads the KEY=VALUE of an option.
func parsePairs(option string, settings []string) (map[string]string, error) {
	pairs := make(map[string]string, len(settings))
	for _, s := range settings {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return nil, usagef("write it as "+option+" key=value", "%s %s: not a key and a value", option, quoted(s))
		}
		if _, twice := pairs[key]; twice {
			return nil, usagef("give each key once", "%s %s: the key is there twice", option, quoted(key))
		}
		pairs[key] = value
	}
	return pairs, nil
}

func printCommit(t *text, res core.CommitResult, message string) {
	if res.ID.IsZero() {
		t.line("Nothing changed: no commit was made (--allow-empty makes one).")
		return
	}
	subject, _, _ := strings.Cut(message, "\n")
	t.line("%s %s", t.paint(yellow, "["+either(res.Branch, "detached HEAD")+" "+res.ID.Short()+"]"), subject)
	base := ""
	if !res.Base.IsZero() {
		base = " to " + res.Base.Short()
	}
	t.line("  %s%s: %s", t.paint(bold, string(res.Kind)), base, res.Why)
	t.line("  %s", changesText(res.Changes))
	t.line("  %s, %s in all", plural(res.Changes.Files, "file"), size(res.Changes.Bytes))
	if res.Consistency != nil {
		printSplits(t, res.Schemes)
	}
	for _, p := range res.Pointers {
		t.line("  for git: %s names it", quoted(p))
	}
	t.line("  read %s, %s, stored %s in %s", plural(res.FilesRead, "file"), size(res.BytesRead), size(res.Stored), tookFor(res.BytesRead, res.Took))
}

// changesText sums up a delta on one line.
func changesText(d objects.Delta) string {
	var parts []string
	for _, p := range []struct {
		n, bytes int64
		word     string
	}{{d.Added, d.AddedBytes, "added"}, {d.Changed, d.ChangedBytes, "changed"}, {d.Removed, d.RemovedBytes, "removed"}} {
		if p.n > 0 {
			parts = append(parts, decimal(p.n)+" "+p.word+" ("+size(p.bytes)+")")
		}
	}
	if len(parts) == 0 {
		return "nothing changed"
	}
	return strings.Join(parts, ", ")
}
