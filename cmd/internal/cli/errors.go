package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/dataset/report"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/core/worktree"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/kv"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote"
)

// failure is an error as it is told: the one place where a code, a hint and an
// exit status belong to it.
type failure struct {
	Code    string   `json:"code"` // stable
	Message string   `json:"message"`
	Hint    string   `json:"hint,omitempty"` // the way out
	Paths   []string `json:"paths,omitempty"`
	Exit    int      `json:"exit"`
}

// failed is a failure as JSON.
type failed struct {
	Error failure `json:"error"`
}

// silent is an error whose story was told by the verb itself already; only its
// exit status is left.
type silent struct{ exit int }

func (s *silent) Error() string { return fmt.Sprintf("exit status %d", s.exit) }

// usagef is an error of how mlvc was called.
func usagef(hint, format string, args ...any) error {
	return &core.UsageError{What: fmt.Sprintf(format, args...), Hint: hint}
}

// finish tells an error and returns the exit status.
func (a *app) finish(err error) int {
	if err == nil {
		return ExitOK
	}
	if quiet, ok := errors.AsType[*silent](err); ok {
		return quiet.exit
	}
	f := explain(err)
	// The exit status stands, whether or not the error stream can be written.
	_ = a.err.answer(failed{f}, func(t *text) { f.print(t) })
	_ = a.err.flush()
	return f.Exit
}

func (f failure) print(t *text) {
	t.line("%s %s", t.paint(red, "mlvc:"), f.Message)
	for _, p := range f.Paths {
		t.line("  %s", p)
	}
	if f.Hint != "" {
		t.line("%s %s", t.paint(cyan, "hint:"), f.Hint)
	}
}

// explain finds out what to say of an error.
func explain(err error) failure {
	for _, group := range []func(error) (failure, bool){
		explainGit, explainCall, explainModel, explainBackup, explainShare, explainRefusal, explainSeal, explainMove, explainImport, explainName, explainRepository, explainSystem,
	} {
		if f, ok := group(err); ok {
			if f.Message == "" {
				f.Message = err.Error()
			}
			return f
		}
	}
	return failure{Code: "error", Message: err.Error(), Exit: ExitError}
}

