package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/gitpair"
)

// explainGit is for going together with git.
func explainGit(err error) (failure, bool) {
	for _, group := range []func(error) (failure, bool){explainPointer, explainFollow, explainGitCommit, explainPairing} {
		if f, ok := group(err); ok {
			return f, true
		}
	}
	return failure{}, false
}

// explainPointer is for pointers that cannot be followed as they are.
func explainPointer(err error) (failure, bool) {
	if e, ok := errors.AsType[*core.PointerConflictError](err); ok {
		f := explainConflicts(e.Conflicts)
		base := ""
		if !e.Base.IsZero() {
			base = " --base " + e.Base.Short()
		}
		f.Message = e.File + ": " + strings.TrimSuffix(f.Message, "; nothing was merged:") + ", so the datasets do not merge by themselves:"
		f.Hint = fmt.Sprintf(`settle it with "mlvc merge %s%s" and --ours PATH, --theirs PATH or --keep-both; then "git add %s" and go on with git`, e.Theirs.Short(), base, shellWord(e.File))
		return f, true
	}
	if e, ok := errors.AsType[*gitpair.ConflictMarkersError](err); ok {
		hint := `take one side whole: "git checkout --ours ` + shellWord(e.Name) + `" or "git checkout --theirs ` + shellWord(e.Name) + `", then "mlvc git follow"`
		if !e.Theirs.IsZero() {
			hint = fmt.Sprintf(`"mlvc merge %s" merges the datasets and writes the pointer; then "git add" it`, e.Theirs.Short())
		}
		return failure{Code: "pointer_conflict", Hint: hint, Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*gitpair.NewerPointerError](err); ok {
		return failure{Code: "newer", Hint: "install a newer mlvc; " + e.Name + " and the data are left as they are", Exit: ExitError}, true
	}
	if e, ok := errors.AsType[*gitpair.PointerError](err); ok {
		return failure{Code: "bad_pointer", Hint: `pointers are written by mlvc and not edited: "git checkout -- ` + shellWord(e.Name) + `" brings back git's, and deleting it and "mlvc git pair" writes it anew`, Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*core.ForgedPointerError](err); ok {
		return failure{Code: "bad_pointer", Hint: `pointers are written by mlvc and not edited: "git checkout -- ` + shellWord(e.File) + `" brings back git's`, Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*core.PointersApartError](err); ok {
		return failure{Code: "pointers_apart", Hint: `take all of them to one revision: "git checkout REV -- ` + shellWords(e.Files[:]) + `"`, Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*core.UnknownPointerError](err); ok {
		hint := `"mlvc remote add origin PLACE" names where the data are, then "mlvc git follow"`
		if e.Remote != "" {
			hint = `whoever made the commit has to push it ("mlvc push"); if it is from another dataset, take the right pointer out of git ("git log -- FILE")`
		}
		return failure{Code: "unknown_commit", Hint: hint, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.NoPointersError](err); ok {
		return failure{Code: "no_pointer", Hint: `"mlvc git pair" makes them where the data are`, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.NoPlaceForDataError](err); ok {
		return failure{Code: "no_remote", Hint: `whoever has the data runs "mlvc remote add origin PLACE", "mlvc push", and commits the pointer; or make the dataset here with "mlvc clone"`, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.NoDatasetError](err); ok {
		return failure{Code: "no_repository", Hint: `"mlvc git fetch" brings it`, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.NoPointerError](err); ok {
		return failure{Code: "no_pointer", Hint: `"git log -- NAME.mlvc" lists the revisions that have one`, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.NoGitRevisionError](err); ok {
		return failure{Code: "no_git_commit", Hint: `commit its pointer to git, or name a git revision: git:REV`, Exit: ExitNotFound}, true
	}
	return failure{}, false
}

// explainFollow is for data that did not follow git.
func explainFollow(err error) (failure, bool) {
	if e, ok := errors.AsType[*core.DatasetError](err); ok {
		if o, ok := errors.AsType[*core.ObstaclesError](e.Err); ok && !o.Begun {
			f := explainObstacles(o)
			f.Message = fmt.Sprintf("the data of %s did not follow git, because this would be lost:", e.Dataset)
			f.Hint = `commit it ("mlvc commit"), move it away, or have it replaced: "mlvc git follow --force"; then "mlvc git follow" takes the data there`
			return f, true
		}
	}
	if _, ok := errors.AsType[*core.NotFollowedError](err); ok {
		return failure{Code: "not_followed", Hint: `"mlvc git follow" takes them there`, Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*core.PendingError](err); ok {
		return failure{Code: "not_followed", Hint: `"mlvc git follow" takes them there ("mlvc commit" first, if they have changes); to keep the data as they are, "git checkout HEAD -- NAME.mlvc" and commit that`, Exit: ExitRefused}, true
	}
	return failure{}, false
}

// shellWords are names as one would type them.
func shellWords(names []string) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = shellWord(name)
	}
	return strings.Join(words, " ")
}

// explainGitCommit is for what stops git.
func explainGitCommit(err error) (failure, bool) {
	if _, ok := errors.AsType[*core.RulesAwayError](err); ok {
		return failure{Code: "no_rules", Hint: `go to a revision that has the dataset ("git switch"), or have it in this one too: "mlvc restore mlvc.toml .mlvcignore"`, Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*core.StagedError](err); ok {
		add := `"git add ` + shellWords(e.Files) + `"`
		if e.Gone {
			add = `"mlvc git pair" writes it anew, then ` + add + `; to take the dataset out of git, "git rm" its mlvc.toml and .mlvcignore too`
			return failure{Code: "not_staged", Hint: add, Exit: ExitRefused}, true
		}
		if strings.Contains(e.Why, "in no commit of the data") || strings.Contains(e.Why, "is another there") {
			add = `"mlvc commit" records it with the data, then ` + add
		}
		return failure{Code: "not_staged", Hint: add + `; or have it done each time: "mlvc config git.commit auto"`, Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*core.UnpushedError](err); ok {
		hint := `"mlvc push" sends the current branch; "mlvc config git.push auto" sends what is needed each time`
		if e.Remote == "" {
			hint = `"mlvc remote add origin PLACE" says where to, then "mlvc push"; "mlvc config git.push off" pushes pointers without their data`
		}
		return failure{Code: "not_pushed", Hint: hint, Exit: ExitRefused}, true
	}
	return failure{}, false
}

// explainPairing is for the git repository itself.
func explainPairing(err error) (failure, bool) {
	if _, ok := errors.AsType[*gitpair.WholeTreeError](err); ok {
		return failure{Code: "whole_tree", Hint: `name the folders that are data: "mlvc git pair --track data" for a new dataset, or "track" in mlvc.toml`, Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*gitpair.BareError](err); ok {
		return failure{Code: "bare", Hint: "pair a clone of it, or a worktree (git worktree add)", Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*gitpair.SharedHooksError](err); ok {
		return failure{Code: "shared_hooks", Hint: `"git config --local core.hooksPath .git/hooks" gives this repository its own hooks; --shared-hooks writes into ` + e.Dir, Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*gitpair.HookError](err); ok {
		return failure{Code: "hook", Hint: "look at that file; nothing was changed in it", Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*gitpair.RevisionError](err); ok {
		return failure{Code: "unknown_revision", Hint: `"git log" lists its commits`, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.PairedElsewhereError](err); ok {
		return failure{Code: "pointer_elsewhere", Hint: `"mlvc git fetch" brings the data that it names`, Exit: ExitRefused}, true
	}
	switch {
	case errors.Is(err, core.ErrNotPaired):
		return failure{Code: "not_paired", Hint: `"mlvc git pair" does it`, Exit: ExitNotFound}, true
	case errors.Is(err, gitpair.ErrNoRepository):
		return failure{Code: "no_git", Hint: `go into a git work tree, or make one with "git init"`, Exit: ExitNotFound}, true
	case errors.Is(err, gitpair.ErrNoProgram):
		return failure{Code: "no_git", Hint: "install git 2.30 or newer", Exit: ExitError}, true
	case errors.Is(err, gitpair.ErrNotEmpty):
		return failure{Code: "not_empty", Hint: "name a folder that does not exist yet", Exit: ExitRefused}, true
	}
	return failure{}, false
}
