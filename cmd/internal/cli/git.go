package cli

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
)

func (a *app) gitCommand() *cobra.Command {
	cmd := a.command(spec{
		use: "git", short: "Go together with a git repository", group: groupShare,
		long: `Pair a dataset with the git repository that its code is in. One git commit then names both: beside
DATA lies the pointer DATA.mlvc, a small text that names the commit of the data, and git keeps
that in place of the data. A clone gets the data of its revision with "mlvc git fetch".

While paired the data follow the code: git checkout, merge, rebase, bisect, stash and reset take
them along, never over uncommitted changes. "mlvc commit" writes the pointer anew, for "git add".`,
		args: unknownCommand,
	}, func(cmd *cobra.Command, _ []string) error { return cmd.Help() })
	cmd.AddCommand(
		a.gitPairCommand(), a.gitUnpairCommand(), a.gitStatusCommand(), a.gitFollowCommand(), a.gitFetchCommand(),
		a.gitHookCommand(), a.gitMergeDriverCommand(), a.gitTextconvCommand(),
	)
	return cmd
}

func (a *app) gitPairCommand() *cobra.Command {
	var opt core.PairOptions
	cmd := a.command(spec{
		use: "pair [--track PATH…]", short: "Pair the dataset with the git repository that it lies in",
		long: `Put into the git repository what makes both go together: hooks beside those that are there, the
drivers that merge and show pointers, and lines of .gitignore and .gitattributes. With --track
and no dataset yet, one is made here. git's index is not touched: what belongs into the next git
commit is listed.

"git clean -x" deletes what git ignores, .mlvc with all commits of the data included: push them.
"git stash --all" takes it away until "git stash pop". An octopus merge (git merge A B) of branches
whose data differ is refused by git, which calls no merge driver there: merge one after the other.
"git branch -m" renames the branch of the data at the next commit.`,
		example: `
mlvc git pair --track data       # in a git repository whose folder data is the dataset
mlvc git pair                    # a dataset that is there already
mlvc git pair --follow ask --commit auto`,
		args: noWords, exits: []int{ExitRefused, ExitBusy, ExitNotFound}, prints: []shape{{"", core.PairResult{}}},
	}, func(cmd *cobra.Command, _ []string) error {
		opt.Dir, opt.Hook = realFolder(a.dir), a.env.Self
		res, err := core.Pair(cmd.Context(), a.coreEnv(func() signature { return a.signature(cmd.Context()) }), opt)
		if err != nil {
			return err
		}
		a.events.end()
		return a.out.report(res, func(t *text) { printPair(t, res) })
	})
	f := cmd.Flags()
	f.StringArrayVar(&opt.Track, "track", nil, "make a dataset of `PATH`; may be repeated")
	f.StringVar(&opt.Follow, "follow", "", "`WHEN` data follow the code: auto, ask or off (git.follow)")
	f.StringVar(&opt.Commit, "commit", "", "`WHAT` happens before a git commit: check, auto or off (git.commit)")
	f.StringVar(&opt.Push, "push", "", "`WHAT` happens before a git push: check, auto or off (git.push)")
	f.BoolVar(&opt.SharedHooks, "shared-hooks", false, "write into hooks that all your repositories share")
	for flag, values := range map[string][]string{"follow": {"auto", "ask", "off"}, "commit": {"check", "auto", "off"}, "push": {"check", "auto", "off"}} {
		cmd.RegisterFlagCompletionFunc(flag, fixed(values...)) //nolint:errcheck // the flag is there
	}
	return cmd
}

// realFolder follows links, so that git and mlvc mean the same place.
func realFolder(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return dir
}

