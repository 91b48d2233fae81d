package cli

import (
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/gitpair"
)

func (a *app) importCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "import", short: "Make commits of a history that DVC or git-lfs keeps", group: groupStart,
		long: `Make commits of the history of an existing project: one for each git commit that changes data,
with its author, time and message.`,
		example: `
mlvc import dvc          # a DVC project
mlvc import lfs --all    # a git-lfs project, all branches and tags`,
		args: words(1, 1, "what to import from: dvc or lfs"), prints: []shape{{"", core.ImportResult{}}},
	}, func(_ *cobra.Command, args []string) error {
		return usagef("mlvc import dvc, or mlvc import lfs", "%s: no tool that can be imported from", quoted(args[0]))
	})
	cmd.AddCommand(
		a.importFrom("dvc", "DVC", `Contents are taken from the cache of the project, or from those of its remotes that are folders
(.dvc/config), in the layouts of DVC 2 and 3. What .dvc files and dvc.lock name is imported,
except outs with "cache: false", which git itself holds.`),
		a.importFrom("lfs", "git-lfs", `Contents are taken from .git/lfs, or from those of git's remotes that are folders. Every pointer
of git-lfs in a git tree is imported.`),
	)
	return cmd
}

func (a *app) importFrom(tool, name, about string) *cobra.Command {
	opt := core.ImportOptions{From: tool}
	cmd := a.command(spec{
		use: tool + " [--all] [--from DIR] [--allow-missing] [--prefix NAME]", short: "Import the history of a project whose data " + name + " keeps",
		long: `Make one commit for each git commit of the current branch that changes data, with its author,
time and message, and put HEAD on the branch of git. The repository and its mlvc.toml are made
if there are none. No file of the dataset is touched, nor is git or ` + name + `.

` + about + `

Each content is checked against the hash that ` + name + ` has of it, and read back and hashed again
when all is stored; what each commit changed is compared with what ` + name + `'s pointers say. Then
one operation sets the names: until then nothing is visible, and "mlvc undo" takes it back.

Without --allow-missing the import ends before its first commit if a content is missing or
damaged in every place. With it the path is left out of the commits concerned, and named here
and in them (the value "missing"). Git commits that were imported before stay as they are, so
the same command brings what is new.`,
		example: `
mlvc import ` + tool + `                       # the current branch
mlvc import ` + tool + ` --all                 # all branches and tags
mlvc import ` + tool + ` --from /mnt/store     # a copy of the cache, or of a remote
mlvc import ` + tool + ` --allow-missing --json`,
		args: noWords, exits: []int{ExitRefused, ExitDamaged, ExitBusy, ExitNotFound},
		prints: []shape{{"for each content that is missing", core.ImportGap{}}, {"at the end", core.ImportResult{}}},
	}, func(cmd *cobra.Command, _ []string) error {
		opt.Dir = a.dir
		if opt.Store != "" && !filepath.IsAbs(opt.Store) {
			opt.Store = filepath.Join(a.dir, opt.Store)
		}
		opt.Missing = func(g core.ImportGap) error {
			return a.out.answer(g, func(t *text) {
				t.line("%s %s in git commit %.10s: %s", t.paint(red, "missing:"), quoted(g.Path), g.Revision, g.Why)
			})
		}
		res, err := core.Import(cmd.Context(), a.coreEnv(func() signature { return a.signature(cmd.Context()) }), opt)
		a.events.end()
		if err != nil {
			return err
		}
		return a.out.report(res, func(t *text) { printImport(t, res) })
	})
	f := cmd.Flags()
	f.BoolVar(&opt.All, "all", false, "all branches and tags of git, not the current branch alone")
	f.StringVar(&opt.Store, "from", "", "look for contents in `DIR` first: a cache, or a remote that is a folder")
	f.BoolVar(&opt.AllowMissing, "allow-missing", false, "leave out, and name, files whose content is missing or damaged")
	f.StringVar(&opt.Prefix, "prefix", "", "name branches and tags `NAME`/…, and leave HEAD where it is")
	return cmd
}

func printImport(t *text, res core.ImportResult) {
	if res.Made {
		t.line("Made a repository in %s", quoted(filepath.Join(res.Root, core.Dir)))
	}
	t.line("Imported %s of %s (%s known before): %s, %s, %s", plural(int64(res.Commits), "commit"),
		plural(int64(res.Revisions), "git commit"), decimal(int64(res.Known)),
		plural(res.Files, "version of a file", "versions of files"), plural(res.Contents, "content"), size(res.Bytes))
	t.line("Verified %s against %s, %s read back, in %s.", plural(res.Verified, "version of a file", "versions of files"), res.From, plural(res.Read, "content"), took(res.Took))
	if res.Missing > 0 {
		t.line("%s", t.paint(red, plural(res.Missing, "version of a file is", "versions of files are")+" missing, as named above."))
	}
	for _, n := range res.Names {
		t.line("  %s %s", t.paint(yellow, n.Commit.Short()), n.Name)
	}
	if len(res.Names) == 0 {
		t.line("No branch or tag moved.")
	}
}

// explainImport is for projects of other tools.
func explainImport(err error) (failure, bool) {
	if errors.Is(err, gitpair.ErrNoRepository) {
		return failure{Code: "no_git", Hint: "go into the project, or name it with -C DIR", Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*core.ImportMissingError](err); ok {
		return failure{
			Code: "missing_contents", Exit: ExitRefused, Paths: quotedAll(e.Looked),
			Message: err.Error() + "; they were looked for in:",
			Hint:    "fetch them first (" + fetchWith(e.From) + "), name a folder that has them with --from DIR, or import the rest with --allow-missing",
		}, true
	}
	if e, ok := errors.AsType[*core.ImportNamesError](err); ok {
		return failure{Code: "own_commits", Paths: quotedAll(e.Names), Message: "not moved, since they have commits that are not part of what was imported:", Hint: "import under other names with --prefix NAME, then merge", Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*core.ImportDifferError](err); ok {
		return failure{Code: "differs", Hint: "no name was moved; make sure that nothing else changes the project, and run it again", Exit: ExitDamaged}, true
	}
	return failure{}, false
}

func fetchWith(tool string) string {
	if tool == "dvc" {
		return `"dvc fetch --all-commits"`
	}
	return `"git lfs fetch --all"`
}
