package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/core/gitpair"
	"github.com/mlvc/mlvc/objects"
	"github.com/mlvc/mlvc/objects/vfs"
)

// hidden makes a command that git calls, and nobody else.
func hidden(cmd *cobra.Command) *cobra.Command {
	cmd.Hidden = true
	cmd.DisableFlagParsing = true
	return cmd
}

// fromGit notes what git said when it started this program.
func (a *app) fromGit() {
	a.dir = realFolder(a.dir)
	full := func(key string) string {
		value := a.env.Getenv(key)
		if value == "" || filepath.IsAbs(value) {
			return value
		}
		return filepath.Join(a.dir, value)
	}
	a.gitEnv = core.GitEnv{Dir: full("GIT_DIR"), IndexFile: full("GIT_INDEX_FILE")}
	if a.gitEnv.Dir != "" {
		a.gitEnv.WorkTree = either(full("GIT_WORK_TREE"), a.dir)
	}
}

func (a *app) gitHookCommand() *cobra.Command {
	return hidden(a.command(spec{
		use: "hook NAME [ARG…]", short: "Called by the hooks of git", args: words(1, -1, "a hook"),
	}, func(cmd *cobra.Command, args []string) error {
		a.fromGit()
		call := core.HookCall{Name: args[0], Args: args[1:], Input: a.streams.In}
		if isTerminal(a.streams.Err) {
			call.Ask = a.askFollow
		}
		env := a.coreEnv(nobody)
		call.Who = func() objects.Signature { return a.signature(cmd.Context()) }
		env.Command = "git " + commandLine(args)
		err := core.GitHook(cmd.Context(), env, a.dir, call, func(rep core.HookReport) {
			a.events.end()
			// What a hook says is of no use to its caller, which shows it.
			_ = a.err.answer(rep, func(t *text) { a.printHook(t, rep) })
			_ = a.err.flush()
		})
		return a.tellEach(err)
	}))
}

// tellEach tells the errors of several datasets, each as if it were alone, and
// returns the exit status of the first.
func (a *app) tellEach(err error) error {
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	status := &silent{exit: ExitError}
	for i, e := range several.Unwrap() {
		if exit := a.finish(e); i == 0 {
			status.exit = exit
		}
	}
	return status
}

// askFollow asks on the terminal: the input of a hook is git's.
func (a *app) askFollow(dataset string) bool {
	name := "/dev/tty"
	if runtime.GOOS == "windows" {
		name = "CONIN$"
	}
	tty, err := os.Open(name)
	if err != nil {
		return false
	}
	defer tty.Close() //nolint:errcheck // it was only read
	a.events.end()
	fmt.Fprintf(a.streams.Err, "mlvc: take the data of %s to what git has checked out? [Y/n] ", quoted(a.nearer(dataset))) //nolint:errcheck // a question that cannot be asked gets no answer
	line, err := bufio.NewReader(tty).ReadString('\n')
	if err != nil {
		return false
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "" || answer == "y" || answer == "yes"
}

// datasetName is the folder of a dataset as one would write it here, or its
// name where that is this folder.
func (a *app) datasetName(root string) string {
	if name := a.nearer(root); name != "." {
		return quoted(name)
	}
	return quoted(filepath.Base(root))
}

func (a *app) printHook(t *text, rep core.HookReport) {
	dataset := a.datasetName(rep.Dataset)
	if rep.Note != "" {
		t.line("%s %s: %s", t.paint(yellow, "mlvc:"), dataset, rep.Note)
	}
	if c := rep.Commit; c != nil && !c.ID.IsZero() {
		t.line("Data of %s: %s", dataset, t.paint(yellow, "["+either(c.Branch, "detached HEAD")+" "+c.ID.Short()+"]"))
		t.line("  %s", changesText(c.Changes))
	}
	if f := rep.Follow; f != nil && (f.Written+f.Removed+f.DamagedCount > 0 || f.State == core.FollowRewrote || !f.Left.IsZero()) {
		printFollow(t, dataset, *f, false)
	}
	if len(rep.Pushed) > 0 {
		t.line("Data of %s: sent %s", dataset, plural(int64(len(rep.Pushed)), "commit"))
	}
}

func (a *app) gitMergeDriverCommand() *cobra.Command {
	return hidden(a.command(spec{
		use: "merge-driver BASE OURS THEIRS PATH", short: "Merges two pointers, for git", args: words(4, 4, "three files and a path"),
	}, func(cmd *cobra.Command, args []string) error {
		a.fromGit()
		texts := core.PointerMerge{File: args[3]}
		for i, into := range []*[]byte{&texts.Base, &texts.Ours, &texts.Theirs} {
			text, err := vfs.ReadFile(a.env.FS, a.inDir(args[i]))
			if err != nil {
				return err
			}
			*into = text
		}
		env := a.coreEnv(func() signature { return a.signature(cmd.Context()) })
		env.Command = "git merge of " + shellWord(args[3])
		text, err := core.MergeDriver(cmd.Context(), env, a.dir, texts)
		if text != nil {
			// git's own file: what is written there becomes the pointer.
			if werr := os.WriteFile(a.inDir(args[1]), text, 0o666); werr != nil {
				return errors.Join(err, werr)
			}
		}
		return err
	}))
}

func (a *app) inDir(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(a.dir, filepath.FromSlash(name))
}

func (a *app) gitTextconvCommand() *cobra.Command {
	return hidden(a.command(spec{
		use: "textconv FILE", short: "Says in words what a pointer names, for git", args: words(1, 1, "a file"),
	}, func(cmd *cobra.Command, args []string) error {
		a.fromGit()
		text, err := vfs.ReadFile(a.env.FS, a.inDir(args[0]))
		if err != nil {
			return err
		}
		p, err := gitpair.ParsePointer(args[0], text)
		if err != nil {
			// What is no pointer is shown as it is.
			_, err = a.out.w.Write(text)
			return err
		}
		return core.Textconv(cmd.Context(), a.coreEnv(nobody), a.dir, p, a.out.w)
	}))
}
