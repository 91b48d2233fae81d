package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/dataset"
	"github.com/mlvc/mlvc/core/dataset/check"
	"github.com/mlvc/mlvc/core/revision"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
	"github.com/mlvc/mlvc/refs"
	"github.com/mlvc/mlvc/remote"
	"github.com/mlvc/mlvc/remote/backup"
	"github.com/mlvc/mlvc/remote/backup/crypt"
)

// testEnv is an environment with a folder of its own, and no variables.
func testEnv(t *testing.T) Env {
	return Env{FS: vfs.OS, Now: time.Now, Dir: t.TempDir(), Getenv: func(string) string { return "" }, Version: "test"}
}

func testApp(t *testing.T) *app {
	a := &app{
		env: testEnv(t), prints: make(map[*cobra.Command][]shape), exits: make(map[*cobra.Command][]int),
		out: newOutput(io.Discard), err: newOutput(io.Discard),
	}
	a.dir = a.env.Dir
	return a
}

// run calls mlvc and returns its exit status and what it printed.
func run(ctx context.Context, env Env, args ...string) (status int, out, errs string) {
	var o, e bytes.Buffer
	status = Main(ctx, args, Streams{In: strings.NewReader(""), Out: &o, Err: &e}, env)
	return status, o.String(), e.String()
}

// Every command has a short description, examples, a group and a manual page,
// and says what it prints as JSON if it prints results.
func TestCommandsAreDescribed(t *testing.T) {
	a := testApp(t)
	without := map[string]bool{"mlvc": true, "mlvc op": true, "mlvc git": true}
	silentOnes := map[string]bool{"mlvc cat": true, "mlvc completion": true, "mlvc man": true, "mlvc help": true}
	walkCommands(a.root(), func(cmd *cobra.Command) {
		name := cmd.CommandPath()
		if page := a.manPage(cmd); !strings.HasPrefix(page, ".TH ") {
			t.Errorf("%s: manual page %.40q", name, page)
		}
		if without[name] {
			return
		}
		if cmd.Short == "" || cmd.Example == "" || cmd.Parent() == cmd.Root() && cmd.GroupID == "" {
			t.Errorf("%s lacks a description, examples or a group", name)
		}
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			if !strings.Contains(line, "mlvc") {
				t.Errorf("%s: the example %q does not call it", name, line)
			}
		}
		if len(a.prints[cmd]) == 0 && !silentOnes[name] {
			t.Errorf("%s does not say what it prints as JSON", name)
		}
	})
}

// Each kind of error has a code, and where there is a way out a hint.
func TestExplain(t *testing.T) {
	id := objects.ID{1}
	for _, c := range []struct {
		err  error
		code string
		exit int
	}{
		{errors.New("odd"), "error", ExitError},
		{&core.UsageError{What: "x", Hint: "y"}, "usage", ExitUsage},
		{&core.ExistsError{Root: "/r"}, "exists", ExitRefused},
		{fmt.Errorf("%w: /r", core.ErrNoRepository), "no_repository", ExitNotFound},
		{&core.LockedError{}, "locked", ExitBusy},
		{&core.MovingError{Paths: []string{"a"}}, "moving", ExitRefused},
		{&core.UnreadableError{Paths: []string{"a"}, Count: 1, Err: errors.New("x")}, "unreadable", ExitRefused},
		{&core.DamageError{Paths: []string{"a"}, Count: 1}, "suspected_damage", ExitDamaged},
		{&core.UnfinishedError{Verb: "commit"}, "unfinished", ExitRefused},
		{&core.ObstaclesError{Verb: "checkout"}, "in_the_way", ExitRefused},
		{&core.ConflictError{}, "conflict", ExitRefused},
		{&core.UnmergedError{Branch: "b"}, "unmerged", ExitRefused},
		{&core.RejectedError{Remote: "origin", Names: []core.RejectedName{{Name: "main", Why: core.WhyParted}}}, "rejected", ExitRefused},
		{&core.PartedError{Branch: "main", Tracking: "origin/main", Err: core.ErrNotForward}, "parted", ExitRefused},
		{&core.NoRemoteError{}, "no_remote", ExitNotFound},
		{&core.RemoteExistsError{Name: "origin", URL: "/x"}, "remote_exists", ExitRefused},
		{&core.SecretError{Where: "remote x"}, "secret", ExitUsage},
		{&core.RemoteNeededError{Name: "origin"}, "remote_needed", ExitRefused},
		{&core.NothingThereError{URL: "/x"}, "nothing_there", ExitNotFound},
		{&core.NotEmptyError{Dir: "/x"}, "not_empty", ExitRefused},
		{&core.NotThereError{Remote: "origin", Name: "x"}, "no_name", ExitNotFound},
		{&core.LostPlaceError{Remote: "origin"}, "lost_place", ExitRefused},
		{&core.PlaceError{URL: "/x", Err: errors.New("x")}, "unreachable", ExitError},
		{&core.NotHereError{Err: errors.New("x")}, "not_here", ExitError},
		{&core.PlaceError{URL: "s3://x", Err: &schemeError{"s3"}}, "unknown_place", ExitUsage},
		{&remote.NotHeldError{ID: id}, "not_held", ExitRefused},
		{&core.NoBackupError{Name: "x"}, "no_destination", ExitNotFound},
		{&core.NoSetsError{URL: "/x"}, "no_backups", ExitNotFound},
		{&backup.NoSetError{URL: "/x", Label: "x"}, "no_set", ExitNotFound},
		{&core.PromisedError{Remote: "origin"}, "not_here", ExitRefused},
		{&core.LostBackupsError{URL: "/x"}, "lost_backups", ExitRefused},
		{&backup.ForeignError{URL: "/x"}, "foreign_backups", ExitRefused},
		{&backup.LastFullError{Label: "x"}, "last_full", ExitRefused},
		{&backup.BegunError{URL: "/x"}, "begun_meanwhile", ExitBusy},
		{&backup.BaseGoneError{Base: "x"}, "base_gone", ExitBusy},
		{&crypt.NoKeyError{Key: "x"}, "no_key", ExitRefused},
		{&core.KeysError{Err: errors.New("x")}, "bad_key", ExitUsage},
		{crypt.ErrNoRecipient, "no_recipient", ExitUsage},
		{&core.BackupDamageError{URL: "/x", Err: objects.ErrCorrupt}, "damaged_backup", ExitDamaged},
		{&core.NoSplitRulesError{}, "no_rules", ExitNotFound},
		{&core.NoSplitError{Where: "HEAD", Scheme: "x", Have: []core.SplitName{{Scheme: "y", Split: "train"}}}, "no_split", ExitNotFound},
		{&core.NoSplitError{Where: "HEAD"}, "no_split", ExitNotFound},
		{&core.NoRowError{Path: "t.csv", Row: 9, Rows: 2}, "no_row", ExitError},
		{&check.TooManyError{Rule: dataset.RuleMoved, Findings: 30_000}, "too_many_findings", ExitRefused},
		{&core.CannotEditError{Why: "x", Text: "[splits]"}, "cannot_edit", ExitRefused},
		{&core.RulesError{Where: "mlvc.toml:1:2", What: "x"}, "bad_rules", ExitUsage},
		{&revision.UnknownError{Text: "x"}, "unknown_revision", ExitNotFound},
		{&revision.AmbiguousError{Text: "x"}, "ambiguous", ExitUsage},
		{&refs.MovedError{}, "moved", ExitBusy},
		{&objects.ObjectError{ID: id, Err: objects.ErrCorrupt}, "damaged", ExitDamaged},
		{&objects.ObjectError{ID: id, Err: objects.ErrNotFound}, "missing_object", ExitDamaged},
		{&core.NewerError{Dir: "d", Version: 99}, "newer", ExitError},
		{fmt.Errorf("write: %w", vfs.ErrNoSpace), "disk_full", ExitError},
		{fmt.Errorf("read: %w", context.Canceled), "interrupted", ExitInterrupted},
	} {
		f := explain(c.err)
		if f.Code != c.code || f.Exit != c.exit {
			t.Errorf("%T: %s, exit status %d; want %s, %d", c.err, f.Code, f.Exit, c.code, c.exit)
		}
		if f.Message == "" || f.Hint == "" && c.code != "error" {
			t.Errorf("%T: message %q, hint %q", c.err, f.Message, f.Hint)
		}
	}
}