func printPair(t *text, res core.PairResult) {
	if res.Made {
		t.line("Made a dataset at %s", quoted(res.Root))
	}
	t.line("Paired %s with the git repository at %s", quoted(res.Root), quoted(res.Git))
	for _, h := range res.Hooks {
		if h.Aside != "" {
			t.line("  your hook %s is no shell script: it is at %s now, and called from there", h.Name, quoted(h.Aside))
		}
	}
	for _, p := range res.Tracked {
		t.line(`  git has files of %s itself: "git rm -r --cached %s" leaves them to mlvc`, quoted(p), p)
	}
	for _, p := range res.Ignored {
		t.line("  git ignores %s, which belongs into git: change the line of .gitignore that does it", quoted(p))
	}
	if res.Head.IsZero() {
		t.line(`There is no commit of the data yet: "mlvc commit -m MESSAGE" makes it, and the pointer.`)
	}
	t.line(`For git: "git add %s" (from %s)`, strings.Join(res.Add, " "), quoted(res.Git))
	t.line(`Beware: "git clean -x" deletes .mlvc with all commits of the data, and "git stash --all" takes it away; push them somewhere first.`)
}

func (a *app) gitUnpairCommand() *cobra.Command {
	return a.command(spec{
		use: "unpair", short: "Take out of git what pairing put in",
		long: `Take hooks, drivers and the lines of .gitignore and .gitattributes out again, exactly. The data,
their commits and the pointer files stay; so do the hooks while another dataset is paired here.`,
		example: `
mlvc git unpair`,
		args: noWords, exits: []int{ExitRefused, ExitBusy, ExitNotFound}, prints: []shape{{"", core.UnpairResult{}}},
	}, func(cmd *cobra.Command, _ []string) error {
		return a.write(cmd.Context(), func(r *core.Repo) error {
			res, err := r.Unpair(cmd.Context())
			if err != nil {
				return err
			}
			return a.out.report(res, func(t *text) {
				t.line("%s is not paired with git any more", quoted(res.Root))
				for _, p := range res.Pointers {
					t.line("  %s stays: it is git's", quoted(p))
				}
			})
		})
	})
}

func (a *app) gitStatusCommand() *cobra.Command {
	return a.command(spec{
		use: "status", short: "How the dataset is paired, and whether the data follow git",
		example: `
mlvc git status
mlvc git status --json`,
		args: noWords, exits: []int{ExitDamaged, ExitNotFound}, prints: []shape{{"", core.GitStatus{}}},
	}, func(cmd *cobra.Command, _ []string) error {
		return a.read(cmd.Context(), func(r *core.Repo) error {
			st, err := r.GitStatus(cmd.Context(), a.env.Self)
			if err != nil {
				return err
			}
			return a.out.answer(st, func(t *text) { printGitStatus(t, st) })
		})
	})
}

func printGitStatus(t *text, st core.GitStatus) {
	where := "on no branch"
	if st.Branch != "" {
		where = "on branch " + st.Branch
	}
	t.line("git is %s at %s (%s)", where, either(shortGit(st.Commit), "no commit yet"), quoted(st.Git))
	if !st.Paired {
		t.line(`This dataset is not paired: "mlvc git pair" does it.`)
		return
	}
	switch st.State {
	case core.StandingAgreed:
		t.line("The data are what the pointer names: commit %s", t.paint(yellow, st.Head.Short()))
	default:
		printGit(t, st.Standing)
	}
	t.line("follow %s, commit %s, push %s", st.Follow, st.OnCommit, st.OnPush)
	for _, h := range st.Hooks {
		if !h.Current {
			t.line(`%s the hook %s is not as it should be: "mlvc git pair" mends it`, t.paint(red, "Beware:"), h.Name)
		}
	}
	if !st.Drivers {
		t.line(`%s git's settings name no drivers for pointers: "mlvc git pair" mends it`, t.paint(red, "Beware:"))
	}
}

