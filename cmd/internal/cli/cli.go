// Package cli is the command line: one file a verb, each of which turns flags
// into options, calls core once, and prints. Errors become a message, a hint
// and an exit status in errors.go, results become text or JSON in output.go,
// and nowhere else.
package cli

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlvc/mlvc/core"
	"github.com/mlvc/mlvc/objects/vfs"
)

// Streams are what a command reads and writes. Colours and progress are only
// for an *os.File that is a terminal.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Env is everything else that a command takes from outside.
type Env struct {
	FS      vfs.FS
	Now     func() time.Time
	Dir     string // the current folder, absolute
	Getenv  func(string) string
	Version string
	Self    string // the program, absolute: what hooks of git call
}

// app is one call of mlvc.
type app struct {
	streams Streams
	env     Env
	args    []string
	flags   globalFlags
	dir     string // the folder to work in: Env.Dir, or what -C says
	out     *output
	err     *output
	events  *events
	prints  map[*cobra.Command][]shape
	exits   map[*cobra.Command][]int
	gitEnv  core.GitEnv // of commands that git starts
}

// globalFlags are the options of every command.
type globalFlags struct {
	dir        string
	json       bool
	quiet      bool
	wait       time.Duration
	noProgress bool
	color      string
}

// Main runs one command and returns its exit status (see exit.go). Cancelling
// ctx ends the command cleanly: what it began is as a crash would leave it,
// and the next run goes on from there.
func Main(ctx context.Context, args []string, streams Streams, env Env) int {
	a := &app{
		streams: streams, env: env, args: args, dir: env.Dir,
		out: newOutput(streams.Out), err: newOutput(streams.Err),
		prints: make(map[*cobra.Command][]shape), exits: make(map[*cobra.Command][]int),
	}
	// Until the flags are read, so that their errors too come out as asked.
	a.flags.json = slices.Contains(args, "--json")
	a.flags.color = "auto"
	a.setOutput()
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	a.events.end()
	if flushed := a.out.flush(); err == nil {
		err = flushed
	}
	return a.finish(err)
}

// setOutput makes the printers do as the flags say.
func (a *app) setOutput() {
	plain := a.env.Getenv("NO_COLOR") != "" || a.env.Getenv("TERM") == "dumb"
	colour := func(w io.Writer) bool {
		return a.flags.color == "always" || a.flags.color == "auto" && !plain && isTerminal(w)
	}
	a.out.set(a.flags, colour(a.streams.Out))
	a.err.set(a.flags, colour(a.streams.Err))
	progress := !a.flags.noProgress && !a.flags.json && !a.flags.quiet && isTerminal(a.streams.Err)
	a.events = newEvents(a.err, a.streams.Err, progress)
}

// prepare is run when the flags are known and before any command.
func (a *app) prepare(*cobra.Command, []string) error {
	switch a.flags.color {
	case "auto", "always", "never":
	default:
		return usagef("use --color auto, --color always or --color never", "--color %s: no such choice", a.flags.color)
	}
	if a.flags.wait < 0 {
		return usagef("use a duration such as 30s or 5m; 0 does not wait", "--wait %v: it is negative", a.flags.wait)
	}
	if a.flags.dir != "" {
		if a.dir = a.flags.dir; !filepath.IsAbs(a.dir) {
			a.dir = filepath.Join(a.env.Dir, a.dir)
		}
		if st, err := a.env.FS.Lstat(a.dir); err != nil {
			return err
		} else if st.Type == vfs.TypeRegular {
			return usagef("name a folder", "-C %s: not a folder", a.flags.dir)
		}
	}
	a.setOutput()
	return nil
}

// coreEnv is what core gets from outside.
func (a *app) coreEnv(who signer) core.Env {
	return core.Env{
		FS: a.env.FS, Now: a.env.Now, Who: who(), Command: commandLine(a.args),
		Wait: a.flags.wait, Events: a.events, Git: a.gitEnv, OpenBucket: a.openBucket,
	}
}

// read opens the repository for a verb that signs nothing.
func (a *app) read(ctx context.Context, do func(r *core.Repo) error) error {
	return a.with(ctx, nobody, do)
}

// write opens the repository for a verb that may sign a commit or an operation.
func (a *app) write(ctx context.Context, do func(r *core.Repo) error) error {
	return a.with(ctx, func() signature { return a.signature(ctx) }, do)
}

func (a *app) with(ctx context.Context, who signer, do func(r *core.Repo) error) error {
	r, err := core.Open(ctx, a.coreEnv(who), a.dir)
	if err != nil {
		return err
	}
	err = do(r)
	if closed := r.Close(); err == nil {
		err = closed
	}
	return err
}

// commandLine is what was called, as one would write it again.
func commandLine(args []string) string {
	words := make([]string, 0, len(args))
	for _, arg := range args {
		words = append(words, shellWord(arg))
	}
	return strings.Join(words, " ")
}

// shellWord quotes a word for a POSIX shell where it needs it.
func shellWord(word string) string {
	plain := func(r rune) bool {
		return r > 0x7f || strings.ContainsRune("@%+=:,./-_~^{}#", r) || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