// explainCall is for how mlvc was called and how it is set up.
func explainCall(err error) (failure, bool) {
	if e, ok := errors.AsType[*core.UsageError](err); ok {
		return failure{Code: "usage", Hint: e.Hint, Exit: ExitUsage}, true
	}
	if e, ok := errors.AsType[*core.ExistsError](err); ok {
		return failure{
			Code: "exists", Paths: []string{quoted(e.Root)}, Exit: ExitRefused, Message: "there is already a repository here",
			Hint: `repositories do not nest: use that one ("mlvc -C ` + e.Root + ` status"), or choose a folder outside of it`,
		}, true
	}
	if errors.Is(err, core.ErrNoRepository) {
		return failure{Code: "no_repository", Hint: `go into a repository, name one with -C DIR, or make one with "mlvc init"`, Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*notSet](err); ok {
		return failure{Code: "not_set", Hint: "mlvc config " + e.key + " VALUE", Exit: ExitNotFound}, true
	}
	if errors.Is(err, core.ErrNoSetting) {
		return failure{Code: "no_setting", Hint: `"mlvc config --help" lists the settings`, Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*core.RulesError](err); ok {
		return failure{Code: "bad_rules", Hint: "correct " + e.Where + "; keys it does not know might be rules that must hold, so nothing is done without them", Exit: ExitUsage}, true
	}
	return failure{}, false
}

// explainRefusal is for what is refused so that nothing is lost.
func explainRefusal(err error) (failure, bool) {
	if e, ok := errors.AsType[*core.RefusedError](err); ok {
		return failure{
			Code: "checks", Paths: findingLines(e.Report), Exit: ExitRefused,
			Hint: `mend the data or mlvc.toml; let what was found stand with --waive RULE --reason "TEXT", which the commit keeps; "mlvc check --html FILE" shows the pairs`,
		}, true
	}
	if e, ok := errors.AsType[*check.TooManyError](err); ok {
		hint := fmt.Sprintf(`mend what is behind them, or set %s = "warn" below [checks] of mlvc.toml`, e.Rule)
		if e.Rule == dataset.RuleMoved {
			hint = `give the scheme another name ("[splits.NAME]"), which is compared with none before, or set moved = "warn" below [checks] of mlvc.toml`
		}
		return failure{Code: "too_many_findings", Hint: hint, Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*core.NoRulesError](err); ok {
		return failure{Code: "no_rules", Hint: `"mlvc help splits" says how they are declared`, Exit: ExitNotFound, Message: e.Error()}, true
	}
	if _, ok := errors.AsType[*core.NoSplitRulesError](err); ok {
		return failure{Code: "no_rules", Hint: `declare some: "mlvc split assign --ratios train=80,val=10,test=10", or as "mlvc help splits" shows`, Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*core.CannotEditError](err); ok {
		return failure{Code: "cannot_edit", Paths: strings.Split(strings.TrimSpace(e.Text), "\n"), Exit: ExitRefused, Message: e.Error() + "; this is what it should say:", Hint: "write it into mlvc.toml by hand"}, true
	}
	if e, ok := errors.AsType[*core.UnfinishedError](err); ok {
		return failure{
			Code: "unfinished", Exit: ExitRefused,
			Hint: fmt.Sprintf(`run "mlvc %s" again to finish it, or "mlvc checkout --abort" to take it back`, e.Work.Command),
		}, true
	}
	if e, ok := errors.AsType[*core.MovingError](err); ok {
		return failure{
			Code: "moving", Paths: quotedAll(e.Paths), Exit: ExitRefused,
			Message: plural(int64(len(e.Paths)), "path") + " changed while being read, again and again",
			Hint:    "wait until nothing writes there, or record them as they are with --allow-moving (the commit says so)",
		}, true
	}
	if e, ok := errors.AsType[*core.UnreadableError](err); ok {
		return failure{
			Code: "unreadable", Paths: quotedAll(e.Paths), Exit: ExitRefused,
			Message: fmt.Sprintf("cannot read %s: %v", plural(int64(e.Count), "path"), e.Err),
			Hint:    "make them readable, name them in .mlvcignore, or keep what the last commit has of them with --skip-unreadable",
		}, true
	}
	if e, ok := errors.AsType[*core.DamageError](err); ok {
		return failure{
			Code: "suspected_damage", Paths: quotedAll(e.Paths), Exit: ExitDamaged,
			Message: plural(int64(e.Count), "file has", "files have") + " other bytes than recorded though size and times did not change",
			Hint:    `if the disk damaged them, "mlvc restore --force PATH" brings the recorded bytes back; if they are meant, "mlvc commit --accept PATH" records them`,
		}, true
	}
	return failure{}, false
}

// explainMove is for what is refused while files and names are moved.
func explainMove(err error) (failure, bool) {
	if e, ok := errors.AsType[*core.ObstaclesError](err); ok {
		return explainObstacles(e), true
	}
	if e, ok := errors.AsType[*core.ConflictError](err); ok {
		return explainConflicts(e), true
	}
	if e, ok := errors.AsType[*core.OutsideError](err); ok {
		return failure{
			Code: "outside_part", Paths: quotedAll(e.Paths), Exit: ExitRefused,
			Message: "the files are a part of the dataset (" + partText(e.Part) + "), and nothing of it is there:",
			Hint:    `"mlvc checkout --add-path GLOB" takes more into the part, "mlvc checkout --all" everything; --into DIR writes them elsewhere`,
		}, true
	}
	if _, ok := errors.AsType[*core.NestedError](err); ok {
		return failure{Code: "nested", Hint: "nothing was recorded; commit without paths when nothing writes to the dataset", Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*core.UnmergedError](err); ok {
		return failure{
			Code: "unmerged", Exit: ExitRefused,
			Hint: fmt.Sprintf(`merge it ("mlvc merge %s"), name it ("mlvc tag NAME %s"), or delete it all the same with --force; "mlvc undo" takes that back`, e.Branch, e.Commit.Short()),
		}, true
	}
	if e, ok := errors.AsType[*core.CurrentBranchError](err); ok {
		return failure{Code: "current_branch", Hint: `go to another branch first ("mlvc switch NAME"), then delete ` + e.Branch, Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*core.KeptError](err); ok {
		return failure{Code: "too_old", Hint: `what it reached may be gone; "mlvc config gc.keep_days DAYS" keeps operations longer from now on`, Exit: ExitRefused}, true
	}
	switch {
	case errors.Is(err, core.ErrNothingUnfinished):
		return failure{Code: "nothing_unfinished", Hint: `"mlvc status" shows where things stand; "mlvc undo" takes back what is done`, Exit: ExitUsage}, true
	case errors.Is(err, core.ErrNothingToUndo):
		return failure{Code: "nothing_to_undo", Hint: `"mlvc op log" lists the operations; "mlvc undo OP" takes back a certain one`, Exit: ExitNotFound}, true
	case errors.Is(err, core.ErrUnrelated):
		return failure{Code: "unrelated", Hint: "check that it is the right one; --unrelated merges all the same", Exit: ExitRefused}, true
	case errors.Is(err, core.ErrNotForward):
		return failure{Code: "not_forward", Hint: "leave out --ff-only to make a merge commit", Exit: ExitRefused}, true
	}
	return failure{}, false
}

// explainShare is for remotes.
func explainShare(err error) (failure, bool) {
	if e, ok := errors.AsType[*core.RejectedError](err); ok {
		return explainRejected(e), true
	}
	if e, ok := errors.AsType[*core.PartedError](err); ok {
		f := failure{
			Code: "parted", Exit: ExitRefused, Hint: "what was fetched is here: mlvc merge " + e.Tracking,
			Message: e.Branch + " cannot simply move forward: it has commits that " + e.Tracking + " does not contain",
		}
		if errors.Is(err, core.ErrUnrelated) {
			f.Message = e.Branch + " and " + e.Tracking + " have no commit in common"
			f.Hint = "check that it is the right remote; mlvc merge --unrelated " + e.Tracking + " merges all the same"
		}
		return f, true
	}
	if e, ok := errors.AsType[*core.NoRemoteError](err); ok {
		hint := `note one with "mlvc remote add origin PATH"`
		if len(e.Known) > 0 {
			hint = "there is: " + strings.Join(e.Known, ", ") + `; "mlvc remote add NAME PATH" notes another one`
		}
		return failure{Code: "no_remote", Hint: hint, Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*core.RemoteExistsError](err); ok {
		return failure{Code: "remote_exists", Hint: "choose another name, or change it: mlvc config remote." + e.Name + ".url URL", Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*core.SecretError](err); ok {
		return failure{Code: "secret", Hint: "leave the password out of the URL", Exit: ExitUsage}, true
	}
	if _, ok := errors.AsType[*core.RemoteNeededError](err); ok {
		return failure{Code: "remote_needed", Hint: `bring them first with "mlvc fetch --contents"`, Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*core.NothingThereError](err); ok {
		return failure{Code: "nothing_there", Hint: `check the path; to share a repository, go into it: "mlvc remote add origin PLACE", then "mlvc push"; that PLACE can be cloned`, Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*core.NotEmptyError](err); ok {
		hint := "choose a folder that is empty or not there"
		if e.Unfinished != "" {
			hint = "finish it by the command that began it, or delete the folder"
		}
		return failure{Code: "not_empty", Hint: hint, Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*core.NotThereError](err); ok {
		return failure{Code: "no_name", Hint: fmt.Sprintf(`"mlvc fetch %s --dry-run" lists what is new there; the first push of a branch makes it`, e.Remote), Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*schemeError](err); ok {
		return failure{Code: "unknown_place", Hint: "use the path of a folder, or file:///PATH", Exit: ExitUsage}, true
	}
	return explainReach(err)
}

// explainReach is for remotes that cannot be reached, or lack something.
func explainReach(err error) (failure, bool) {
	if _, ok := errors.AsType[*core.NotHereError](err); ok {
		return failure{Code: "not_here", Hint: "nothing was touched; make the remote reachable and run it again", Exit: ExitError}, true
	}
	if e, ok := errors.AsType[*remote.NotHeldError](err); ok {
		return failure{Code: "not_held", Hint: "object " + e.ID.Short() + ` is neither here nor there; push from a repository that has all contents, or bring them first ("mlvc fetch --contents")`, Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*core.LostPlaceError](err); ok {
		return failure{Code: "lost_place", Hint: "check that the disk or share is mounted; to begin anew there: mlvc remote remove " + e.Remote + ", and add it again", Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*repositoryError](err); ok {
		hint := "push it to a place of its own, which can be cloned: mlvc -C " + quoted(e.root) + " remote add share PLACE, then mlvc -C " + quoted(e.root) + " push share"
		return failure{Code: "is_repository", Hint: hint, Exit: ExitRefused}, true
	}
	if _, ok := errors.AsType[*core.PlaceError](err); ok && errors.Is(err, vfs.ErrNoSpace) {
		return failure{Code: "disk_full", Hint: "free some space on the disk that is named, and run it again: it goes on with what has arrived", Exit: ExitError}, true
	}
	if _, ok := errors.AsType[*core.PlaceError](err); ok && errors.Is(err, syscall.EROFS) {
		return failure{Code: "read_only", Hint: "it can only be read from: mount it for writing, and run it again", Exit: ExitError}, true
	}
	if _, ok := errors.AsType[*core.PlaceError](err); ok {
		return failure{Code: "unreachable", Hint: `check that the disk or share is there; "mlvc remote" lists where remotes are`, Exit: ExitError}, true
	}
	return failure{}, false
}

func explainRejected(e *core.RejectedError) failure {
	f := failure{
		Code: "rejected", Exit: ExitRefused,
		Message: fmt.Sprintf("remote %s refuses %s; nothing there was changed:", e.Remote, plural(int64(len(e.Names)), "name")),
	}
	var hints []string
	hint := func(text string) {
		if !slices.Contains(hints, text) {
			hints = append(hints, text)
		}
	}
	for _, n := range e.Names {
		seen := e.Remote + "/" + n.Name
		line := n.Name + ": "
		switch n.Why {
		case core.WhyParted:
			line += "the remote is at " + n.Remote.Short() + ", which has commits that " + n.Local.Short() + " does not contain"
			if n.Known {
				hint("merge what the remote has (mlvc merge " + seen + "), then push again")
			} else {
				hint(`bring what the remote has ("mlvc pull", or "mlvc fetch" and "mlvc merge ` + seen + `"), then push again`)
			}
		case core.WhyUnrelated:
			line += "the remote is at " + n.Remote.Short() + ", which has no commit in common with " + n.Local.Short()
			hint("check that it is the right remote; push under another name, or to another place")
		case core.WhyExists:
			line += "the remote has another one, at " + n.Remote.Short()
			lasting := "tags are for good: choose another name"
			if n.Kind == "model" {
				lasting = "what a model saw is not replaced: link it under another ID"
			}
			hint(lasting + ", or delete it there first (" + deleteAt(e.Remote, n) + ")")
		default:
			line += "the remote is not where it was seen"
			if !n.Remote.IsZero() {
				line += ", but at " + n.Remote.Short()
			}
			if n.Kind == "branch" || n.Remote.IsZero() {
				hint("look at what came there: mlvc fetch " + e.Remote + ", then mlvc log " + seen)
			} else {
				hint("to delete it all the same: " + deleteAt(e.Remote, n))
			}
		}
		f.Paths = append(f.Paths, line)
	}
	f.Hint = strings.Join(hints, "; ")
	return f
}

// deleteAt is the command that deletes a name at a remote which has it at
// another commit than this repository.
func deleteAt(remote string, n core.RejectedName) string {
	return "mlvc push " + remote + " --delete " + n.Name + " --force-with-lease=" + n.Name + ":" + n.Remote.Short()
}

func explainObstacles(e *core.ObstaclesError) failure {
	f := failure{
		Code: "in_the_way", Exit: ExitRefused,
		Message: fmt.Sprintf("cannot %s: nothing was touched, because this would be lost:", e.Verb),
		Hint:    "commit these files, move them away, or have them replaced with --force",
	}
	if e.Begun {
		f.Message = fmt.Sprintf("cannot finish the %s: these came in the way meanwhile, and were left; all the rest is done:", e.Verb)
		f.Hint = `commit is refused until it is finished: move these files away and run the same command again, or take it back with "mlvc checkout --abort"`
	}
	forced := true
	for _, o := range e.Obstacles.List {
		f.Paths = append(f.Paths, quoted(o.Path)+" "+string(o.Reason))
		forced = forced && o.Reason.Forced()
	}
	if more := e.Obstacles.Count - int64(len(e.Obstacles.List)); more > 0 {
		f.Paths = append(f.Paths, "… and "+decimal(more)+" more")
	}
	if strings.HasPrefix(e.Verb, "restore into") {
		f.Hint = "choose a folder that is empty or not there, or move away what is named"
	} else if !forced && !e.Begun {
		f.Hint = "move or rename what is named; not all of it can be replaced by --force"
	}
	return f
}

func explainConflicts(e *core.ConflictError) failure {
	f := failure{
		Code: "conflict", Exit: ExitRefused,
		Message: plural(e.Count, "path that both sides changed", "paths that both sides changed") + "; nothing was merged:",
		Hint:    "settle them with --ours PATH and --theirs PATH (. is everything), or --keep-both writes theirs beside ours as NAME.theirs.EXT",
	}
	for _, c := range e.Conflicts {
		line := quoted(c.Path) + " (ours: " + c.Ours + ", theirs: " + c.Theirs + ")"
		if c.Below != "" {
			line += ", a file on one side and a folder with " + quoted(c.Below) + " on the other"
		}
		f.Paths = append(f.Paths, line)
	}
	if more := e.Count - int64(len(e.Conflicts)); more > 0 {
		f.Paths = append(f.Paths, "… and "+decimal(more)+" more")
	}
	return f
}

// explainName is for revisions, names and paths.
func explainName(err error) (failure, bool) {
	if e, ok := errors.AsType[*neitherError](err); ok {
		hint := `"mlvc help revisions" shows how to name a commit; write -- before paths`
		if near, ok := errors.AsType[*revision.UnknownError](e.rev); ok && len(near.Near) > 0 {
			hint = "did you mean " + strings.Join(near.Near, ", ") + "?"
		}
		return failure{Code: "neither", Hint: hint, Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*revision.UnknownError](err); ok && e.Text == "HEAD" {
		return failure{Code: "no_commit", Message: "there is no commit yet", Hint: `make the first one with "mlvc commit -m MESSAGE"`, Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*revision.UnknownError](err); ok {
		f := failure{Code: "unknown_revision", Message: fmt.Sprintf("%s: no such revision", quoted(e.Text)), Exit: ExitNotFound}
		if f.Hint = `"mlvc log --all", "mlvc branch" and "mlvc tag" list what there is; "mlvc help revisions" how to name it`; len(e.Near) > 0 {
			f.Hint = "did you mean " + strings.Join(e.Near, ", ") + "?"
		}
		return f, true
	}
	if e, ok := errors.AsType[*revision.AmbiguousError](err); ok {
		hint := "write more digits of the one you mean"
		if len(e.Names) > 0 {
			hint = "write the one you mean in full, such as " + string(e.Names[0])
		}
		return failure{Code: "ambiguous", Hint: hint, Exit: ExitUsage}, true
	}
	if _, ok := errors.AsType[*revision.SyntaxError](err); ok {
		return failure{Code: "bad_revision", Hint: `"mlvc help revisions" shows how to name a commit`, Exit: ExitUsage}, true
	}
	if _, ok := errors.AsType[*core.NotInTreeError](err); ok {
		return failure{Code: "no_path", Hint: `"mlvc ls -r REV" lists what a commit holds; paths in REV:PATH are relative to the root`, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.NoSampleError](err); ok {
		return failure{Code: "no_path", Hint: `check the path, or name what was deleted by its content or as REV:PATH, a row of it as REV:TABLE:ROW; "mlvc ls -r REV" lists what a commit holds`, Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*core.NoPathError](err); ok {
		return failure{Code: "no_path", Hint: "check the path; paths are relative to the current folder, or to what -C says", Exit: ExitNotFound}, true
	}
	if _, ok := errors.AsType[*worktree.PatternError](err); ok {
		return failure{Code: "bad_pattern", Hint: "write names between slashes; ? * and […] stand for what is in a name, ** for any folders", Exit: ExitUsage}, true
	}
	if _, ok := errors.AsType[*core.FolderError](err); ok {
		return failure{Code: "folder", Hint: `name a file; "mlvc ls REV PATH" lists the folder`, Exit: ExitUsage}, true
	}
	if e, ok := errors.AsType[*core.UnmatchedError](err); ok {
		return failure{Code: "no_path", Message: e.Where + " has nothing there:", Paths: quotedAll(e.Paths), Hint: `"mlvc ls REV" lists what a commit holds`, Exit: ExitNotFound}, true
	}
	if e, ok := errors.AsType[*core.NameExistsError](err); ok {
		return failure{Code: "name_exists", Hint: "choose another name, or move " + e.Name.Short() + " there with --force", Exit: ExitRefused}, true
	}
	if e, ok := errors.AsType[*core.NoNameError](err); ok {
		hint := `"mlvc branch" and "mlvc tag" list what there is`
		if len(e.Near) > 0 {
			hint = "did you mean " + strings.Join(e.Near, ", ") + "?"
		}
		return failure{Code: "no_name", Hint: hint, Exit: ExitNotFound}, true
	}
	switch {
	case errors.Is(err, revision.ErrUnborn):
		return failure{Code: "no_commit", Hint: `make the first one with "mlvc commit -m MESSAGE"`, Exit: ExitNotFound}, true
	case errors.Is(err, revision.ErrUnknown):
		return failure{Code: "unknown_revision", Hint: `"mlvc help revisions" shows how to name a commit`, Exit: ExitNotFound}, true
	case errors.Is(err, refs.ErrBadName):
		return failure{Code: "bad_name", Hint: "choose another name: letters, digits, and . _ - / between them", Exit: ExitUsage}, true
	case errors.Is(err, refs.ErrClash):
		return failure{Code: "name_clash", Hint: "choose another name, or delete or rename the one that is in the way", Exit: ExitRefused}, true
	case errors.Is(err, refs.ErrNoOperation):
		return failure{Code: "no_operation", Hint: `"mlvc op log" lists the operations`, Exit: ExitNotFound}, true
	case errors.Is(err, worktree.ErrOutside):
		return failure{Code: "outside", Hint: "name a path of this repository", Exit: ExitUsage}, true
	}
	return failure{}, false
}

// explainRepository is for the state of the repository.
func explainRepository(err error) (failure, bool) {
	if _, ok := errors.AsType[*core.LockedError](err); ok {
		return failure{Code: "locked", Hint: "wait for it to finish and try again, or wait longer with --wait 10m; if that process hangs, end it: the lock ends with it", Exit: ExitBusy}, true
	}
	switch {
	case errors.Is(err, core.ErrPointerLost):
		return failure{Code: "pointer_lost", Hint: `run "mlvc doctor": it finds the operation that was the last, and --fix names it again`, Exit: ExitDamaged}, true
	case errors.Is(err, objects.ErrNewer):
		return failure{Code: "newer", Hint: "install a newer mlvc; this one changes nothing here", Exit: ExitError}, true
	case errors.Is(err, objects.ErrCorrupt), errors.Is(err, kv.ErrDamaged):
		return failure{Code: "damaged", Hint: `run "mlvc verify --full" to see all that is damaged, and "mlvc doctor" for what can be done`, Exit: ExitDamaged}, true
	case errors.Is(err, objects.ErrNotFound):
		return failure{Code: "missing_object", Hint: `run "mlvc verify" to see all that is missing, and "mlvc doctor" for what can be done`, Exit: ExitDamaged}, true
	case errors.Is(err, refs.ErrMoved):
		return failure{Code: "moved", Hint: "another mlvc changed names at the same time; look at it and try again", Exit: ExitBusy}, true
	case errors.Is(err, kv.ErrBusy):
		return failure{Code: "busy", Hint: "try again, or wait longer with --wait 10m", Exit: ExitBusy}, true
	}
	return failure{}, false
}

// explainSystem is for what the machine says.
func explainSystem(err error) (failure, bool) {
	switch {
	case errors.Is(err, context.Canceled):
		return failure{Code: "interrupted", Message: "interrupted; nothing is lost", Hint: "run the same command again to go on", Exit: ExitInterrupted}, true
	case errors.Is(err, vfs.ErrNoSpace):
		return failure{Code: "disk_full", Hint: `free some space and run it again; "mlvc gc" removes what nobody needs. The repository is as it was before`, Exit: ExitError}, true
	case errors.Is(err, fs.ErrPermission):
		return failure{Code: "permission", Hint: "check who owns it and its permissions", Exit: ExitError}, true
	case errors.Is(err, fs.ErrNotExist):
		return failure{Code: "no_file", Hint: "check the path; paths are relative to the current folder, or to what -C says", Exit: ExitNotFound}, true
	}
	return failure{}, false
}

func quotedAll(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = quoted(p)
	}
	return out
}

// findingLines are the first findings that refuse a commit.
func findingLines(r *dataset.Report) []string {
	const first = 10
	var lines []string
	n := 0
	for _, f := range r.Findings {
		if f.Level != dataset.Error || f.Waived != "" {
			continue
		}
		if n++; n <= first {
			lines = append(lines, string(f.Rule)+": "+report.Printable(f.Message))
		}
	}
	if n > first {
		lines = append(lines, "… and "+decimal(int64(n-first))+" more")
	}
	return lines
}