func (a *app) gitFollowCommand() *cobra.Command {
	var opt core.FollowOptions
	cmd := a.command(spec{
		use: "follow", short: "Take the data to the commit that the pointer names",
		long: `Make the data be what the pointer in the work tree names, and HEAD stand on git's branch. The
hooks do it by themselves, unless git.follow says otherwise or uncommitted changes are in the way.
A commit that is not here is fetched. Pointers that an interrupted command left behind are
written anew.`,
		example: `
mlvc git follow
mlvc git follow --force          # replaces uncommitted changes`,
		args: noWords, exits: moveExits, prints: []shape{{"", core.FollowResult{}}},
	}, func(cmd *cobra.Command, _ []string) error {
		return a.write(cmd.Context(), func(r *core.Repo) error {
			res, err := r.Follow(cmd.Context(), opt)
			if err != nil {
				return err
			}
			a.events.end()
			if err := a.out.report(res, func(t *text) { printFollow(t, "", res, true) }); err != nil {
				return err
			}
			return leftOut(res.Carried)
		})
	})
	cmd.Flags().BoolVarP(&opt.Force, "force", "f", false, "replace and delete also what no commit holds")
	cmd.Flags().BoolVar(&opt.SkipDamaged, "skip-damaged", false, "leave out, and name, files whose stored content is damaged")
	return cmd
}

// printFollow says how data followed git; all says it also where nothing
// changed.
func printFollow(t *text, dataset string, res core.FollowResult, all bool) {
	if dataset != "" {
		dataset = "Data of " + dataset + ": "
	}
	where := "at"
	if res.Branch != "" {
		where = "on branch " + res.Branch + " at"
	}
	switch res.State {
	case core.FollowMoved:
		t.line("%s%s %s", dataset, where, t.paint(yellow, res.Commit.Short()))
		printCarried(t, res.Carried)
	case core.FollowRewrote:
		t.line("%sthe pointer names %s again", dataset, t.paint(yellow, res.Commit.Short()))
	case core.FollowAgreed:
		if all {
			t.line("%sthe data are what the pointer names: %s %s", dataset, where, t.paint(yellow, res.Commit.Short()))
		}
	case core.FollowNone:
		if all {
			t.line("%sthis revision of git has no pointer, so the data stay", dataset)
		}
	}
	if !res.Left.IsZero() {
		t.line(`  %s was on the branch and git does not name it: "mlvc branch NAME %s" keeps it`, res.Left.Short(), res.Left.Short())
	}
}

func (a *app) gitFetchCommand() *cobra.Command {
	var opt core.GitFetchOptions
	cmd := a.command(spec{
		use: "fetch [PATH…]", short: "Bring the data of the revision that git has checked out",
		long: `Bring the data that the pointers of the git work tree name: after "git clone", in a new git
worktree, or wherever data are missing. A dataset that is not here yet is made, with the remote
that its pointer names; hooks and drivers are put in.

With PATHs only those come; the contents of the rest are left at the remote until
"mlvc checkout --all".`,
		example: `
git clone URL && cd NAME && mlvc git fetch
mlvc git fetch data/validation   # only some of it`,
		exits: moveExits, prints: []shape{{"for each dataset", core.GitFetched{}}},
	}, func(cmd *cobra.Command, args []string) error {
		opt.Dir, opt.Hook = realFolder(a.dir), a.env.Self
		for _, p := range args {
			if !filepath.IsAbs(p) {
				p = filepath.Join(opt.Dir, p)
			}
			opt.Paths = append(opt.Paths, filepath.Clean(p))
		}
		env := a.coreEnv(func() signature { return a.signature(cmd.Context()) })
		var failed error
		err := core.GitFetch(cmd.Context(), env, opt, func(res core.GitFetched) {
			a.events.end()
			err := a.out.report(res, func(t *text) { printFollow(t, a.datasetName(res.Dataset), res.Follow, true) })
			if failed == nil {
				failed = err
			}
		})
		if err != nil {
			return err
		}
		return failed
	})
	cmd.Flags().BoolVarP(&opt.Force, "force", "f", false, "replace and delete also what no commit holds")
	cmd.ValidArgsFunction = filesHere
	return cmd
}

// nearer is a path as one would write it here.
func (a *app) nearer(path string) string {
	if rel, err := filepath.Rel(realFolder(a.dir), path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}