// Interrupted, a command ends with its own status and says how to go on, and
// the next run does it.
func TestInterrupted(t *testing.T) {
	env := testEnv(t)
	if status, _, errs := run(t.Context(), env, "init"); status != ExitOK {
		t.Fatal(errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	status, _, errs := run(ctx, env, "commit", "-m", "x")
	if status != ExitInterrupted || !strings.Contains(errs, "again to go on") {
		t.Fatalf("exit status %d, %q", status, errs)
	}
	if status, out, errs := run(t.Context(), env, "commit", "-m", "x"); status != ExitOK || !strings.Contains(out, "[main ") {
		t.Fatalf("exit status %d, %q, %q", status, out, errs)
	}
}

// Who signs: the repository's settings, the environment, and never nobody.
func TestWhoSigns(t *testing.T) {
	env := testEnv(t)
	vars := map[string]string{}
	env.Getenv = func(key string) string { return vars[key] }
	signed := func() string {
		t.Helper()
		run(t.Context(), env, "commit", "--allow-empty", "-m", "x")
		_, out, _ := run(t.Context(), env, "show", "-s")
		_, rest, _ := strings.Cut(out, "author  ")
		author, _, _ := strings.Cut(rest, "\n")
		return author
	}
	run(t.Context(), env, "init")
	if got := signed(); !strings.Contains(got, "@") {
		t.Errorf("signed by %q", got)
	}
	vars["MLVC_AUTHOR_NAME"], vars["MLVC_AUTHOR_EMAIL"] = "Ada", "ada@example.org"
	if got := signed(); got != "Ada <ada@example.org>" {
		t.Errorf("signed by %q", got)
	}
	run(t.Context(), env, "config", "user.name", "Grace")
	if got := signed(); got != "Grace <ada@example.org>" {
		t.Errorf("signed by %q", got)
	}
}

// Warnings are told once, and only the first of very many.
func TestWarnings(t *testing.T) {
	var out bytes.Buffer
	e := newEvents(newOutput(&out), &out, false)
	for i := range 100 {
		for range 2 {
			e.Warn(core.Warning{Code: "left_dataset", Path: fmt.Sprint("p", i), Message: "left"})
		}
	}
	e.end()
	if n := strings.Count(out.String(), "\n"); n != maxTold+1 || !strings.Contains(out.String(), "80 more") {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
}

// Columns are as wide as their letters, not their bytes.
func TestColumns(t *testing.T) {
	var out bytes.Buffer
	tx := &text{&out, style{}}
	tx.columns("  ", [][]cell{{{text: "→"}, {text: "1", right: true}, {text: "x"}}, {{text: "ab"}, {text: "10", right: true}, {text: "y"}}})
	if want := "  →    1  x\n  ab  10  y\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
